import t, { type Test } from 'tap'
import { createMask } from '../../src/entry/mask.js'
import { PATTERNS } from '../../src/entry/rules.js'

const mask = createMask(['logtrail-key', 'jwt', 'card', 'assignment'], [])
const everything = createMask(PATTERNS, ['pin_code'])

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const JWE = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..ZGkxMjM0NTY3ODkw.a2ltYmVy.dGFnZ3k'

/** Each pair: what a browser says, and what is sent. */
function pairs(t: Test, mask: (text: string) => string, table: Record<string, string>): void {
  for (const [before, after] of Object.entries(table)) {
    t.equal(mask(before), after)
    t.equal(mask(after), after, 'and once more')
  }
}

function untouched(t: Test, mask: (text: string) => string, texts: string[]): void {
  for (const text of texts) t.equal(mask(text), text)
}

t.test('Logtrail keys', async t => {
  pairs(t, mask, {
    lt_production_wo_8fK2m9Qx: '[REDACTED]',
    'key "lt_staging_rw_a-b_c", see': 'key "[REDACTED]", see',
    'xlt_development_ro_1;LT_PRODUCTION_WO_ABC': 'x[REDACTED];[REDACTED]'
  })
  untouched(t, mask, [
    'lt_production_wo_',
    'lt_prod_wo_abc',
    'lt_production_xx_abc',
    'default_value',
    '_',
    't_production_wo_abc'
  ])
})

t.test('JWTs, signed, encrypted, unsigned, cut off', async t => {
  pairs(t, mask, {
    [`got ${JWT}.`]: 'got [REDACTED].',
    [`"${JWE}"`]: '"[REDACTED]"',
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.': '[REDACTED].',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIi…': '[REDACTED]…',
    [`jwt_${JWT}`]: 'jwt_[REDACTED]',
    [`${JWT} ${JWT}`]: '[REDACTED] [REDACTED]'
  })
  untouched(t, mask, [
    'eyJ',
    'eyJhbGciOiJIUzI1NiJ9',
    'eyJhbGciOiJIUzI1NiJ9.abc',
    'eyJ.a.b',
    'heyJude.is.a.song',
    'J',
    'yJ',
    'eyJhbGciOiJIUzI1NiJ9... and'
  ])
})

t.test('card numbers', async t => {
  const numbers = [
    ...[
      '4111111111111111',
      '4222222222222',
      '4000000000000000006',
      '5555555555554444',
      '2223000048400011',
      '378282246310005'
    ],
    ...[
      '6011111111111117',
      '6500000000000002',
      '6240008631401148',
      '30569309025904',
      '38520000023237',
      '3530111333300000'
    ],
    ...['2200000000000004', '6304000000000000', '6759649826438453', '5018000000000009']
  ]
  for (const number of numbers) pairs(t, mask, { [`no ${number}, paid`]: 'no [REDACTED], paid' })
  pairs(t, mask, {
    '4111 1111 1111 1111': '[REDACTED]',
    '4111-1111-1111-1111': '[REDACTED]',
    '4111\u00a01111\u20111111\u20131111': '[REDACTED]',
    '3782 822463 10005': '[REDACTED]',
    '12 4111 1111 1111 1111': '12 [REDACTED]',
    '123 4111111111111111 123': '123 [REDACTED] 123',
    '4111111111111111 5555555555554444': '[REDACTED] [REDACTED]',
    card4111111111111111x: 'card[REDACTED]x',
    '411111 1111111111': '[REDACTED]'
  })
  untouched(t, mask, [
    '4111111111111112',
    '1234567812345670',
    '41111111111111111111',
    '411111111111',
    '4111  1111 1111 1111',
    '41 11 11 11 11 11 11 11',
    '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
    '0.4111111111111111',
    '1763935158123',
    '2026-11-23 21:59:18.123',
    '550e8400-e29b-41d4-a716-446655440000',
    '+49 1512 3456789',
    '0000000000000000'
  ])
  const long = `${'411 '.repeat(400)}4111 1111 1111 1111`
  t.equal(mask(long), `${'411 '.repeat(400)}[REDACTED]`, 'also at the end of more groups than are read at once')
  t.equal(
    mask(`${'411 '.repeat(400)}${'4'.repeat(20)} 4111111111111111`),
    `${'411 '.repeat(400)}${'4'.repeat(20)} [REDACTED]`
  )
})

