import { svg } from './plot.js'

export const byId = id => document.getElementById(id)

export function write(id, text) {
  const node = byId(id)
  if (node.textContent !== text) node.textContent = text
}

function element(name, className, ...children) {
  const node = document.createElement(name)
  if (className) node.className = className
  node.append(...children)
  return node
}

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
export const count = value => (value >= 100000 ? short : numbers).format(value)
export const milliseconds = value =>
  value >= 1000 ? `${numbers.format(value / 1000)} s` : `${value >= 10 ? Math.round(value) : numbers.format(value)} ms`
export function seconds(value) {
  for (const [unit, size] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60]
  ]) {
    if (value >= size * 2) return `${numbers.format(Math.floor((value / size) * 10) / 10)} ${unit}`
  }
  return `${numbers.format(value)} s`
}
export function bytes(value) {
  for (const [unit, size] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
    ['KB', 1024]
  ])
    if (value >= size) return `${numbers.format(value / size)} ${unit}`
  return `${value} B`
}

function pill(state, text) {
  const node = element('span', 'pill', text)
  node.dataset.state = state
  return node
}

/** Replaces a list's items only where something has changed, so that what is being read out is left alone. */
const shown = new Map()
function fill(id, data, make) {
  const text = JSON.stringify(data)
  if (shown.get(id) === text) return
  shown.set(id, text)
  byId(id).replaceChildren(...make())
}

export function showChecks(checks) {
  fill('checks', checks, () =>
    Object.entries(checks).map(([name, { ok, message }]) =>
      element(
        'li',
        '',
        pill(ok ? 'ok' : 'bad', ok ? 'ok' : 'fails'),
        element('b', '', name),
        element('span', 'why', message)
      )
    )
  )
}

const KEY_STATES = { accepted: 'ok', unproven: 'unknown', refused: 'bad' }
export function showKeys(keys) {
  fill('keys', keys, () =>
    keys.map(({ fingerprint, environment, type, state }) =>
      element(
        'li',
        '',
        pill(KEY_STATES[state], state),
        element('code', '', fingerprint),
        element('span', 'why', `${environment}, ${{ wo: 'write-only', rw: 'read and write' }[type] ?? type}`)
      )
    )
  )
}

export function showRefusals(refusals) {
  fill('refusals', refusals, () => {
    const all = Object.entries(refusals)
    if (all.length === 0) return [element('li', 'none', 'None.')]
    const most = Math.max(...all.map(([, number]) => number))
    return all.map(([reason, number]) =>
      element(
        'li',
        '',
        element('code', '', reason),
        element('b', '', count(number)),
        svg(
          'svg',
          { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
          svg('rect', { class: 'rail', width: 100, height: 6 }),
          svg('rect', { width: Math.max(0.5, (number / most) * 100), height: 6 })
        )
      )
    )
  })
}

const BOOKS = [
  ['received', 'Received'],
  ['inherited', 'Found at the start'],
  ['came', 'Came'],
  ['delivered', 'Delivered'],
  ['waiting', 'Waiting'],
  ['rejected', 'Rejected'],
  ['dead_letter', 'Dead letters'],
  ['filtered', 'Left out by level'],
  ['went', 'Accounted for']
]
export function showBooks(books, waiting) {
  const all = { ...books, waiting }
  all.came = books.received + books.inherited
  all.went = books.delivered + waiting + books.rejected + books.dead_letter + books.filtered
  fill('books', all, () =>
    BOOKS.map(([key, name]) =>
      element(
        'div',
        key === 'came' || key === 'went' ? 'sum' : '',
        element('dt', '', name),
        element('dd', '', count(all[key]))
      )
    )
  )
  write('books-note', `Entries since the start. Masked ${count(books.redacted)}, trimmed ${count(books.trimmed)}`)
}

const SOURCES = {
  default: 'default',
  plan: 'from the plan',
  key: 'from the key',
  env: 'set in the environment',
  '.env': 'set in .env',
  file: 'set by a file'
}
export function showLimits(limits) {
  fill('limits', limits, () =>
    limits.map(({ variable, value, meaning, source }) =>
      element(
        'div',
        '',
        element('dt', 'head', element('code', '', variable), element('span', 'value', value)),
        element('dd', 'meaning', meaning.replace(/`/g, ''), ` (${SOURCES[source] ?? source})`)
      )
    )
  )
}
