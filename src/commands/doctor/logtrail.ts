import { readErrorBody } from '../../logtrail/error-body.js'
import { parseKey } from '../../logtrail/key.js'
import { PLANS } from '../../logtrail/plans.js'
import { type Check, failed, ok, warning } from './check.js'
import { type DryRun, type DryRunOptions, dryRun } from './validate.js'

export interface LogtrailSettings extends Omit<DryRunOptions, 'key'> {
  /** One, or two during a rotation. */
  keys: readonly string[]
  plan: string
  maxLogBytes: number
  maxDepth: number
  maxTags: number
  requestsPerMinute: number
  /** What the running proxy's own requests have shown the limit to be, as far as it knows. */
  observedPerMinute: () => Promise<number | undefined>
}

type Answer = DryRun | Error

const DAY = 86_400_000
const SOON = 14 * DAY
/** Clocks this far apart are noticed in timestamps; and this far, sessions begin to be refused or to live too long. */
const SKEW_WARNING = 5_000
const SKEW_FAILED = 60_000

/** Key, certificate, clock and plan, from dry runs of one harmless entry for each key, and of one as large as allowed. */
export async function checkLogtrail(settings: LogtrailSettings): Promise<Check[]> {
  const ask = (key: string, entry: object): Promise<Answer> =>
    dryRun(entry, { ...settings, key }).catch((error: Error) => error)
  const answers = await Promise.all(settings.keys.map(key => ask(key, harmless(settings))))
  const first = answers.find(answer => !(answer instanceof Error)) ?? answers[0]!
  const good = settings.keys[answers.findIndex(answer => readValidation(answer) !== undefined)]
  const keys = settings.keys.map((key, i) => judgeKey(settings, key, answers[i]!, i))
  const filled = good === undefined ? undefined : await ask(good, largest(settings))
  return [
    ...keys,
    judgeTls(settings, first),
    judgeClock(first),
    judgePlan(settings, first, filled, await settings.observedPerMinute())
  ]
}

function harmless({ now }: LogtrailSettings) {
  return {
    action: 'logtrail_bff.doctor',
    level: 'info',
    clientTimestamp: new Date(now()).toISOString(),
    message: 'A dry run: nothing is stored.'
  }
}

/** An entry that takes all that the plan is said to allow. */
function largest(settings: LogtrailSettings): object {
  const { maxLogBytes, maxDepth, maxTags } = settings
  let metadata: object = {}
  for (let level = 1; level < maxDepth; level++) metadata = { n: metadata }
  const entry = {
    ...harmless(settings),
    message: '',
    metadata,
    tags: Array.from({ length: maxTags }, (_, i) => `t${i}`)
  }
  const room = maxLogBytes - Buffer.byteLength(JSON.stringify(entry))
  return { ...entry, message: 'x'.repeat(Math.max(0, room)) }
}

function judgeKey(settings: LogtrailSettings, key: string, answer: Answer, index: number): Check {
  const name = index === 0 ? 'key' : 'key (next)'
  const { environment, type, fingerprint } = parseKey(key)
  const which = `${environment}, ${type}, fingerprint ${fingerprint}`
  const host = new URL(settings.baseUrl).host
  if (answer instanceof Error) {
    const why = `no answer of Logtrail at ${host}: ${reason(answer)}`
    return failed(name, why, isTlsFault(answer) ? 'See tls.' : REACH)
  }
  const { status } = answer
  const said = readErrorBody(answer.body)
  const code = said?.code ? ` (${said.code})` : ''
  if (status === 401) {
    return failed(
      name,
      `Logtrail refuses the key${code}: ${which}`,
      'Put a key that is valid into LOGTRAIL_API_KEY: this one was revoked, has expired or was never issued here.'
    )
  }
  if (status === 403 && said) {
    return failed(
      name,
      `the key may not send entries${code}: ${which}`,
      "Make a write-only (wo) key in Logtrail's dashboard and put it into LOGTRAIL_API_KEY."
    )
  }
  if (status === 429) {
    const wait = /^\d{1,6}$/.test(answer.retryAfter ?? '') ? ` in ${answer.retryAfter} s` : ' later'
    return warning(name, `cannot tell: Logtrail takes no more dry runs now${code}`, `Run doctor again${wait}.`)
  }
  const validation = readValidation(answer)
  if (validation) {
    const { valid, errors } = validation
    if (valid) return ok(name, `Logtrail accepts it: ${which}`)
    return warning(
      name,
      `Logtrail accepts the key (${which}), but not a plain entry: ${errors}`,
      "See whether Logtrail's rules for entries have changed, and whether there is a newer version of this program."
    )
  }
  if (status >= 500)
    return failed(name, `Logtrail has a fault: it answered ${status}${code}`, 'Run doctor again later.')
  const what = /html/i.test(answer.contentType)
    ? 'with a web page'
    : said
      ? `${code.trim()}`
      : 'without a word of Logtrail'
  return failed(name, `${host} answered ${status} ${what}: that is not Logtrail's API`, ADDRESS)
}

const REACH =
  'Let this machine reach it: LOGTRAIL_URL, DNS and the firewall. It goes out directly, HTTPS_PROXY is not used.'
const ADDRESS =
  'Set LOGTRAIL_URL to the base address (https://api.logtrail.net/api/v1/workspace), and see that no portal or firewall answers in its place.'

interface Validation {
  valid: boolean
  /** Why not, in words. */
  errors: string
}

