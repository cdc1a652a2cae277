import t from 'tap'
import { heapLimit } from '../../src/guard/overload.js'
import { createRoom, type Guest } from '../../src/guard/room.js'

const KB = 1024
const full = { code: 'SERVER_OVERLOADED', statusCode: 503, retryAfter: 2 }
const told = (bytes: number) => ({ 'content-length': String(bytes) })
const guest = (userId?: string, addressKey = '192.0.2.1'): Guest => ({
  bytes: 0,
  share: undefined,
  caller: { userId, addressKey }
})

t.test('what is under way may take an eighth of the heap, and gives it back', async t => {
  let fulls = 0
  const room = createRoom(256 * KB, () => fulls++)
  const guests: Guest[] = []
  let taken = 0
  const fill = (): void => {
    for (;;) {
      const one = guest(`user ${guests.length}`)
      room.take(one, 200 * KB)
      guests.push(one)
      taken += one.bytes
    }
  }
  t.throws(fill, full)
  t.ok(taken <= heapLimit() / 8 && taken > heapLimit() / 8 - 200 * KB)
  t.throws(() => room.check(told(200 * KB)), full, 'what is told to come has no place')
  t.throws(() => room.check(told(1e15)), full)
  t.doesNotThrow(() => room.check({}), 'of what is not told nobody knows')
  t.equal(fulls, 3)
  room.give(guests[0]!)
  room.check(told(200 * KB))
  room.take(guest('another'), 200 * KB)
})

t.test('one caller may have a quarter of it, however many requests that is', async t => {
  const room = createRoom(256 * KB, () => {})
  const guests: Guest[] = []
  const fill = (userId?: string, addressKey?: string): void => {
    for (;;) {
      const one = guest(userId, addressKey)
      guests.push(one)
      for (let n = 0; n < 4; n++) room.take(one, 50 * KB)
    }
  }
  const mine = () => guests.reduce((sum, { bytes }) => sum + bytes, 0)
  t.throws(() => fill('ada'), full)
  t.ok(mine() <= heapLimit() / 32 + 64 * KB && mine() > heapLimit() / 32 - 200 * KB)
  t.doesNotThrow(() => room.take(guest('ada'), 64 * KB), 'what is small is always let in')
  t.doesNotThrow(() => room.take(guest('bob'), 200 * KB), 'and whatever others send')
  t.doesNotThrow(() => room.take(guest(undefined, 'ada'), 200 * KB), 'an address is no user')
  for (const one of guests.splice(0)) room.give(one)
  t.throws(() => fill(undefined, '192.0.2.7'), full)
  t.ok(mine() <= heapLimit() / 32 + 64 * KB)
  for (const one of guests.splice(0)) room.give(one)
  room.take(guest('ada'), 200 * KB)
})

t.test('there is room for one body, however long it may be', async t => {
  const limit = Math.ceil(heapLimit())
  const room = createRoom(limit, () => {})
  const one = guest('ada')
  room.check(told(limit + 1))
  room.take(one, limit)
  t.throws(() => room.take(one, 1), full)
})
