import {
  byId,
  bytes,
  count,
  milliseconds,
  seconds,
  showBooks,
  showChecks,
  showKeys,
  showLimits,
  showRefusals,
  write
} from './parts.js'
import { createPlot } from './plot.js'

const whole = value => count(Math.round(value * 10) / 10)
const quantiles = prefix => [
  { key: `${prefix}50`, name: 'p50', look: 'low' },
  { key: `${prefix}95`, name: 'p95', look: 'mid' },
  { key: `${prefix}99`, name: 'p99', look: 'high' }
]
const PLOTS = {
  throughput: {
    label: 'Requests a second',
    area: true,
    format: whole,
    series: [
      { key: 'taken', name: 'taken', look: 'one' },
      { key: 'refused', name: 'refused', look: 'two' }
    ]
  },
  entries: {
    label: 'Entries a second',
    area: true,
    format: whole,
    series: [
      { key: 'received', name: 'received', look: 'one' },
      { key: 'delivered', name: 'delivered', look: 'two' }
    ]
  },
  latency: { label: 'Latency', format: milliseconds, series: quantiles('p') },
  upstream: { label: 'Latency of Logtrail', format: milliseconds, series: quantiles('upstream') },
  waiting: {
    label: 'Waiting entries',
    area: true,
    format: whole,
    least: 10,
    series: [{ key: 'waiting', name: 'waiting', look: 'one' }]
  },
  age: {
    label: 'Age of the oldest entry',
    area: true,
    format: seconds,
    series: [{ key: 'age', name: 'oldest', look: 'one' }]
  },
  budget: {
    label: 'Budget left',
    area: true,
    format: whole,
    least: 10,
    series: [{ key: 'budget', name: 'left', look: 'one' }]
  }
}
const plots = Object.fromEntries(
  Object.entries(PLOTS).map(([name, options]) => [name, createPlot(byId(`plot-${name}`), options)])
)

let series
let status
let limits
let paused = false
let heardAt = 0

function showState() {
  const bad =
    { failed: 'bad', stopping: 'warn', starting: 'warn', degraded: 'warn', ok: 'ok' }[status.status] ?? 'unknown'
  const pill = byId('state')
  pill.dataset.state = bad
  write('state', status.status)
  const failing = Object.entries(status.checks)
    .filter(([, check]) => !check.ok)
    .map(([name]) => name)
  const note = failing.length ? failing.join(', ') : ''
  write('state-note', note)
  write('announce', `The proxy is ${status.status}${note ? `: ${note}` : ''}`)
  write(
    'about',
    `Version ${status.version} · ${status.delivery} delivery · up ${seconds(status.uptimeSeconds)} · ${count(status.inFlight)} in flight`
  )
  document.title = `${status.status === 'ok' ? '' : `(${status.status}) `}logtrail-bff status`
}

function showTiles() {
  const { lastMinute: minute, queue, budget } = status
  const all = minute.taken + minute.refused
  write('requests', count(all))
  write('requests-note', 'in the last minute')
  const share = all ? (minute.refused / all) * 100 : 0
  write('refused', count(minute.refused))
  write('refused-note', `${share > 0 && share < 0.1 ? 'under 0.1' : whole(share)} % of them`)
  write('latency', minute.requestMs ? milliseconds(minute.requestMs.p95) : '–')
  write(
    'latency-note',
    minute.upstreamMs ? `Logtrail ${milliseconds(minute.upstreamMs.p95)}` : 'no request to Logtrail'
  )
  write('entries', count(minute.delivered))
  write('entries-note', `of ${count(minute.received)} received`)
  byId('waiting').closest('.tile').hidden = byId('card-waiting').hidden = byId('card-age').hidden = !queue
  byId('budget').closest('.tile').hidden = byId('card-budget').hidden = !budget
  if (queue) {
    write('waiting', count(queue.entries))
    write(
      'waiting-note',
      queue.entries
        ? `oldest ${seconds(queue.oldestAgeSeconds)}, ${bytes(queue.bytes)}`
        : queue.deadLetters
          ? `${count(queue.deadLetters)} dead letters`
          : 'nothing waits'
    )
  }
  if (budget) {
    write('budget', count(budget.remaining))
    const told =
      budget.limitTold && budget.limitTold !== budget.configured ? `; Logtrail says ${count(budget.limitTold)}` : ''
    write('budget-note', `${count(budget.usedLastMinute)} of ${count(budget.configured)} a minute${told}`)
  }
}

function show() {
  if (!status || paused || document.hidden) return
  showState()
  showTiles()
  // soon after a start the minutes before it are left out
  const known = series.taken.findIndex(value => value !== null)
  const length = Math.max(60, Math.ceil((known < 0 ? 0 : series.taken.length - known) / 60) * 60)
  const recent = Object.fromEntries(Object.entries(series).map(([name, list]) => [name, list.slice(-length)]))
  for (const name in plots) plots[name](recent)
  showRefusals(status.refusals)
  showChecks(status.checks)
  showKeys(status.keys)
  showBooks(status.books, status.queue?.entries ?? 0)
  showLimits(limits)
}

const source = new EventSource('/status/events')
source.addEventListener('opening', event => {
  ;({ status, series, limits } = JSON.parse(event.data))
  heard()
})
source.addEventListener('second', event => {
  const second = JSON.parse(event.data)
  status = second.status
  for (const name in series) {
    series[name].push(second.point[name])
    series[name].shift()
  }
  heard()
})
source.addEventListener('error', () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000)
  showConnection()
})

function heard() {
  heardAt = Date.now()
  showConnection()
  show()
}

function showConnection() {
  const age = Math.round((Date.now() - heardAt) / 1000)
  const text = paused
    ? 'paused'
    : source.readyState === EventSource.OPEN && age < 5
      ? 'live'
      : heardAt
        ? `no connection, ${seconds(age)} old`
        : 'connecting …'
  write('connection', text)
}
setInterval(showConnection, 1000)
document.addEventListener('visibilitychange', show)
byId('pause').addEventListener('click', event => {
  paused = !paused
  event.currentTarget.setAttribute('aria-pressed', paused)
  showConnection()
  show()
})