t.test('card numbers in a URL’s encoding and in escaped text', async t => {
  const card = '4111111111111111'
  pairs(t, mask, {
    [`https://a/?q=%7B%22card%22%3A%22${card}%22%7D`]: 'https://a/?q=%7B%22card%22%3A%22[REDACTED]%22%7D',
    [`?note=card%20${card}`]: '?note=card%20[REDACTED]',
    [`caf%C3%A9${card}`]: 'caf%C3%A9[REDACTED]',
    [`%2F${card}`]: '%2F[REDACTED]',
    [`\\u0022${card}\\u0022`]: '\\u0022[REDACTED]\\u0022',
    [`caf\\u00e9${card}`]: 'caf\\u00e9[REDACTED]',
    [`\\u003c${card}`]: '\\u003c[REDACTED]',
    [`%u0022${card}`]: '%u0022[REDACTED]',
    [`cafe${card} fu${card}`]: 'cafe[REDACTED] fu[REDACTED]',
    '4111+1111+1111+1111': '[REDACTED]',
    '4111%201111%201111%201111': '[REDACTED]',
    '12%204111%201111%201111%201111%20b': '12%20[REDACTED]%20b',
    'cardNumber%3D4111%201111%201111%201111%20b': 'cardNumber%3D[REDACTED]%20b',
    [`%22${'40000000000000000'}06`]: '%22[REDACTED]',
    [`100%${card}`]: '100%[REDACTED]'
  })
  pairs(t, everything, { 'ip%20192.0.2.7%22192.0.2.7': 'ip%20[REDACTED]%22[REDACTED]' })
  untouched(t, mask, [
    `%22${card.slice(1)}2`,
    '%22',
    '%224',
    '%2241111111111111111111',
    '4111%20%201111%201111%201111',
    '4111%2B1111%2B1111%2B1111',
    '4111%211111%221111%201111',
    '4111%'
  ])
  const long = '411%20'.repeat(400)
  t.equal(mask(`${long}4111%201111%201111%201111`), `${long}[REDACTED]`)
})

t.test('assignments', async t => {
  pairs(t, mask, {
    'token=abc': 'token=[REDACTED]',
    '/cb?code=1&access_token=abc.d-e&x=1#top': '/cb?code=1&access_token=[REDACTED]&x=1#top',
    'a=1; session_id=abc; b=2': 'a=1; session_id=[REDACTED]; b=2',
    'apiKey = "a b c" x': 'apiKey = "[REDACTED]" x',
    "password='it\\'s' x": "password='[REDACTED]' x",
    'secret=`a`': 'secret=`[REDACTED]`',
    'PASSWORD=hunter2': 'PASSWORD=[REDACTED]',
    'p-a-s-s_word=x': 'p-a-s-s_word=[REDACTED]',
    'pässword=x': 'pässword=[REDACTED]',
    'user[password]=x&y=1': 'user[password]=[REDACTED]&y=1',
    'user%5Bpassword%5D=x&y': 'user%5Bpassword%5D=[REDACTED]&y',
    'to=%2Fcb%3Ftoken%3Dabc%26x%3D1': 'to=%2Fcb%3Ftoken%3D[REDACTED]%26x%3D1',
    'token%3dabc': 'token%3d[REDACTED]',
    'token := x': 'token := [REDACTED]',
    'token = x': 'token = [REDACTED]',
    'password="never closed': 'password="[REDACTED]',
    'token=Bearer abc def': 'token=[REDACTED] def',
    'cookie=a=1; b=2&c': 'cookie=[REDACTED]&c',
    'data["token"]="x"': 'data["token"]="[REDACTED]"'
  })
  untouched(t, mask, [
    'token=',
    'token=&x=1',
    'token=""',
    'token == x',
    'token === undefined',
    'if (token != null)',
    'token => x',
    'tokens=3',
    '= abc',
    '=',
    'x=token',
    'a%3Db',
    '100%',
    'token%3D'
  ])
})

