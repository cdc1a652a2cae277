import fastify from 'fastify'
import t from 'tap'
import { heapLimit, refuseOverload } from '../../src/guard/overload.js'

/** Without a process that is short of anything: that is the other test's. */
t.test('with less memory than this process has in use every request is refused, but those that are spared', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const told: string[] = []
  await refuseOverload(app, {
    memory: 1,
    spares: ({ url }) => url === '/spared',
    onOverload: short => told.push(short)
  })
  app.get('/spared', async () => 'well')
  app.get('/', async () => 'well')
  let answer = await app.inject('/')
  while (answer.statusCode === 200) answer = await app.inject('/')
  t.equal(answer.statusCode, 503)
  t.same([...new Set(told)], ['memory'])
  t.equal((await app.inject('/spared')).body, 'well')
})

t.test('with what this machine has they are taken', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await refuseOverload(app, { spares: () => false, onOverload: short => t.fail(short) })
  app.get('/', async () => 'well')
  t.equal((await app.inject('/')).body, 'well')
})

t.test('what may live is what a flag says, or most of what V8 gives', async t => {
  for (const flag of ['--max-old-space-size=100', '--no-warnings --max_old_space_size 100'])
    t.equal(heapLimit(flag), 100 * 1024 * 1024)
  t.ok(heapLimit('--no-warnings') > 100 * 1024 * 1024)
})
