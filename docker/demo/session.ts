import { createHmac, timingSafeEqual } from 'node:crypto'

export const ISSUER = 'logtrail-bff-demo'
export const AUDIENCE = 'logtrail-bff-demo'
export const COOKIE = 'session'
const LIFETIME_S = 8 * 3600

export interface Sessions {
  /** The `Set-Cookie` of a login. */
  begin(userId: string): string
  /** The `Set-Cookie` of a logout. */
  end(): string
  /** The user id of a request's `Cookie` header; undefined where it carries no session of ours that still lives. */
  read(cookies: string | undefined): string | undefined
}

const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Lax'
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What any app's login does: a JWT (HS256) in a cookie that scripts cannot read. The proxy knows the same secret. */
export function createSessions(secret: string, now: () => number = Date.now): Sessions {
  const sign = (text: string) => createHmac('sha256', secret).update(text).digest()
  const head = encode({ alg: 'HS256', typ: 'JWT' })
  return {
    begin(userId) {
      const at = Math.floor(now() / 1000)
      const claims = { sub: userId, iss: ISSUER, aud: AUDIENCE, iat: at, exp: at + LIFETIME_S }
      const text = `${head}.${encode(claims)}`
      return `${COOKIE}=${text}.${sign(text).toString('base64url')}; ${ATTRIBUTES}; Max-Age=${LIFETIME_S}`
    },
    end: () => `${COOKIE}=; ${ATTRIBUTES}; Max-Age=0`,
    read(cookies) {
      const token = /(?:^|;\s*)session=([^;]*)/.exec(cookies ?? '')?.[1]
      const [first, claims, signature] = token?.split('.') ?? []
      if (first !== head || !claims || !signature) return undefined
      const given = Buffer.from(signature, 'base64url')
      const right = sign(`${first}.${claims}`)
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
      const { sub, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub: string; exp: number }
      return exp * 1000 > now() ? sub : undefined
    }
  }
}
