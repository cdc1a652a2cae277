import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'puppeteer-core'

// Its CommonJS build: the other imports a file in a way that fails under the loaders that tap runs tests with.
const { launch }: typeof import('puppeteer-core') = createRequire(import.meta.url)('puppeteer-core')

const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr'

/** For a test's `skip` option: the reason where this machine has no Firefox. */
export const skip = existsSync(executablePath) ? false : `needs Firefox (${executablePath}, or name it in FIREFOX)`

/** By WebDriver BiDi, which a distribution's own Firefox speaks; playwright needs one that it has patched. */
export const launchFirefox = (): Promise<Browser> => launch({ browser: 'firefox', executablePath, headless: true })

export async function openFirefox(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction('window.log')
  return page
}
