import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { env } from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../helper/free-port.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, SECRET, sign } from '../helper/proxy.js'
import { findBuilder, type ImageConfig, signalProgram } from './builder.js'
import { find, ROOT } from './programs.js'

/**
 * The image itself: built from the Dockerfile, looked into, started as its own user, used, and stopped. It takes minutes,
 * so it runs where it is asked for (IMAGE_TEST=1) and in CI, if there is anything that builds.
 */
const TAG = 'logtrail-bff:test'
const MAX_CONTENT = 30_000_000
const base = /^FROM (\S+)/m.exec(readFileSync(`${ROOT}Dockerfile`, 'utf8'))![1]!

const asked = env.IMAGE_TEST === '1' || Boolean(env.IMAGE_BUILDER) || env.CI === 'true'
const builder = asked ? findBuilder(base) : 'set IMAGE_TEST=1: it takes minutes'
const skip = typeof builder === 'string' ? `no image is built here: ${builder}` : false
t.setTimeout(30 * 60_000)

/** Runs inside the image: who it is, what it may write, what is there. */
const LOOK = `
  const fs = require('fs'), path = require('path')
  const size = p => { const s = fs.lstatSync(p)
    return s.isDirectory() ? fs.readdirSync(p).reduce((sum, n) => sum + size(path.join(p, n)), 4096) : Math.ceil(s.size / 4096) * 4096 }
  const may = p => { try { fs.accessSync(p, fs.constants.W_OK); return true } catch { return false } }
  const writable = [], seen = p => { if (may(p)) writable.push(p)
    let names = []; try { names = fs.readdirSync(p, { withFileTypes: true }) } catch {}
    for (const n of names) { const q = path.join(p, n.name)
      if (n.isDirectory() && !/^\\/(proc|sys|dev)$/.test(q)) seen(q); else if (n.isFile() && may(q)) writable.push(q) } }
  seen('/')
  console.log(JSON.stringify({ uid: process.getuid(), version: process.version, app: fs.readdirSync('/app').sort(),
    size: size('/app'), writable, tools: ['npm', 'npx', 'yarn', 'corepack'].filter(n => fs.existsSync('/usr/local/bin/' + n)) }))`

/** The command of HEALTHCHECK, as an engine would run it in the container. */
const HEALTH = (port: string) => `
  const { status, stderr } = require('child_process').spawnSync('node', ['/app/dist/main.js', 'health'],
    { encoding: 'utf8', env: { ...process.env, ADMIN_PORT: '${port}' } })
  console.log(JSON.stringify({ status, stderr }))`

