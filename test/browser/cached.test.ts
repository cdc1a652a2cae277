import t from 'tap'
import { open, startApp } from './app.js'
import { keepsPages, skip } from './chromium.js'

t.test('where the browser keeps a page that was left', { skip }, async t => {
  const { standIn, profile } = await startApp(t, keepsPages)
  standIn.pages['/other'] = '<!doctype html><title>other</title>'

  t.test('once back it waits for company again, as before', async t => {
    const context = await profile('bill')
    const page = await open(context, standIn.origin)
    await page.evaluate(`addEventListener('pageshow', event => { window.persisted = event.persisted })
      window.slow = createLogger({ flushInterval: 1e6 })`)
    await page.goto(`${standIn.origin}/other`)
    await page.goBack({ waitUntil: 'commit' })
    await page.waitForFunction('window.persisted')
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
})
