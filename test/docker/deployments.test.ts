import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { ConfigError, loadConfig } from '../../src/config.js'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { ROOT, run } from './programs.js'

/** What has no program here to check it: compose files and Kubernetes objects, by their shape and by their variables. */

// biome-ignore lint/suspicious/noExplicitAny: whatever stands in the files; the tests say what may
type Yaml = any

/** A file's documents. YAML's own faults, double keys among them, fail here; anchors and `<<` are resolved. */
function read(path: string): Yaml[] {
  return parseAllDocuments(readFileSync(`${ROOT}docker/${path}`, 'utf8'), { strict: true, merge: true }).map(
    document => {
      if (document.errors.length > 0) throw document.errors[0]
      return document.toJS()
    }
  )
}

/** Every key of an object is one that its kind has: a misspelt one would be ignored, or refused, where it is deployed. */
function only(t: Test, object: Yaml, keys: string, where: string): void {
  const known = keys.split(' ')
  for (const key of Object.keys(object)) t.ok(known.includes(key), `${where}: ${key}`)
}

/** The variables are ones that the program takes, with these secrets, without a word of warning. */
function startsWith(
  t: Test,
  env: Record<string, string>,
  environment: 'development' | 'production',
  where: string
): void {
  const secrets: Record<string, string> = {
    logtrail_api_key: makeKey(environment, 'wo'),
    session_jwt_secret: 'q7Vd0xYpW2nLr8sKc5tB1mZ4hJ6gF9aE3uQo'
  }
  const given = { NODE_ENV: 'production', ADMIN_HOST: '0.0.0.0', HOST: '0.0.0.0', QUEUE_PATH: '/data/queue', ...env }
  try {
    const config = loadConfig({
      env: given,
      cwd: '/app',
      readFile: path => {
        const secret = path.startsWith('/run/secrets/') ? secrets[path.split('/').at(-1)!] : undefined
        if (secret === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
        return secret
      }
    })
    t.same(config.warnings, [], `${where}: no warnings`)
    t.ok(config.keyFile, `${where}: the key's file is watched`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.fail(`${where}: ${error.message}`)
  }
  for (const name of Object.keys(env)) t.notMatch(name, /_(KEY|SECRET)$/, `${where}: secrets are files`)
}

const SERVICE =
  'image build ports environment secrets volumes networks network_mode read_only tmpfs cap_drop security_opt ' +
  'stop_grace_period mem_limit pids_limit restart depends_on command healthcheck user init'
const STAGES = [...readFileSync(`${ROOT}Dockerfile`, 'utf8').matchAll(/^FROM \S+ AS (\S+)/gm)].map(([, name]) => name)

for (const file of ['compose.yml', 'compose.replicas.yml', 'compose.demo.yml']) {
  t.test(file, async t => {
    const [compose] = read(file)
    only(t, compose, 'name services secrets volumes networks x-logtrail-bff', file)
    for (const [name, service] of Object.entries<Yaml>(compose.services)) {
      only(t, service, SERVICE, name)
      t.equal(service.read_only, true, `${name}: its root is read-only`)
      t.same(service.cap_drop, ['ALL'])
      t.same(service.security_opt, ['no-new-privileges:true'])
      t.match(service.image, /^[a-z0-9./-]+:\d+\.\d+\.\d+[a-z0-9.-]*$/, `${name}: a whole version`)
      if (service.build) {
        t.equal(join(ROOT, 'docker', service.build.context, '.'), join(ROOT, '.'))
        t.ok(STAGES.includes(service.build.target), `${name}: the stage ${service.build.target}`)
      }
      for (const port of service.ports ?? []) {
        t.match(port, /^127\.0\.0\.1:\d+:\d+$/, `${name}: published to this machine alone`)
        t.notMatch(port, /9790/, `${name}: the admin listener is not published`)
      }
      for (const volume of service.volumes ?? []) {
        const [from, to, mode] = volume.split(':')
        t.ok(to.startsWith('/'))
        if (from.startsWith('.')) {
          t.ok(statSync(`${ROOT}docker/${from}`), `${name}: ${from}`)
          t.equal(mode, 'ro')
        } else t.ok(from in compose.volumes, `${name}: the volume ${from}`)
      }
      for (const secret of service.secrets ?? []) t.ok(secret in compose.secrets, `${name}: the secret ${secret}`)
      for (const network of service.networks ?? []) t.ok(network in compose.networks, `${name}: the network ${network}`)
      const others = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {})
      for (const other of others) {
        t.ok(other in compose.services, `${name}: waits for ${other}`)
        // The image of the proxy has a health check; others must say theirs.
        const { condition } = service.depends_on[other] ?? {}
        const { healthcheck, image } = compose.services[other]
        if (condition === 'service_healthy') t.ok(healthcheck || image.startsWith('logtrail-bff:'), `${other} tells`)
      }
      const shared = /^service:(.+)$/.exec(service.network_mode ?? '')?.[1]
      if (shared !== undefined) {
        t.ok(shared in compose.services)
        t.notOk(service.ports, `${name}: the ports are its neighbour's`)
      }
      if (service.image.startsWith('logtrail-bff:')) {
        startsWith(t, service.environment, 'production', `${file} ${name}`)
        t.notOk(service.ports, `${name}: behind nginx alone`)
        const grace = Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1])
        t.ok(grace > 8, `${name}: more time to stop than SHUTDOWN_TIMEOUT`)
      }
    }
    for (const { file } of Object.values<Yaml>(compose.secrets ?? {})) t.match(file, /^\.\/secrets\//)
  })
}