t.test('the image', { skip }, async t => {
  if (typeof builder === 'string') return
  const built = builder.build(ROOT, TAG)
  if (built.status !== 0) return t.fail(built.output.slice(-3000))

  await t.test('says how it is to be run', async t => {
    const config: ImageConfig = builder.config(TAG)
    t.match(config.User, /^[1-9]\d*:[1-9]\d*$/, 'a number, and not root')
    t.same(config.Entrypoint, ['node', '--max-semi-space-size=8', '/app/dist/main.js'], 'node is PID 1')
    t.notOk(config.Cmd?.length)
    t.equal(config.StopSignal, 'SIGTERM')
    t.same(config.Healthcheck.Test, ['CMD', 'node', '/app/dist/main.js', 'health'], 'no shell, no curl')
    t.ok(config.Healthcheck.Timeout <= 5e9 && config.Healthcheck.Interval <= 30e9)
    t.same(Object.keys(config.Volumes), ['/data'])
    const variables = Object.fromEntries(config.Env.map(pair => pair.split(/=(.*)/s)))
    t.match(variables, {
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      ADMIN_HOST: '0.0.0.0',
      QUEUE_PATH: '/data/queue'
    })
    const label = (name: string) => config.Labels[`org.opencontainers.image.${name}`]
    t.equal(label('title'), 'logtrail-bff')
    t.equal(label('base.name'), `docker.io/library/${base}`)
    for (const name of ['description', 'licenses', 'version', 'revision']) t.ok(label(name), name)
  })

  await t.test('holds no more than it needs, and may write to /data alone', async t => {
    const { uid, version, app, size, writable, tools } = JSON.parse(builder.script(TAG, LOOK))
    t.equal(uid, 1000)
    t.equal(version.split('.')[0], `v${/node:(\d+)/.exec(base)![1]}`)
    t.same(app, ['dist', 'node_modules', 'package.json'])
    t.ok(size < MAX_CONTENT, `${(size / 1e6).toFixed(1)} MB on disk`)
    t.comment(`packages and dist: ${(size / 1e6).toFixed(1)} MB on disk`)
    t.same(tools, [], 'nothing that installs')
    const own = writable.filter((path: string) => !/^\/(tmp|var\/tmp|run|home\/node)(\/|$)/.test(path))
    t.same(own, ['/data', '/data/queue'], 'the rest are the system’s own, and gone with a read-only root')
  })

  await t.test('takes a log, delivers it, and ends with 0', async t => {
    const { variables, use } = await surroundings(t)
    const { process, signal } = builder.start(TAG, variables)
    const health = () => JSON.parse(builder.script(TAG, HEALTH(variables.ADMIN_PORT)))
    await use(process, signal, () => t.match(health(), { status: 0, stderr: '' }, 'healthy'))
    t.match(health(), { status: 1, stderr: /does not answer/ }, 'and not once it has ended')
  })

  const skipAlone =
    builder.mount && find('unshare') ? false : `${builder.name} has PID 1 and a read-only root by itself`
  await t.test('as PID 1 on a read-only root', { skip: skipAlone }, async t => {
    const { folder, release } = builder.mount!(TAG)
    t.teardown(release)
    const { variables, use } = await surroundings(t)
    const script = `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -t proc proc "$1/proc"
      mount -t tmpfs -o uid=1000,gid=1000,mode=0750 tmpfs "$1/data"
      root=$1; shift; exec chroot --userspec=1000:1000 "$root" /usr/bin/env -i "$@" node /app/dist/main.js`
    // Nothing of this process: tap puts loaders of its own into NODE_OPTIONS.
    const all = [...builder.config(TAG).Env, ...Object.entries(variables).map(pair => pair.join('='))]
    const child = spawn(
      find('unshare')!,
      ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-euc', script, 'sh', folder, ...all],
      { stdio: ['ignore', 'pipe', 'pipe'] }
    )
    await use(child, name => signalProgram(child.pid!, name))
  })
})

/** A stand-in and the variables that lead to it, and what is done with a program that was started with them. */
async function surroundings(t: Test) {
  const logtrail = await startLogtrail()
  t.teardown(() => logtrail.close())
  const [port, adminPort] = [await freePort(), await freePort()]
  const variables = {
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    LOGTRAIL_API_KEY: logtrail.key,
    LOGTRAIL_ENVIRONMENT: 'development',
    LOGTRAIL_URL: logtrail.url,
    LOGTRAIL_PLAN: 'developer',
    SESSION_MODE: 'jwt',
    SESSION_JWT_SECRET: SECRET,
    // The one place that can be written must be.
    DELIVERY: 'queued'
  }
  const use = async (child: ChildProcess, signal: (name: NodeJS.Signals) => void, meanwhile?: () => void) => {
    let said = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', text => {
        said += text
      })
    }
    const ended = once(child, 'close')
    t.teardown(() => void child.kill('SIGKILL'))
    const ready = () => fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined)
    for (const began = Date.now(); !(await ready())?.ok; await pause(100)) {
      if (child.exitCode !== null || Date.now() - began > 60_000) throw new Error(`it did not start: ${said}`)
    }
    const answer = await fetch(`http://127.0.0.1:${port}/logtrail/logs`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'sec-fetch-site': 'same-origin',
        cookie: `session=${sign({ sub: 'grace' })}`
      },
      body: JSON.stringify(entry({ action: 'image.used' }))
    })
    t.equal(answer.status, 202, await answer.text())
    await logtrail.waitFor(l => l.stored().length === 1)
    t.match(logtrail.stored()[0]!.entry, { action: 'image.used', actor: { id: 'grace' } })
    const client = await fetch(`http://127.0.0.1:${port}/logtrail/client.js`)
    t.equal(client.status, 200, 'the browser client is there')
    meanwhile?.()
    signal('SIGTERM')
    const [status] = await ended
    if (!t.equal(status, 0, 'the exit status')) t.comment(said)
    t.match(said, /"msg":"closed"/)
    t.notMatch(said, logtrail.key)
  }
  return { variables, use }
}
