/**
 * Appends entries to the queue at a path and writes `resolved <n>` after each: one after the other, then at once, then each
 * with the acknowledgement of another behind it in the same tick.
 */
import { createDiskOutbox } from '../../../src/outbox/disk.js'
import { say } from './say.js'

const outbox = createDiskOutbox({ path: process.argv[2] as string, maxBytes: 1e9, control: false })
await outbox.start()
const append = async (n: number) => {
  await outbox.append([{ user: 'u:ann', body: `{"number":${n},"end":true}` }])
  say(`resolved ${n}\n`)
}
for (let n = 100; n < 125; n++) await append(n)
await Promise.all(Array.from({ length: 25 }, (_, i) => append(125 + i)))
const claimed = await outbox.claim({ entries: 5, bytes: 1e6 })
for (const [i, { id }] of claimed.entries()) {
  const appended = append(150 + i)
  outbox.acknowledge([id])
  await appended
}
await outbox.stop()
