/* What can happen to a key, under the names that keyspace notifications publish.
 *
 * A change is told to `Keyspace.changed` with one of these; the class letter is notify-keyspace-events' (g generic,
 * $ string, l list, s set, h hash, z sorted set, t stream, x expired, e evicted, m miss, n new). */

export interface KeyEvent {
  readonly kind: string
  readonly name: string
  /** Who waits for the key is not served because of it. */
  readonly wakesNobody?: true
  /** What the key holds is the same to those who watch or track it, as in Redis. */
  readonly isAside?: true
  /** Keyspace notifications come before invalidations, as in Redis; else it is the other way round. */
  readonly isToldFirst?: true
  /** The event in its place when the key goes with what was taken: then REMOVED is the change. */
  readonly last?: KeyEvent
}

const generic = (name: string): KeyEvent => ({ kind: 'g', name })
const string = (name: string): KeyEvent => ({ kind: '$', name })
const list = (name: string): KeyEvent => ({ kind: 'l', name })
const set = (name: string): KeyEvent => ({ kind: 's', name })
const zset = (name: string): KeyEvent => ({ kind: 'z', name })
const hash = (name: string): KeyEvent => ({ kind: 'h', name })
const stream = (name: string): KeyEvent => ({ kind: 't', name, wakesNobody: true })
/** Something is taken from a key. */
const taking = (kind: string, name: string): KeyEvent => ({
  kind,
  name,
  isToldFirst: true,
  last: { kind, name, isAside: true },
})
const group = (name: string): KeyEvent => ({ kind: 't', name, wakesNobody: true, isAside: true })

export const Event = {
  DEL: generic('del'),
  EXPIRE: generic('expire'),
  PERSIST: generic('persist'),
  /** The key goes with what was taken last. */
  REMOVED: { kind: 'g', name: 'del', isToldFirst: true },
  /** A name means another value now; notifications of that follow. */
  RENAMED: { kind: ' ', name: '', wakesNobody: true },
  RENAME_FROM: { kind: 'g', name: 'rename_from', isAside: true },
  RENAME_TO: { kind: 'g', name: 'rename_to', isAside: true },
  MOVE_FROM: generic('move_from'),
  MOVE_TO: generic('move_to'),
  COPY_TO: generic('copy_to'),
  RESTORE: generic('restore'),
  SET: string('set'),
  SETRANGE: string('setrange'),
  APPEND: string('append'),
  INCRBY: string('incrby'),
  DECRBY: string('decrby'),
  INCRBYFLOAT: string('incrbyfloat'),
  SETBIT: string('setbit'),
  PFADD: string('pfadd'),
  LPUSH: list('lpush'),
  RPUSH: list('rpush'),
  LPOP: taking('l', 'lpop'),
  RPOP: taking('l', 'rpop'),
  LINSERT: list('linsert'),
  LSET: list('lset'),
  LREM: list('lrem'),
  LTRIM: taking('l', 'ltrim'),
  SORTSTORE: list('sortstore'),
  SADD: set('sadd'),
  SREM: set('srem'),
  SMOVE: taking('s', 'srem'),
  SPOP: taking('s', 'spop'),
  SINTERSTORE: set('sinterstore'),
  SUNIONSTORE: set('sunionstore'),
  SDIFFSTORE: set('sdiffstore'),
  HSET: hash('hset'),
  HDEL: hash('hdel'),
  HINCRBY: hash('hincrby'),
  HINCRBYFLOAT: hash('hincrbyfloat'),
  HEXPIRE: hash('hexpire'),
  HEXPIRED: hash('hexpired'),
  HPERSIST: hash('hpersist'),
  ZADD: zset('zadd'),
  ZINCR: zset('zincr'),
  ZREM: taking('z', 'zrem'),
  ZPOPMIN: { kind: 'z', name: 'zpopmin', isToldFirst: true },
  ZPOPMAX: { kind: 'z', name: 'zpopmax', isToldFirst: true },
  ZREMRANGEBYRANK: zset('zremrangebyrank'),
  ZREMRANGEBYSCORE: zset('zremrangebyscore'),
  ZREMRANGEBYLEX: zset('zremrangebylex'),
  ZRANGESTORE: zset('zrangestore'),
  ZUNIONSTORE: zset('zunionstore'),
  ZINTERSTORE: zset('zinterstore'),
  ZDIFFSTORE: zset('zdiffstore'),
  XADD: { kind: 't', name: 'xadd' },
  XDEL: stream('xdel'),
  XTRIM: stream('xtrim'),
  XSETID: group('xsetid'),
  XGROUP_CREATE: group('xgroup-create'),
  XGROUP_SETID: group('xgroup-setid'),
  XGROUP_DESTROY: { kind: 't', name: 'xgroup-destroy', isAside: true },
  XGROUP_CREATECONSUMER: group('xgroup-createconsumer'),
  XGROUP_DELCONSUMER: group('xgroup-delconsumer'),
  GEORADIUSSTORE: zset('georadiusstore'),
  GEOSEARCHSTORE: zset('geosearchstore'),
  EXPIRED: { kind: 'x', name: 'expired', isToldFirst: true },
  EVICTED: { kind: 'e', name: 'evicted' },
  MISS: { kind: 'm', name: 'keymiss' },
  NEW: { kind: 'n', name: 'new' },
  /** A change that no notification tells of: an empty stream is made; PFCOUNT keeps what it has counted. */
  UNTOLD: { kind: ' ', name: '' },
} as const satisfies Record<string, KeyEvent>
