import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createLogger } from '../../src/admin/logger.js'
import { createPrettyLog } from '../../src/commands/pretty-log.js'
import { serve } from '../../src/commands/serve.js'
import { BASE, KEY, SHARED_SECRET } from '../config/given.js'
import { missing } from '../docker/programs.js'
import { startChild } from './child.js'

const SERVE = { ...BASE, PORT: '0', ADMIN_PORT: '0', DELIVERY: 'direct' }

t.test('in a terminal, while developing: lines for people, to the last one, and masked like the others', async t => {
  const child = startChild('test/main/program.ts', ['throws in a terminal'], SERVE, t.testdir({}))
  t.strictSame(await child.ended, { status: 1, signal: null })
  t.match(child.out(), /^\[\d\d:\d\d:\d\d\.\d{3}\].*INFO.*: .*serving/)
  t.match(child.out(), /FATAL.*nobody caught/)
  t.match(child.out(), /the server closes[\s\S]*closed/)
  t.match(child.out(), 'broken [SECRET] \\u001b[31mred\\u0007', 'and foreign text does not steer it')
  t.match(child.out(), /\n +at .*program\.ts/, 'a stack is one line for each call')
  t.notOk(child.out().includes(SHARED_SECRET))
  t.notOk(child.out().includes('\u0007'))
})

t.test('never in production', async t => {
  const env = { ...SERVE, NODE_ENV: 'production' }
  const child = startChild('test/main/program.ts', ['throws in a terminal'], env, t.testdir({}))
  await child.ended
  for (const line of child.out().trim().split('\n')) t.type(JSON.parse(line), 'object')
})

t.test('nor where it is not installed, as in the image', async t => {
  t.equal(createPrettyLog('file:///nowhere/pretty-log.js'), undefined)
})

t.test(
  'the program itself knows that it is in a terminal, and Ctrl-C ends it',
  { skip: missing('script') },
  async t => {
    const main = `exec node --import ${import.meta.resolve('tsx')} ${fileURLToPath(new URL('../../src/main.ts', import.meta.url))}`
    const { PATH = '' } = process.env
    const terminal = spawn('script', ['-qec', main, '/dev/null'], {
      cwd: t.testdir({}),
      env: { PATH, ...SERVE, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
    })
    t.teardown(() => void terminal.kill('SIGKILL'))
    const ended = once(terminal, 'close')
    let out = ''
    terminal.stdout.setEncoding('utf8').on('data', text => {
      out += text
      if (out.includes('Server listening') && terminal.stdin.writable) terminal.stdin.end('\u0003')
    })
    t.strictSame(await ended, [0, null])
    t.match(out, /INFO.*Server listening/)
    t.match(out, /INFO.*closed/)
    t.notOk(out.includes(KEY))
  }
)

t.test('what it is given becomes lines for people, without what would steer a terminal', async t => {
  const file = `${t.testdir({ log: '' })}/log`
  const log = createPrettyLog(import.meta.url, file)
  log?.write(`${JSON.stringify({ level: 30, time: 0, msg: 'one \u001b[31mred', stack: 'a\n  b' })}\n`)
  const text = () => readFileSync(file, 'utf8')
  while (!text().includes('one')) await new Promise(resolve => setTimeout(resolve, 10))
  t.match(text(), /INFO.*: one \\u001b\[31mred/)
})

t.test('asked for by the terminal alone, and not in production', async t => {
  const asked = async (terminal: boolean, NODE_ENV: string) => {
    const io = { env: { ...BASE, NODE_ENV }, cwd: '/nowhere', out: () => {}, err: () => {}, terminal }
    let given: object = {}
    await serve(io, (_config, options) => {
      given = options
      const start = () => Promise.reject(new Error('enough'))
      return { log: createLogger({ level: 'silent', secrets: [] }), start, close: async () => {} }
    })
    return 'logDestination' in given
  }
  t.same([await asked(true, 'test'), await asked(true, 'production'), await asked(false, 'test')], [true, false, false])
})
