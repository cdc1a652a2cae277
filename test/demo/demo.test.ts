import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { startDemo } from './start.js'

const KEY = /lt_(development|staging|production)_(wo|ro|rw)_\w+/

/** A process as /proc tells (Linux): [state, parent]; undefined where there is none. */
async function look(pid: number): Promise<[state: string, parent: number] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  const [, state, parent] = stat?.slice(stat.lastIndexOf(')')).split(' ') ?? []
  return state === undefined ? undefined : [state, Number(parent)]
}

async function childrenOf(pid: number): Promise<number[]> {
  const all = (await readdir('/proc').catch(() => [])).map(Number).filter(Number.isInteger)
  const parents = await Promise.all(all.map(async one => (await look(one))?.[1]))
  return all.filter((_, i) => parents[i] === pid)
}

/** Resolves once none of them runs; what has ended but was not waited for by its parent (Z) does not run. */
async function gone(pids: number[]): Promise<void> {
  for (const pid of pids) {
    for (let state = await look(pid); state && state[0] !== 'Z'; state = await look(pid)) await setTimeout(10)
  }
}

t.test('the demo: a login, an entry, and what Logtrail saw of it', async t => {
  const { demo, app, logtrail, admin, said } = await startDemo()
  let over = false
  demo.once('exit', () => {
    over = true
  })
  t.teardown(() => over || demo.kill('SIGTERM'))
  t.notMatch(said, KEY)

  const page = await fetch(app)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-security-policy'), /^default-src 'self';/)
  const html = await page.text()
  t.notMatch(html, /<style|<script(?! type="module" src=)|\son\w+=|\sstyle=/, 'nothing inline')
  for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    t.equal((await fetch(app + path)).status, 200)
  }
  for (const path of ['/nothing.js', '/..%2fdemo.ts', '/demo.ts']) t.equal((await fetch(app + path)).status, 404, path)

  const entry = {
    action: 'price.changed',
    level: 'warn',
    clientTimestamp: new Date().toISOString(),
    actor: { id: 'root', email: 'root@bookshop.example' },
    metadata: { id: 'demo-1' }
  }
  const send = (cookie?: string) =>
    fetch(`${app}/logtrail/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', ...(cookie && { cookie }) },
      body: JSON.stringify(entry)
    })
  const signedOut = await send()
  t.equal(signedOut.status, 401)
  t.match(await signedOut.json(), { error_code: 'SESSION_MISSING' })

  const login = (user: string, headers = {}) =>
    fetch(`${app}/session`, { method: 'POST', body: JSON.stringify({ user }), headers })
  t.equal((await login('nobody')).status, 400)
  t.equal((await login('user_mei', { 'sec-fetch-site': 'cross-site' })).status, 403, 'not from another site')
  const loggedIn = await login('user_mei')
  t.equal(loggedIn.status, 204)
  const setCookie = loggedIn.headers.get('set-cookie') ?? ''
  t.match(setCookie, /^session=.*; HttpOnly; SameSite=Lax/)
  const cookie = setCookie.split(';')[0]!
  t.match(await (await fetch(`${app}/session`, { headers: { cookie } })).json(), { user: { id: 'user_mei' } })
  t.match(await (await fetch(`${app}/session`, { headers: { cookie: `${cookie}x` } })).json(), { user: null })

  const arrivals = await fetch(`${app}/arrivals`)
  const sent = await send(cookie)
  t.equal(sent.status, 201)
  t.ok(sent.headers.get('x-session-tag'))
  t.notMatch(JSON.stringify([...sent.headers]) + (await sent.text()), KEY)

  const reader = arrivals.body!.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  while (!heard.includes('demo-1')) heard += (await reader.read()).value
  await reader.cancel()
  t.notMatch(heard, KEY)
  const stored = (await (await fetch(`${logtrail}/_standin/stored`)).json()) as { entry: object; key: string }[]
  t.equal(stored.length, 1, 'what was sent signed out did not arrive')
  t.match(stored[0], { entry: { action: 'price.changed', actor: { id: 'user_mei' } }, key: /^[0-9a-f]{8}$/ })
  t.same((stored[0]!.entry as { actor: object }).actor, { id: 'user_mei' }, 'nothing of the claimed actor is left')

  t.equal((await fetch(`${app}/logtrail/logs`, { headers: { 'sec-fetch-site': 'same-origin', cookie } })).status, 405)
  t.equal((await fetch(`${admin}/readyz`)).status, 200)
  t.match((await fetch(`${app}/session`, { method: 'DELETE' })).headers.get('set-cookie'), /^session=; .*Max-Age=0/)

  const children = await childrenOf(demo.pid!)
  if (process.platform === 'linux') t.ok(children.length >= 1, 'the proxy is a process of its own')
  // Twice, as when npm hands on the Ctrl-C that the terminal has sent already.
  demo.kill('SIGINT')
  demo.kill('SIGINT')
  t.same(await once(demo, 'exit'), [0, null])
  await gone(children)
  await t.rejects(fetch(app))
  await t.rejects(fetch(logtrail))
  await t.rejects(fetch(`${admin}/readyz`))
})
