/**
 * Appends entries to the queue at a path without end, several at a time, and says `stored <n> <user>;` as soon as an append has
 * resolved; delivers some in between, and says `sending <n>;` before it acknowledges. Numbers begin where it is told.
 */
import { createDiskOutbox } from '../../../src/outbox/disk.js'
import { say } from './say.js'

const [path, first, seed] = process.argv.slice(2) as [string, string, string]
const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
const { damage } = await outbox.start()
if (damage !== undefined) say(`damage ${damage};\n`)

let state = Number(seed) >>> 0
/** A whole number below `end`, the same ones for the same seed. */
function random(end: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 4294967296) * end)
}

let n = Number(first)
for (;;) {
  const appends = Array.from({ length: 1 + random(20) }, async () => {
    const user = random(5)
    const numbers = Array.from({ length: 1 + random(3) }, () => n++)
    await outbox.append(
      numbers.map(n => ({ user: `u:${user}`, body: JSON.stringify({ n, fill: 'x'.repeat(random(2000)) }) }))
    )
    say(numbers.map(n => `stored ${n} ${user};\n`).join(''))
  })
  if (random(3) === 0) {
    const claimed = await outbox.claim({ entries: random(30) + 1, bytes: 1e6 })
    const sent = claimed.slice(0, random(31))
    if (sent.length > 0) say(sent.map(({ body }) => `sending ${JSON.parse(body).n};\n`).join(''))
    outbox.acknowledge(sent.map(({ id }) => id))
    outbox.release(claimed.map(({ id }) => id))
  }
  await Promise.all(appends)
}
