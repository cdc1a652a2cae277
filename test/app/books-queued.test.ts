import t, { type Test } from 'tap'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry } from '../helper/proxy.js'
import { runMain } from '../main/child.js'
import { type Running, startProgram, until } from '../oracle/program.js'

const QUEUED = { DELIVERY: 'queued', BATCH_MAX_WAIT: '10ms' }

async function standIn(t: Test) {
  const logtrail = await startLogtrail({
    refuse: ({ action }) => (action === 'bad' ? { field: 'action', message: 'is bad' } : undefined)
  })
  t.teardown(() => logtrail.close())
  return logtrail
}

function starter(t: Test, logtrail: { url: string; key: string }, env = {}) {
  const cwd = t.testdir({})
  return {
    cwd,
    async start() {
      const upstream = { LOGTRAIL_URL: logtrail.url, LOGTRAIL_API_KEY: logtrail.key }
      const running = await startProgram({ ...QUEUED, ...upstream, ...env }, cwd)
      t.teardown(() => void running.child.process.kill('SIGKILL'))
      return running
    }
  }
}

const balanced = async (t: Test, running: Running, expected: object, what: string) => {
  const books = await running.books()
  t.match(books, expected, what)
  t.equal(books.came, books.went, `balanced: ${what}`)
}

t.test('a restart hands its entries on: the books balance over both runs', async t => {
  const logtrail = await standIn(t)
  const { start } = starter(t, logtrail, { MIN_LEVEL: 'info' })
  const first = await start()
  t.equal((await first.post('ada', [entry(), entry({ level: 'debug' }), entry()]))?.status, 202)
  await until(async () => (await first.books()).delivered === 2)
  await logtrail.down()
  for (let i = 0; i < 20; i++) t.equal((await first.post(`u${i}`, entry()))?.status, 202)
  t.equal((await first.post('ada', [{}]))?.status, 400)
  await balanced(
    t,
    first,
    { received: 24, filtered: 1, delivered: 2, waiting: 20, rejected: 1 },
    'while Logtrail is down'
  )
  t.match(await first.kill('SIGTERM'), { status: 0 })

  const second = await start()
  await balanced(t, second, { received: 0, inherited: 20, waiting: 20 }, 'what waited is inherited')
  await second.kill('SIGKILL')
  await logtrail.up()
  const third = await start()
  await until(async () => (await third.books()).waiting === 0)
  await balanced(t, third, { inherited: 20, delivered: 20 }, 'after a SIGKILL too')
  t.equal(logtrail.entries().length, 22)
})

t.test('dead letters that are retried and purged beside the running program', async t => {
  const logtrail = await standIn(t)
  const { cwd, start } = starter(t, logtrail)
  const running = await start()
  const command = (...args: string[]) => runMain(['dead-letters', ...args], { QUEUE_PATH: `${cwd}/queue` }, cwd)
  t.equal((await running.post('ada', [entry(), entry({ action: 'bad' }), entry({ action: 'bad' })]))?.status, 202)
  await until(async () => (await running.books()).deadLetters === 2)
  await balanced(t, running, { received: 3, delivered: 1, deadLetters: 2, waiting: 0 }, 'two are dead')

  t.match(await command('retry', '--all'), { status: 0, out: '2 entries will be sent again.\n' })
  await until(async () => (await running.books()).deadLetters === 4)
  await balanced(t, running, { inherited: 2, deadLetters: 4, waiting: 0 }, 'buried again')

  logtrail.switches.refuse = undefined
  const [first] = (await command('list', '--json')).out.split('\n')
  t.match(await command('retry', String(JSON.parse(first!).id)), { status: 0, out: '1 entry will be sent again.\n' })
  await until(async () => (await running.books()).delivered === 2)
  await balanced(
    t,
    running,
    { received: 3, inherited: 3, delivered: 2, deadLetters: 4, waiting: 0 },
    'one is delivered'
  )

  t.match(await command('purge', '--all'), { status: 0, out: '1 entry deleted.\n' })
  await balanced(t, running, { inherited: 3, delivered: 2, deadLetters: 4 }, 'what is purged has been dead')
  t.match(await running.kill('SIGTERM'), { status: 0 })
  await balanced(t, await start(), { inherited: 0, waiting: 0 }, 'and nothing is inherited')
})
