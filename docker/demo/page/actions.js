import { log, logMany, tryToRead } from './logger.js'

const BOOKS = [
  'The Night Train',
  'Salt Roads',
  'A Field Guide to Fog',
  'Eleven Harbours',
  'The Clockmender',
  'Low Tide'
]

function checkout() {
  const cart = undefined
  return cart.total
}

function crash() {
  try {
    return checkout()
  } catch (error) {
    return log({
      action: 'checkout.failed',
      level: 'error',
      message: error.message,
      metadata: {
        error: error.name,
        stack: error.stack
          .split('\n')
          .slice(1, 4)
          .map(line => line.trim())
          .join(' | ')
      }
    })
  }
}

export const ACTIONS = [
  {
    title: 'Add a book to the basket',
    tells: 'One entry, and who did it is added on the way.',
    run: () =>
      log({
        action: 'basket.added',
        level: 'info',
        message: 'A book was put into the basket',
        target: { type: 'book', title: BOOKS[Math.floor(Math.random() * BOOKS.length)] },
        tags: ['shop']
      })
  },
  { title: 'Crash in the checkout', tells: 'A real error of this page, with its stack.', run: crash },
  {
    title: 'Leaf through twelve pages',
    tells: 'Twelve entries in one request.',
    run: () =>
      logMany(
        Array.from({ length: 12 }, (_, page) => ({
          action: 'page.viewed',
          level: 'debug',
          metadata: { page: page + 1, book: BOOKS[page % BOOKS.length] }
        }))
      )
  },
  {
    title: 'Pretend to be somebody else',
    tells: 'The entry claims to be from root. The proxy knows better.',
    run: () =>
      log({
        action: 'price.changed',
        level: 'warn',
        message: 'Every book is free now',
        actor: { id: 'root', email: 'root@bookshop.example' }
      })
  },
  {
    title: 'Let a password slip',
    tells: 'It is in the entry, and does not leave the house.',
    run: () =>
      log({
        action: 'login.failed',
        level: 'warn',
        message: 'Wrong password, request was POST /login?token=3f9d1c07a5',
        metadata: { form: { user: 'ada', password: 'correct horse battery' } }
      })
  },
  {
    title: 'Send nonsense',
    tells: 'Two entries, one of a level that does not exist: both stay out.',
    run: () =>
      logMany([
        { action: 'shop.opened', level: 'info' },
        { action: 'shop.closed', level: 'loud' }
      ])
  },
  { title: 'Ask for the logs', tells: 'Reading is not offered here, to anybody.', run: tryToRead }
]
