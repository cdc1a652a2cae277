import { createRequire } from 'node:module'
import { buildSync } from 'esbuild'
import type { Logger as Pino, pino } from 'pino'
import t from 'tap'
import { pinoTransmit } from '../../src/browser/pino.js'
import { bundle } from '../../src/build/modules.js'
import { open, startApp } from './app.js'
import { skip } from './chromium.js'

/** The build of the real package that bundlers take for browsers. */
const browserPino = createRequire(import.meta.url)('pino/browser.js') as typeof pino

t.test("pino's transmit, the real package", t => {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the adapter hands over
  const seen: any[] = []
  const log = new Proxy(
    {},
    { get: (_, level) => (action: string, fields: object) => seen.push([level, action, fields]) }
  )
  const make = (options = {}): Pino =>
    browserPino({
      level: 'trace',
      browser: { write: () => {}, transmit: pinoTransmit(log as never, options) }
    })
  t.beforeEach(() => {
    seen.length = 0
  })

  t.test('levels, texts and objects', async t => {
    const logger = make()
    logger.trace('plain')
    logger.debug(
      { action: 'cart.opened', cart: 7, tags: ['shop'] },
      'opened %s of %d',
      'cart',
      7,
      ...(['more'] as never)
    )
    logger.info({ cart: 8 })
    logger.warn('100%% %o', { a: 1 })
    logger.fatal('left %s')
    t.match(seen, [
      ['trace', 'browser.log', { message: 'plain', metadata: {} }],
      ['debug', 'cart.opened', { message: 'opened cart of 7 more', tags: ['shop'], metadata: { cart: 7 } }],
      ['info', 'browser.log', { message: undefined, metadata: { cart: 8 } }],
      ['warn', 'browser.log', { message: '100% {"a":1}' }],
      ['fatal', 'browser.log', { message: 'left %s' }]
    ])
  })

  t.test('children and their bindings', async t => {
    make({ action: 'app.log' })
      .child({ component: 'Cart', context: { page: '/cart' } })
      .child({ row: 3 })
      .warn({ row: 4 }, 'low')
    t.match(seen, [
      ['warn', 'app.log', { message: 'low', context: { page: '/cart' }, metadata: { component: 'Cart', row: 4 } }]
    ])
  })

  t.test('errors, alone and with a text', async t => {
    const logger = make()
    logger.error(new TypeError('bad'))
    logger.error(new TypeError('bad'), 'while saving')
    logger.error({ err: new RangeError('out'), id: 1 }, 'wrapped')
    t.match(seen, [
      ['error', 'browser.log', { message: 'bad', metadata: { err: { stack: /TypeError: bad/ } } }],
      ['error', 'browser.log', { message: 'while saving', metadata: { err: { stack: /TypeError: bad/ } } }],
      ['error', 'browser.log', { message: 'wrapped', metadata: { id: 1 } }]
    ])
  })

  t.test('a level of its own, and custom levels', async t => {
    make({ level: 'error' }).warn('quiet')
    t.same(seen, [])
    pinoTransmit(log as never).send('notice', { messages: ['x'], bindings: [], level: { label: 'notice', value: 35 } })
    pinoTransmit(log as never).send('fine', { messages: ['x'], bindings: [], level: { label: 'fine', value: 5 } })
    t.match(seen, [['info'], ['trace']])
  })

  t.test('an object that cannot be read does not throw', async t => {
    const unreadable = {
      get broken() {
        throw new Error('getter')
      }
    }
    pinoTransmit(log as never).send('info', {
      messages: [unreadable],
      bindings: [],
      level: { label: 'info', value: 30 }
    })
    t.same(seen, [])
  })
  t.end()
})

t.test('as it is built, bundled with pino and the client, in a browser', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  const folder = t.testdir({ 'client.js': bundle('client'), 'pino.js': bundle('pino') })
  const { outputFiles } = buildSync({
    stdin: {
      contents: `import pino from 'pino'
        import { createLogger } from '${folder}/client.js'
        import { pinoTransmit } from '${folder}/pino.js'
        window.log = createLogger()
        window.pino = pino({ browser: { transmit: pinoTransmit(window.log) } })`,
      resolveDir: process.cwd()
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser'
  })
  standIn.scripts['/bundle.js'] = outputFiles[0]!.text
  standIn.pages['/pino'] =
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/bundle.js"></script>'
  const page = await open(await profile(), `${standIn.origin}/pino`)
  await page.evaluate(`pino.child({ component: 'Cart' }).error(new Error('from pino')); log.flush()`)
  t.match(
    standIn.requests.flatMap(({ entries }) => entries),
    [
      {
        action: 'browser.log',
        level: 'error',
        message: 'from pino',
        metadata: { component: 'Cart', err: { stack: /from pino/ } }
      }
    ]
  )
})
