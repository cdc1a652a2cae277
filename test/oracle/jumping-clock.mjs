// Preloaded into the program (NODE_OPTIONS): at each SIGCONT its wall clock jumps by the next of CLOCK_JUMPS, in days. What
// runs by the monotonic clock (timers, performance.now) is left alone, as when somebody sets a machine's date.
const DAY = 86_400_000
const jumps = (process.env.CLOCK_JUMPS ?? '').split(',').map(Number)
const RealDate = Date
let offset = 0

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offset)
    else super(...args)
  }

  static now() {
    return RealDate.now() + offset
  }
}

process.on('SIGCONT', () => {
  offset += (jumps.shift() ?? 0) * DAY
  process.stdout.write(`the clock jumped: ${new Date().toISOString()}\n`)
})
