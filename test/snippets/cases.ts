import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import type { PluginOption } from 'vite'
import { readSnippets } from './readme.js'

const snippets = readSnippets()
const snippet = (name: string): string => {
  if (!snippets[name]) throw new Error(`the README has no snippet ${name}`)
  return snippets[name]
}
const files = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map(name => [name, snippet(name)]))

export interface Expected {
  action: string
  [field: string]: unknown
}

export interface Case {
  files: Record<string, string>
  plugins?: () => PluginOption[]
  /** What reaches Logtrail, among others. */
  arrives: Expected[]
  /** What the page says by itself, where the snippet is to make it say something. */
  shows?: string
}

const BASKET = 'no basket'
const stack = /no basket[\s\S]*\n.*at /

/** An app for each of the README's snippets. */
export const CASES: Record<string, Case> = {
  'straight from the proxy': {
    files: files('index.html'),
    arrives: [{ action: 'page.shown', level: 'info' }]
  },
  'a bundled app': {
    files: {
      ...files('log.ts'),
      'start.ts': `import { log } from './log'\nconst error = new Error('${BASKET}')\n${snippet('use.ts')}
        cart.info('cart.opened')\ndocument.body.append('sent')\nPromise.reject(error)`
    },
    shows: 'sent',
    arrives: [
      { action: 'checkout.paid', message: 'paid', target: { type: 'order' }, metadata: { cart: 7 } },
      { action: 'quota.low', level: 'warn', message: 'only 3 left' },
      { action: 'upload.failed', level: 'error', message: BASKET, metadata: { error: { name: 'Error', stack } } },
      { action: 'cart.opened', tags: ['cart'] },
      { action: 'window.unhandledrejection', level: 'error', message: BASKET }
    ]
  },
  React: {
    files: {
      ...files('log.ts', 'ErrorBoundary.tsx', 'main.tsx'),
      'start.ts': `import './main'`,
      'App.tsx': `export function App() { throw new Error('${BASKET}') }`
    },
    shows: 'Something went wrong.',
    arrives: [
      {
        action: 'react.crash',
        level: 'error',
        message: BASKET,
        metadata: { error: { name: 'Error', stack }, componentStack: /\n +at / }
      }
    ]
  },
  Vue: {
    files: {
      ...files('log.ts', 'main.ts'),
      'start.ts': `import './main'`,
      'App.vue': `<script setup>
        import { onMounted } from 'vue'
        onMounted(() => { throw new Error('${BASKET}') })
        </script>
        <template><p>Books</p></template>`
    },
    plugins: () => [vue()],
    shows: 'Books',
    arrives: [{ action: 'vue.error', message: `Error: ${BASKET}`, metadata: { error: { stack }, info: String } }]
  },
  Svelte: {
    files: {
      ...files('log.ts', 'Root.svelte'),
      'start.ts': `import { mount } from 'svelte'
        import Root from './Root.svelte'
        mount(Root, { target: document.getElementById('app') })`,
      'App.svelte': `<script>
        function total() { throw new Error('${BASKET}') }
        </script>
        <p>{total()}</p>`
    },
    plugins: () => [svelte({ configFile: false })],
    shows: 'Something went wrong.',
    arrives: [{ action: 'svelte.crash', message: `Error: ${BASKET}`, metadata: { error: { stack } } }]
  },
  pino: {
    files: {
      ...files('log.ts', 'logger.ts'),
      'start.ts': `import { logger } from './logger'
        logger.warn('%s left', 3)`
    },
    arrives: [
      { action: 'checkout.paid', level: 'info', message: 'paid', metadata: { cart: 7 } },
      { action: 'browser.log', level: 'warn', message: '3 left' }
    ]
  }
}
