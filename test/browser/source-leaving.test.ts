import t from 'tap'
import { startBrowser } from './page.js'
import type { Answer } from './proxy-stand-in.js'

t.test('as the page goes, and comes back', async t => {
  const { standIn, open } = await startBrowser(t)
  const taken = (action: string) => standIn.until(() => standIn.taken().includes(`anna/${action}`))

  t.test('hidden, then shown: sent at once, both times', async t => {
    const page = await open(t, { flushInterval: 1e6 })
    page.log.info('before')
    page.turn('hidden')
    await taken('before')
    page.log.info('while.hidden')
    await taken('while.hidden')
    page.turn('visible')
    await page.log.flush()
  })

  t.test('pagehide, also what its other listeners log; then back from the cache', async t => {
    const page = await open(t, { flushInterval: 1e6 })
    page.log.info('last')
    page.happens('pagehide')
    page.log.info('really.last')
    await Promise.all([taken('last'), taken('really.last')])
    page.happens('pageshow', { persisted: true })
    page.happens('pageshow', { persisted: false })
    page.log.info('again')
    page.happens('online')
    await taken('again')
  })

  t.test('what a request cannot outlive the page with waits for the next visit', async t => {
    const page = await open(t, { flushInterval: 1e6 })
    for (let n = 0; n < 100; n++) page.log.info(`much.${n}`, { message: 'x'.repeat(1000) })
    page.happens('pagehide')
    t.ok(page.waiting() > 0)
    const next = await open(t, { storage: page.storage })
    await next.log.flush()
    await standIn.until(() => standIn.taken().length >= 100)
    t.equal(new Set(standIn.taken()).size, 100)
  })

  t.test('a page that goes in the midst of a flush takes nothing more of what waits: the next visit does', async t => {
    standIn.answer = () => ({ status: 503 })
    const page = await open(t)
    page.log.info('earlier')
    await page.log.flush()
    standIn.answer = () => page.happens('pagehide') as undefined
    page.log.info('last')
    await page.log.flush()
    t.same(
      [standIn.taken(), page.waiting()],
      [['anna/last'], 2],
      'what was under way is put aside: the one before failed'
    )
    standIn.answer = () => undefined
    const next = await open(t, { storage: page.storage })
    await next.log.flush()
    t.same([standIn.taken(), next.waiting()], [['anna/last', 'anna/earlier', 'anna/last'], 0])
  })

  t.test('what is under way as it goes is put aside where it may well fail, and what waited always', async t => {
    const page = await open(t, { flushInterval: 1e6 })
    let answer: (answer: Answer | undefined) => void = () => {}
    /** What the page asks by itself meanwhile. */
    let usual: Answer | undefined
    const hold = (action: string) =>
      new Promise<void>(arrived => {
        standIn.answer = (_, entries) => {
          if (entries[0]?.action !== action) return usual
          standIn.answer = () => usual
          arrived()
          return new Promise(done => {
            answer = done
          })
        }
      })
    const flushed = async (action: string, status: number, meanwhile: () => void): Promise<void> => {
      const arrived = hold(action)
      page.log.info(action)
      const over = page.log.flush()
      await arrived
      meanwhile()
      answer({ status })
      await over
    }
    const back = (): Promise<void> => {
      page.turn('visible')
      return page.log.flush()
    }
    const { now } = Date
    const at = (time: () => number, happens: () => void): void => {
      Date.now = time
      happens()
      Date.now = now
    }
    await flushed('quick', 201, () =>
      at(
        () => 0,
        () => page.happens('pagehide')
      )
    )
    await back()
    t.same([standIn.taken(), page.waiting()], [['anna/quick'], 0])
    await flushed('slow', 201, () =>
      at(
        () => now() + 4000,
        () => {
          page.turn('hidden')
          t.equal(page.waiting(), 0, 'only hidden')
          page.happens('pagehide')
        }
      )
    )
    await back()
    t.same([standIn.taken().slice(1), page.waiting()], [['anna/slow', 'anna/slow'], 0], 'rather twice than never')
    usual = { status: 503 }
    await flushed('failed', 503, () => {})
    t.equal(page.waiting(), 1)
    await flushed('again', 503, () => page.happens('pagehide'))
    t.equal(page.waiting(), 2)
    usual = undefined
    const arrived = hold('failed')
    const over = back()
    await arrived
    t.equal(page.waiting(), 2, 'what waited is there until the answer is in')
    answer({ status: 201 })
    await over
    t.equal(page.waiting(), 0)
    t.same(standIn.taken().slice(3), ['anna/failed', 'anna/again'])
  })

  t.test('of what had waited the half that is under way as the page goes is put aside, too', async t => {
    standIn.answer = () => ({ status: 503 })
    const before = await open(t, { flushInterval: 1e6 })
    for (const action of ['a', 'b', 'c', 'd']) before.log.info(action)
    await before.log.flush()
    const page = await open(t, { storage: before.storage })
    const waiting: number[] = []
    standIn.answer = (_, { length }) => {
      if (!length) return undefined
      if (length === 4) return { status: 400, body: '<h1>No</h1>', foreign: true }
      page.happens('pagehide')
      waiting.push(page.waiting())
      return { status: 503 }
    }
    await page.log.flush()
    t.same([waiting, page.waiting()], [[4], 4], 'before its answer is in, and each once')
  })

  t.test('where the network is off, or has just failed, it waits, too', async t => {
    const page = await open(t)
    page.navigator.onLine = false
    page.log.info('off')
    page.happens('pagehide')
    t.equal(page.waiting(), 1)
    t.equal(standIn.requests.length, 0)
  })

  t.test('a browser without keepalive: by beacon, or if that is refused, later', async t => {
    const beacons: string[] = []
    let room = true
    const sendBeacon = (url: URL, body: string) => {
      if (room) beacons.push(`${url.pathname} ${JSON.parse(body)[0].action}`)
      return room
    }
    const page = await open(t, { Request: class {}, navigator: { sendBeacon }, flushInterval: 1e6 })
    page.log.info('by.beacon')
    page.turn('hidden')
    t.same(beacons, ['/logtrail/logs/bulk by.beacon'])
    room = false
    page.turn('visible')
    await page.log.flush()
    page.log.info('no.room')
    page.turn('hidden')
    t.equal(page.waiting(), 1)
  })

  t.test('a page looks after what earlier ones have left, by itself', async t => {
    standIn.answer = () => ({ status: 503 })
    const page = await open(t)
    page.log.info('left')
    await page.log.flush()
    standIn.answer = () => undefined
    t.equal(page.waiting(), 1)
    const storage = Object.fromEntries(Object.entries(page.storage).filter(([name]) => name.includes('|')))
    await open(t, { storage })
    await taken('left')
  })
})

t.test('what the page does not catch', async t => {
  const { standIn, open } = await startBrowser(t)
  const page = await open(t, { captureErrors: true, flushInterval: 1e6 })
  const error = new Error('broken')
  for (let n = 0; n < 3; n++) page.happens('error', { error })
  page.happens('error', { message: 'Script error.' })
  page.happens('unhandledrejection', { reason: 'no reason' })
  page.happens('error', {
    error: {
      get message() {
        throw new Error('hostile')
      }
    }
  })
  await page.log.flush()
  const sent = () => standIn.requests.flatMap(({ entries }) => entries)
  t.match(sent(), [
    { action: 'window.error', level: 'error', message: 'broken', metadata: { count: 3, error: { stack: /broken/ } } },
    { action: 'window.error', message: 'Script error.' },
    { action: 'window.unhandledrejection', message: 'no reason', metadata: { count: 1 } }
  ])
  t.same(page.dropped, ['invalid'], 'what cannot be read is told')
  standIn.requests.length = 0
  for (let n = 0; n < 60; n++) page.happens('error', { error: new Error(`kind ${n}`) })
  page.turn('hidden')
  await standIn.until(() => sent().length >= 50)
  t.equal(sent().length, 50, 'of different ones so many, and no more')
})
