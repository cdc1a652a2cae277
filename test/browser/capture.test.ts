import t from 'tap'
import { appPage, open, startApp } from './app.js'
import { skip } from './chromium.js'

interface Entry {
  action: string
  level: string
  message: string
  metadata: { count: number; error: { name: string; message: string; stack: string } & string }
}

t.test('what the page does not catch', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  standIn.pages['/capturing'] = appPage(undefined, '{ captureErrors: true, flushInterval: 1e6 }')
  const context = await profile()
  const entries = () => standIn.requests.flatMap(({ entries }) => entries as unknown as Entry[])
  t.beforeEach(() => {
    standIn.requests.length = 0
  })
  const page = await open(context, `${standIn.origin}/capturing`)

  /** Throws in the page's own time, as its handlers do. */
  const run = (script: string): Promise<unknown> =>
    page.evaluate(
      `new Promise(done => { setTimeout(() => { setTimeout(done); ${script} }) }).then(() => new Promise(setTimeout))`
    )

  t.test('errors and rejections are entries with a bounded stack', async t => {
    await run(`throw new TypeError('handler')`)
    await run(`Promise.reject(new RangeError('promise'))`)
    await run(`Promise.reject({ code: 7 })`)
    await run(`Promise.reject()`)
    await run(`{ const error = new Error('m'.repeat(1e5)); error.stack = 's'.repeat(1e5); throw error }`)
    await page.evaluate('log.flush()')
    const [error, rejection, object, nothing, long] = entries()
    t.match(error, {
      action: 'window.error',
      level: 'error',
      message: 'handler',
      metadata: { count: 1, error: { name: 'TypeError', stack: /TypeError: handler/ } }
    })
    t.match(rejection, {
      action: 'window.unhandledrejection',
      message: 'promise',
      metadata: { error: { name: 'RangeError' } }
    })
    t.match(object, { metadata: { error: { code: 7 } } })
    t.match(nothing, { action: 'window.unhandledrejection' })
    t.ok(JSON.stringify(long).length < 13_000)
  })

  t.test('a storm is one entry with its count; different ones are bounded', async t => {
    await page.evaluate(`{
      const error = new Error('storm')
      for (let i = 0; i < 1000; i++) dispatchEvent(new ErrorEvent('error', { error }))
      for (let i = 0; i < 200; i++) dispatchEvent(new ErrorEvent('error', { message: 'other ' + i }))
      log.flush()
    }`)
    t.match(entries()[0], { message: 'storm', metadata: { count: 1000 } })
    t.equal(entries().length, 50)
  })

  t.test('hostile errors do no harm, and its own failures are not among them', async t => {
    await page.evaluate(`{
      dropped.length = 0
      dispatchEvent(new ErrorEvent('error', { error: { get message() { throw 1 } } }))
      dispatchEvent(new ErrorEvent('error', { error: new Proxy({}, { get() { throw 2 } }) }))
      dispatchEvent(new ErrorEvent('error', { error: Object.create(null) }))
      log.flush()
    }`)
    t.same(await page.evaluate('dropped.splice(0)'), ['invalid', 'invalid', 'invalid'], 'what cannot be read is told')
    standIn.answer = () => ({ status: 500, body: '<' })
    await page.evaluate(`log.info('unsent'); log.flush()`)
    standIn.answer = () => undefined
    await page.evaluate(`log.flush()`)
    t.same(
      entries().map(({ action }) => action),
      ['unsent', 'unsent'].slice(0, entries().length)
    )
  })

  t.test('the level holds for them, too', async t => {
    standIn.pages['/silent'] = appPage(undefined, "{ captureErrors: true, level: 'none' }")
    const silent = await open(context, `${standIn.origin}/silent`)
    await silent.evaluate(`dispatchEvent(new ErrorEvent('error', { message: 'unheard' })); log.flush()`)
    t.same(entries(), [])
    await silent.close()
  })

  t.test('an error as the page goes is sent, too', async t => {
    await page.evaluate(`setTimeout(() => { setTimeout(() => location.href = '/capturing'); throw new Error('last') })`)
    await standIn.until(() => entries().some(({ message }) => message === 'last'))
    t.pass('sent')
  })
})
