import { CONTEXT_STAMPS, PATTERNS, SECRET_NAMES, SECRET_PATTERNS } from '../../entry/rules.js'
import { LEVELS } from '../../entry/schema.js'
import { choice, list, text } from '../forms.js'
import { always } from '../variable.js'

const NAMES = SECRET_NAMES.join(',')
const MASKED = SECRET_PATTERNS.join(',')

const FIELD = text(/^[^\s.\p{Cc}]{1,128}$/u, 'the name of a field')
const PATH = text(/^[^\s.\p{Cc}]{1,128}(?:\.[^\s.\p{Cc}]{1,128}){0,15}$/u, 'a field or a dotted path (`metadata.form`)')

/** What becomes of an entry between the browser and Logtrail. */
export const entries = {
  STAMP_ACTOR: always(
    choice('replace', 'merge', 'off'),
    'replace',
    "`replace`: `actor` becomes `{id}` of the session's user, whatever was claimed. `merge`: only its `id` is overwritten. `off`: as claimed. Without a session a claimed `actor` (`merge`: its `id`) is removed."
  ),
  STAMP_CONTEXT: always(
    list(choice(...CONTEXT_STAMPS)),
    '',
    'Any of `ip`, `user_agent`, `request_id`, `received_at`, `entry_id` (the same across retries, to tell duplicates), written into `context` over what was claimed.'
  ),
  MIN_LEVEL: always(
    choice(...LEVELS, 'none'),
    'trace',
    'Entries below are taken and left out, to quieten a page without deploying it; `none` leaves out all.'
  ),
  REDACT_FIELDS: always(
    list(FIELD, { base: NAMES, none: true }),
    NAMES,
    'Fields whose value becomes `[REDACTED]`, at any depth; case, `_` and `-` do not matter, and a longer name that ends in one matches too (`accessToken`). A list that begins with `+` adds to the default; `none` masks nothing.'
  ),
  REDACT_PATTERNS: always(
    list(choice(...PATTERNS), { base: MASKED, none: true }),
    MASKED,
    'What is masked inside any string; `assignment` is `token=…` and `Bearer …`; there are also `email` and `ip`. `+` adds, `none` masks nothing.'
  ),
  ALLOW_FIELDS: always(
    list(FIELD),
    '',
    "Top-level fields that Logtrail's schema does not name are removed from what browsers send (`is_public` would publish an entry), except these. The plan's depth is not theirs."
  ),
  DROP_FIELDS: always(
    list(PATH),
    '',
    'Fields to remove too, as dotted paths. A path leads through every element of a list (`metadata.items.price`), or by a number through that one (`metadata.items.0.price`).'
  ),
  OVERSIZE: always(
    choice('trim', 'reject'),
    'trim',
    "`trim` cuts an entry to the plan's size, depth and tags, and marks it `metadata._trimmed: <bytes before>`. `action`, `actor.id` and the stamps (`user_agent` aside) are never cut: an entry too long by these alone is refused with a 400. `reject` refuses whatever does not fit. More than 100 levels are too many also where the plan has no say; a body of more than 10,000 is refused in any case."
  )
}
