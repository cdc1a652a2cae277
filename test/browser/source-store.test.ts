import t from 'tap'
import { claims, startBrowser } from './page.js'

const DAY = 86_400_000

t.test('where entries wait, and whose they are', async t => {
  const { standIn, open } = await startBrowser(t)
  const down = () => {
    standIn.answer = () => ({ status: 503 })
  }
  const up = () => {
    standIn.answer = () => undefined
  }
  /** No wait after a failure; names stay apart. */
  let count = 0
  t.beforeEach(t => void t.intercept(Math, 'random', { value: () => ++count / 1e9 }))

  t.test('another user is not sent what the first has left; the first is, when back', async t => {
    const page = await open(t, { user: 'anna' })
    page.log.info('hello')
    await page.log.flush()
    down()
    page.log.info('secret')
    await page.log.flush()
    up()
    page.user = 'bert'
    const next = await open(t, { user: 'bert', storage: page.storage })
    next.log.info('bert.1')
    await next.log.flush()
    t.same(standIn.taken(), ['anna/hello', 'bert/bert.1'])
    t.equal(next.waiting(), 1)
    const back = await open(t, { user: 'anna', storage: page.storage })
    await back.log.flush()
    await standIn.until(() => standIn.taken().includes('anna/secret'))
    t.equal(back.waiting(), 0)
  })

  t.test('401: what was logged before is of whoever signs in first, where nobody was known', async t => {
    const page = await open(t, { user: '' })
    page.log.info('before')
    await page.log.flush()
    t.equal(page.waiting(), 1)
    page.user = 'anna'
    page.log.info('after')
    await page.log.flush()
    t.same(standIn.taken().sort(), ['anna/after', 'anna/before'])
  })

  t.test('an answer without a tag is a user, too: nobody, whose entries are of nobody else', async t => {
    const page = await open(t, { user: '' })
    const anonymous = () => {
      standIn.answer = (user, { length }) => (user ? undefined : { status: length ? 201 : 400 })
    }
    anonymous()
    page.log.info('hello')
    await page.log.flush()
    down()
    page.log.info('kept')
    await page.log.flush()
    anonymous()
    page.user = 'anna'
    page.log.info('in')
    await page.log.flush()
    t.same(standIn.taken(), ['undefined/hello', 'anna/in'])
    t.equal(page.waiting(), 1)
    page.user = ''
    page.log.info('out')
    await page.log.flush()
    t.same(standIn.taken(), ['undefined/hello', 'anna/in', 'undefined/out', 'undefined/kept'])
  })

  t.test('a session that ends: what was logged in it waits for its own user', async t => {
    const page = await open(t, { user: 'anna' })
    page.log.info('in')
    await page.log.flush()
    page.user = ''
    page.log.info('out.1')
    await page.log.flush()
    page.user = 'bert'
    page.log.info('bert')
    await page.log.flush()
    t.notOk(standIn.taken().includes('bert/in'))
    t.ok(standIn.taken().includes('bert/bert'))
  })

  t.test('of two users that a browser has known, nobody can tell whose an entry is', async t => {
    const page = await open(t, { user: 'anna' })
    page.log.info('anna')
    await page.log.flush()
    await standIn.silence()
    const unknown = await open(t, { user: 'bert', storage: page.storage })
    unknown.log.info('whose')
    await unknown.log.flush()
    await standIn.listen()
    const next = await open(t, { user: 'bert', storage: page.storage })
    next.log.info('bert')
    await next.log.flush()
    t.notOk(standIn.taken().some(taken => taken.endsWith('/whose')))
    t.equal(next.waiting(), 1, 'kept until it expires')
  })

  t.test('after a day it is given up, and so is the oldest where it becomes too much', async t => {
    const page = await open(t)
    down()
    page.log.info('old')
    await page.log.flush()
    const [key = ''] = Object.keys(page.storage).filter(name => name.includes('|'))
    const [name, time, random] = key.split('|')
    const [, entry = ''] = page.storage[key]!.split('\n')
    t.equal(Number(time), Date.parse(JSON.parse(entry).clientTimestamp), 'the day begins as it was logged, and once')
    page.storage[`${name}|${Date.now() - DAY - 1000}|${random}`] = page.storage[key]!
    delete page.storage[key]
    const next = await open(t, { storage: page.storage })
    next.log.info('new')
    await next.log.flush()
    t.same(next.dropped, ['old expired'])
    const message = 'x'.repeat(4000)
    for (let n = 0; n < 20; n++) {
      for (let i = 0; i < 15; i++) next.log.info(`much.${n}`, { message })
      await next.log.flush()
    }
    const given = next.dropped.filter(told => told.endsWith(' overflow'))
    t.ok(given.length > 20, `${given.length}`)
    t.equal(given.length + next.waiting(), 301)
  })

  t.test('of what waits, no more is measured than fits into each batch', async t => {
    const page = await open(t)
    down()
    page.log.info('x')
    await page.log.flush()
    up()
    const [key = ''] = Object.keys(page.storage).filter(name => name.includes('|'))
    const [name] = key.split('|')
    const record = page.storage[key]!
    delete page.storage[key]
    const expected: string[] = []
    for (let n = 100; n < 300; n++) {
      page.storage[`${name}|${Date.now()}|${n}`] = record.replace('"x"', `"n.${n}"`)
      expected.push(`anna/n.${n}`)
    }
    const encoded = t.capture(TextEncoder.prototype, 'encode', TextEncoder.prototype.encode)
    await page.log.flush()
    t.same(standIn.taken(), expected, 'all, oldest first')
    const records = encoded().filter(({ args: [text] }) => text?.startsWith('='))
    t.equal(records.length, 203, 'each once, and the first of the next batch twice')
  })

  t.test('without localStorage, or with one that is full, entries wait in memory', async t => {
    const denied = () => {
      throw new DOMException('denied', 'SecurityError')
    }
    const full = new Proxy({} as Record<string, string>, {
      set() {
        throw new DOMException('full', 'QuotaExceededError')
      }
    })
    for (const localStorage of [{ value: null }, { get: denied, configurable: true }, { value: full }]) {
      const { log } = await open(t, { localStorage })
      down()
      log.info('kept')
      await log.flush()
      up()
      standIn.requests.length = 0
      await log.flush()
      t.same(standIn.taken(), ['anna/kept'])
    }
  })

  t.test('what another tab has claimed it leaves alone, until that must be gone', async t => {
    const held: { value?: Record<string, number> } = {}
    const page = await open(t, { indexedDB: claims(held) })
    down()
    page.log.info('kept')
    await page.log.flush()
    up()
    const [key = ''] = Object.keys(page.storage).filter(name => name.includes('|'))
    held.value = { [key]: Date.now() }
    await page.log.flush()
    t.same(standIn.taken(), [])
    t.equal(page.waiting(), 1)
    held.value = { [key]: Date.now() - 41_000 }
    await page.log.flush()
    t.same(standIn.taken(), ['anna/kept'])
    t.same(Object.keys(held.value), [key], 'claimed for the others to see')
  })

  t.test('what another tab gives up while it is being claimed is gone, and the rest goes', async t => {
    const held: { value?: unknown; meanwhile?: () => void } = {}
    // A wait after each failure: without, a slow machine tries the first again beside the second, and puts both into one record.
    t.intercept(Math, 'random', { value: () => 0.9 })
    const page = await open(t, { indexedDB: claims(held) })
    down()
    for (const action of ['given.up', 'kept']) {
      page.log.info(action)
      await page.log.flush()
    }
    up()
    // by what is in it: of two of one millisecond either may stand first
    const [given = ''] = Object.keys(page.storage).filter(name => page.storage[name]?.includes('given.up'))
    t.ok(given.includes('|'), 'a record, and not the claims')
    held.meanwhile = () => delete page.storage[given]
    await page.log.flush()
    t.same(standIn.taken(), ['anna/kept'])
    t.same([page.waiting(), page.dropped.length], [0, 0])
  })

  t.test('the first to claim makes the place for it; where that fails, what waits goes all the same', async t => {
    for (const held of [{}, { broken: true }]) {
      const page = await open(t, { indexedDB: claims(held) })
      down()
      page.log.info('kept')
      await page.log.flush()
      up()
      standIn.requests.length = 0
      await page.log.flush()
      t.same(standIn.taken(), ['anna/kept'])
    }
  })

  t.test('unflushed as the session becomes another one: refused, and kept for its user', async t => {
    const page = await open(t, { flushInterval: 1e6 })
    page.log.info('hello')
    await page.log.flush()
    page.log.info('at.once')
    await standIn.until(() => standIn.taken().includes('anna/at.once'))
    page.log.info('secret')
    page.user = 'bert'
    await page.log.flush()
    t.match(standIn.requests.at(-1), { user: 'bert', status: 401 })
    t.equal(page.waiting(), 1)
    page.user = 'anna'
    page.log.info('back')
    await page.log.flush()
    t.same(standIn.taken(), ['anna/hello', 'anna/at.once', 'anna/back', 'anna/secret'])
  })

  t.test('what the README says may be stamped as of another user', async t => {
    const page = await open(t, { user: 'anna' })
    page.log.info('hello')
    await page.log.flush()
    page.user = 'bert'
    standIn.answer = () => ({ status: 503, foreign: true })
    page.log.info('of.bert')
    await page.log.flush()
    up()
    page.user = 'anna'
    await page.log.flush()
    t.same(standIn.taken(), ['anna/hello', 'anna/of.bert'], 'no answer told of him, to whom another tab belongs')

    standIn.answer = user => (user ? undefined : { status: 201 })
    const nobody = await open(t, { user: '', flushInterval: 1e6 })
    nobody.log.info('shown')
    await nobody.log.flush()
    nobody.log.info('at.once')
    await standIn.until(() => standIn.taken().includes('undefined/at.once'))
    nobody.log.info('of.nobody')
    nobody.user = 'anna'
    await nobody.log.flush()
    t.ok(standIn.taken().includes('anna/of.nobody'), 'there is no tag to be sent for nobody')
  })

  t.test('401: what was logged while the request was under way is of the same user', async t => {
    const page = await open(t)
    page.log.info('hello')
    await page.log.flush()
    page.user = ''
    page.log.info('under.way')
    const flushed = page.log.flush()
    await standIn.until(() => standIn.requests.at(-1)?.status === 401)
    page.log.info('meanwhile')
    await flushed
    t.equal(page.waiting(), 2)
  })
})
