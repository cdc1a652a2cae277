/** Appends fifty entries to the queue at a path, one after the other and then at once, and writes `resolved <n>` after each. */
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
await outbox.stop()
