import { log, sendRaw, tryToRead } from './logger.js'

const BOOKS = [
  'The Night Train',
  'Salt Roads',
  'A Field Guide to Fog',
  'Eleven Harbours',
  'The Clockmender',
  'Low Tide'
]

/** Nobody catches this: the client's `captureErrors` does. */
function checkout() {
  const cart = undefined
  return cart.total
}

function leave() {
  log('info', 'page.left', { message: 'Logged in the moment before the page went' })
  location.assign('/away.html')
}

export const ACTIONS = [
  {
    title: 'Add a book to the basket',
    tells: 'One entry, and who did it is added on the way.',
    run: () =>
      log('info', 'basket.added', {
        message: 'A book was put into the basket',
        target: { type: 'book', title: BOOKS[Math.floor(Math.random() * BOOKS.length)] },
        tags: ['shop']
      })
  },
  {
    title: 'Log and leave',
    tells: 'Logs, and goes to another page at once. Come back and see.',
    run: leave
  },
  { title: 'Crash in the checkout', tells: 'An error that nobody catches, with its stack.', run: checkout },
  {
    title: 'Leaf through twelve pages',
    tells: 'Twelve entries, one after another, in one request.',
    run: () => {
      for (let page = 1; page <= 12; page++) {
        log('debug', 'page.viewed', { metadata: { page, book: BOOKS[page % BOOKS.length] } })
      }
    }
  },
  {
    title: 'Pretend to be somebody else',
    tells: 'The entry claims to be from root. The proxy knows better.',
    run: () =>
      log('warn', 'price.changed', {
        message: 'Every book is free now',
        actor: { id: 'root', email: 'root@bookshop.example' }
      })
  },
  {
    title: 'Let a password slip',
    tells: 'It is in the entry, and does not leave the house.',
    run: () =>
      log('warn', 'login.failed', {
        message: 'Wrong password, request was POST /login?token=3f9d1c07a5',
        metadata: { form: { user: 'ada', password: 'correct horse battery' } }
      })
  },
  {
    title: 'Send nonsense',
    tells: 'Without the client: two entries, one of a level that does not exist. Both stay out.',
    run: () =>
      sendRaw([
        { action: 'shop.opened', level: 'info' },
        { action: 'shop.closed', level: 'loud' }
      ])
  },
  { title: 'Ask for the logs', tells: 'Reading is not offered here, to anybody.', run: tryToRead }
]