t.test('headers, JSON within strings, code and prose', async t => {
  pairs(t, mask, {
    'Authorization: Basic dXNlcjpwYXNz': 'Authorization: [REDACTED]',
    'authorization=Digest a, b': 'authorization=[REDACTED]',
    'GET /\r\nCookie: a=b; c=d\r\nAccept: x': 'GET /\r\nCookie: [REDACTED]\r\nAccept: x',
    'Set-Cookie: sid=1; HttpOnly': 'Set-Cookie: [REDACTED]',
    'X-Api-Key: 9f86d081': 'X-Api-Key: [REDACTED]',
    '{"password":"hun\\"ter2","a":1}': '{"password":"[REDACTED]","a":1}',
    '{"user": {"newPassword" : "x"}}': '{"user": {"newPassword" : "[REDACTED]"}}',
    '{\\"password\\":\\"x y\\",\\"b\\":2}': '{\\"password\\":\\"[REDACTED]\\",\\"b\\":2}',
    '{\\\\\\"pwd\\\\\\":\\\\\\"a\\\\\\"}': '{\\\\\\"pwd\\\\\\":\\\\\\"[REDACTED]\\\\\\"}',
    '{"cvv":123,"ssn":null}': '{"cvv":[REDACTED],"ssn":[REDACTED]}',
    "{ password: 'abc' }": "{ password: '[REDACTED]' }",
    'password: hunter2': 'password: [REDACTED]',
    'https://ada:s3cret@example.com/x': 'https://ada:[REDACTED]@example.com/x',
    'redis://:p@ss@host:6379': 'redis://:[REDACTED]@host:6379'
  })
  untouched(t, mask, [
    'Unexpected token: punc (})',
    'Invalid token: expired',
    'token: a1',
    '{"token":{"a":1}}',
    '{"tokens":[1]}',
    'http://localhost:8080/a@b:c',
    'https://example.com:443',
    'https://ada@example.com',
    'note: 21:59:18',
    'Authorization:',
    '{"token":""}'
  ])
})

t.test('Bearer', async t => {
  pairs(t, mask, {
    'Bearer abc.DEF_123~+/==': 'Bearer [REDACTED]',
    'sent "bearer abc"': 'sent "bearer [REDACTED]"',
    'BEARER   abc,': 'BEARER   [REDACTED],',
    'h=Bearer%20abc&x': 'h=Bearer%20[REDACTED]&x',
    'h=Bearer+abc&x': 'h=Bearer+[REDACTED]&x'
  })
  untouched(t, mask, [
    'the bearer of news',
    'Bearer realm="x", error="y"',
    'Bearer token',
    'Bearer',
    'Bearer ',
    'bear',
    'Bearing 90',
    'be',
    'Bearer ""'
  ])
})

