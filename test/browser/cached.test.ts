import t from 'tap'
import { open, startApp, stored, storedBecomes } from './app.js'
import { keepsPages, skip } from './chromium.js'
import type { Answer } from './proxy-stand-in.js'

t.test('where the browser keeps a page that was left', { skip }, async t => {
  const { standIn, profile } = await startApp(t, keepsPages)
  standIn.pages['/other'] = '<!doctype html><title>other</title>'
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.answer = () => undefined
  })
  /** The server answers what has this entry in it no sooner than it is told to. */
  const hold = (held: string) => {
    let arrive = () => {}
    let release: (answer: Answer | undefined) => void = () => {}
    const arrived = new Promise<void>(done => {
      arrive = done
    })
    const answer = new Promise<Answer | undefined>(done => {
      release = done
    })
    standIn.answer = (_, entries) => {
      if (!entries.some(({ action }) => action === held)) return undefined
      arrive()
      return answer
    }
    return { arrived, release }
  }

  t.test('once back it waits for company again, as before', async t => {
    const context = await profile('bill')
    const page = await open(context, standIn.origin)
    await page.evaluate(`addEventListener('pageshow', event => { window.persisted = event.persisted })
      window.slow = createLogger({ flushInterval: 1e6 })`)
    await page.goto(`${standIn.origin}/other`)
    await page.goBack({ waitUntil: 'commit' })
    // Where memory is short it may be loaded anew.
    await page.waitForFunction('window.persisted || (window.log && !window.slow)')
    if (!(await page.evaluate('window.persisted'))) return t.comment('the browser did not keep it')
    await page.evaluate(`slow.info('a'); slow.flush()`)
    await page.evaluate(`slow.info('b')`)
    await standIn.until(() => standIn.taken().includes('bill/b'))
    await page.evaluate(`slow.info('c'); slow.info('d')`)
    await page.evaluate(`slow.info('e'); slow.flush()`)
    t.same(
      standIn.requests.map(({ entries }) => entries.map(({ action }) => action).join()),
      ['a', 'b', 'c,d,e']
    )
  })

  t.test(
    'what is under way as it goes, and is then answered with a 5xx, is put aside where the last one failed, too',
    async t => {
      const context = await profile('ella')
      const page = await open(context, standIn.origin)
      standIn.answer = () => ({ status: 503 })
      await page.evaluate(`log.info('failed'); log.flush()`)
      const { arrived, release } = hold('under.way')
      await page.evaluate(`log.info('under.way'); void log.flush()`)
      await arrived
      await page.goto(`${standIn.origin}/other`)
      await storedBecomes(page, 2)
      release({ status: 503 })
      await page.goto(standIn.origin)
      await page.waitForFunction('window.log')
      standIn.answer = () => undefined
      await page.evaluate('log.flush()')
      await standIn.until(() => standIn.taken().length >= 2)
      t.same(standIn.taken(), ['ella/failed', 'ella/under.way'])
      t.equal(await stored(page), 0)
    }
  )

  t.test('or where that takes seconds already; else not', async () => {
    const context = await profile('finn')
    for (const [action, ms, kept] of [
      ['slow', 4000, 1],
      ['quick', -1e9, 0]
    ] as const) {
      const page = await open(context, standIn.origin)
      const { arrived, release } = hold(action)
      await page.evaluate(`log.info('${action}'); void log.flush()`)
      await arrived
      await page.evaluate(`{ const { now } = Date; Date.now = () => now() + ${ms} }`)
      await page.goto(`${standIn.origin}/other`)
      await storedBecomes(page, kept)
      release({ status: 201 })
      await standIn.until(() => standIn.taken().includes(`finn/${action}`))
      await page.evaluate('localStorage.clear()')
      await page.close()
    }
  })

  t.test('what waited is in storage until its answer is in', async t => {
    const context = await profile('gail')
    const page = await open(context, standIn.origin)
    standIn.answer = () => ({ status: 503 })
    await page.evaluate(`log.info('precious'); log.flush()`)
    await page.reload()
    await page.waitForFunction('window.log')
    const { arrived, release } = hold('precious')
    await page.evaluate('void log.flush()')
    await arrived
    t.equal(await stored(page), 1, 'under way')
    await page.goto(`${standIn.origin}/other`)
    release({ status: 504 })
    await storedBecomes(page, 1)
    await page.goto(standIn.origin)
    await page.waitForFunction('window.log')
    standIn.answer = () => undefined
    await page.evaluate('log.flush()')
    await standIn.until(() => standIn.taken().includes('gail/precious'))
    t.same(standIn.taken(), ['gail/precious'])
    t.equal(await stored(page), 0)
  })
})
