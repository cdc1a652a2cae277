/** Entries as pages really write them when something breaks: what `window.onerror`, `unhandledrejection` and consoles hand over. */
import { ENTRY } from './setup.js'

const CHROME_STACK = `TypeError: Cannot read properties of undefined (reading 'total')
    at Cart.sum (https://shop.example.com/assets/app-4f2c9a1b.js:1:48213)
    at async submit (https://shop.example.com/assets/app-4f2c9a1b.js:1:49001)
    at HTMLFormElement.<anonymous> (https://shop.example.com/checkout?step=3&token=9f86d081884c7d65:12:9)
    at Generator.next (<anonymous>)
    at new Promise (<anonymous>)`

const FIREFOX_STACK = `sum@https://shop.example.com/assets/app-4f2c9a1b.js:1:48213
async*submit@https://shop.example.com/assets/app-4f2c9a1b.js:1:49001
EventListener.handleEvent*@https://shop.example.com/assets/app-4f2c9a1b.js:1:50777
@https://shop.example.com/checkout#/pay:12:9
`

const SAFARI_STACK = `sum@https://shop.example.com/assets/app-4f2c9a1b.js:1:48222
[native code]
promiseReactionJob@[native code]`

/** A component stack of a framework: long, and the same again and again. */
const COMPONENT_STACK = Array.from(
  { length: 80 },
  (_, at) => `\n    in ${at % 2 ? 'Provider' : 'Suspense'} (at App.tsx:${at})`
).join('')

/** What `JSON.stringify` makes of an event: getters are gone, `isTrusted` stays; and of a DOM event copied by hand. */
const EVENT = {
  isTrusted: true,
  type: 'click',
  timeStamp: 48213.20000000298,
  target: {
    tagName: 'BUTTON',
    className: 'btn btn-primary',
    outerHTML: `<button onclick="pay('4111 1111 1111 1111')">Pay</button>`
  },
  path: Array.from({ length: 40 }, (_, at) => ({
    tagName: 'DIV',
    className: `css-${at}`,
    dataset: { reactid: `.0.${at}` }
  }))
}

/** A circular structure after a page's own replacer has been over it. */
const CIRCULAR = {
  name: 'root',
  parent: '[Circular ~]',
  children: [{ name: 'leaf', parent: '[Circular ~.root]', owner: { $ref: '$' } }]
}

const report = (action: string, message: string, metadata: object) => ({
  ...ENTRY,
  level: 'error',
  action,
  message,
  metadata
})

export const BROWSER_ERRORS: Record<string, object> = {
  chrome: report('window.onerror', "Uncaught TypeError: Cannot read properties of undefined (reading 'total')", {
    stack: CHROME_STACK,
    line: 1,
    column: 48213
  }),
  firefox: report('window.onerror', 'TypeError: cart is undefined', { stack: FIREFOX_STACK }),
  safari: report('window.onerror', "undefined is not an object (evaluating 'cart.total')", { stack: SAFARI_STACK }),
  crossOrigin: report('window.onerror', 'Script error.', { stack: null, line: 0, column: 0 }),
  deepStack: report('window.onerror', 'RangeError: Maximum call stack size exceeded', {
    stack: `RangeError\n${'    at f (https://shop.example.com/app.js:1:1)\n'.repeat(200)}`
  }),
  components: report('react.boundary', 'Minified React error #185; visit https://react.dev/errors/185', {
    componentStack: COMPONENT_STACK
  }),
  rejection: report('unhandledrejection', 'Non-Error promise rejection captured with value: [object Object]', {
    reason: {
      status: 401,
      config: { headers: { Authorization: 'Bearer 9f86d081884c7d65', Accept: '*/*' }, data: '{"password":"hunter2"}' }
    }
  }),
  fetch: report('fetch.failed', 'TypeError: Failed to fetch', {
    url: 'https://api.example.com/v1/me?access_token=9f86d081884c7d65&lang=de',
    headers: { cookie: 'session=9f86d081884c7d65', 'x-request': ['a', 'lt_production_wo_9f86d081884c7d65'] }
  }),
  event: report('ui.error', '{"isTrusted":true}', { event: EVENT }),
  circular: report('ui.error', 'Converting circular structure to JSON', { state: CIRCULAR }),
  loneSurrogates: report('ui.error', 'cut in half: \ud83d', {
    input: '\udc69\u200d\ud83d\udc69 ok \ud83d',
    'key \ud800': 1
  }),
  nul: report('ui.error', 'a\u0000b', { input: '\u0000'.repeat(300), '\u0000': '\u0001\u001f\u007f\u2028' }),
  rightToLeft: report('ui.error', '\u202eנכשל\u202c: \u200fهذا خطأ\u200e', {
    file: 'invoice\u202efdp.exe',
    text: 'خطأ '.repeat(400)
  }),
  emoji: report('ui.error', '👩‍👩‍👧‍👦'.repeat(60), { text: '🏳️‍🌈🇩🇪👍🏽'.repeat(80), accents: 'e\u0301'.repeat(400) }),
  html: report('render.failed', 'Hydration failed', { html: '<div class="a" data-x=\'1\'>\t\r\n\\</div>'.repeat(100) }),
  sourceMap: report('window.onerror', 'SyntaxError', {
    source: `//# sourceMappingURL=data:application/json;base64,${'eyJ2ZXJzaW9uIjozfQ'.repeat(100)}`
  }),
  numbers: report('ui.error', 'NaN', {
    nan: null,
    big: 1e308,
    tiny: 5e-324,
    card: 4111111111111111,
    id: 9007199254740991,
    list: Array(500).fill(0.1)
  }),
  form: report('form.invalid', 'The form could not be sent', {
    values: {
      email: 'ada@example.com',
      cardNumber: '4111 1111 1111 1111',
      cvv: '123',
      'password-confirmation': 'hunter2',
      newsletter: false
    }
  })
}

/** What none of them may let out under the defaults. */
export const SECRETS = /9f86d081884c7d65|hunter2|4111 ?1111|"cvv":"123"/
