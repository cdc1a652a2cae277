import { existsSync } from 'node:fs'
import { type Browser, chromium, type LaunchOptions } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** For a test's `skip` option: the reason where this machine has no Chromium. */
export const skip = existsSync(executablePath) ? false : `needs Chromium (${executablePath}, or name it in CHROMIUM)`

export const launchOptions: LaunchOptions = {
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync'
  ]
}

export const launch = (options?: LaunchOptions): Promise<Browser> => chromium.launch({ ...launchOptions, ...options })

/** As a person's does, and playwright's does not, it keeps a page that was left, whole, for the way back. */
export const keepsPages: LaunchOptions = { ignoreDefaultArgs: ['--disable-back-forward-cache'] }
