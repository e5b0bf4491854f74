import { Server } from './server/server.ts'

const server = new Server()
server.listen(Number(process.argv[process.argv.indexOf('--port') + 1]))
process.on('SIGTERM', () => {
  const m = process.memoryUsage()
  console.log('rss', m.rss >> 20, 'heap', m.heapUsed >> 20, server.keyspace.memory.usedBytes, server.keyspace.databases[0]!.size)
  process.exit()
})
