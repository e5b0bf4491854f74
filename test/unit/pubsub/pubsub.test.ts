import { expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { bufferBytes } from '../../../src/protocol/reply-buffer.ts'
import { PubSub } from '../../../src/pubsub/pubsub.ts'
import type { Subscriber } from '../../../src/pubsub/topic.ts'

/** A subscriber that keeps what it is sent. */
function newSubscriber(version = 2): Subscriber & { readonly received: string[] } {
  const received: string[] = []
  return {
    session: { version, channelCount: 0, patternCount: 0, shardChannelCount: 0 },
    received,
    pushShared: (buffer, from, to) => void received.push(Buffer.from(buffer.bytes.slice(from, to)).toString('latin1')),
  }
}

function subscribe(pubsub: PubSub, subscriber: Subscriber, name: string, sharded = false): boolean {
  const bytes = fromLatin1(name)
  return pubsub.subscribe(subscriber, bytes, 0, bytes.length, sharded)
}

function publish(pubsub: PubSub, channel: string, payload: string): number {
  const [name, text] = [fromLatin1(channel), fromLatin1(payload)]
  return pubsub.publish(name, 0, name.length, text, 0, text.length)
}

test('a long payload is the same memory for all, behind a head of each kind', () => {
  const pubsub = new PubSub()
  const clients = [newSubscriber(2), newSubscriber(3), newSubscriber(2)]
  for (const client of clients.slice(0, 2)) subscribe(pubsub, client, 'x')
  for (const client of clients.slice(1)) pubsub.subscribePattern(client, 'x*')
  const buffers = new Set<unknown>()
  for (const client of clients) {
    const { pushShared } = client
    Object.assign(client, {
      pushShared: (...[buffer, from, to]: Parameters<Subscriber['pushShared']>) => {
        if (to - from > 1000) buffers.add(buffer)
        pushShared(buffer, from, to)
      },
    })
  }
  const payload = 'p'.repeat(100_000)
  expect(publish(pubsub, 'x', payload)).toBe(4)
  expect(buffers.size).toBe(1)
  const body = `$1\r\nx\r\n$100000\r\n${payload}\r\n`
  expect(clients[0]!.received.join('')).toBe(`*3\r\n$7\r\nmessage\r\n${body}`)
  const both = [`>3\r\n$7\r\nmessage\r\n${body}`, `>4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n${body}`]
  expect(clients[1]!.received.join('')).toBe(both.join(''))
  expect(clients[2]!.received.join('')).toBe(`*4\r\n$8\r\npmessage\r\n$2\r\nx*\r\n${body}`)
})

test('all subscriptions together keep to a budget, which what ends gives back', () => {
  const pubsub = new PubSub(2000)
  const [first, second] = [newSubscriber(), newSubscriber()]
  let count = 0
  while (subscribe(pubsub, first, `channel-${count}`)) count++
  expect(count).toBeGreaterThan(3)
  expect(first.session.channelCount).toBe(count)
  expect(subscribe(pubsub, first, 'channel-0')).toBe(true) // again, which takes nothing
  expect(pubsub.subscribePattern(second, 'p*')).toBe(false)
  expect(second.session.patternCount).toBe(0)
  pubsub.forget(first)
  expect([pubsub.channelCount, pubsub.subscriberCount, pubsub.isHeard]).toEqual([0, 0, false])
  for (let round = 0; round < 100; round++) {
    expect(pubsub.subscribePattern(second, 'p*')).toBe(true)
    expect(subscribe(pubsub, second, 'x', true)).toBe(true)
    pubsub.unsubscribePattern(second, 'p*')
    pubsub.forget(second)
  }
  for (let index = 0; index < count; index++) expect(subscribe(pubsub, second, `channel-${index}`)).toBe(true)
  expect(subscribe(pubsub, second, 'one more')).toBe(false)
})

test('a payload that everybody has been sent is kept by nobody', () => {
  const pubsub = new PubSub()
  const client = newSubscriber()
  subscribe(pubsub, client, 'x')
  publish(pubsub, 'x', 'small')
  const before = bufferBytes()
  publish(pubsub, 'x', 'p'.repeat(10_000_000))
  expect(bufferBytes()).toBe(before)
})
