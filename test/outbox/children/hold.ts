/** Holds the queue at a path, with one entry, until its input ends. */
import { createDiskOutbox } from '../../../src/outbox/disk.js'

const outbox = createDiskOutbox({ path: process.argv[2] as string, maxBytes: 1e9 })
await outbox.start()
await outbox.append([{ user: 'u:ann', body: '{}' }])
process.stdout.write('holds\n')
process.stdin.resume()
process.stdin.on('end', () => void outbox.stop())
