import { getHeapStatistics } from 'node:v8'
import { serve } from '../../../src/commands/serve.js'
import { heapLimit } from '../../../src/guard/overload.js'

/** The whole program; what its parent names makes it run short of that, until it is told to `ease`. */

let held: unknown[] = []
let busy = false

const commands: Record<string, () => void> = {
  /** Each round of the event loop takes long, as with a thousand large requests at once. */
  loop() {
    busy = true
    const round = () => {
      for (const end = performance.now() + 1300; performance.now() < end; );
      if (busy) setTimeout(round)
    }
    round()
  },
  heap() {
    while (getHeapStatistics().used_heap_size < 0.88 * heapLimit()) held.push(new Array(10_000).fill(1.5))
  },
  ease() {
    busy = false
    held = []
  }
}
process.on('message', (name: string) => commands[name]!())

await serve({ env: process.env, cwd: process.cwd(), out: () => {}, err: text => void process.stderr.write(text) })
