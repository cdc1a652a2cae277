import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { entry, startProxy } from '../helper/proxy.js'
import { find, missing, ROOT, run, temporaryFolder } from './programs.js'

const FOLDER = `${ROOT}docker/prometheus`
const read = (path: string) => readFileSync(`${ROOT}docker/${path}`, 'utf8')

interface Rule {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: Record<string, string>
}
const rules: Rule[] = parse(read('prometheus/alerts.yml')).groups.flatMap((group: { rules: Rule[] }) => group.rules)

t.test(
  'promtool takes the rules and the configuration, and every test of them holds',
  { skip: missing('promtool') },
  async t => {
    const promtool = (...args: string[]) => run(find('promtool')!, args, { cwd: FOLDER })
    const checked = promtool('check', 'rules', 'alerts.yml')
    t.match(checked, { status: 0, output: `SUCCESS: ${rules.length} rules found` })
    t.match(promtool('check', 'config', 'scrape.yml'), { status: 0, output: /SUCCESS/ })
    const tested = promtool('test', 'rules', 'alerts_test.yml')
    t.match(tested, { status: 0, output: /SUCCESS/ }, tested.output)
  }
)

t.test('every alert fires in a test, and keeps quiet in one', async t => {
  const cases = parse(read('prometheus/alerts_test.yml')).tests.flatMap(
    (one: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }) => one.alert_rule_test
  )
  for (const { alert, labels, annotations } of rules) {
    const own = cases.filter((one: { alertname: string }) => one.alertname === alert)
    t.ok(
      own.some((one: { exp_alerts: object[] }) => one.exp_alerts.length > 0),
      `${alert} fires`
    )
    t.ok(
      own.some((one: { exp_alerts: object[] }) => one.exp_alerts.length === 0),
      `${alert} keeps quiet`
    )
    t.match(labels.severity, /^(warning|critical)$/)
    t.same(Object.keys(annotations), ['summary', 'description'])
  }
})

/** Names, and the labels that each is asked for, of a PromQL expression. */
function asked(expr: string): { name: string; labels: Map<string, string> }[] {
  return [...expr.matchAll(/\b((?:logtrail_bff|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name, selector = '']) => ({
      name: name!,
      labels: new Map(
        [...selector.matchAll(/(\w+)(?:=~|!~|!=|=)"([^"]*)"/g)].map(([, label, value]) => [label!, value!])
      )
    })
  )
}

/** What the real program says at /metrics after every kind of traffic: the labels and their values by metric. */
async function provoke(t: Test): Promise<Map<string, Map<string, Set<string>>>> {
  const program = await startProxy(t, {
    env: { DELIVERY: 'queued', QUEUE_PATH: temporaryFolder(t), BATCH_MAX_WAIT: '0' }
  })
  const { logtrail } = program
  t.equal((await program.post(entry())).status, 202)
  await logtrail.waitFor(l => l.stored().length === 1)
  t.equal((await program.post({})).status, 400)
  logtrail.revokeKey(logtrail.key)
  await program.post(entry(), { headers: { 'x-forwarded-for': '203.0.113.9' } })
  await logtrail.waitFor(l => l.requests.some(({ status }) => status === 401))

  const metrics = new Map<string, Map<string, Set<string>>>()
  for (const line of (await program.get('/metrics')).text.split('\n')) {
    const [, name, selector = ''] = /^([a-z]\w*)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const labels = metrics.get(name) ?? new Map<string, Set<string>>()
    metrics.set(name, labels)
    for (const [, label, value] of selector.matchAll(/(\w+)="([^"]*)"/g)) {
      labels.set(label!, (labels.get(label!) ?? new Set()).add(value!))
    }
  }
  return metrics
}

/** Labels that Prometheus adds at the scrape. */
const SCRAPED = new Set(['job', 'instance'])

t.test('alerts and dashboard ask for nothing that the program does not say', async t => {
  const metrics = await provoke(t)
  const exprs: [string, string][] = rules.map(({ alert, expr }) => [alert, expr])
  const dashboard = JSON.parse(read('grafana/dashboard.json'))
  for (const { title, targets } of dashboard.panels) {
    for (const { expr } of targets) exprs.push([`the panel "${title}"`, expr])
  }
  for (const { name, query } of dashboard.templating.list) {
    if (typeof query === 'object') exprs.push([`the variable ${name}`, query.query])
  }
  for (const [where, expr] of exprs) {
    for (const { name, labels } of asked(expr)) {
      const known = metrics.get(name)
      t.ok(known, `${where}: ${name}`)
      for (const label of labels.keys()) t.ok(SCRAPED.has(label) || known?.has(label), `${where}: ${name}{${label}}`)
    }
    for (const [, list] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      const own = asked(expr)
      for (const label of list!.split(/, */)) {
        const said = own.some(({ name }) => metrics.get(name)?.has(label)) || label === 'le'
        t.ok(SCRAPED.has(label) || said, `${where}: by (${label})`)
      }
    }
  }
  const values = (name: string, label: string) => [...(metrics.get(name)?.get(label) ?? [])]
  for (const outcome of ['delivered', 'dead_letter', 'received']) {
    t.ok(values('logtrail_bff_entries_total', 'outcome').includes(outcome))
  }
  t.ok(values('logtrail_bff_key_info', 'state').includes('refused'), 'a key that was revoked')
  for (const check of ['key', 'session', 'queue', 'upstream', 'proxy_trust']) {
    t.ok(values('logtrail_bff_degraded', 'check').includes(check), check)
  }
})

t.test('the dashboard is one that Grafana takes', async t => {
  const { panels, templating, uid, schemaVersion } = JSON.parse(read('grafana/dashboard.json'))
  t.equal(uid, 'logtrail-bff')
  t.ok(schemaVersion >= 36)
  t.equal(new Set(panels.map((panel: { id: number }) => panel.id)).size, panels.length)
  const taken = new Set<string>()
  for (const { title, type, gridPos, datasource, targets } of panels) {
    t.ok(['stat', 'timeseries', 'table'].includes(type), title)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own form of a variable
    t.same(datasource, { type: 'prometheus', uid: '${source}' }, 'the data source is chosen, not built in')
    t.ok(gridPos.x + gridPos.w <= 24)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        if (taken.has(`${x} ${y}`)) t.fail(`${title} overlaps another panel`)
        taken.add(`${x} ${y}`)
      }
    }
    t.equal(new Set(targets.map((target: { refId: string }) => target.refId)).size, targets.length)
  }
  t.same(
    templating.list.map(({ name }: { name: string }) => name),
    ['source', 'job', 'instance']
  )
})

t.test('every metric of the proxy is on the dashboard', async t => {
  const shown = read('grafana/dashboard.json')
  for (const name of (await provoke(t)).keys()) {
    if (name.startsWith('logtrail_bff_')) t.match(shown, name.replace(/_(sum|count)$/, ''), name)
  }
})

t.test('the pods are found by the name of their port', async t => {
  const [job] = parse(read('kubernetes/scrape.yml')).scrape_configs
  const keep = job.relabel_configs.find((one: { action?: string }) => one.action === 'keep')
  t.match(read('kubernetes/pod.yaml'), `- name: ${keep.regex}\n          containerPort: 9790`)
  t.match(job.relabel_configs, [{}, {}, {}, { target_label: 'job', replacement: 'logtrail-bff' }])
})
