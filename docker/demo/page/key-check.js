import { byId, el } from './dom.js'
import { exchanges } from './wire.js'

/** Any Logtrail key, as the documentation defines them. It does not match itself: no key follows here. */
const KEY = /lt_(?:development|staging|production)_(?:wo|ro|rw)_[\w-]+/

const plural = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`
const size = text => (text.length < 1000 ? plural(text.length, 'character') : `${Math.round(text.length / 1000)} kB`)

async function files() {
  const loaded = performance
    .getEntriesByType('resource')
    .map(({ name }) => name)
    .filter(name => name.startsWith(location.origin) && /\.(js|css|svg)$/.test(name))
  const texts = await Promise.all([location.href, ...new Set(loaded)].map(async url => (await fetch(url)).text()))
  return { text: texts.join('\n'), tells: `${plural(texts.length, 'file')}, ${size(texts.join(''))}` }
}

function storage(area) {
  const text = JSON.stringify({ ...area })
  return { text, tells: area.length === 0 ? 'empty' : plural(area.length, 'item') }
}

async function places() {
  const requests = exchanges.map(({ request }) => JSON.stringify(request)).join('\n')
  const answers = exchanges.map(({ answer }) => JSON.stringify(answer ?? '')).join('\n')
  const shown = document.documentElement.outerHTML
  return [
    ['Page, scripts and styles', await files()],
    ['What is on the screen now', { text: shown, tells: size(shown) }],
    ['Cookies a script can read', { text: document.cookie, tells: document.cookie === '' ? 'none' : 'some' }],
    ['Local storage', storage(localStorage)],
    ['Session storage', storage(sessionStorage)],
    ['Requests to the proxy', { text: requests, tells: plural(exchanges.length, 'request') }],
    ['Answers and headers', { text: answers, tells: plural(exchanges.length, 'answer') }]
  ]
}

/** Looks for a key wherever this page could have one, and says where it looked. */
export async function searchForKey() {
  const found = []
  const list = []
  for (const [name, { text, tells }] of await places()) {
    const bad = KEY.test(text)
    if (bad) found.push(name)
    list.push(el('li', { class: bad ? 'bad' : 'good' }, el('span', {}, name), el('span', {}, bad ? 'a key!' : tells)))
  }
  byId('key-places').replaceChildren(...list)
  const verdict = byId('key-verdict')
  verdict.className = `verdict ${found.length === 0 ? 'good' : 'bad'}`
  verdict.textContent =
    found.length === 0
      ? `Not in this browser. ${list.length} places were searched, and none holds a Logtrail key.`
      : `A Logtrail key was found: ${found.join(', ')}.`
}
