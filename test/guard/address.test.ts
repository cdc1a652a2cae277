import t from 'tap'
import { clientAddress, createAddresses, foldAddress } from '../../src/guard/address.js'
import { createAddressList } from '../../src/guard/address-list.js'
import { entry, type Program, startProxy } from '../helper/proxy.js'

t.test('an address counts by what its owner has: one IPv4, one IPv6 /64', async t => {
  const same: [string, string][] = [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '192.0.2.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002:0:0:0:9'],
    ['fe80::1', 'fe80::2'],
    ['::1', '::2']
  ]
  for (const [one, other] of same) t.equal(foldAddress(one), foldAddress(other), `${one} counts as ${other}`)
  const apart: [string, string][] = [
    ['192.0.2.7', '192.0.2.8'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::ffff:192.0.2.7', '::ffff:192.0.2.8'],
    ['192.0.2.7', '2001:db8::c000:207']
  ]
  for (const [one, other] of apart) t.not(foldAddress(one), foldAddress(other), `${one} counts apart from ${other}`)
})

t.test('what is shown of a client is an address, whatever was claimed', async t => {
  const cases: [string | undefined, string | undefined, string][] = [
    ['192.0.2.7', '127.0.0.1', '192.0.2.7'],
    ['::ffff:192.0.2.7', '127.0.0.1', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '127.0.0.1', '192.0.2.7'],
    ['::ffff:c000:207', '127.0.0.1', '192.0.2.7'],
    ['::FFFF:C000:0207', '127.0.0.1', '192.0.2.7'],
    ['0:0:0:0:0:ffff:192.0.2.7', '127.0.0.1', '192.0.2.7'],
    ['0000:0000:0000:0000:0000:FFFF:c000:207', '127.0.0.1', '192.0.2.7'],
    ['0::0:ffff:c000:207', '127.0.0.1', '192.0.2.7'],
    ['[::FFFF:c000:207]:1234', '127.0.0.1', '192.0.2.7'],
    ['::ffff:192.0.2.7%eth0', '127.0.0.1', '192.0.2.7'],
    ['2001:db8::ffff:c000:207', '127.0.0.1', '2001:db8::ffff:c000:207'],
    ['::c000:207', '127.0.0.1', '::c000:207'],
    ['2001:db8::1', '127.0.0.1', '2001:db8::1'],
    ['fe80::1%eth0', '127.0.0.1', 'fe80::1'],
    ['::ffff:nonsense', '127.0.0.1', '127.0.0.1'],
    ['unknown', '127.0.0.1', '127.0.0.1'],
    ['_hidden', '127.0.0.1', '127.0.0.1'],
    ['192.0.2.7:1234', '127.0.0.1', '192.0.2.7'],
    ['[2001:db8::1]:1234', '127.0.0.1', '2001:db8::1'],
    ['[2001:db8::1]', '127.0.0.1', '2001:db8::1'],
    ['[::ffff:192.0.2.7]:1234', '127.0.0.1', '192.0.2.7'],
    ['192.0.2.7:port', '127.0.0.1', '127.0.0.1'],
    ['192.0.2.999:1234', '127.0.0.1', '127.0.0.1'],
    ['for=192.0.2.7;proto=https', '127.0.0.1', '127.0.0.1'],
    ['192.0.2.999', '::ffff:127.0.0.1', '127.0.0.1'],
    ['0300.0250.1.1', '127.0.0.1', '127.0.0.1'],
    ['<script>alert(1)</script>', '127.0.0.1', '127.0.0.1'],
    ['', '127.0.0.1', '127.0.0.1'],
    [`${'9'.repeat(10_000)}`, '127.0.0.1', '127.0.0.1'],
    [undefined, '2001:db8::1', '2001:db8::1'],
    ['unknown', undefined, '0.0.0.0'],
    [undefined, undefined, '0.0.0.0']
  ]
  for (const [claimed, socket, shown] of cases) {
    t.equal(clientAddress(claimed, socket), shown, `${String(claimed).slice(0, 40)} from ${socket}`)
  }
})

