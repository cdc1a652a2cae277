import { readdirSync, readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { ROOT, run } from './programs.js'

const FOLDER = `${ROOT}.github/workflows`
const files = readdirSync(FOLDER).map(name => [name, readFileSync(`${FOLDER}/${name}`, 'utf8')] as const)

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
interface Job {
  'runs-on': string
  'timeout-minutes': number
  permissions?: Record<string, string>
  steps: Step[]
  needs?: string[]
  strategy?: { matrix: Record<string, string[]> }
}

for (const [name, text] of files) {
  const workflow: { on: object; permissions: object; jobs: Record<string, Job> } = parse(text, { strict: true })

  t.test(`${name}: nobody else's code by a name that can be moved`, async t => {
    const uses = [...text.matchAll(/uses: (.*)/g)].map(([, one]) => one!)
    t.ok(uses.length > 0)
    for (const one of uses) t.match(one, /^[a-z-]+\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    const pins = new Map<string, Set<string>>()
    for (const one of uses) {
      const action = one.split('@')[0]!
      pins.set(action, (pins.get(action) ?? new Set()).add(one))
    }
    for (const [action, versions] of pins) t.equal(versions.size, 1, `${action}: one version`)
  })

  t.test(`${name}: the token may read`, async t => {
    t.same(workflow.permissions, { contents: 'read' })
    for (const [id, { permissions, steps }] of Object.entries(workflow.jobs)) {
      if (permissions === undefined) continue
      t.same(permissions, { contents: 'read', 'id-token': 'write', attestations: 'write' }, id)
      t.ok(
        steps.some(({ uses }) => uses?.startsWith('actions/attest-')),
        `${id}: and signs something`
      )
    }
    t.notOk('pull_request_target' in workflow.on, "nothing runs a stranger's change with our rights")
    t.notMatch(text, /secrets\./)
    for (const { steps } of Object.values(workflow.jobs)) {
      for (const step of steps) {
        if (step.uses?.startsWith('actions/checkout@')) t.equal(step.with?.['persist-credentials'], false)
        t.notMatch(step.run ?? '', /\$\{\{/, "no expression in a shell's line: it could bring its own")
      }
    }
  })

  t.test(`${name}: jobs end, and wait for ones that there are`, async t => {
    for (const [id, job] of Object.entries(workflow.jobs)) {
      t.ok(job['timeout-minutes'] <= 30, id)
      t.match(job['runs-on'], /^ubuntu-\d\d\.\d\d$/)
      for (const other of job.needs ?? []) t.ok(other in workflow.jobs, other)
    }
  })
}

t.test('ci.yml does what it is for', async t => {
  const { jobs }: { jobs: Record<string, Job> } = parse(readFileSync(`${FOLDER}/ci.yml`, 'utf8'))
  const runs = (job: string) => jobs[job]!.steps.map(({ run }) => run ?? '').join('\n')
  t.same(jobs.test!.strategy!.matrix.node, ['20', 'lts/*', 'current'])
  t.match(runs('test'), /^\.ci\/run$/m)
  t.ok(statSync(`${ROOT}.ci/run`).mode & 0o100, '.ci/run can be run')
  t.match(runs('supply-chain'), 'npm audit --omit=dev')
  t.match(runs('image'), 'test/docker/image.test.ts')
})

t.test('the SBOM names what runs, and nothing else', async t => {
  const { status, output } = run(
    'npm',
    ['sbom', '--omit', 'dev', '--sbom-format', 'cyclonedx', '--package-lock-only'],
    {
      cwd: ROOT,
      // npm's warnings, which go the same way
      env: { ...process.env, npm_config_loglevel: 'silent' }
    }
  )
  t.equal(status, 0, output.slice(0, 500))
  const { bomFormat, components } = JSON.parse(output.slice(output.indexOf('{')))
  t.equal(bomFormat, 'CycloneDX')
  const { dependencies, devDependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'))
  const names = new Set(
    components.map(({ group, name }: { group?: string; name: string }) => (group ? `${group}/${name}` : name))
  )
  for (const name of Object.keys(dependencies)) t.ok(names.has(name), name)
  for (const name of ['tap', 'typescript', '@biomejs/biome']) {
    t.ok(name in devDependencies)
    t.notOk(names.has(name), `not ${name}`)
  }
})
