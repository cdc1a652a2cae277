import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { readPage } from '../../src/admin/page.js'
import { launch, skip } from '../browser/chromium.js'
import { entry, startProxy } from '../helper/proxy.js'

t.test('the page and its parts: nothing from elsewhere, nothing inline, nothing cached', async t => {
  const proxy = await startProxy(t)
  for (const { path, type } of readPage()) {
    const { status, headers, text } = await proxy.get(path)
    t.equal(status, 200, path)
    t.equal(headers.get('content-type'), type)
    t.equal(headers.get('cache-control'), 'no-store')
    t.match(headers.get('content-security-policy'), /^default-src 'none';.*frame-ancestors 'none'$/)
    t.notMatch(headers.get('content-security-policy'), /unsafe/)
    t.notMatch(
      text.replaceAll('http://www.w3.org/2000/svg', ''),
      /https?:\/\/|style="|<style|\son\w+="|innerHTML|eval\(/,
      path
    )
    t.equal((await fetch(proxy.admin + path, { method: 'POST' })).status, 404)
    if (path !== '/') t.equal((await fetch(proxy.url + path)).status, 404, 'and not on the public listener')
  }
})

t.test('in a browser', { skip }, async t => {
  const proxy = await startProxy(t, { env: { DELIVERY: 'pooled' } })
  const browser: Browser = await launch()
  t.teardown(() => browser.close())
  const faults: string[] = []
  const open = async (width: number, colorScheme: 'light' | 'dark'): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme, reducedMotion: 'reduce' })
    const page = await context.newPage()
    page.on('console', message => faults.push(message.text()))
    page.on('pageerror', error => faults.push(error.message))
    page.on('request', request => {
      if (!request.url().startsWith(proxy.admin)) faults.push(request.url())
    })
    await page.goto(`${proxy.admin}/`)
    return page
  }
  await proxy.post([entry(), entry()], { path: '/logtrail/logs/bulk' })
  await proxy.post(entry(), { user: null })
  const page = await open(1280, 'light')
  // what runs in the page is written as text: these tests are compiled without the types of a browser
  const text = (id: string, wanted: string | RegExp, on = page) =>
    on.locator(`#${id}`, { hasText: wanted instanceof RegExp ? wanted : new RegExp(`^${wanted}$`) }).waitFor()

  await text('state', 'ok')
  await text('connection', 'live')
  await text('requests', '2')
  await text('refused', '1')
  await text('entries', '2')
  await text('refusals', /SESSION_MISSING1/)
  await text('keys', /accepted[0-9a-f]{8}development, write-only/)
  await text('books', /Came2Delivered2Waiting0/)
  await text('limits', /LOGTRAIL_REQUESTS_PER_MINUTE1,000/)
  t.notOk((await page.content()).includes(proxy.logtrail.key))
  t.ok(await page.locator('#plot-throughput path.series.one').getAttribute('d'), 'lines are drawn')

  // by keyboard: skip link, pause, then the plots, read with the arrows
  await page.keyboard.press('Tab')
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the figures')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await text('connection', 'paused')
  t.equal(await page.locator('#pause').getAttribute('aria-pressed'), 'true')
  await page.keyboard.press('Tab')
  const slider = page.locator('#plot-throughput [role=slider]')
  t.equal(await page.evaluate(`document.activeElement.parentNode.id`), 'plot-throughput')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  t.match(await slider.getAttribute('aria-valuetext'), /^2 seconds ago: taken (\d+|nothing), refused (\d+|nothing)$/)
  await page.keyboard.press('End')
  t.match(await slider.getAttribute('aria-valuetext'), /^59 seconds ago: taken nothing/)
  await page.keyboard.press('Escape')
  t.match(await slider.getAttribute('aria-valuetext'), /^now: /)
  const box = (await slider.boundingBox())!
  await page.mouse.move(box.x + box.width - 60, box.y + 40)
  t.match(await page.locator('#plot-throughput .when').textContent(), /^\d+ s ago$/)
  await page.locator('#pause').click()
  await text('connection', 'live')

  // a refused key
  proxy.logtrail.revokeKey(proxy.logtrail.key)
  await proxy.post(entry())
  await text('state', 'degraded')
  await text('keys', /^refused/)
  await text('checks', /failskey/)
  t.equal(await page.title(), '(degraded) logtrail-bff status')

  const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
  for (const [width, scheme] of [
    [1280, 'light'],
    [1280, 'dark'],
    [390, 'light'],
    [390, 'dark']
  ] as const) {
    const view = await open(width, scheme)
    await text('state', 'degraded', view)
    await text('requests', /^\d/, view)
    await view.evaluate(axe)
    const violations = await view.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))')
    t.same(violations, [], `axe at ${width} in ${scheme}`)
    t.equal(await view.evaluate('document.documentElement.scrollWidth'), width, 'nothing sticks out')
    await view.context().close()
  }
  t.same(faults, [], 'nothing is asked of elsewhere, and the browser complains of nothing')

  await proxy.server.close()
  await text('connection', /^no connection, .* old$/)
})
