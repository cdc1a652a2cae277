import t from 'tap'
import { appPage, STORED } from './app.js'
import { launchFirefox, openFirefox, skip } from './firefox.js'
import { startStandIn } from './proxy-stand-in.js'

// It starts slowly, on a busy machine more so.
t.setTimeout(300_000)

t.test('in Firefox', { skip }, async t => {
  const standIn = await startStandIn()
  t.teardown(() => standIn.close())
  standIn.pages['/'] = appPage()
  standIn.pages['/other'] = '<!doctype html><title>other</title>'
  const browser = await launchFirefox()
  t.teardown(() => browser.close())
  await browser.setCookie({ name: 'session', value: 'anna', domain: '127.0.0.1', path: '/', httpOnly: true })
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.answer = () => undefined
  })
  const open = () => openFirefox(browser, standIn.origin)

  t.test('imports the client, logs, and tells what is refused', async t => {
    const page = await open()
    standIn.answer = (_, entries) => {
      const at = entries.findIndex(({ action }) => action === 'bad')
      return at < 0 ? undefined : { status: 400, body: { details: { errors: [{ log_index: at, field: 'action' }] } } }
    }
    await page.evaluate(`log.info('checkout.paid', { metadata: { cart: 7 } }); log.info('bad'); log.flush()`)
    t.same(standIn.taken(), ['anna/checkout.paid'])
    t.match(standIn.requests.at(-1)!.entries[0], { level: 'info', metadata: { cart: 7 }, clientTimestamp: /Z$/ })
    t.same(await page.evaluate('dropped'), ['bad refused 400'])
    await page.close()
  })

  t.test('log, then close: 10 of 10', async t => {
    const opener = await open()
    for (let run = 0; run < 10; run++) {
      // By the page, as a person's click does; a tab that the driver closes is ended without a pagehide.
      await opener.evaluate(`new Promise(closed => {
        const page = open('/')
        const wait = setInterval(() => {
          if (!page.log) return
          clearInterval(wait)
          for (let i = 0; i < 60; i++) page.log.info('run${run}.' + i, { message: 'as it goes' })
          page.close()
          closed()
        }, 20)
      })`)
    }
    await standIn.until(() => standIn.taken().length >= 600)
    t.equal(standIn.taken().length, 600)
    t.equal(new Set(standIn.taken()).size, 600)
  })

  t.test('reload while the server is away: sent once it is back', async t => {
    const page = await open()
    await standIn.silence()
    await page.evaluate(`log.info('offline.1'); log.flush()`)
    await page.evaluate(`log.info('offline.2')`)
    await page.reload().catch(() => {})
    t.same(standIn.taken(), [])
    await standIn.listen()
    await page.goto(standIn.origin)
    await standIn.until(() => standIn.taken().length === 2)
    t.same(standIn.taken(), ['anna/offline.1', 'anna/offline.2'])
    await page.close()
  })

  t.test('back from the cache of pages it waits for company again', async t => {
    const page = await open()
    await page.evaluate(`addEventListener('pageshow', event => { window.persisted = event.persisted })
      window.slow = createLogger({ flushInterval: 1e6 })`)
    await page.goto(`${standIn.origin}/other`)
    await page.evaluate('history.back()').catch(() => {})
    // Where memory is short it may be loaded anew.
    await page.waitForFunction('window.persisted || (window.log && !window.slow)')
    if (!(await page.evaluate('window.persisted'))) return t.comment('the browser did not keep it')
    await page.evaluate(`slow.info('a'); slow.flush()`)
    await page.evaluate(`slow.info('b')`)
    await standIn.until(() => standIn.taken().includes('anna/b'))
    await page.evaluate(`slow.info('c'); slow.info('d')`)
    await page.evaluate(`slow.info('e'); slow.flush()`)
    t.same(
      standIn.requests.map(({ entries }) => entries.map(({ action }) => action).join()),
      ['a', 'b', 'c,d,e']
    )
    await page.close()
  })

  t.test('tabs send each stored entry once', async t => {
    const tabs = [await open(), await open(), await open()]
    for (const tab of tabs) await tab.evaluate(`log.info('hello'); log.flush()`)
    for (let round = 0; round < 5; round++) {
      standIn.requests.length = 0
      standIn.answer = () => ({ status: 503 })
      await tabs[0]!.evaluate(
        `(async () => { for (let i = 0; i < 20; i++) { log.info('${round}.' + i); await log.flush() } })()`
      )
      standIn.answer = () => undefined
      await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
      await standIn.until(() => standIn.taken().length >= 20)
      await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
      t.equal(standIn.taken().length, 20)
      t.equal(new Set(standIn.taken()).size, 20)
    }
    await tabs[0]!.waitForFunction(`${STORED} === 0`)
  })

  t.test('unflushed as the session becomes another one: nothing is stamped as the next', async t => {
    const page = await open()
    await page.evaluate(`window.slow = createLogger({ flushInterval: 1e6 }); slow.info('hello'); slow.flush()`)
    await page.evaluate(`slow.info('at.once')`)
    await standIn.until(() => standIn.taken().includes('anna/at.once'))
    await page.evaluate(`slow.info('secret')`)
    await browser.setCookie({ name: 'session', value: 'bert', domain: '127.0.0.1', path: '/', httpOnly: true })
    await page.evaluate('slow.flush()')
    // not the last one: tabs of the tests before may ask at any time who is signed in now
    t.ok(standIn.requests.some(({ user, status }) => user === 'bert' && status === 401))
    t.notOk(standIn.taken().includes('bert/secret'))
    t.equal(await page.evaluate(STORED), 1)
  })
})