t.test('secrets stay out of version control and out of the image', async t => {
  t.same(
    readdirSync(`${ROOT}docker/secrets`).filter(name => name === '.gitignore'),
    ['.gitignore']
  )
  t.match(readFileSync(`${ROOT}docker/secrets/.gitignore`, 'utf8'), /^\*$/m)
  const ignored = readFileSync(`${ROOT}.dockerignore`, 'utf8').split('\n')
  t.equal(ignored[0], '*', 'nothing is taken that is not named')
  t.notOk(ignored.some(line => /^!(docker\/?|\.|.*secrets.*|.*\.env.*)$/.test(line)))
  if (run('git', ['rev-parse', '--is-inside-work-tree'], { cwd: ROOT }).status === 0) {
    t.equal(run('git', ['ls-files', 'docker/secrets'], { cwd: ROOT }).output.trim(), 'docker/secrets/.gitignore')
  }
})

t.test('the replicas find each other, and the proxy in front all of them', async t => {
  const [{ services, networks }] = read('compose.replicas.yml')
  const nginx = readFileSync(`${ROOT}docker/proxies/nginx-replicas.conf`, 'utf8')
  const named = [...nginx.matchAll(/server (\S+):8790/g)].map(([, name]) => name)
  const replicas = Object.keys(services).filter(name => services[name].image.startsWith('logtrail-bff:'))
  t.same(named, replicas)
  t.equal(replicas.length, 3)
  for (const name of replicas) t.equal(services[name].environment.TRUST_PROXY, networks.front.ipam.config[0].subnet)
  t.same(services.web.networks, ['front'])
  t.same(services.valkey.networks, ['back'])
  t.equal(networks.back.internal, true, 'Valkey has no password')
  const { command } = services.valkey
  for (const [option, value] of [
    ['--appendonly', 'yes'],
    ['--appendfsync', 'always'],
    ['--maxmemory-policy', 'noeviction']
  ]) {
    t.equal(command[command.indexOf(option) + 1], value, `${option} ${value}: what the 202 rests on`)
  }
})

const PROBE = 'httpGet periodSeconds timeoutSeconds failureThreshold initialDelaySeconds'
const CONTAINER =
  'name image env ports startupProbe livenessProbe readinessProbe resources securityContext volumeMounts restartPolicy'

