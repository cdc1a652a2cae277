import { join } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { launch, skip } from '../browser/chromium.js'
import { type Program, sign, startProxy } from '../helper/proxy.js'
import { CASES, type Expected } from './cases.js'
import { serve, writeApp } from './vite.js'

/** Resolves once everything expected has arrived from `user`. */
async function arrived(t: Test, { logtrail }: Program, user: string, expected: Expected[]): Promise<void> {
  const mine = () => logtrail.entries().filter(({ actor }) => (actor as { id?: string })?.id === user)
  const find = (action: string) => mine().find(entry => entry.action === action)
  await logtrail.waitFor(() => expected.every(({ action }) => find(action)), 20_000)
  for (const one of expected) t.match(find(one.action), one, one.action)
}

// Six apps, each served and built: a minute on a busy machine.
t.setTimeout(300_000)

t.test('pasted, served by Vite and built by it, in Chromium, with the real proxy', { skip }, async t => {
  const program = await startProxy(t, { env: { DELIVERY: 'pooled' } })
  const browser = await launch()
  t.teardown(() => browser.close())
  for (const [name, { files, plugins = () => [], shows, arrives }] of Object.entries(CASES)) {
    const folder = t.testdir({ [name]: {} })
    await t.test(name, async t => {
      writeApp(join(folder, name), files)
      for (const mode of ['dev', 'build'] as const) {
        const user = `${name} ${mode}`
        const site = await serve(join(folder, name), mode, program.url, plugins())
        const context = await browser.newContext()
        await context.addCookies([{ name: 'session', value: sign({ sub: user }), url: site.origin }])
        const page = await context.newPage()
        try {
          await page.goto(site.origin)
          if (shows) await page.getByText(shows).waitFor()
          await arrived(t, program, user, arrives)
        } finally {
          await context.close()
          await site.close()
        }
      }
    })
  }
})

t.test("the snippets agree with the package's types", async t => {
  const folder = t.testdir()
  const apps = ['a bundled app', 'pino'].map(name => {
    writeApp(join(folder, name), CASES[name]!.files)
    return join(folder, name, 'start.ts')
  })
  const program = ts.createProgram(apps, {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts']
  })
  t.same(
    ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ')),
    []
  )
})