t.test('a secret that begins within another one’s mask is masked to its own end', async t => {
  pairs(t, mask, {
    'card_number=4111 1111 1111 1111': 'card_number=[REDACTED]',
    'cardNumber = 4111 1111 1111 1111, paid': 'cardNumber = [REDACTED] paid',
    'token=no-4111 1111-1111 1111 x': 'token=[REDACTED] x',
    'bearer 4111 1111 1111 1111': 'bearer [REDACTED]',
    'card_number: 411111 1111111111': 'card_number: [REDACTED]',
    'lt_production_wo_abc-4111 1111 1111 1111': '[REDACTED]',
    [`token=${'1'.repeat(60)} 1111`]: 'token=[REDACTED] 1111',
    'user=ada,token=abc,password="correct horse" x': 'user=ada,token=[REDACTED]" x',
    'token=a1,Bearer xyz9 x': 'token=[REDACTED] x',
    'token=a1,password: hunter22': 'token=[REDACTED]',
    'token=a1,password= x y': 'token=[REDACTED] y',
    'token=a1,password = hunter22 x': 'token=[REDACTED] x',
    'token=a1,password := hunter22 x': 'token=[REDACTED] x',
    'token=a1,password : hunter22 x': 'token=[REDACTED] x',
    'token=a1,password\\":\\"x y\\"': 'token=[REDACTED]\\"',
    'token=a1,user[password%22%5D="x y"': 'token=[REDACTED]"',
    'token%3Da1,password%3D"x y"': 'token%3D[REDACTED]"',
    'token%3Da1,password%22%3Dxyz%20': 'token%3D[REDACTED]%20',
    'Bearer password: hunter22': 'Bearer [REDACTED]',
    'token=a1,Cookie: b=1; c=2': 'token=[REDACTED]',
    'token=a1,password="x,secret:" y2y2y2 "z"': 'token=[REDACTED]"z"'
  })
  pairs(t, mask, {
    'token=a1,4111 1111 1111 1112': 'token=[REDACTED] 1111 1111 1112',
    'token=secret: the login failed': 'token=[REDACTED] the login failed',
    'token=secret : failed': 'token=[REDACTED] : failed',
    'token=secret == x': 'token=[REDACTED] == x',
    'Bearer https://ada:s3cret@host': 'Bearer [REDACTED]://ada:[REDACTED]@host',
    '{"token":"secret","x":"y z"}': '{"token":"[REDACTED]","x":"y z"}',
    'token="a" "password"="x y"': 'token="[REDACTED]" "password"="[REDACTED]"'
  })
})

t.test('email and ip, where asked for', async t => {
  untouched(t, mask, ['ada@example.com', '192.0.2.7', '2001:db8::1'])
  pairs(t, everything, {
    'from ada.lovelace+x@mail.example.co.uk.': 'from [REDACTED].',
    '<jörg@exämple.de>,b@c.de-': '<[REDACTED]>,[REDACTED]-',
    'a@b.com@c.de': '[REDACTED]',
    '请联系ada@example.com谢谢': '请联系[REDACTED]谢谢',
    '192.0.2.7:8080 and 10.0.0.1.': '[REDACTED]:8080 and [REDACTED].',
    '2001:db8::1, ::1 [fe80::1%eth0]': '[REDACTED], [REDACTED] [[REDACTED]%eth0]',
    'at ::ffff:192.0.2.7.': 'at [REDACTED].',
    'client:2001:db8::1, ip:2001:db8::1 Address:::1': 'client:[REDACTED], ip:[REDACTED] Address:[REDACTED]',
    'remote_addr:1:2:3:4:5:6:7:8': 'remote_addr:[REDACTED]',
    'facade:2001:db8::1 12345:fe80::1': 'facade:[REDACTED] 12345:[REDACTED]',
    'dead:beef::1': '[REDACTED]',
    'a%2C2001:db8::1%20::1': 'a%2C[REDACTED]%20[REDACTED]',
    '100%1:2001::8': '100%[REDACTED]',
    'x%yc:2001:db8::1': 'x%yc:[REDACTED]',
    '?email=ada%40example.com&x=1': '?email=[REDACTED]&x=1',
    'to=%3Cada.l%2Bnews%40mail.example%3E': 'to=%3C[REDACTED]%3E',
    'j%C3%B6rg%40example.com%40b.de': '[REDACTED]',
    'pinCode=1': 'pinCode=[REDACTED]'
  })
  untouched(t, everything, [
    '@ada',
    'ada@localhost',
    'ada%40localhost',
    '%3C%40example.com',
    '%40example.com',
    'ada%4example.com',
    'ada%4',
    'client:12:30:45',
    'client:1:2:3:4:5:6:7:8:9',
    'x::1',
    'name:',
    'a@.',
    'a@b.',
    '@',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.1234',
    '1..2.3',
    '21:59:18',
    'std::vector',
    'A::B',
    'a:b',
    '::',
    'x12345::1',
    '1:2:3:4:5:6:7:8:9',
    '0000:0000:0000:0000:0000:0000:0000:0000:0000:0000'
  ])
})

