import { ACTIONS } from './actions.js'
import { onArrivals } from './arrivals.js'
import { byId, el } from './dom.js'
import { searchForKey } from './key-check.js'
import { log, onDrop } from './logger.js'
import { refresh } from './login.js'
import { answer, arrive, begin, isQuestion } from './trips.js'
import { onExchange, takeLeft } from './wire.js'

const counts = { sent: 0, taken: 0, refused: 0, arrived: 0 }

function count(what, value = counts[what] + 1) {
  counts[what] = value
  byId(`count-${what}`).textContent = value
}

/** The outcome in a sentence, for whoever cannot see or has not scrolled to where it is shown. */
function say(sentence) {
  const feed = byId('feed-title')
  const show = () => {
    feed.scrollIntoView()
    feed.focus()
  }
  byId('toast').replaceChildren(el('span', {}, sentence), el('button', { type: 'button', onclick: show }, 'Show'))
}

new IntersectionObserver(([{ isIntersecting }]) => byId('toast').classList.toggle('seen', isIntersecting)).observe(
  byId('trips')
)

onExchange((exchange, what) => {
  if (what === 'sent') {
    count('sent')
    begin(exchange)
    return
  }
  const sentence = answer(exchange)
  if (!isQuestion(exchange)) {
    count(exchange.answer?.status < 300 ? 'taken' : 'refused')
    say(sentence)
  }
  searchForKey()
})
onDrop((entry, reason) => say(`The client gave up ${entry.action}: ${reason}.`))

for (const exchange of takeLeft()) {
  count('sent')
  begin(exchange)
  say(answer(exchange))
}

onArrivals({ stored: arrive, total: entries => count('arrived', entries) })

byId('actions').append(
  ...ACTIONS.map(({ title, tells, run }) =>
    el(
      'button',
      { type: 'button', onclick: () => run() },
      el('span', { class: 'title' }, title),
      el('small', {}, tells)
    )
  )
)

byId('own').addEventListener('submit', event => {
  event.preventDefault()
  const { action, level, message } = Object.fromEntries(new FormData(event.target))
  log(level, action, message === '' ? {} : { message })
})

byId('key-search').addEventListener('click', searchForKey)

const { logtrail, admin } = await (await fetch('/about')).json()
byId('link-logtrail').href = logtrail
byId('link-admin').href = `${admin}/`
await refresh()
await searchForKey()
