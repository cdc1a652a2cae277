import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launch, skip } from '../browser/chromium.js'
import { startDemo } from './start.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

async function start(t: Test) {
  const { demo, app } = await startDemo()
  t.teardown(async () => {
    demo.kill('SIGTERM')
    if (demo.exitCode === null) await once(demo, 'exit')
  })
  const browser = await launch()
  t.teardown(() => browser.close())
  return { app, browser }
}

const press = (page: Page, name: string) => page.getByRole('button', { name }).click()
/** The newest trip, once it says what became of its entries. */
const newest = async (page: Page, what: string, where: string): Promise<string> => {
  const trip = page.locator('details').filter({ hasText: what }).first()
  await trip.locator('.where', { hasText: where }).waitFor()
  return (await trip.textContent())!
}

t.test('the demo page in Chromium', { skip }, async t => {
  const { app, browser } = await start(t)

  await t.test('a book, a crash, a page that goes, an entry that waits', async t => {
    const context = await browser.newContext()
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', message => {
      if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text())
    })
    await page.goto(app)
    await press(page, 'Pretend to be')
    await newest(page, 'price.changed', 'waits here')
    await press(page, 'Ada Okafor')
    await page.getByText('Signed in as Ada Okafor').waitFor()
    t.match(await newest(page, 'price.changed', '1 of 1 at Logtrail'), /user_ada/, 'what had waited')
    t.equal(await page.getByText('sent again later').count(), 1)
    await press(page, 'Add a book')
    t.match(await newest(page, 'basket.added', '1 of 1 at Logtrail'), /keepalive.*201.*user_ada/s)
    await press(page, 'Leaf through')
    await newest(page, 'page.viewed', '12 of 12 at Logtrail')
    await press(page, 'Crash in')
    t.match(await newest(page, 'window.error', '1 of 1 at Logtrail'), /TypeError/)

    await press(page, 'Log and leave')
    await page.getByText('Go back').click()
    const left = await newest(page, 'page.left', '1 of 1 at Logtrail')
    t.match(left, /The page was gone before the answer came/)
    t.match(left, /user_ada/)

    await press(page, 'Add a book')
    await newest(page, 'basket.added', '1 of 1 at Logtrail')
    await press(page, 'Sign out')
    await page.getByText('Signed out', { exact: true }).waitFor()
    await press(page, 'Send nonsense')
    await newest(page, 'shop.opened', 'stayed out')
    // The client learns from the refusal that Ada is gone: what it carried was hers.
    await press(page, 'Let a password')
    await newest(page, 'login.failed', 'waits here')
    await press(page, 'Mei Tanaka')
    await newest(page, 'who is signed in?', 'no entry')
    await press(page, 'Ada Okafor')
    await page.getByText('Signed in as Ada Okafor').waitFor()
    // Any answer that names her will do.
    await press(page, 'Add a book')
    const hers = await newest(page, 'login.failed', '1 of 1 at Logtrail')
    t.match(hers, /user_ada/, 'what had waited for its user')
    t.notMatch(hers, /user_mei/)

    await page.getByText('Not in this browser.').waitFor()
    t.same(complaints, [])
    await context.close()
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      await t.test(`${colorScheme}, ${width} pixels wide`, async t => {
        // Only axe itself needs the page's policy out of its way.
        const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true })
        const page = await context.newPage()
        const check = async (what: string) => {
          await page.addScriptTag({ content: axe })
          const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
            'axe.run()'
          )
          const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
          t.same(found, [], `${what}: axe finds nothing`)
          const beyond = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
          t.equal(beyond, 0, `${what}: nothing to scroll to the side`)
        }
        await page.goto(app)
        await page.getByText('Not in this browser.').waitFor()
        await check('nothing sent')
        await press(page, 'Ask for the logs')
        await newest(page, 'An attempt to read', 'stayed out')
        await press(page, 'Ada Okafor')
        await page.getByText('Signed in as Ada Okafor').waitFor()
        await press(page, 'Let a password slip')
        await newest(page, 'login.failed', '1 of 1 at Logtrail')
        await check('sent')
        await press(page, 'Log and leave')
        await page.getByText('Go back').waitFor()
        await check('away')
        await context.close()
      })
    }
  }
})
