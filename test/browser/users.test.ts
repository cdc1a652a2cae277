import t from 'tap'
import { open, signIn, startApp, stored, storedBecomes } from './app.js'
import { skip } from './chromium.js'

t.test("no entry is sent as another user's", { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.answer = () => undefined
  })
  const down = (): void => {
    standIn.answer = () => ({ status: 503 })
  }

  t.test('out and in as another one in the same page; later the first is back', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    down()
    await page.evaluate(`log.info('anna.secret'); log.flush()`)
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    standIn.answer = () => undefined
    await page.evaluate(`log.info('bert.1'); log.flush()`)
    await page.evaluate(`log.info('bert.2'); log.flush()`)
    t.same(standIn.taken(), ['anna/hello', 'bert/bert.1', 'bert/bert.2'])
    t.equal(await stored(page), 1)
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    await page.evaluate(`log.info('anna.again'); log.flush()`)
    t.same(standIn.taken().slice(3), ['anna/anna.again', 'anna/anna.secret'])
    t.equal(await stored(page), 0)
  })

  t.test('the same over a reload, without a new entry to ask by', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    down()
    await page.evaluate(`log.info('anna.secret'); log.flush()`)
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    standIn.answer = () => undefined
    await page.reload()
    await page.evaluate('log.flush()')
    t.same(standIn.taken(), ['anna/hello'])
    t.match(standIn.requests.at(-1), { user: 'bert', entries: [], status: 400 })
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    await page.reload()
    await standIn.until(() => standIn.taken().includes('anna/anna.secret'))
  })

  t.test('unflushed in memory as the session becomes another one: refused, and kept for its user', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`window.slow = createLogger({ flushInterval: 1e6 }); slow.info('hello'); slow.flush()`)
    await page.evaluate(`slow.info('anna.click')`)
    await standIn.until(() => standIn.taken().includes('anna/anna.click'))
    await page.evaluate(`for (let i = 0; i < 5; i++) slow.info('anna.secret.' + i)`)
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    t.same(standIn.taken(), ['anna/hello', 'anna/anna.click'], 'five wait in memory')
    await page.evaluate('slow.flush()')
    t.match(standIn.requests.at(-1), { user: 'bert', status: 401 })
    t.equal(await stored(page), 5)
    await page.evaluate(`slow.info('bert.1'); slow.flush()`)
    t.same(standIn.taken().slice(2), ['bert/bert.1'], 'without delay')
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    await page.evaluate(`slow.info('anna.again'); slow.flush()`)
    t.same(
      standIn.taken().slice(3),
      ['again', 0, 1, 2, 3, 4].map(i => (i === 'again' ? 'anna/anna.again' : `anna/anna.secret.${i}`))
    )
    t.same(await page.evaluate('dropped'), [])
  })

  t.test('the same as the page goes: refused', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    await page.evaluate(`log.info('anna.click')`)
    await standIn.until(() => standIn.taken().includes('anna/anna.click'))
    await page.evaluate(`log.info('anna.secret')`)
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    await page.close()
    await standIn.until(({ requests }) => requests.at(-1)!.entries.some(({ action }) => action === 'anna.secret'))
    t.match(standIn.requests.at(-1), { user: 'bert', status: 401 })
  })

  t.test('after a flush or a quiet time, an entry is sent at once: it is of whoever is signed in', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`window.slow = createLogger({ flushInterval: 1e6 }); slow.info('hello'); slow.flush()`)
    await page.evaluate(`slow.info('sign.out')`)
    await standIn.until(() => standIn.taken().includes('anna/sign.out'))
    await page.evaluate('slow.flush()')
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    await page.evaluate(`slow.info('sign.in')`)
    await standIn.until(() => standIn.taken().includes('bert/sign.in'))
    await page.evaluate(`window.quick = createLogger({ flushInterval: 1 }); quick.info('tell'); quick.flush()`)
    await page.evaluate(`quick.info('bert.1')`)
    await standIn.until(() => standIn.taken().includes('bert/bert.1'))
    await context.clearCookies()
    await signIn(context, standIn, 'carl')
    await page.evaluate(`quick.info('carl.1')`)
    await standIn.until(() => standIn.taken().includes('carl/carl.1'))
    t.equal(standIn.taken().length, 6)
    t.ok(standIn.requests.every(({ status }) => status === 201))
  })

  t.test('401 keeps the entries until the same user is back, by itself', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    await context.clearCookies()
    await page.evaluate(`log.info('anna.unsent'); log.flush()`)
    t.equal(standIn.requests.at(-1)!.status, 401)
    t.equal(await stored(page), 1)
    await signIn(context, standIn, 'bert')
    await page.evaluate('log.flush()')
    t.same(standIn.taken(), ['anna/hello'])
    await context.clearCookies()
    await page.evaluate(`log.info('bert.unsent'); log.flush()`)
    await signIn(context, standIn, 'anna')
    await standIn.until(() => standIn.taken().length === 2)
    t.same(standIn.taken(), ['anna/hello', 'anna/anna.unsent'])
    await storedBecomes(page, 1)
    t.same(await page.evaluate('dropped'), [])
  })

  t.test('what was logged before anybody was known is of the first who answers', async t => {
    const context = await profile('')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('login.shown'); log.flush()`)
    t.equal(await stored(page), 1)
    await signIn(context, standIn, 'bert')
    await page.evaluate(`log.info('login.done'); log.flush()`)
    t.same(standIn.taken().sort(), ['bert/login.done', 'bert/login.shown'])
  })

  t.test('but not where the browser knew another user last and the page is gone', async t => {
    const context = await profile('anna')
    let page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    await page.reload()
    await standIn.silence()
    await page.evaluate(`log.info('whose'); log.flush()`)
    await standIn.listen()
    await context.clearCookies()
    await signIn(context, standIn, 'bert')
    await page.goto('about:blank')
    page = await open(context, standIn.origin)
    await page.evaluate(`log.info('bert.1'); log.flush()`)
    t.same(standIn.taken(), ['anna/hello', 'bert/bert.1'])
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    await page.close()
    page = await open(context, standIn.origin)
    await page.evaluate(`log.info('anna.1'); log.flush()`)
    t.same(standIn.taken(), ['anna/hello', 'bert/bert.1', 'anna/anna.1'], 'nor later, since it may be of either')
  })

  t.test('the user changes between the halves of what was too much: they go as the first, or not', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    standIn.answer = async (user, { length }) => {
      if (user !== 'anna' || length < 2) return undefined
      await context.clearCookies()
      await signIn(context, standIn, 'bert')
      return { status: 413 }
    }
    await page.evaluate(`log.info('anna.1'); log.info('anna.2'); log.flush()`)
    t.same(standIn.taken(), [])
    t.equal(await stored(page), 2)
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    standIn.answer = () => undefined
    await page.evaluate(`log.info('anna.again'); log.flush()`)
    t.same(standIn.taken(), ['anna/anna.again', 'anna/anna.1', 'anna/anna.2'])
  })

  t.test('the user changes while the batches of the first are under way', async t => {
    const context = await profile('anna')
    const page = await open(context, standIn.origin)
    await page.evaluate(`log.info('hello'); log.flush()`)
    down()
    await page.evaluate(`for (let i = 0; i < 60; i++) log.info('anna.' + i); log.flush()`)
    await context.clearCookies()
    await signIn(context, standIn, 'anna')
    let asked = 0
    standIn.answer = (user, entries) => {
      if (entries.length && !asked++) return { status: 201, headers: { 'x-session-tag': 'carla' } }
      return user === 'anna' && asked ? { status: 201, headers: { 'x-session-tag': 'carla' } } : undefined
    }
    await page.evaluate('log.flush()')
    t.equal(standIn.taken().length, 51, 'the batch under way is the last')
    t.equal(await stored(page), 10)
  })

  t.test("anonymous entries stay anonymous, and a user's do not become so", async t => {
    const context = await profile('')
    const page = await open(context, standIn.origin)
    const anonymous = (user: string | undefined) => (user ? undefined : { status: 201 })
    standIn.answer = anonymous
    await page.evaluate(`log.info('visit'); log.flush()`)
    down()
    await page.evaluate(`log.info('visit.unsent'); log.flush()`)
    standIn.answer = anonymous
    await signIn(context, standIn, 'anna')
    await page.evaluate(`log.info('anna.1'); log.flush()`)
    t.same(standIn.taken(), ['undefined/visit', 'anna/anna.1'])
    await context.clearCookies()
    await page.evaluate(`log.info('visit.again'); log.flush()`)
    t.same(standIn.taken().slice(2), ['undefined/visit.again', 'undefined/visit.unsent'])
  })
})
