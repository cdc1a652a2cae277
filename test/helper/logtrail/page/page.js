const SHOWN = 100
const byId = id => document.getElementById(id)

function el(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

function row({ entry, bytes, key, requestId, at, request, index }) {
  const time = new Date(at)
  const clock = `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`
  const who = entry.actor?.id === undefined ? 'nobody named' : `by ${entry.actor.id}`
  const place = index === null ? '' : `, number ${index + 1} of its bulk`
  return el(
    'details',
    {},
    el(
      'summary',
      {},
      el('time', { datetime: time.toISOString() }, clock),
      el('span', { class: `level ${entry.level}` }, entry.level),
      el('span', { class: 'action' }, entry.action, ' ', el('span', { class: 'who' }, who)),
      el('span', { class: 'key' }, `key ${key}`)
    ),
    el('p', { class: 'more' }, `Request ${request}${place}, ${bytes} bytes${requestId ? `, id ${requestId}` : ''}`),
    el('pre', {}, JSON.stringify(entry, null, 2))
  )
}

function showStats({ entries, requests, connections, answers }) {
  byId('entries').textContent = entries.toLocaleString('en')
  byId('requests').textContent = requests.toLocaleString('en')
  byId('ratio').textContent = requests === 0 ? '–' : (entries / requests).toFixed(1)
  byId('connections').textContent = connections.toLocaleString('en')
  byId('answers').replaceChildren(
    ...Object.entries(answers).map(([status, count]) =>
      el(
        'li',
        { class: status < 300 ? 'good' : 'bad' },
        el('strong', {}, status === 'none' ? 'no answer' : status),
        ` × ${count.toLocaleString('en')}`
      )
    )
  )
}

const events = new EventSource('/_standin/events')
events.addEventListener('open', () => {
  byId('list').replaceChildren()
  byId('live').className = 'dot on'
  byId('live-text').textContent = 'Logtrail stand-in, live'
})
events.addEventListener('error', () => {
  byId('live').className = 'dot off'
  byId('live-text').textContent = 'Logtrail stand-in, not reachable'
})
events.addEventListener('stats', event => showStats(JSON.parse(event.data)))
events.addEventListener('stored', event => {
  const items = JSON.parse(event.data)
  const list = byId('list')
  list.prepend(...items.slice(-SHOWN).reverse().map(row))
  while (list.childElementCount > SHOWN) list.lastChild.remove()
  byId('nothing').hidden = list.childElementCount > 0
})
