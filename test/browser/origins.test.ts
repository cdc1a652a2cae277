import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import t, { type Test } from 'tap'
import { appPage, open, startApp, stored } from './app.js'
import { launchOptions, skip } from './chromium.js'
import { startStandIn, tagOf } from './proxy-stand-in.js'

/** Two origins of one site differ in the port; `localhost` is another site than 127.0.0.1. */
t.test('pages of other origins', { skip }, async t => {
  const { standIn, browser } = await startApp(t)
  standIn.pages['/signed-in'] = '<title>in</title>'
  const pages = await startStandIn()
  t.teardown(() => pages.close())
  const otherSite = pages.origin.replace('127.0.0.1', 'localhost')
  pages.pages['/'] = appPage(`${standIn.origin}/logtrail/client.js`)
  pages.pages['/own-copy'] = appPage('/logtrail/client.js', `{ base: '${standIn.origin}/logtrail/' }`)
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.allowedOrigins = [pages.origin, otherSite]
  })
  const signedIn = async (sameSite: 'Strict' | 'Lax' | 'None') => {
    const context = await browser.newContext()
    await signInBySite(context, sameSite)
    return context
  }
  /** By the site's own answer: Chromium takes `Secure` over plain http from a loopback host, but not from playwright. */
  const signInBySite = async (context: BrowserContext, sameSite: string): Promise<void> => {
    const secure = sameSite === 'None' ? '; Secure' : ''
    standIn.pageHeaders = { 'set-cookie': `session=anna; Path=/; HttpOnly; SameSite=${sameSite}${secure}` }
    const page = await context.newPage()
    await page.goto(`${standIn.origin}/signed-in`)
    await page.close()
    standIn.pageHeaders = {}
  }

  /** A profile on disk: the others are like incognito windows, which may refuse third-party cookies of themselves. */
  const profileWith = async (t: Test, blockThirdParty: boolean): Promise<BrowserContext> => {
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
    mkdirSync(join(profile, 'Default'))
    writeFileSync(
      join(profile, 'Default', 'Preferences'),
      JSON.stringify({ profile: { cookie_controls_mode: blockThirdParty ? 1 : 0 } })
    )
    const context = await chromium.launchPersistentContext(profile, launchOptions)
    t.teardown(async () => {
      await context.close()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    })
    return context
  }

  for (const sameSite of ['Strict', 'Lax'] as const) {
    t.test(`of ALLOWED_ORIGINS and the same site, SameSite=${sameSite}`, async t => {
      const page = await open(await signedIn(sameSite), pages.origin)
      const preflights: string[] = []
      page.on('request', request => request.method() === 'OPTIONS' && preflights.push(request.url()))
      await page.evaluate(`log.info('other.origin'); log.flush()`)
      t.same(standIn.taken(), ['anna/other.origin'])
      t.match(standIn.requests[0]!.type, /^text\/plain/, 'no preflight needed')
      t.same(preflights, [])
      t.match(
        await page.evaluate(`Object.values(localStorage).join()`),
        new RegExp(`^=${tagOf('anna')}:`),
        'X-Session-Tag can be read over CORS'
      )
      await page.evaluate(`log.info('as.it.goes'); location.href = 'about:blank'`)
      await standIn.until(() => standIn.taken().includes('anna/as.it.goes'))
    })
  }

  t.test('of ALLOWED_ORIGINS and another site: SameSite=None is sent', async t => {
    const context = await profileWith(t, false)
    await signInBySite(context, 'None')
    const page = await open(context, otherSite)
    await page.evaluate(`log.info('other.site'); log.flush()`)
    t.same(standIn.taken(), ['anna/other.site'])
  })

  t.test('of another site, SameSite=Lax: no session, so the entries wait and nothing breaks', async t => {
    const page = await open(await signedIn('Lax'), otherSite)
    const errors: unknown[] = []
    page.on('pageerror', error => errors.push(error))
    await page.evaluate(`log.info('no.session'); log.flush()`)
    t.match(standIn.requests, [{ status: 401, user: undefined }])
    t.equal(await stored(page), 1)
    t.same(await page.evaluate('dropped'), [])
    t.same(errors, [])
  })

  t.test('third-party cookies off: the same', async t => {
    const context = await profileWith(t, true)
    await signInBySite(context, 'None')
    const page = await open(context, otherSite)
    await page.evaluate(`log.info('third.party'); log.flush()`)
    t.match(standIn.requests, [{ status: 401, user: undefined }])
    t.equal(await stored(page), 1)
    const first = await open(context, standIn.origin)
    await first.evaluate(`log.info('first.party'); log.flush()`)
    t.same(standIn.taken(), ['anna/first.party'], 'the page of the same site still works')
  })

  t.test('not of ALLOWED_ORIGINS: nothing is let in, nothing breaks, no storm', async t => {
    standIn.allowedOrigins = []
    const page = await open(await signedIn('None'), `${pages.origin}/own-copy`)
    const errors: unknown[] = []
    page.on('pageerror', error => errors.push(error))
    await page.evaluate(`log.info('stranger'); log.flush()`)
    t.match(standIn.requests, [{ status: 403 }])
    t.same(standIn.taken(), [])
    t.equal(await stored(page), 1)
    t.same(errors, [])
  })
})

t.test('a page under a strict Content-Security-Policy', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  const context = await profile()
  const policy = (connect: string): Record<string, string> => ({
    'content-security-policy': `default-src 'none'; script-src 'self'; connect-src ${connect}; img-src data:; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'`
  })
  // Inline scripts do not run under it, so the page's own is a file, too.
  standIn.scripts['/app.js'] = `import { createLogger } from '/logtrail/client.js'
    window.dropped = []
    window.log = createLogger({ captureErrors: true, onDrop: entry => dropped.push(entry.action) })
    log.info('under.csp')
    document.title = 'ready'`
  standIn.pages['/csp'] = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/app.js"></script>'
  const violations: string[] = []
  const load = async () => {
    const page = await context.newPage()
    page.on('console', message => message.type() === 'error' && violations.push(message.text()))
    page.on('pageerror', error => violations.push(String(error)))
    await page.goto(`${standIn.origin}/csp`)
    return page
  }

  standIn.pageHeaders = policy("'self'")
  const page = await load()
  await standIn.until(() => standIn.taken().includes('anna/under.csp'))
  t.same(violations, [], 'needs script-src and connect-src of its own origin alone')
  await page.close()

  standIn.pageHeaders = policy("'none'")
  standIn.requests.length = 0
  const blocked = await load()
  while ((await stored(blocked)) === 0) await blocked.evaluate('log.flush()')
  t.same(standIn.requests, [], 'blocked by connect-src: the entry waits')
  t.ok(violations.length < 6, 'and the page is not flooded')
})