t.test('an address whose first part is masked as something else is masked whole', async t => {
  pairs(t, everything, {
    'Bearer 2001:db8::1': 'Bearer [REDACTED]',
    'Bearer zz:2001:db8::1 x': 'Bearer [REDACTED] x',
    'bearer ada@example.com/x': 'bearer [REDACTED]/x',
    'bearer ada%40example.com/x': 'bearer [REDACTED]/x',
    'bearer a/ada@example.com.': 'bearer [REDACTED].',
    'bearer a@ ada@b': 'bearer [REDACTED]@ ada@b',
    '4111111111111111@example.com, x': '[REDACTED], x',
    'lt_production_wo_abc@example.com x': '[REDACTED] x',
    '192.0.2.7:db8::1 x': '[REDACTED] x',
    '192.0.2.7:8080, 192.0.2.7:x:2001:db8::1': '[REDACTED]:8080, [REDACTED]:x:[REDACTED]',
    '192.0.2.7:2001:db8::1': '[REDACTED]'
  })
  pairs(t, mask, {
    'lt_production_wo_abc@example.com': '[REDACTED]@example.com',
    'lt_production_wo_abc%40example.com': '[REDACTED]%40example.com',
    'lt_production_wo_abc:db8::1': '[REDACTED]:db8::1'
  })
})

t.test('tokens in use that are none by the letter', async t => {
  pairs(t, mask, {
    'Bearer 12|S3cretS3cret x': 'Bearer [REDACTED] x',
    'Bearer key:S3cret:more== x': 'Bearer [REDACTED] x',
    'Bearer 2001:db8::1, x': 'Bearer [REDACTED], x',
    'Bearer token|S3cret x': 'Bearer [REDACTED] x',
    'Bearer abc: see below': 'Bearer [REDACTED]: see below',
    'Bearer abc| | x': 'Bearer [REDACTED]| | x',
    'Bearer https://host/x': 'Bearer [REDACTED]://host/x'
  })
  untouched(t, mask, ['bearer token: expired', 'bearer error:x', 'bearer |x', 'bearer :'])
})

t.test('a value in quotes that are encoded', async t => {
  pairs(t, mask, {
    'password=%22a b%22 c': 'password=[REDACTED] c',
    'password=%22a%20b%22&x=1': 'password=[REDACTED]&x=1',
    'password=%22a b%22c d': 'password=[REDACTED] d',
    'password=%27a %22 b%27 c': 'password=[REDACTED] c',
    'password=%60a b%60;c': 'password=[REDACTED];c',
    'password=%22a b&x=1': 'password=[REDACTED]&x=1',
    'password=%5C%22a %22 b': 'password=[REDACTED] b',
    'password=%22a 100% b%22 c': 'password=[REDACTED] c',
    'password%3D%22a b%22%26x': 'password%3D%22[REDACTED]%22%26x',
    'password%3D%22a%26b%22%26x': 'password%3D%22[REDACTED]%22%26x',
    'password%3D%5C%22a%5C%5C%5C%22b%5C%22%26x': 'password%3D%5C%22[REDACTED]%5C%22%26x',
    'password%3D%22a%5C%22b%5C%5C%22%26x': 'password%3D%22[REDACTED]%22%26x',
    'password%3D%5cb%22%26x': 'password%3D[REDACTED]%22%26x',
    'password%3D%22a b': 'password%3D%22[REDACTED]',
    'password%3D%22%22%26x=token%3D%22a%22': 'password%3D%22%22%26x=token%3D%22[REDACTED]%22',
    'Cookie%3D%22a b%22 c': 'Cookie%3D%22[REDACTED]%22 c',
    'token=a1,password%3D%22x y%22 z': 'token=[REDACTED] z',
    'password=%22': 'password=[REDACTED]'
  })
  untouched(t, mask, ['password%3D%22%22', 'password%3D%22'])
})

