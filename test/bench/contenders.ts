import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fill, freePort, installed, peer, type Running, start, TESTED_CPU } from './machine.js'

export const KEY = 'lt_development_wo_0123456789abcdefBENCH'
export const SECRET = 'a-secret-for-benchmarks-of-more-than-32-bytes'

/** A session that every contender which checks one accepts. */
export const TOKEN = (() => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = { sub: 'user_123', exp: Math.floor(Date.now() / 1000) + 86_400 }
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(payload)}`
  return `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`
})()

/** What a browser sends along with a same-origin fetch. */
export const HEADERS = {
  Accept: '*/*',
  'Accept-Encoding': 'gzip, deflate, br',
  'Accept-Language': 'en-GB,en;q=0.9',
  'Content-Type': 'application/json',
  Cookie: `theme=dark; session=${TOKEN}`,
  Origin: 'http://127.0.0.1',
  Referer: 'http://127.0.0.1/checkout',
  'Sec-Fetch-Dest': 'empty',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Site': 'same-origin',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
}

/** One entry of about 450 bytes. */
export const ENTRY = {
  action: 'checkout.paid',
  level: 'info',
  clientTimestamp: '2026-03-01T12:00:00.123Z',
  message: 'The customer has paid the cart with a voucher and a card',
  target: { type: 'order', id: 'order_8812' },
  context: { page: '/checkout/payment', viewport: '1280x720', release: '2026.3.1', locale: 'en-GB' },
  metadata: { cart: 7, total: 129.95, currency: 'EUR', items: ['sku-1188', 'sku-2201', 'sku-7730'], voucher: true },
  tags: ['checkout', 'web']
}
export const SINGLE = JSON.stringify(ENTRY)
export const BULK = JSON.stringify(Array.from({ length: 50 }, () => ENTRY))

export interface Contender {
  name: string
  /** What its browser sends; {@link HEADERS} where nothing is said. */
  headers?: Record<string, string>
  /** Undefined: the program it needs is not on this machine. */
  start: ((upstream: number) => Promise<Running>) | undefined
}

const node = (file: string) => async (upstream: number) => {
  const port = await freePort()
  const env = { UPSTREAM: `http://127.0.0.1:${upstream}`, KEY, SECRET, NODE_ENV: 'production' }
  return start(TESTED_CPU, [process.execPath, peer(file)], port, env)
}

export const bare: Contender = { name: 'bare @fastify/http-proxy', start: node('bare.mjs') }
export const stack: Contender = { name: 'hand-made Fastify stack', start: node('stack.mjs') }
export const express: Contender = { name: 'Express 5 stack', start: node('express.mjs') }
export const floor: Contender = { name: 'node:http + undici floor', start: node('floor.mjs') }

export const nginx: Contender = {
  name: 'nginx with auth_request',
  start: installed('nginx')
    ? async upstream => {
        const port = await freePort()
        const file = fill('nginx.conf', { PORT: port, UPSTREAM: upstream, KEY })
        return start(TESTED_CPU, ['nginx', '-c', file], port)
      }
    : undefined
}

export const haproxy: Contender = {
  name: 'HAProxy with jwt_verify',
  start: installed('haproxy')
    ? async upstream => {
        const port = await freePort()
        const file = fill('haproxy.cfg', { PORT: port, UPSTREAM: upstream, KEY, SECRET })
        return start(TESTED_CPU, ['haproxy', '-f', file], port)
      }
    : undefined
}

/** What `npm start` gives to Node.js. */
const START = (() => {
  const root = new URL('../../', import.meta.url)
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const [, ...words] = scripts.start.split(' ') as string[]
  return words.map(word => (word.startsWith('-') ? word : fileURLToPath(new URL(word, root))))
})()

/** This program, from dist/, with everything switched on and limits too high to be met. */
export function ours(delivery: 'direct' | 'pooled' | 'queued', env: Record<string, string> = {}): Contender {
  return {
    name: `logtrail-bff ${delivery}`,
    start: async upstream => {
      const port = await freePort()
      return start(TESTED_CPU, [process.execPath, ...START], port, {
        ADMIN_PORT: '0',
        NODE_ENV: 'production',
        LOGTRAIL_ENVIRONMENT: 'development',
        LOGTRAIL_API_KEY: KEY,
        LOGTRAIL_URL: `http://127.0.0.1:${upstream}/api/v1/workspace`,
        LOGTRAIL_PLAN: 'professional',
        LOGTRAIL_REQUESTS_PER_MINUTE: '1000000',
        SESSION_MODE: 'jwt',
        SESSION_JWT_SECRET: SECRET,
        RATE_LIMIT_IP_MAX: '1000000000',
        RATE_LIMIT_MAX: '1000000000',
        RATE_LIMIT_LOGS_MAX: '1000000000',
        DELIVERY: delivery,
        QUEUE_PATH: mkdtempSync(join(tmpdir(), 'bench-queue-')),
        QUEUE_MAX_BYTES: '8gb',
        ...env
      })
    }
  }
}
