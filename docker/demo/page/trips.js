import { byId, el } from './dom.js'
import { compare, jsonBlock } from './json.js'

const MOST = 20
const trips = []

const parse = text => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
/** What an entry is known by, here and at Logtrail: the page's own id, or, where the client wrote it, its time. */
const idOf = entry => entry?.metadata?.id ?? `${entry?.action} ${entry?.clientTimestamp}`

/** The client's empty batch: its refusal tells whose session this is, and so which stored entries may go. */
export const isQuestion = ({ request }) => request.body === '[]'

const LATER = [401, 408, 429]
/** Whether the client keeps the entries of such an answer for later; a bare fetch keeps nothing. */
const isKept = (request, status) => request.by !== 'fetch' && (LATER.includes(status) || status >= 500)

function nameOf(body) {
  if (body === undefined) return 'An attempt to read'
  if (!Array.isArray(body)) return body.action
  if (body.length === 0) return 'An empty batch: who is signed in?'
  if (body.length === 1) return body[0].action
  const actions = [...new Set(body.map(entry => entry.action))].join(', ')
  return `${body.length} entries: ${actions}`
}

function headerList(pairs, tells) {
  const list = el('dl', { class: 'headers' })
  for (const [name, value] of pairs) list.append(el('div', {}, el('dt', {}, name), el('dd', {}, value)))
  if (tells) list.append(el('div', { class: 'aside' }, el('dt', {}, 'And'), el('dd', {}, tells)))
  return list
}

function panel(kind, title, ...content) {
  return el('section', { class: `panel ${kind}` }, el('h3', {}, title), ...content)
}

/** A request begins a trip: the newest stands open above the older ones. */
export function begin(exchange) {
  const { request } = exchange
  const body = request.body === '' ? undefined : parse(request.body)
  const entries = body === undefined ? [] : [body].flat()
  const badge = el('span', { class: 'badge waiting' }, 'sent')
  const where = el('span', { class: 'where' }, '')
  const summary = el(
    'summary',
    {},
    el('span', { class: 'what' }, nameOf(body)),
    el('span', { class: 'line' }, `${request.method} ${request.path}`),
    badge,
    where
  )
  const sent = panel(
    'browser',
    'Left this browser',
    headerList(
      [['By', request.by], ...request.headers],
      'what the browser adds itself: Origin, Sec-Fetch-Site, and the cookie, which no script can read.'
    ),
    body === undefined ? el('p', { class: 'empty' }, 'No body.') : jsonBlock(body, 'Body that was sent')
  )
  const answered = panel('proxy', 'Answered by the proxy', el('p', { class: 'empty' }, 'Waiting…'))
  const arrived = panel('logtrail', 'Reached Logtrail', el('p', { class: 'empty' }, 'Waiting…'))
  const details = el('details', { open: true }, summary, el('div', { class: 'panels' }, sent, answered, arrived))
  for (const trip of trips) {
    trip.details.open = false
    if (trip.waits && trip.entries.some(one => entries.some(entry => idOf(entry) === idOf(one)))) {
      trip.waits = false
      nothingArrived(trip, 'sent again later', 'Nothing. What it carried went with a newer request.')
    }
  }
  byId('nothing').hidden = true
  byId('trips').prepend(details)
  trips.unshift({ exchange, body, entries, details, badge, where, answered, arrived, stored: [] })
  for (const old of trips.splice(MOST)) old.details.remove()
}

/** The answer, or that there was none. Returns a sentence that says it. */
export function answer(exchange) {
  const trip = trips.find(one => one.exchange === exchange)
  if (!trip) return ''
  const { answer, failure } = exchange
  const title = trip.answered.firstChild
  if (exchange.left) {
    trip.badge.textContent = 'left'
    trip.answered.replaceChildren(title, el('p', { class: 'empty' }, 'The page was gone before the answer came.'))
    return `${nameOf(trip.body)}: sent as the page went.`
  }
  if (!answer) {
    trip.badge.textContent = 'no answer'
    trip.badge.className = 'badge bad'
    trip.answered.replaceChildren(title, el('p', { class: 'empty' }, `No answer: ${failure}`))
    return 'There was no answer.'
  }
  const good = answer.status < 300
  trip.badge.textContent = answer.status
  trip.badge.className = `badge ${good ? 'good' : 'bad'}`
  trip.answered.replaceChildren(
    title,
    el('p', { class: 'status' }, el('strong', {}, answer.status), ` in ${Math.max(1, Math.round(answer.ms))} ms`),
    headerList(answer.headers),
    answer.body === ''
      ? el('p', { class: 'empty' }, 'An empty body.')
      : jsonBlock(parse(answer.body), 'Body of the answer')
  )
  if (isQuestion(exchange)) {
    trip.badge.textContent = 'asked'
    trip.badge.className = 'badge'
    nothingArrived(
      trip,
      'no entry',
      'Nothing, as intended. X-Session-Tag tells the client whose waiting entries may go.'
    )
  } else if (!good && isKept(exchange.request, answer.status)) {
    const until = answer.status === 401 ? 'until its user is signed in' : 'to be sent again'
    trip.waits = true
    nothingArrived(trip, 'waits here', `Not yet. The client keeps it in this browser’s storage, ${until}.`)
  } else if (!good) {
    nothingArrived(trip, 'stayed out', 'Nothing. The proxy kept it away, and said why.')
  } else showArrived(trip)
  return `${nameOf(trip.body)}: answered ${answer.status}.`
}

function nothingArrived({ where, arrived }, inShort, why) {
  where.textContent = inShort
  arrived.replaceChildren(arrived.firstChild, el('p', { class: 'empty' }, why))
}

function showArrived(trip) {
  const { entries, stored, arrived } = trip
  if (stored.length === 0) return
  const [{ key, requestId }] = stored
  const there = stored.map(({ entry }) => entry)
  const here = there.map(entry => entries.find(one => idOf(one) === idOf(entry)))
  const changes = there.map((entry, i) => compare(entry, here[i]))
  const [written, left] = ['written', 'left'].map(what => [...new Set(changes.flatMap(change => change[what]))])
  trip.where.textContent = `${stored.length} of ${entries.length} at Logtrail`
  arrived.replaceChildren(
    arrived.firstChild,
    headerList([['X-API-Key', `present, fingerprint ${key}`], ...(requestId ? [['X-Request-Id', requestId]] : [])]),
    el(
      'p',
      { class: 'changed' },
      ...(written.length > 0 ? [el('mark', {}, 'Written by the proxy'), `: ${written.join(', ')}. `] : []),
      left.length > 0 ? `Left out: ${left.join(', ')}.` : ''
    ),
    stored.length === 1
      ? jsonBlock(there[0], 'Entry at Logtrail', here[0])
      : jsonBlock(there, 'Entries at Logtrail', here)
  )
}

/** Entries that reached Logtrail: shown with the trip that they belong to. */
export function arrive(items) {
  const touched = new Set()
  for (const item of items) {
    const id = idOf(item.entry)
    const trip = id && trips.find(({ entries }) => entries.some(entry => idOf(entry) === id))
    if (!trip || trip.stored.some(one => idOf(one.entry) === id)) continue
    trip.stored.push(item)
    touched.add(trip)
  }
  for (const trip of touched) showArrived(trip)
}