t.test('JSON in a URL’s encoding', async t => {
  pairs(t, mask, {
    '?s=%7B%22password%22%3A%22hunter2%22%7D&x=1': '?s=%7B%22password%22%3A%22[REDACTED]%22%7D&x=1',
    '%7B%22password%22%3A%22a%5C%22b%22%2C%22x%22%3A1%7D': '%7B%22password%22%3A%22[REDACTED]%22%2C%22x%22%3A1%7D',
    '%22{%5C%22password%5C%22%3a+%5C%22a b%5C%22}%22': '%22{%5C%22password%5C%22%3a+%5C%22[REDACTED]%5C%22}%22',
    '%7B%22accessToken%22%20%3A%20%22hunter2%22%7D': '%7B%22accessToken%22%20%3A%20%22hunter2%22%7D',
    '%7B%22accessToken%22%3A%20%22hunter2%22%7D': '%7B%22accessToken%22%3A%20%22[REDACTED]%22%7D',
    '%7B%22cvv%22%3A123%2C%22x%22%3A1%7D': '%7B%22cvv%22%3A[REDACTED]%2C%22x%22%3A1%7D',
    '%7B%22cvv%22%3A123%7D': '%7B%22cvv%22%3A[REDACTED]%7D',
    '{"cvv"%3A123}': '{"cvv"%3A[REDACTED]}',
    'token=a,%22cvv%22%3A123%2C': 'token=[REDACTED]'
  })
  untouched(t, mask, [
    '%22token%22%3A%7B%22x%22%3A1%7D',
    '%22token%22%3A%5B1%5D',
    '%22token%22%3A{}',
    'token%3A%20expired',
    'token%3Bx',
    'token%4Ax',
    '%22name%22%3A%22token%22'
  ])
})

t.test('no pattern, no mask; the very same string where nothing is found', async t => {
  const off = createMask([], [])
  untouched(t, off, ['4111111111111111', 'token=abc', JWT, 'lt_production_wo_abc'])
  t.equal(createMask(['ip'], [])('4111111111111111'), '4111111111111111')
  t.equal(createMask(['card'], [])('10.0.0.1 4111111111111111'), '10.0.0.1 [REDACTED]')
})

t.test('what lies beyond the length that counts is not read', async t => {
  const short = createMask(['assignment'], [], 20)
  t.equal(short(`token=abc ${'x'.repeat(20)} token=abc`), `token=[REDACTED] ${'x'.repeat(20)} token=abc`)
  t.equal(short(`password=${'x'.repeat(1000)}`), 'password=[REDACTED]')
})

t.test('the worst of strings cost a bounded multiple of reading them', async t => {
  const units = [
    ...[
      'a',
      '4',
      '444 ',
      '4444-',
      '4 ',
      '4111111111111112a',
      'eyJ',
      'eyJ-',
      'eyJaaaaaaa.x',
      'lt_',
      'lt_production_wo_',
      'token=',
      '&token=a'
    ],
    ...[
      'token:',
      'token:a:',
      '"token":',
      'token%3D',
      '=',
      ':',
      '_=',
      '-:',
      ' =',
      '%',
      'Bearer ',
      'bearer a',
      'a@',
      'a.b@',
      '1.2.3.',
      'a:',
      '0:'
    ],
    ...[
      '://a:',
      '\\',
      '\\"token\\":',
      'cookie:a',
      'token="',
      '`=',
      ']]]]]=',
      'é=',
      '\u200b=',
      'assword_=',
      '://',
      '://:@'
    ],
    ...[
      'token=a,',
      'token=4111 ',
      'token=a,password ',
      'token=a,password="',
      'token%3D4111%20',
      'Bearer Bearer ',
      'token: a1b2c3,password: ',
      'token=://a&',
      '%22',
      '%224111',
      '4111%20',
      '4111+',
      '\\u0022',
      '\\u00224111',
      '%20411',
      'client:2001:',
      'ip:',
      'a%2B',
      'a%40',
      '%2B%40'
    ]
  ]
  const cpu = (run: () => void) => {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  for (const unit of units) {
    const once = unit.repeat(Math.ceil(20_000 / unit.length))
    const tenfold = once.repeat(10)
    everything(once)
    const least = Math.min(...[1, 2, 3].map(() => cpu(() => everything(once))))
    const most = Math.min(...[1, 2].map(() => cpu(() => everything(tenfold))))
    // A quadratic scan would take a hundred times as long, and minutes. The allowance is for a busy machine.
    t.ok(most < 40 * Math.max(least, 1), `${JSON.stringify(unit)}: ${least.toFixed(1)} and ${most.toFixed(1)} ms`)
  }
})
