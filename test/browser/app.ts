import type { Browser, BrowserContext, LaunchOptions, Page } from 'playwright-core'
import type { Test } from 'tap'
import { launch } from './chromium.js'
import { type StandIn, startStandIn } from './proxy-stand-in.js'

/** A page of an app: `log`, `createLogger` and what `onDrop` was told, as `dropped`, are global to it. */
export const appPage = (
  client = '/logtrail/client.js',
  options = '{}'
): string => `<!doctype html><meta charset="utf-8">
<link rel="icon" href="data:,"><title>app</title>
<script type="module">
  import { createLogger } from '${client}'
  window.dropped = []
  const onDrop = (entry, reason, { status }) => dropped.push([entry.action, reason, status].join(' ').trim())
  window.createLogger = options => createLogger({ onDrop, ...options })
  window.log = window.createLogger(${options})
</script>`

export interface App {
  standIn: StandIn
  browser: Browser
  /** A browser profile of its own, signed in as `user` unless that is empty. */
  profile(user?: string): Promise<BrowserContext>
}

export async function startApp(t: Test, options?: LaunchOptions): Promise<App> {
  const standIn = await startStandIn()
  standIn.pages['/'] = appPage()
  const browser = await launch(options)
  t.teardown(async () => {
    await browser.close()
    await standIn.close()
  })
  return {
    standIn,
    browser,
    async profile(user = 'anna') {
      const context = await browser.newContext()
      if (user) await signIn(context, standIn, user)
      return context
    }
  }
}

export const signIn = (context: BrowserContext, { origin }: StandIn, user: string): Promise<void> =>
  context.addCookies([{ name: 'session', value: user, url: origin, httpOnly: true, sameSite: 'Lax' }])

export async function open(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction('window.log')
  return page
}

/** How many entries wait in the page's localStorage. */
export const STORED = `Object.keys(localStorage).filter(key => key.includes('|'))
  .reduce((sum, key) => sum + localStorage[key].split('\\n').length - 1, 0)`
export const stored = (page: Page): Promise<number> => page.evaluate(STORED)
/** Resolves once it is so many: the answer may not be in yet, or the page that took them be of another process. */
export const storedBecomes = async (page: Page, count: number): Promise<void> => {
  await page.waitForFunction(`${STORED} === ${count}`)
}
