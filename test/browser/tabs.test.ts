import t from 'tap'
import { open, startApp, stored, storedBecomes } from './app.js'
import { skip } from './chromium.js'

t.test('two tabs of one page do not send twice', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  for (const [name, script] of [
    ['with all that a secure page has', ''],
    ['without Web Locks, as on plain http', 'delete Navigator.prototype.locks']
  ] as const) {
    t.test(name, async t => {
      standIn.requests.length = 0
      const context = await profile()
      if (script) await context.addInitScript(script)
      const first = await open(context, standIn.origin)
      standIn.answer = () => ({ status: 503 })
      for (let i = 0; i < 20; i++) await first.evaluate(`log.info('waiting.${i}'); log.flush()`)
      t.equal(await stored(first), 20)
      await first.close()
      const tabs = await Promise.all([0, 1, 2].map(() => open(context, standIn.origin)))
      standIn.answer = () => undefined
      await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
      await standIn.until(() => standIn.taken().length >= 20)
      await Promise.all(tabs.map(tab => tab.evaluate('log.flush()')))
      t.equal(standIn.taken().length, 20)
      t.equal(new Set(standIn.taken()).size, 20)
      await storedBecomes(tabs[0]!, 0)
    })
  }

  t.test('where there is no claiming, what waits is sent all the same', async t => {
    const patience = `const { setTimeout } = window
      window.setTimeout = (what, ms, ...rest) => setTimeout(what, ms === 10000 ? 50 : ms, ...rest);`
    for (const broken of [
      `Object.defineProperty(window, 'indexedDB', { value: undefined })`,
      `indexedDB.open = () => { throw new DOMException('denied', 'SecurityError') }`,
      `{ const { open } = IDBFactory.prototype; indexedDB.open = function (name) { return open.call(this, name, 1) }
        IDBFactory.prototype.open = null
        const asked = open.call(indexedDB, 'logtrail:' + location.origin + '/logtrail', 2)
        asked.onupgradeneeded = () => asked.result.createObjectStore('newer') }`,
      `indexedDB.open = () => ({})`
    ]) {
      standIn.requests.length = 0
      const context = await profile()
      await context.addInitScript(patience + broken)
      const page = await open(context, standIn.origin)
      const errors: unknown[] = []
      page.on('pageerror', error => errors.push(error))
      standIn.answer = () => ({ status: 503 })
      await page.evaluate(`log.info('kept'); log.flush()`)
      standIn.answer = () => undefined
      await page.evaluate('log.flush()')
      t.same(standIn.taken(), ['anna/kept'], broken)
      t.same(errors, [])
      await context.close()
    }
  })

  t.test('a tab that learns it must wait tells the others', async t => {
    standIn.requests.length = 0
    const context = await profile('otto')
    const [one, two] = [await open(context, standIn.origin), await open(context, standIn.origin)]
    standIn.answer = () => ({ status: 429, headers: { 'retry-after': '1' } })
    await one.evaluate(`log.info('one'); log.flush()`)
    standIn.answer = () => undefined
    await two.evaluate(`log.info('two'); log.flush()`)
    t.equal(standIn.requests.length, 1)
    await standIn.until(() => standIn.taken().length >= 2)
    t.same(standIn.taken().sort(), ['otto/one', 'otto/two'])
  })

  t.test('what a tab put aside another one sends', async t => {
    standIn.requests.length = 0
    const context = await profile('tina')
    const [one, two] = [await open(context, standIn.origin), await open(context, standIn.origin)]
    await one.evaluate(`log.info('hello'); log.flush()`)
    standIn.answer = () => ({ status: 503 })
    await one.evaluate(`log.info('aside'); log.flush()`)
    standIn.answer = () => undefined
    await one.close()
    await two.evaluate(`log.info('two'); log.flush()`)
    t.same(standIn.taken(), ['tina/hello', 'tina/two', 'tina/aside'])
  })
})
