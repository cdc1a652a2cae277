import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { NAMES, type Name, takesFile, variable } from '../../src/config/schema.js'
import { gather } from '../../src/config/sources.js'
import { validate } from '../../src/config/validate.js'
import { ConfigError, loadConfig, loadPart } from '../../src/config.js'
import {
  BASE,
  configOf,
  DEVELOPMENT_KEY,
  faultsOf,
  KEY,
  NEXT_KEY,
  pemOf,
  readFrom,
  rsa,
  SHARED_SECRET
} from './given.js'

t.test('.env is read, the real environment wins', async t => {
  const files = { '/srv/.env': 'PORT=1111\nLOG_LEVEL="debug"\n# HOST=0.0.0.0\nexport ADMIN_PORT=2222\n' }
  const config = configOf({ PORT: '3333' }, files)
  t.equal(config.PORT, 3333)
  t.equal(config.sources.PORT, 'env')
  t.equal(config.LOG_LEVEL, 'debug')
  t.equal(config.sources.LOG_LEVEL, '.env')
  t.equal(config.ADMIN_PORT, 2222)
  t.equal(config.HOST, '127.0.0.1')
  t.equal(configOf({ PORT: '' }, files).PORT, 1111, 'but not with an empty value, which is none')
  t.equal(configOf({}, { '/srv/.env': 'NODE_ENV=production' }).nodeEnv, 'production')
  const crlf = 'production\r'
  t.equal(configOf({ NODE_ENV: crlf }).nodeEnv, 'production', 'blanks around it are none of it, as with any other')
  t.equal(configOf({ NODE_ENV: '\r' }).nodeEnv, undefined)
  t.match(faultsOf({ NODE_ENV: crlf, LOGTRAIL_API_KEY: DEVELOPMENT_KEY }), [/NODE_ENV is production/])
  t.match(faultsOf({}, { '/srv/.env': 'PORT=x' }), [/^PORT must be/])
  t.equal(configOf({}, { '/srv/.env': '\uFEFFPORT=1111\r\nLOG_LEVEL=debug\r\n' }).PORT, 1111, 'from Windows, too')
})

t.test('.env in a real directory', async t => {
  const cwd = t.testdir({
    '.env': Object.entries({ ...BASE, PORT: '1111' })
      .map(pair => pair.join('='))
      .join('\n')
  })
  t.equal(loadConfig({ env: {}, cwd }).PORT, 1111)
  t.equal(loadConfig({ env: { PORT: '2' }, cwd }).PORT, 2)
  t.equal(loadConfig({ env: BASE, cwd: t.testdir({ empty: {} }) }).PORT, 8790, 'none is well')
  const broken = t.testdir({ empty: {} })
  mkdirSync(join(broken, '.env'))
  t.throws(() => loadConfig({ env: BASE, cwd: broken }), {
    message: /\.env must be readable where it exists: it is not \(EISDIR\)/
  })
})

t.test('every secret can be a file', async t => {
  t.strictSame(NAMES.filter(takesFile), [
    'LOGTRAIL_API_KEY',
    'SESSION_JWT_SECRET',
    'SESSION_JWT_PUBLIC_KEY',
    'SESSION_SECRET',
    'SESSION_REDIS_URL',
    'SESSION_TAG_SECRET',
    'REDIS_URL'
  ])
  const files = { '/run/secret': `\uFEFF${SHARED_SECRET}\r\n`, '/srv/keys/current': `${KEY}\n${NEXT_KEY}\n` }
  const config = configOf(
    {
      LOGTRAIL_API_KEY: undefined,
      LOGTRAIL_API_KEY_FILE: 'keys/current',
      SESSION_JWT_SECRET: undefined,
      SESSION_JWT_SECRET_FILE: '/run/secret'
    },
    files
  )
  t.equal(config.SESSION_JWT_SECRET, SHARED_SECRET, 'the line break at its end is none of it')
  t.strictSame(config.LOGTRAIL_API_KEY, [KEY, NEXT_KEY])
  t.equal(config.keyFile, '/srv/keys/current')
  t.equal(config.sources.LOGTRAIL_API_KEY, 'file')
  t.notOk('keyFile' in configOf(), 'there is none to watch')
  t.strictSame(config.warnings, [])
  const spaces = configOf(
    { SESSION_JWT_SECRET: undefined, SESSION_JWT_SECRET_FILE: '/s' },
    { '/s': ` ${SHARED_SECRET} \n` }
  )
  t.equal(spaces.SESSION_JWT_SECRET, ` ${SHARED_SECRET} `, 'the rest is the secret, to the byte')
})

