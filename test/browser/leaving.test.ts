import t from 'tap'
import { open, startApp, stored } from './app.js'
import { skip } from './chromium.js'

t.test('as the page goes', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.answer = () => undefined
  })

  t.test('log, then close: 30 of 30', async t => {
    const context = await profile()
    for (let run = 0; run < 30; run++) {
      const page = await open(context, standIn.origin)
      await page.evaluate(
        `for (let i = 0; i < 60; i++) log.info('run${run}.' + i, { message: 'as it goes' }); window.close()`
      )
      if (!page.isClosed()) await page.close()
    }
    await standIn.until(() => standIn.taken().length >= 1800)
    t.equal(standIn.taken().length, 1800, 'each once')
    t.equal(new Set(standIn.taken()).size, 1800)
  })

  t.test('log, then navigate, in one task', async () => {
    const context = await profile()
    const page = await open(context, standIn.origin)
    standIn.pages['/other'] = '<title>other</title>'
    await page.evaluate(`log.info('last.words'); location.href = '/other'`)
    await standIn.until(() => standIn.taken().includes('anna/last.words'))
  })

  t.test('what is logged by other listeners of pagehide goes, too', async () => {
    const context = await profile()
    const page = await open(context, standIn.origin)
    await page.evaluate(`addEventListener('pagehide', () => log.info('really.last')); location.href = '/other'`)
    await standIn.until(() => standIn.taken().includes('anna/really.last'))
  })

  t.test("what exceeds the browser's budget is sent on the next visit, each once", async t => {
    const context = await profile('otto')
    const page = await open(context, standIn.origin)
    await page.evaluate(`for (let i = 0; i < 300; i++) log.info('much.' + i, { message: 'x'.repeat(600) })`)
    await page.close()
    const next = await open(context, standIn.origin)
    t.ok((await stored(next)) > 0)
    await next.evaluate('log.flush()')
    await standIn.until(() => standIn.taken().length >= 300)
    t.equal(new Set(standIn.taken()).size, 300)
    t.equal(standIn.taken().length, 300)
    t.ok(
      standIn.requests.every(({ bytes }) => bytes < 60_000),
      'in pieces'
    )
    t.equal(await stored(next), 0)
  })

  t.test('hidden, not gone: sent at once, and the answer still counts', async t => {
    const context = await profile()
    const page = await open(context, standIn.origin)
    standIn.answer = (_, entries) => (entries[0]?.action === 'hide.2' ? { status: 503 } : undefined)
    const hide = `Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));`
    await page.evaluate(`log.info('hide.1'); ${hide}`)
    await standIn.until(() => standIn.taken().includes('anna/hide.1'))
    await page.evaluate(`log.info('hide.2')`)
    await standIn.until(({ requests }) => requests.some(({ status }) => status === 503))
    standIn.answer = () => undefined
    await page.evaluate(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`)
    await standIn.until(() => standIn.taken().includes('anna/hide.2'))
    t.equal(standIn.taken().length, 2)
  })

  t.test('without keepalive sendBeacon takes over, and its false is taken as not sent', async t => {
    const context = await profile('bea')
    await context.addInitScript('delete Request.prototype.keepalive')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('by.beacon'); location.href = '/other'`)
    await standIn.until(() => standIn.taken().includes('bea/by.beacon'))
    t.match(standIn.requests[0], { type: /^text\/plain/ })
    await page.waitForURL('**/other')
    await page.goto(standIn.origin)
    await page.evaluate(`navigator.sendBeacon = () => false; log.info('refused.beacon'); location.href = '/other'`)
    await page.waitForURL('**/other')
    t.equal(await stored(page), 1)
    await page.goto(standIn.origin)
    await page.evaluate(`log.flush()`)
    t.same(standIn.taken(), ['bea/by.beacon', 'bea/refused.beacon'])
  })

  t.test('without fetch nothing is thrown, and nothing lost', async t => {
    const context = await profile('fay')
    await context.addInitScript('delete window.fetch')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('no.fetch'); log.flush()`)
    t.equal(await stored(page), 1)
    await page.evaluate(`log.info('but.beacon'); createLogger().info('but.beacon'); location.href = '/other'`)
    await standIn.until(() => standIn.taken().includes('fay/but.beacon'))
  })

  t.test('reload while offline: sent once the network is back', async t => {
    const context = await profile('ole')
    const page = await open(context, standIn.origin)
    await context.setOffline(true)
    // Chromium lets keepalive requests out in spite of setOffline.
    await standIn.silence()
    await page.evaluate(`log.info('offline.1'); log.flush()`)
    await page.evaluate(`log.info('offline.2')`)
    await page.reload().catch(() => {})
    t.same(standIn.taken(), [])
    await context.setOffline(false)
    await standIn.listen()
    await page.goto(standIn.origin)
    // No entry, no flush: the client finds what waits.
    await standIn.until(() => standIn.taken().length === 2)
    t.same(standIn.taken(), ['ole/offline.1', 'ole/offline.2'])
    t.equal(standIn.requests[0]!.entries.length, 0, 'after having asked who is signed in')
  })

  t.test('back from the back-forward cache the page sends on', async t => {
    const context = await profile('bill')
    const page = await open(context, standIn.origin)
    await page.evaluate(`addEventListener('pageshow', event => { window.persisted = event.persisted })`)
    await page.goto(`${standIn.origin}/other`)
    await page.goBack()
    await page.evaluate(`log.info('back'); log.flush()`)
    t.same(standIn.taken(), ['bill/back'])
    t.comment(`restored from the cache: ${await page.evaluate('window.persisted')}`)
  })
})