t.test('kubernetes/pod.yaml', async t => {
  const objects = read('kubernetes/pod.yaml')
  t.same(
    objects.map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`),
    [
      'v1 PersistentVolumeClaim logtrail-queue',
      'v1 Pod web',
      'v1 Service web',
      'networking.k8s.io/v1 NetworkPolicy web'
    ]
  )
  for (const object of objects) only(t, object, 'apiVersion kind metadata spec', object.kind)
  const [claim, pod, service, policy] = objects
  const { spec } = pod
  only(
    t,
    spec,
    'automountServiceAccountToken enableServiceLinks terminationGracePeriodSeconds securityContext initContainers containers volumes',
    'Pod'
  )
  t.match(spec, {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 }
  })
  t.ok(spec.terminationGracePeriodSeconds > 8)
  const volumes = new Set(spec.volumes.map(({ name }: Yaml) => name))
  const ports = new Set<string>()
  for (const container of [...spec.initContainers, ...spec.containers]) {
    only(t, container, CONTAINER, container.name)
    only(t, container.securityContext, 'allowPrivilegeEscalation readOnlyRootFilesystem capabilities', container.name)
    t.same(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    })
    t.ok(container.resources.limits.memory)
    t.match(container.image, /:\d+\.\d+\.\d+/, 'a whole version')
    for (const { name, containerPort, ...rest } of container.ports) {
      t.same(rest, {}, 'no hostPort')
      t.match(name, /^[a-z0-9-]{1,15}$/, 'a name of a port, as IANA has them')
      t.ok(containerPort > 1023)
      ports.add(name)
    }
    for (const { name, mountPath, readOnly, ...rest } of container.volumeMounts) {
      t.same(rest, {}, 'no subPath: it would not see a new key')
      t.ok(volumes.has(name), name)
      t.ok(mountPath.startsWith('/'))
      t.equal(readOnly ?? false, !['queue', 'tmp'].includes(name), `${mountPath} is writable only where it must be`)
    }
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      if (!container[probe]) continue
      only(t, container[probe], PROBE, probe)
      t.ok(
        container.ports.some(({ name }: Yaml) => name === container[probe].httpGet.port),
        probe
      )
    }
  }
  const [sidecar] = spec.initContainers
  t.equal(sidecar.restartPolicy, 'Always', 'an init container that keeps running')
  t.match(sidecar, {
    startupProbe: { httpGet: { path: '/healthz' } },
    livenessProbe: { httpGet: { path: '/healthz' } },
    readinessProbe: { httpGet: { path: '/readyz' } }
  })
  const env = Object.fromEntries(sidecar.env.map(({ name, value }: Yaml) => [name, value]))
  t.equal(Object.keys(env).length, sidecar.env.length, 'no variable twice')
  startsWith(t, env, 'production', 'the sidecar')
  t.equal(env.HOST, '127.0.0.1', 'the public listener is for the pod alone')
  const secrets = sidecar.volumeMounts.find(({ name }: Yaml) => name === 'secrets').mountPath
  t.equal(dirname(env.LOGTRAIL_API_KEY_FILE), secrets)
  t.equal(dirname(env.SESSION_JWT_SECRET_FILE), secrets)
  t.equal(spec.volumes.find(({ name }: Yaml) => name === 'queue').persistentVolumeClaim.claimName, claim.metadata.name)
  t.equal(spec.volumes.find(({ name }: Yaml) => name === 'secrets').secret.defaultMode, 0o440)

  t.match(pod.metadata.labels, service.spec.selector)
  t.same(
    service.spec.ports.map(({ targetPort }: Yaml) => targetPort),
    ['http'],
    'the admin port is no service'
  )
  t.match(pod.metadata.labels, policy.spec.podSelector.matchLabels)
  t.same(policy.spec.policyTypes, ['Ingress', 'Egress'])
  for (const { from, ports: allowed } of policy.spec.ingress) {
    for (const { port } of allowed) {
      t.ok(ports.has(port), port)
      if (port === 'logtrail-admin') t.ok(from?.[0].namespaceSelector && from[0].podSelector, 'admin: Prometheus alone')
    }
  }
  const out = policy.spec.egress.flatMap(({ ports }: Yaml) => ports.map(({ port }: Yaml) => port))
  t.same([...new Set(out)].sort(), [443, 53])
})