const STAMPED = { STAMP_CONTEXT: 'ip', RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0' }

t.test('forwarding headers of anybody count for nothing, and are warned about once', async t => {
  const proxy = await startProxy(t, { env: STAMPED })
  const forged = [
    { 'x-forwarded-for': '192.0.2.66' },
    { forwarded: 'for=192.0.2.66' },
    { 'x-real-ip': '192.0.2.66' },
    { 'x-forwarded-for': '192.0.2.66, 127.0.0.1' }
  ]
  for (const headers of forged) t.equal((await proxy.post(entry(), { headers })).status, 201)
  for (const { context } of proxy.logtrail.entries()) t.same(context, { ip: '127.0.0.1' })
  const warnings = proxy.lines.filter(line => line.includes('TRUST_PROXY'))
  t.equal(warnings.length, 1)
  t.equal(JSON.parse(warnings[0]!).level, 'warn')
  t.notOk(proxy.lines.join('').includes('192.0.2.66'), 'nor are they believed in the log')
})

t.test('any of them is warned about, whatever it holds, and of a trusted proxy none', async t => {
  const headers = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded']
  const warned = (program: Program) => program.lines.some(line => line.includes('TRUST_PROXY'))
  for (const name of headers) {
    const proxy = await startProxy(t, { env: { TRUST_PROXY: '10.0.0.0/8,linklocal' } })
    t.equal((await proxy.post(entry())).status, 201)
    t.notOk(warned(proxy), 'without one there is nothing to warn about')
    t.equal((await proxy.post(entry(), { headers: { [name]: '' } })).status, 201)
    t.ok(warned(proxy), name)
  }
  for (const TRUST_PROXY of ['loopback', '127.0.0.1', '127.0.0.0/8', '::ffff:127.0.0.0/104']) {
    const proxy = await startProxy(t, { env: { TRUST_PROXY } })
    for (const name of headers) {
      for (const value of ['', ' ', ',', 'unknown', '127.0.0.1']) {
        t.equal((await proxy.post(entry(), { headers: { [name]: value } })).status, 201)
        t.notOk(warned(proxy), `${name}: ${value} of ${TRUST_PROXY}`)
      }
    }
  }
})

t.test('a list of addresses knows the ranges that words stand for', async t => {
  const cases: [string, string, string][] = [
    ['loopback', '127.255.0.1 ::1 ::ffff:127.0.0.1', '128.0.0.1 126.0.0.1 ::2'],
    ['linklocal', '169.254.0.1 fe80::1 febf::1', '169.253.0.1 fec0::1'],
    ['uniquelocal', '10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fdff::1', '172.32.0.1 192.169.0.1 fe00::1'],
    ['2001:db8::/32', '2001:db8::1', '2001:db9::1 127.0.0.1']
  ]
  for (const [word, inside, outside] of cases) {
    const isListed = createAddressList([word])
    for (const address of inside.split(' ')) t.ok(isListed(address), `${address} is ${word}`)
    for (const address of outside.split(' ')) t.notOk(isListed(address), `${address} is not ${word}`)
  }
  t.notOk(createAddressList([])('127.0.0.1'))
})

t.test('a trusted proxy is believed about the one before it, and no further', async t => {
  const proxy = await startProxy(t, { env: { ...STAMPED, TRUST_PROXY: 'loopback,10.0.0.0/8' } })
  const cases: [string, string][] = [
    ['192.0.2.7', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7, 10.1.2.3', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8::7', '2001:db8::7'],
    ['6.6.6.6, nonsense', '127.0.0.1'],
    ['unknown', '127.0.0.1'],
    ["192.0.2.7'; DROP TABLE logs; --", '127.0.0.1']
  ]
  for (const [header, shown] of cases) {
    t.equal((await proxy.post(entry(), { headers: { 'x-forwarded-for': header } })).status, 201)
    t.same(proxy.logtrail.entries().at(-1)!.context, { ip: shown }, header)
  }
  t.notOk(proxy.lines.some(line => line.includes('TRUST_PROXY')))
})

t.test('behind a trusted proxy each address has its own limit; a /64 shares one', async t => {
  const proxy = await startProxy(t, { env: { TRUST_PROXY: 'loopback', RATE_LIMIT_IP_MAX: '2' } })
  const from = async (address: string) =>
    (await proxy.post(entry(), { headers: { 'x-forwarded-for': address } })).status
  t.equal(await from('2001:db8:1:2::1'), 201)
  t.equal(await from('2001:db8:1:2::2'), 201)
  t.equal(await from('2001:db8:1:2:3::3'), 429)
  t.equal(await from('2001:db8:1:3::1'), 201)
  t.equal(await from('192.0.2.7'), 201)
  t.equal(await from('::ffff:192.0.2.7'), 201)
  t.equal(await from('192.0.2.7'), 429)
  t.equal(await from('192.0.2.8'), 201)
  // as IIS and Azure's gateway forward it: they all counted as the proxy's own
  t.equal(await from('192.0.2.9:50001'), 201)
  t.equal(await from('192.0.2.9:50002'), 201)
  t.equal(await from('192.0.2.9:50003'), 429)
  t.equal(await from('192.0.2.10:50001'), 201)
})

t.test('listed addresses are spared the limit by address', async t => {
  const env = {
    TRUST_PROXY: 'loopback',
    RATE_LIMIT_IP_MAX: '1',
    RATE_LIMIT_ALLOWLIST: '192.0.2.7,10.0.0.0/8,2001:db8::/32,2001:db9::1'
  }
  const proxy = await startProxy(t, { env })
  const from = async (address: string) =>
    (await proxy.post(entry(), { headers: { 'x-forwarded-for': address } })).status
  for (const spared of ['192.0.2.7', '10.1.2.3', '::ffff:10.1.2.3', '2001:db8:ffff::1', '2001:db9::1']) {
    t.equal(await from(spared), 201, spared)
    t.equal(await from(spared), 201, spared)
  }
  for (const counted of ['192.0.2.8', '11.0.0.1', '2001:db9::1:1']) {
    t.equal(await from(counted), 201, counted)
    t.equal(await from(counted), 429, counted)
  }
})

t.test('callers are read once, and of more than ten thousand those who were away for longest again', async t => {
  const asked: string[] = []
  const addressOf = createAddresses(address => asked.push(address) < 0)
  const address = (n: number) => `10.0.${n >> 8}.${n & 255}`
  for (let n = 0; n < 10_000; n++) addressOf(address(n), undefined)
  t.equal(addressOf(address(0), undefined), addressOf(address(0), undefined))
  t.equal(asked.length, 10_000)
  addressOf(address(10_000), undefined)
  addressOf(address(0), undefined)
  t.equal(asked.length, 10_001, 'who came again is known')
  addressOf(address(1), undefined)
  t.equal(asked.length, 10_002)
})

t.test('what is no address stands for the socket that it came from, each time anew', async t => {
  const addressOf = createAddresses(() => false)
  t.equal(addressOf('unknown', '192.0.2.1').address, '192.0.2.1')
  t.equal(addressOf('unknown', '192.0.2.2').address, '192.0.2.2')
})
