import { createHmac, hkdfSync } from 'node:crypto'
import { BoundedMap } from '../bounded-map.js'

/**
 * Makes the `X-Session-Tag`: a keyed digest of the user, 16 hex digits, equal for one user over all replicas and restarts
 * with the same secret and telling nothing of the user without it. The key is derived (HKDF, RFC 5869), so the tag gives
 * nothing away about the secret, which may serve for something else.
 *
 * @param secretMaterial any secret every replica knows
 */
export function createSessionTagger(secretMaterial: string | Buffer): (userId: string) => string {
  const key = Buffer.from(hkdfSync('sha256', secretMaterial, '', 'logtrail-bff X-Session-Tag', 32))
  const known = new BoundedMap<string>(10_000)
  return userId => {
    let tag = known.get(userId)
    if (tag === undefined) {
      tag = createHmac('sha256', key).update(userId).digest('hex').slice(0, 16)
      known.set(userId, tag)
    }
    return tag
  }
}
