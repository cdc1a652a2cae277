import { setTimeout as pause } from 'node:timers/promises'
import { books as readBooks, sampleOf, scrape } from '../admin/scrape.js'
import { freePort } from '../helper/free-port.js'
import { SECRET, sign } from '../helper/proxy.js'
import { type Child, startChild } from '../main/child.js'

/** The program as a process of its own, as it is deployed: reached by HTTP alone, ended by signals alone. */
export interface Running {
  child: Child
  url: string
  admin: string
  /** Posts entries as this user's page would; undefined where no answer came. */
  post(user: string, entries: unknown, path?: string): Promise<Answered | undefined>
  get(path: string): Promise<Answered>
  metric(name: string, labels?: Record<string, string>): Promise<number>
  books(): ReturnType<typeof readBooks>
  kill(signal?: NodeJS.Signals): Promise<{ status: number | null; signal: NodeJS.Signals | null }>
}

export interface Answered {
  status: number
  headers: Headers
  text: string
}

export const FREE_OF_LIMITS = { RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0' }

/** Resolves once it serves; rejects, with what it said, where it ended instead. */
export async function startProgram(
  env: Record<string, string>,
  cwd: string,
  start: typeof startChild = startChild
): Promise<Running> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const admin = `http://127.0.0.1:${adminPort}`
  const all = {
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    LOG_LEVEL: 'error',
    LOGTRAIL_PLAN: 'professional',
    SESSION_MODE: 'jwt',
    SESSION_JWT_SECRET: SECRET,
    QUEUE_PATH: `${cwd}/queue`,
    ...FREE_OF_LIMITS,
    ...env
  }
  const child = start('src/main.ts', [], all, cwd)
  const get = async (path: string): Promise<Answered> => {
    const response = await fetch(admin + path)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  let over = false
  void child.ended.then(() => {
    over = true
  })
  while ((await get('/readyz').catch(() => undefined))?.status !== 200) {
    if (over) throw new Error(`ended instead of serving:\n${child.out()}\n${child.err()}`)
    await pause(20)
  }
  const sessions = new Map<string, string>()
  return {
    child,
    url,
    admin,
    get,
    async post(user, entries, path = Array.isArray(entries) ? '/logtrail/logs/bulk' : '/logtrail/logs') {
      const session = sessions.get(user) ?? sign({ sub: user, exp: 9_999_999_999 })
      sessions.set(user, session)
      const headers = {
        'content-type': 'application/json',
        'sec-fetch-site': 'same-origin',
        cookie: `session=${session}`
      }
      const body = JSON.stringify(entries)
      try {
        const response = await fetch(url + path, { method: 'POST', headers, body })
        return { status: response.status, headers: response.headers, text: await response.text() }
      } catch {
        return undefined
      }
    },
    metric: async (name, labels) => sampleOf(await scrape({ get } as never), `logtrail_bff_${name}`, labels),
    books: () => readBooks({ get } as never),
    kill(signal = 'SIGKILL') {
      child.process.kill(signal)
      return child.ended
    }
  }
}

/** Until it holds; rejects where it never does. */
export async function until(holds: () => Promise<boolean> | boolean, everyMs = 25, ms = 60_000): Promise<void> {
  for (const end = performance.now() + ms; !(await holds()); await pause(everyMs)) {
    if (performance.now() > end) throw new Error(`did not come to hold in ${ms} ms: ${holds}`)
  }
}