/** What /logs/validate said; undefined where the answer is none of its own. */
function readValidation(answer: Answer | undefined): Validation | undefined {
  if (answer === undefined || answer instanceof Error || answer.status !== 200) return undefined
  try {
    const { valid } = JSON.parse(answer.body.toString())
    if (typeof valid !== 'boolean') return undefined
    const listed = readErrorBody(answer.body)?.errors ?? []
    const errors = listed.slice(0, 3).map(({ field, message }) => `${field}: ${message}`)
    return { valid, errors: errors.join('; ') || 'it does not say why' }
  } catch {
    return undefined
  }
}

function judgeTls({ baseUrl, now }: LogtrailSettings, answer: Answer): Check {
  const { protocol, host } = new URL(baseUrl)
  if (protocol === 'http:') {
    return warning(
      'tls',
      `plain http to ${host}: whoever is on the way reads the key`,
      'Use https in LOGTRAIL_URL wherever that is not a stand-in for tests.'
    )
  }
  if (answer instanceof Error) {
    if (!isTlsFault(answer)) return warning('tls', 'cannot tell: there is no connection', REACH)
    return failed('tls', `the certificate of ${host} is not accepted: ${reason(answer)}`, changeForTls(answer))
  }
  const until = answer.certificateUntil!
  const days = Math.floor((until - now()) / DAY)
  const date = new Date(until).toISOString().slice(0, 10)
  if (until - now() > SOON) return ok('tls', `the certificate of ${host} is verified, and good until ${date}`)
  return warning(
    'tls',
    `the certificate of ${host} ends in ${days} days, on ${date}`,
    'Ask whoever runs that address to renew it; from that day on no entry is delivered.'
  )
}

function isTlsFault({ code, message }: NodeJS.ErrnoException): boolean {
  if (message.includes('before secure TLS connection')) return true
  return /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|EPROTO$)/.test(String(code))
}

function changeForTls({ code }: NodeJS.ErrnoException): string {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return "See first whether this machine's clock is right; else the certificate must be renewed."
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'Set LOGTRAIL_URL to the name that the certificate is for.'
  if (code === 'EPROTO' || code === 'ECONNRESET' || code?.startsWith('ERR_SSL_'))
    return 'See that LOGTRAIL_URL names a port that speaks TLS.'
  return 'If a proxy of your own looks into TLS, name its certificate authority by NODE_EXTRA_CA_CERTS. Verification cannot be turned off.'
}

function reason({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'TimeoutError' || name === 'AbortError') return 'it took too long'
  // an AggregateError (every address of a name was tried) has no words of its own
  return [code, message].filter(Boolean).join(': ').slice(0, 200)
}

function judgeClock(answer: Answer): Check {
  const skew = answer instanceof Error ? undefined : answer.skew
  if (skew === undefined) {
    return warning('clock', 'cannot tell: no Date of Logtrail came', "Compare this machine's clock by hand.")
  }
  const seconds = Math.round(Math.abs(skew) / 1000)
  if (seconds <= SKEW_WARNING / 1000) return ok('clock', `within ${Math.max(1, seconds)} s of Logtrail's`)
  const message = `${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} Logtrail's`
  const change = "Have this machine's clock set by NTP (chrony, systemd-timesyncd): sessions and limits rest on it."
  return seconds > SKEW_FAILED / 1000 ? failed('clock', message, change) : warning('clock', message, change)
}

function judgePlan(
  settings: LogtrailSettings,
  answer: Answer,
  filled: Answer | undefined,
  observed: number | undefined
): Check {
  const { plan, requestsPerMinute } = settings
  const about = `LOGTRAIL_PLAN=${plan}`
  const validation = readValidation(filled)
  if (validation?.valid === false) {
    return warning(
      'plan',
      `Logtrail would refuse an entry as large as ${about} allows: ${validation.errors}`,
      'Set LOGTRAIL_PLAN to the plan you have, or LOGTRAIL_MAX_LOG_BYTES, LOGTRAIL_MAX_DEPTH and LOGTRAIL_MAX_TAGS to its limits.'
    )
  }
  const told = observed ?? planFigure(answer)
  if (told !== undefined && told !== requestsPerMinute) {
    const effect = told < requestsPerMinute ? 'requests over it are refused' : 'the rest of it is not used'
    return warning(
      'plan',
      `Logtrail allows ${told} requests a minute, LOGTRAIL_REQUESTS_PER_MINUTE is ${requestsPerMinute}: ${effect}`,
      `Set LOGTRAIL_PLAN to the plan you have, or LOGTRAIL_REQUESTS_PER_MINUTE to ${told} (to your part of it where several proxies share the key).`
    )
  }
  if (told === undefined && validation === undefined) {
    return warning('plan', 'cannot tell: no limits of Logtrail were seen', 'Run doctor again once the key is accepted.')
  }
  const requests = told === undefined ? 'requests a minute were not shown' : `${told} requests a minute`
  return ok(
    'plan',
    `${about} fits what Logtrail shows: ${requests}${validation ? ', entries as large as that are taken' : ''}`
  )
}

/** The limit told beside a dry run may be that of dry runs alone: only a figure that some plan has is taken for the plan's. */
function planFigure(answer: Answer): number | undefined {
  if (answer instanceof Error || answer.rateLimit === undefined) return undefined
  return Object.values(PLANS).some(plan => plan.requestsPerMinute === answer.rateLimit) ? answer.rateLimit : undefined
}