t.test('a file that is a fault', async t => {
  const FILE = { ...BASE, LOGTRAIL_API_KEY: undefined }
  const one = (env: Record<string, string | undefined>, files: Record<string, string>, said: RegExp) => {
    const faults = faultsOf(env, files)
    t.equal(faults.length, 1, faults.join('\n'))
    t.match(faults[0], said)
  }
  one(
    { LOGTRAIL_API_KEY_FILE: '/run/key' },
    { '/run/key': KEY },
    /^LOGTRAIL_API_KEY and LOGTRAIL_API_KEY_FILE are both set: keep one of them$/
  )
  one(
    { ...FILE, LOGTRAIL_API_KEY_FILE: '/run/key' },
    {},
    /^LOGTRAIL_API_KEY_FILE must name a readable file: `\/run\/key` is not \(ENOENT\)$/
  )
  one(
    { ...FILE, LOGTRAIL_API_KEY_FILE: './run/key' },
    { '/srv/run/key': ' \n' },
    /^LOGTRAIL_API_KEY_FILE must name a file that holds the value: `\/srv\/run\/key` is empty$/
  )
  one(
    { ...FILE, LOGTRAIL_API_KEY_FILE: '/run/key' },
    { '/run/key': 'nonsense' },
    /^LOGTRAIL_API_KEY is no Logtrail key/
  )
  one({ ...FILE, LOGTRAIL_API_KEY_FILE: 'k' }, { '/srv/k': '' }, /^LOGTRAIL_API_KEY_FILE must name .*: it is empty$/)
  one(
    { SESSION_JWT_SECRET: undefined, SESSION_JWT_SECRET_FILE: '/none', SESSION_JWKS_URL: undefined },
    {},
    /^SESSION_JWT_SECRET_FILE must name a readable file/
  )
})

t.test('the real environment wins over .env, whichever form it has a secret in', async t => {
  const files = (dotenv: string) => ({ '/srv/.env': dotenv, '/run/key': NEXT_KEY })
  const inEnv = configOf({}, files('LOGTRAIL_API_KEY_FILE=/run/key\n'))
  t.strictSame(inEnv.LOGTRAIL_API_KEY, [KEY])
  t.equal(inEnv.sources.LOGTRAIL_API_KEY, 'env')
  t.notOk('keyFile' in inEnv)
  const asFile = configOf(
    { LOGTRAIL_API_KEY: '', LOGTRAIL_API_KEY_FILE: '/run/key' },
    files(`LOGTRAIL_API_KEY=${KEY}\n`)
  )
  t.strictSame(asFile.LOGTRAIL_API_KEY, [NEXT_KEY])
  t.equal(asFile.keyFile, '/run/key')
  const both = /^LOGTRAIL_API_KEY and LOGTRAIL_API_KEY_FILE are both set/
  const twice = `LOGTRAIL_API_KEY=${KEY}\nLOGTRAIL_API_KEY_FILE=/run/key\n`
  t.match(faultsOf({ LOGTRAIL_API_KEY: undefined }, files(twice)), [both], 'in one source they are a fault')
  t.match(faultsOf({ LOGTRAIL_API_KEY_FILE: '/run/key' }, files('')), [both])
  t.strictSame(configOf({}, files(twice)).LOGTRAIL_API_KEY, [KEY], 'not where the environment decides')
})

