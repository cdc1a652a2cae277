import type { ContextStamp, Rules, Who } from './rules.js'
import type { Fields } from './schema.js'

/** Longest user agent that is stamped, in characters. Real ones end well before; the header may hold 16 KiB. */
const USER_AGENT = 256

/**
 * `actor` as it is sent. `replace`: the session's user and nothing that was claimed; `merge`: what was claimed with the
 * session's `id` in place of any claimed one, in whatever spelling; `off`: as claimed. Without a session nobody has been
 * recognised, so that a claim is removed: the whole of it (`replace` and `off`), or its `id` (`merge`).
 */
export function stampActor(
  mode: Rules['stampActor'],
  claimed: Fields | undefined,
  userId: string | undefined,
  fold: (name: string) => string
): Fields | undefined {
  if (mode === 'merge') {
    const actor: Fields = {}
    if (userId !== undefined) actor.id = userId
    for (const name in claimed) if (!isId(fold(name))) actor[name] = claimed[name]
    return Object.keys(actor).length === 0 ? undefined : actor
  }
  if (userId === undefined) return undefined
  return mode === 'replace' ? { id: userId } : claimed
}

/** A folded name that is `id`, also as the first part of a dotted one, which some stores read as a path. */
function isId(folded: string): boolean {
  return folded === 'id' || folded.startsWith('id.')
}

/** The stamps of a request, `entry_id` aside, which is each entry's own. */
export function contextStamps(stamps: readonly ContextStamp[], who: Who): Fields {
  const values: Fields = {}
  for (const stamp of stamps) {
    if (stamp === 'ip') values.ip = who.ip
    else if (stamp === 'user_agent') {
      if (who.userAgent !== undefined) values.user_agent = who.userAgent.slice(0, USER_AGENT)
    } else if (stamp === 'request_id') values.request_id = who.requestId
    else if (stamp === 'received_at') values.received_at = new Date(who.receivedAt).toISOString()
  }
  return values
}

/** `context` with the stamps over whatever was claimed under their names, in any spelling. @param names of the stamps, folded */
export function stampContext(
  claimed: Fields | undefined,
  stamps: Fields,
  names: ReadonlySet<string>,
  fold: (name: string) => string
): Fields {
  const context: Fields = {}
  for (const name in claimed) if (!names.has(fold(name).split('.', 1)[0]!)) context[name] = claimed[name]
  return Object.assign(context, stamps)
}
