import { byId, el } from './dom.js'
import { flush } from './logger.js'

function show({ user, users }) {
  const people = users.map(one =>
    el(
      'button',
      {
        type: 'button',
        class: 'person',
        'aria-pressed': String(one.id === user?.id),
        onclick: () => change('POST', one.id)
      },
      el(
        'span',
        { class: 'initials', 'aria-hidden': 'true' },
        one.name
          .split(' ')
          .map(part => part[0])
          .join('')
      ),
      el('span', { class: 'name' }, one.name, el('small', {}, one.role))
    )
  )
  byId('people').replaceChildren(...people)
  byId('who-note').textContent = user
    ? `Your session is a signed cookie, HttpOnly: it says ${user.id}, and no script of this page can read it.`
    : 'Choose somebody to sign in as. Signed out you may press the buttons too: the proxy refuses, and the entry waits in this browser for its user.'
  byId('whoami').replaceChildren(
    user ? el('span', {}, `Signed in as ${user.name}`) : el('span', {}, 'Signed out'),
    user ? el('button', { type: 'button', onclick: () => change('DELETE') }, 'Sign out') : ''
  )
}

async function change(method, id) {
  const body = id === undefined ? undefined : JSON.stringify({ user: id })
  await flush()
  await fetch('/session', { method, ...(body && { body }) })
  const focused = document.activeElement?.closest('.person') ? id : undefined
  const state = await refresh()
  // What has waited for this user goes now.
  if (id !== undefined) void flush()
  // The buttons were made anew: the keyboard stays where it was.
  if (focused) byId('people').children[state.users.findIndex(user => user.id === id)]?.focus()
  else if (method === 'DELETE') byId('people').firstChild.focus()
}

/** Asks the app who is signed in, and shows it. */
export async function refresh() {
  const state = await (await fetch('/session')).json()
  show(state)
  return state
}