t.test('a secret in the place of a path is not repeated', async t => {
  const password = 'Zk8wQ2vL9xT4'
  for (const wrong of [
    KEY,
    SHARED_SECRET,
    `redis://:${password}@cache:6379/0`,
    `${password}==`,
    `eyJhbGciOi.${password}`
  ]) {
    for (const name of ['LOGTRAIL_API_KEY', 'SESSION_JWT_SECRET', 'REDIS_URL']) {
      const faults = faultsOf({ [name]: undefined, [`${name}_FILE`]: wrong })
      t.match(faults, [new RegExp(`^${name}_FILE must name a readable file: it is not \\(ENOENT\\)$`)])
    }
  }
})

t.test('blanks around the text of a file are no more a part of it than in the variable', async t => {
  const url = 'redis://cache:6379'
  for (const text of [`${url} `, `\n${url}\n`, `\t${url}\r\n \n`]) {
    const config = configOf({ REDIS_URL_FILE: '/r' }, { '/r': text })
    t.equal(config.REDIS_URL, url, JSON.stringify(text))
  }
  const pem = pemOf(rsa.publicKey)
  const indented = pem.replaceAll(/^(?=.)/gm, '  ')
  for (const text of [`\n ${pem}`, indented, indented.replaceAll('  ', '\t').replaceAll('\n', '\r\n')]) {
    const none = { SESSION_JWT_SECRET: undefined }
    t.equal(configOf({ ...none, SESSION_JWT_PUBLIC_KEY_FILE: '/k' }, { '/k': text }).SESSION_JWT_PUBLIC_KEY, pem)
    t.equal(configOf({ ...none, SESSION_JWT_PUBLIC_KEY: text }).SESSION_JWT_PUBLIC_KEY, pem, 'as in the variable')
  }
})

t.test('a path is repeated where it can be nothing else', async t => {
  const said = (path: string, files: Record<string, string> = {}) =>
    faultsOf({ SESSION_JWT_SECRET: undefined, SESSION_JWT_SECRET_FILE: path }, files).join()
  for (const [path, file] of [
    ['/run/secrets/jwt', '/run/secrets/jwt'],
    ['./secrets/jwt.key', '/srv/secrets/jwt.key'],
    ['../jwt', '/jwt']
  ] as const) {
    t.match(said(path), `readable file: \`${file}\` is not (ENOENT)`)
    t.match(said(path, { [file]: '' }), `holds the value: \`${file}\` is empty`)
  }
  for (const text of ['correct/horse', 'hunter.2', 'C:\\hunter2', '/a b', '/p=a', `/x/${'Z9'.repeat(10)}/y`, '.../a']) {
    const fault = said(text)
    t.match(fault, /^SESSION_JWT_SECRET_FILE must name a readable file: it is not \(ENOENT\)$/, text)
  }
  // What `openssl rand -base64 48` prints: a slash comes up every 64 characters.
  const random = Array.from({ length: 2000 }, (_, i) => createHash('sha384').update(`${i}`).digest('base64'))
  const printed = random.filter(secret => {
    const from = { env: { SESSION_JWT_SECRET_FILE: secret }, cwd: '/srv', readFile: readFrom({}) }
    return gather(from, ['SESSION_JWT_SECRET']).faults[0]?.message !== 'must name a readable file: it is not (ENOENT)'
  })
  t.strictSame(printed, [])
})

t.test('what a file holds is not repeated, nor what should have been a key', async t => {
  const none = { SESSION_JWT_SECRET: undefined }
  const files = { '/k': 'hunter2' }
  const must = /^SESSION_JWT_PUBLIC_KEY must be a public key in PEM [^;]*$/
  t.match(faultsOf({ ...none, SESSION_JWT_PUBLIC_KEY_FILE: '/k' }, files), [must])
  t.match(faultsOf({ ...none, SESSION_JWT_PUBLIC_KEY: 'my dog has 4 legs and 2 tails, ok' }), [must])
})

