/** The whole program, on a machine whose date jumps by as many ms as its parent says. */

let jump = 0
const date = Date.now
Date.now = () => date() + jump
process.on('message', (ms: number) => {
  jump = ms
  process.send!('jumped')
})

// not before: whoever keeps the function keeps this one
const { serve } = await import('../../../src/commands/serve.js')
await serve({ env: process.env, cwd: process.cwd(), out: () => {}, err: text => void process.stderr.write(text) })
