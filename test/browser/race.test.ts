import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { open, startApp, storedBecomes } from './app.js'
import { skip } from './chromium.js'

const ROUNDS = 25
const RECORDS = 20
const TABS = 4
/** Keeps a processor busy until it is ended. */
const BUSY = 'const { parentPort } = require("worker_threads"); parentPort.postMessage(0); for (;;) {}'

// It makes the machine busy, and there may be other tests.
t.setTimeout(300_000)

/*
 * Once, on a loaded machine, two tabs sent the same 19 of 20 entries: each had held the Web Lock as it took them, but
 * what one process removes from localStorage another may still see a while later, and a lock does not wait for that.
 */
t.test('many tabs at once, on a machine under load: each stored entry is sent once', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  const workers = [0, 1, 2, 3].map(() => new Worker(BUSY, { eval: true }))
  t.teardown(() => Promise.all(workers.map(worker => worker.terminate())))
  await Promise.all(workers.map(worker => once(worker, 'message')))
  const context = await profile()
  // Of one site each in a process of its own, as tabs that a person has opened are.
  const tabs = await Promise.all(Array.from({ length: TABS }, () => open(context, standIn.origin)))
  await Promise.all(tabs.map(tab => tab.evaluate(`log.info('hello'); log.flush()`)))
  for (let round = 0; round < ROUNDS; round++) {
    standIn.requests.length = 0
    standIn.answer = () => ({ status: 503 })
    await tabs[0]!.evaluate(
      `(async () => { for (let i = 0; i < ${RECORDS}; i++) { log.info('${round}.' + i); await log.flush() } })()`
    )
    standIn.answer = () => undefined
    await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
    await standIn.until(() => standIn.taken().length >= RECORDS)
    await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
    if (standIn.taken().length !== RECORDS) t.equal(standIn.taken().length, RECORDS, `round ${round}`)
    if (new Set(standIn.taken()).size !== RECORDS) t.fail(`round ${round}: not all of them`)
  }
  await storedBecomes(tabs[0]!, 0)
})