t.test('a list of nothing but separators is no value', async t => {
  const isList = (name: Name) => variable(name).form.kind === 'list' || variable(name).form.kind === 'keys'
  const plain = configOf()
  for (const name of NAMES.filter(isList)) {
    const unset = { ...BASE, [name]: undefined }
    const faults = faultsOf(unset)
    for (const nothing of [',', ' ,\t,\r\n,']) {
      t.strictSame(faultsOf({ ...unset, [name]: nothing }), faults, `${name}=${JSON.stringify(nothing)}`)
      if (name === 'LOGTRAIL_API_KEY') continue
      const config = configOf({ [name]: nothing })
      t.strictSame(config[name], plain[name])
      t.strictSame(config.warnings, [], 'nor does it pass for one without an effect')
      t.equal(config.sources[name], 'default')
    }
  }
  t.equal(configOf({ HOST: '' }).HOST, '127.0.0.1')
  t.match(faultsOf({ HOST: ',' }), [/^HOST must be/], 'what is no list is judged as it stands')
  t.strictSame(configOf({ MIN_LEVEL: '', ALLOW_FIELDS: ',' }, { '/srv/.env': 'ALLOW_FIELDS=a' }).ALLOW_FIELDS, ['a'])

  for (const name of ['REDACT_FIELDS', 'REDACT_PATTERNS'] as const) {
    for (const nothing of ['+', '+,', ' , + ,', '+\n,+'])
      t.strictSame(configOf({ [name]: nothing })[name], plain[name], `${name}=${JSON.stringify(nothing)} adds nothing`)
  }
  t.ok(configOf({ REDACT_FIELDS: ' , +pin' }).REDACT_FIELDS.includes('password'), 'a list begins with its first word')
  t.ok(configOf({ REDACT_FIELDS: ',+pin' }).REDACT_FIELDS.includes('pin'))

  const secrets = { SESSION_MODE: 'redis', SESSION_JWT_SECRET: undefined, REDIS_URL: 'redis://one' }
  t.match(faultsOf({ ...secrets, SESSION_SECRET: ',' }), [/^SESSION_SECRET is required/])
  t.match(faultsOf({ ...secrets, SESSION_SECRET_FILE: '/s' }, { '/s': ',\n,\n' }), [
    /^SESSION_SECRET_FILE must name a file that holds the value: `\/s` is empty$/
  ])
})

t.test('a file system that says no more than that', async t => {
  const readFile = () => {
    throw new Error('no')
  }
  t.throws(() => loadPart({ env: {}, cwd: '/srv', readFile }, ['PORT']), {
    message: /\.env must be readable.*\(unreadable\)/
  })
})

t.test('a part of the configuration, for commands that need no more', async t => {
  const source = { env: { ADMIN_PORT: '1', RATE_LIMIT_MAX: 'x', QUEUE_PATH: 'q' }, cwd: '/srv', readFile: readFrom({}) }
  t.strictSame(loadPart(source, ['ADMIN_HOST', 'ADMIN_PORT']), { ADMIN_HOST: '127.0.0.1', ADMIN_PORT: 1 })
  t.strictSame(loadPart(source, ['QUEUE_PATH', 'REDIS_URL']), { QUEUE_PATH: '/srv/q' })
  t.throws(() => loadPart(source, ['RATE_LIMIT_MAX']), ConfigError)
})

t.test('a fault of the program is not taken for one of the configuration', async t => {
  t.throws(() => validate({}, ['NOPE' as Name]), TypeError)
})

t.test('this process is not asked', async t => {
  const cwd = t.testdir({ '.env': 'PORT=1111' })
  writeFileSync(join(cwd, 'x'), '')
  t.equal(loadConfig({ env: BASE, cwd: join(cwd, 'nowhere') }).PORT, 8790)
  t.intercept(process, 'env', { value: { PORT: '2222' } })
  t.equal(configOf().PORT, 8790)
})
