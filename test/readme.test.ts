/* README's command table is the one derived from the definitions. `UPDATE=1 npx vitest run test/readme.test.ts`
 * rewrites it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Command } from '../src/commands/definition.ts'
import { syntaxOf } from '../src/commands/introspection/syntax.ts'
import { Config } from '../src/server/config/config.ts'
import { silentLog } from '../src/server/log.ts'
import { Server } from '../src/server/server.ts'

const README = new URL('../README.md', import.meta.url)
const BEGIN = '<!-- commands -->\n'
const END = '\n<!-- /commands -->'

const cell = (text: string): string => text.replaceAll('|', '\\|')

function row(command: Command): string {
  return `| \`${cell(syntaxOf(command))}\` | ${cell(command.definition.summary)} |`
}

function rows(command: Command): string[] {
  const own = command.isRunnable ? [row(command)] : []
  return [...own, ...command.subcommands.filter((subcommand) => subcommand.name !== 'help').map(row)]
}

function commandTable(): string {
  const server = new Server({ config: new Config(), log: silentLog(), exit: () => {} })
  const byGroup = new Map<string, Command[]>()
  for (const command of server.table.commands) {
    const group = byGroup.get(command.group)
    if (group === undefined) byGroup.set(command.group, [command])
    else group.push(command)
  }
  const parts: string[] = []
  for (const [group, commands] of byGroup) {
    const sorted = commands.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    parts.push(`### ${group}\n\n| command | |\n| --- | --- |\n${sorted.flatMap(rows).join('\n')}\n`)
  }
  server.close()
  return parts.join('\n')
}

test('the command table of the README is the derived one', () => {
  const text = readFileSync(README, 'utf8')
  const begin = text.indexOf(BEGIN) + BEGIN.length
  const end = text.indexOf(END)
  const table = commandTable()
  if (process.env['UPDATE'] === '1') writeFileSync(README, text.slice(0, begin) + table + text.slice(end))
  else expect(text.slice(begin, end)).toBe(table)
})
