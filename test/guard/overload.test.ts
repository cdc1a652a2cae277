import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fastify from 'fastify'
import t from 'tap'
import { createErrorAnswer } from '../../src/app/error-answer.js'
import { heapLimit, refuseOverload } from '../../src/guard/overload.js'
import { ORIGIN, startPressed } from './pressed.js'

for (const [what, short] of [
  ['loop', 'processor time'],
  ['heap', 'memory']
] as const) {
  t.test(`${short}: refused with Retry-After while it lasts, and taken again after it`, async t => {
    const { admin, press, send, said } = await startPressed(t)
    t.equal((await send('POST')).status, 201)
    press(what)
    let answer = await send('POST')
    while (answer.status === 201) answer = await send('POST')
    t.equal(answer.status, 503)
    t.match(await answer.json(), {
      error_code: 'SERVER_OVERLOADED',
      message: /more to do/,
      request_id: /^[0-9a-f-]{36}$/
    })
    t.equal(answer.headers.get('retry-after'), '5')
    t.equal(answer.headers.get('access-control-allow-origin'), ORIGIN, 'a page of another origin can read it')
    // at once: each waits for rounds of the loop
    const [preflight, health, ready, status, metrics] = await Promise.all([
      send('OPTIONS'),
      ...['/healthz', '/readyz', '/status', '/metrics'].map(path => fetch(admin + path))
    ])
    t.equal(preflight!.status, 204, 'which asks with a preflight')
    t.equal(health!.status, 200, 'but it lives')
    t.equal(ready!.status, 200, 'and is not to be taken out: its pod is the app')
    t.match(await status!.json(), { refusals: { SERVER_OVERLOADED: 1 } })
    t.match(
      await metrics!.text(),
      'logtrail_bff_requests_total{route="/logs",status="503",error_code="SERVER_OVERLOADED"} 1\n'
    )
    press('ease')
    while (answer.status === 503) answer = await send('POST')
    t.equal(answer.status, 201)
    const lines = said().split('\n')
    t.match(
      lines.filter(line => line.includes('"msg":"overloaded')),
      [new RegExp(`"level":"warn".*"short":"${short}"`)],
      'said once'
    )
    t.same(
      lines.filter(line => line.includes('request failed')),
      []
    )
  })
}

t.test('memory as a whole: buffers count, which the heap does not hold', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapTotal, external } = process.memoryUsage()
  const app = fastify()
  t.teardown(() => app.close())
  app.setErrorHandler(createErrorAnswer(() => 0))
  const short: string[] = []
  await refuseOverload(app, {
    memory: (heapTotal + external + 200e6) / 0.75,
    spares: ({ url }) => url === '/spared',
    onOverload: what => short.push(what)
  })
  app.get('/', async () => 'taken')
  app.get('/spared', async () => 'taken')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const ask = async (path = '/') => (await fetch(app.listeningOrigin + path)).status
  t.equal(await ask(), 200)
  let bodies: Buffer[] | undefined = Array.from({ length: 100 }, () => Buffer.alloc(4e6, 1))
  while ((await ask()) === 200);
  t.equal(await ask(), 503)
  t.equal(await ask('/nowhere'), 503, 'whatever it asks for')
  t.equal(await ask('/spared'), 200)
  t.same([...new Set(short)], ['memory'])
  t.equal(bodies.length, 100)
  bodies = undefined
  collect()
  while ((await ask()) === 503);
  t.equal(await ask(), 200)
})

t.test('what the heap may hold is what a flag says, or else nearly all that V8 says', async t => {
  t.equal(heapLimit('--inspect --max-old-space-size=64'), 64 * 2 ** 20)
  t.equal(heapLimit('--max_old_space_size 128'), 128 * 2 ** 20)
  t.ok(heapLimit('') > 200 * 2 ** 20)
  t.equal(heapLimit(), heapLimit([...process.execArgv, process.env.NODE_OPTIONS].join(' ')))
})
