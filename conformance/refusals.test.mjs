// What a stranger sends. Every refusal has one shape, nothing is a 500, nothing is half done; and
// what protects accounts holds from outside.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API, APP, assertRefusal, call, header, keep, linkOf, newEmail, newPassword, raw, signIn, takeMail, verifiedUser } from './lib/world.mjs'

const json = { 'Content-Type': 'application/json' }

/** Endpoints with a JSON body, and a body each that would do. */
const bodies = {
  '/signup/email-password': () => ({ email: newEmail('bad'), password: newPassword() }),
  '/signin/email-password': () => ({ email: newEmail('bad'), password: newPassword() }),
  '/token': () => ({ refreshToken: crypto.randomUUID() }),
  '/token/exchange': () => ({ code: crypto.randomUUID(), codeVerifier: 'v'.repeat(43) }),
  '/user/password': () => ({ newPassword: newPassword(), ticket: `passwordReset:${crypto.randomUUID()}` }),
  '/user/password/reset': () => ({ email: newEmail('bad') }),
  '/user/email/send-verification-email': () => ({ email: newEmail('bad') }),
}

test('paths and verbs that do not exist', async () => {
  for (const [method, path] of [
    ['GET', '/nothing'],
    ['POST', '/'],
    ['GET', '/token'],
    ['DELETE', '/user'],
    ['PUT', '/signin/email-password'],
    ['GET', '/signup/email-password/'],
    ['POST', '/signin/../token'],
    ['GET', '/user/%2e%2e/version'],
    ['GET', '//user'],
  ]) {
    assertRefusal(await call(method, path, method === 'POST' ? {} : undefined), 404, 'not-found')
  }
})

for (const [path, good] of Object.entries(bodies)) {
  test(`bad bodies: ${path}`, async () => {
    const body = good()
    const first = Object.keys(body)[0]
    const text = JSON.stringify(body)
    const bad = {
      'not JSON': 'hello',
      'half a JSON': text.slice(0, -1),
      'two of them': text + text,
      empty: '',
      null: 'null',
      array: '[]',
      string: '"x"',
      number: '1e400',
      'no members': '{}',
      'a byte order mark': '\ufeff' + text,
      'a comment': text + '//',
      'an unknown member': JSON.stringify({ ...body, unknown: 1 }),
      'T-38: a member twice': text.replace('{', `{${JSON.stringify(first)}:${JSON.stringify(body[first])},`),
      'a member in other letters': text.replace(`"${first}"`, `"${first.toUpperCase()}"`),
      '__proto__': text.replace('{', '{"__proto__":{"admin":true},'),
      'T-44: deep nesting': `{"${first}":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      'T-44: deep metadata': JSON.stringify({ ...body, options: 0 }).replace('"options":0', `"options":{"metadata":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`),
      'T-44: two megabytes': JSON.stringify({ ...body, [first]: 'a'.repeat(2 << 20) }),
      'invalid UTF-8': Buffer.concat([Buffer.from(`{"${first}":"`), Buffer.from([0xff, 0xfe, 0xc3]), Buffer.from('"}')]),
      'half a surrogate': `{"${first}":"\\ud800"}`,
    }
    for (const value of [null, 1, true, [], {}, '', '\u0000', 'a\u0000b']) {
      bad[`${first} is ${JSON.stringify(value)}`] = JSON.stringify({ ...body, [first]: value })
    }
    for (const [what, send] of Object.entries(bad)) {
      // Kept alive, or net/http may reset the connection while we are still sending what is too long.
      const res = await call('POST', path, send, { Connection: 'keep-alive' })
      assert.ok(res.status >= 400 && res.status < 500, `${what}: ${res.status} ${res.text}`)
      assertRefusal(res)
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'multipart/form-data; boundary=x']) {
      assertRefusal(await call('POST', path, text, { 'Content-Type': type }), 400, 'invalid-request')
    }
    assertRefusal(await call('POST', path, text, { ...json, 'Content-Encoding': 'gzip' }))
  })
}

test('messages name the field', async () => {
  for (const [path, body, field] of [
    ['/signup/email-password', { password: 'long enough' }, /email/],
    ['/signup/email-password', { email: newEmail() }, /password/],
    ['/signup/email-password', { email: 'nobody', password: 'long enough' }, /email/],
    ['/signup/email-password', { email: newEmail(), password: 'long enough', options: { locale: 'e' } }, /locale/],
    ['/signup/email-password', { email: newEmail(), password: 'long enough', options: { displayName: '' } }, /displayName/],
    ['/signup/email-password', { email: newEmail(), password: 'long enough', options: { metadata: [] } }, /metadata/],
    ['/signup/email-password', { email: newEmail(), password: 'long enough', options: { allowedRoles: 'user' } }, /allowedRoles/],
    ['/signup/email-password', { email: newEmail(), password: 'long enough', codeChallenge: 'short' }, /codeChallenge/],
    ['/token', { refreshToken: 'x' }, /refreshToken/],
    ['/token', { refreshToken: crypto.randomUUID().toUpperCase() }, /refreshToken/],
    ['/token/exchange', { code: 'c', codeVerifier: 'short' }, /codeVerifier/],
    ['/user/password', { newPassword: newPassword(), ticket: 'verifyEmail:x' }, /ticket/],
  ]) {
    const res = await call('POST', path, body)
    assertRefusal(res, 400, 'invalid-request')
    assert.match(res.body.message, field, `${path} ${JSON.stringify(body)}`)
  }
  for (const [query, field] of [['', /ticket|redirectTo/], ['?ticket=verifyEmail:x', /redirectTo/], [`?redirectTo=${APP}`, /ticket/]]) {
    const res = await call('GET', `/verify${query}`)
    assertRefusal(res, 400, 'invalid-request')
    assert.match(res.body.message, field)
  }
})

test('a message never repeats what was sent', async () => {
  const canary = 'canary-7f3a'
  for (const body of [{ email: `${canary}@`, password: canary }, { email: newEmail(), password: 'x', [canary]: 1 }, { email: newEmail(), password: { canary } }]) {
    const res = await call('POST', '/signin/email-password', body)
    assertRefusal(res)
    assert.ok(!res.body.message.includes('@') || !res.body.message.includes(`${canary}@`), res.body.message)
  }
})

test('T-38: a query member twice', async () => {
  const q = `ticket=verifyEmail:${crypto.randomUUID()}&redirectTo=${encodeURIComponent(APP)}`
  for (const more of [`&ticket=x`, `&redirectTo=${encodeURIComponent('https://evil.example.org')}`]) {
    assertRefusal(await call('GET', `/verify?${q}${more}`), 400, 'invalid-request')
  }
})

test('redirects stay inside the allow-list', async () => {
  const { host } = new URL(APP)
  for (const redirectTo of [
    'https://evil.example.org/',
    `http://${host}@evil.example.org/`,
    `http://${host}.evil.example.org/`,
    `http://evil.example.org\\.${host}/`,
    `http://evil.example.org/#${APP}`,
    `//evil.example.org/`,
    `/relative`,
    `javascript:alert(1)`,
    `data:text/html,x`,
    `http:evil.example.org`,
    `http:///evil.example.org`,
    `http://user:pw@${host}/`,
    ` ${APP}`,
    `${APP}\r\nSet-Cookie: a=b`,
    `ftp://${host}/`,
  ]) {
    const res = await call('POST', '/user/password/reset', { email: newEmail(), options: { redirectTo } })
    assertRefusal(res, 400, ['redirectTo-not-allowed', 'invalid-request'])
    const visit = await call('GET', `/verify?ticket=verifyEmail:${crypto.randomUUID()}&redirectTo=${encodeURIComponent(redirectTo)}`)
    if (visit.status === 302) {
      const to = new URL(visit.headers.location)
      assert.equal(to.origin, new URL(APP).origin, `${redirectTo} → ${to.href}`)
    } else {
      assertRefusal(visit, 400)
    }
  }
})

test('T-39: forms of the Authorization header', async () => {
  const session = await signIn(await verifiedUser('bearer'))
  const token = session.accessToken
  const get = (...values) => raw(`${API}/user`, { headers: values.length ? { Authorization: values.length === 1 ? values[0] : values } : {} })
  assert.equal((await get(`Bearer ${token}`)).status, 200, 'the one form that is right')
  const [h, p, s] = token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  const variants = [
    '', 'Bearer', 'Bearer ', token, `${token} Bearer`, `Bearer  ${token}`, `Bearer\t${token}`, `Bearer,${token}`, `Bearer:${token}`, `Bearer=${token}`,
    `Bearer "${token}"`, `Bearer ${token} `.trimEnd() + ' x', `Bearer ${token},`, `Bearer ${token};a`, `Bearer ${token} ${token}`, `Bearer Bearer ${token}`,
    `Basic ${token}`, `Token ${token}`, `JWT ${token}`, `Digest ${token}`, `Negotiate ${token}`, `BearerX ${token}`, `XBearer ${token}`, `Bearer${token}`, `Bearer%20${token}`,
    `Bearer ${token}=`, `Bearer ${token}==`, `Bearer ${token}.`, `Bearer .${token}`, `Bearer ${token}.x`, `Bearer ${h}.${p}`, `Bearer ${h}.${p}.`, `Bearer ${h}..${s}`, `Bearer .${p}.${s}`,
    `Bearer ${none}.${p}.`, `Bearer ${none}.${p}.${s}`, `Bearer ${p}.${h}.${s}`, `Bearer ${h}.${p}.${s.slice(0, -1)}`, `Bearer ${h}.${p}.${s}A`, `Bearer ${h}.${p}A.${s}`,
    `Bearer ${h}.${p}.${s.split('').reverse().join('')}`, `Bearer ${token.slice(1)}`, `Bearer ${token.toUpperCase()}`, `Bearer ${token.toLowerCase()}`, `Bearer ${Buffer.from(token).toString('base64')}`,
    `Bearer ${encodeURIComponent(token).replaceAll('.', '%2E')}`, `Bearer null`, `Bearer undefined`, `Bearer [object Object]`, `Bearer ${session.refreshToken}`, `Bearer ${session.refreshTokenId}`,
    `Bearer ${token}\u00a0`, `Bearer ${token}, Bearer ${token}`, `Bearer x, Bearer ${token}`, `Bearer ${'a'.repeat(7000)}`, `Bearer ${h}.${p}.${s}/`, `Bearer ${h}.${p}.+${s}`,
  ]
  for (const value of variants) assertRefusal(reply(await get(value)), 401, 'unauthorized')
  assertRefusal(reply(await get(`Bearer ${token}`, `Bearer ${token}`)), 401, 'unauthorized')
  assertRefusal(reply(await get(`Bearer x`, `Bearer ${token}`)), 401, 'unauthorized')
  assertRefusal(reply(await get()), 401, 'unauthorized')
  for (const [name, value] of [['X-Authorization', `Bearer ${token}`], ['Cookie', `accessToken=${token}; Authorization=Bearer ${token}`], ['X-Hasura-Admin-Secret', 'x']]) {
    assertRefusal(reply(await raw(`${API}/user`, { headers: { [name]: value } })), 401, 'unauthorized')
  }
  assertRefusal(reply(await raw(`${API}/user?access_token=${token}&authorization=Bearer%20${token}`)), 401, 'unauthorized')
})

/** raw with the body parsed, for assertRefusal. */
const reply = (res) => ({ ...res, body: JSON.parse(res.body) })

/** Texts that are near a secret and must not do. */
function near(secret) {
  const out = new Set(['', ' ', secret.slice(0, -1), secret.slice(1), `${secret}a`, `a${secret}`, `${secret} `, ` ${secret}`, `${secret}\n`, `${secret}\u0000`, `${secret}=`, `"${secret}"`, secret.toUpperCase(), secret.replaceAll('-', ''), `{${secret}}`, `urn:uuid:${secret}`, `${secret}%00`, encodeURIComponent(`${secret}/`), secret.split('').reverse().join('')])
  for (let n = 1; n < secret.length; n += 5) out.add(secret.slice(0, n)).add(secret.slice(n))
  out.delete(secret)
  return [...out]
}

test('T-21: variants of a refresh token', async () => {
  const session = await signIn(await verifiedUser('near'))
  for (const refreshToken of [...near(session.refreshToken), session.refreshTokenId, session.user.id]) {
    assertRefusal(await call('POST', '/token', { refreshToken }), undefined, ['invalid-request', 'invalid-refresh-token'])
  }
  const res = await call('POST', '/token', { refreshToken: session.refreshToken })
  assert.equal(res.status, 200, 'and none of them did it any harm')
  keep(res.body)
})

test('T-21: variants of a ticket, and tickets of another purpose', async () => {
  const email = newEmail('near')
  await call('POST', '/signup/email-password', { email, password: newPassword() })
  const mail = await takeMail(email, 'email-verify')
  const ticket = header(mail, 'X-Ticket')
  const uuid = ticket.split(':')[1]
  const visit = (t) => call('POST', `/verify?ticket=${encodeURIComponent(t)}&redirectTo=${encodeURIComponent(APP)}`)
  for (const t of [...near(ticket), uuid, `passwordReset:${uuid}`, `emailConfirmChange:${uuid}`, `passwordlessEmail:${uuid}`, `mfaTotp:${uuid}`, `otp:${uuid}`, `code:${uuid}`, `VerifyEmail:${uuid}`]) {
    const res = await visit(t)
    if (res.status === 400) {
      assertRefusal(res, 400, 'invalid-request')
      continue
    }
    assert.equal(res.status, 303, `${JSON.stringify(t)}: ${res.text}`)
    assert.equal(new URL(res.headers.location).searchParams.get('error'), 'invalid-ticket', JSON.stringify(t))
    assert.equal(new URL(res.headers.location).searchParams.get('refreshToken'), null)
  }
  assertRefusal(await call('POST', '/user/password', { newPassword: newPassword(), ticket: `passwordReset:${uuid}` }), 401, 'invalid-ticket')
  assertRefusal(await call('POST', '/token', { refreshToken: uuid }), 401, 'invalid-refresh-token')
  const ok = await visit(ticket)
  assert.ok(new URL(ok.headers.location).searchParams.get('refreshToken'), 'and none of them used it up')
})

test('T-06: no header decides where a link leads', async () => {
  const { origin, pathname } = new URL(API)
  const evil = 'evil.example.org'
  const variants = []
  for (const name of ['X-Forwarded-Host', 'X-Forwarded-Server', 'X-Host', 'X-Original-Host', 'X-HTTP-Host-Override', 'X-Original-URL', 'X-Rewrite-URL', 'Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Scheme', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Url-Scheme', 'Origin', 'Referer', 'X-Client-Url', 'X-Hasura-Client-Url', 'CF-Connecting-Host', 'True-Client-IP', 'X-Real-IP', 'Via']) {
    variants.push({ [name]: evil })
    if (/origin|referer|url|proto|scheme/i.test(name)) variants.push({ [name]: `https://${evil}/x` })
  }
  variants.push(
    { Forwarded: `host=${evil};proto=https;for=1.2.3.4` },
    { Forwarded: `for="_x";host="${evil}"` },
    { Host: evil },
    { Host: `${new URL(API).host}@${evil}` },
    { Host: `${evil}:443` },
    { Host: evil, 'X-Forwarded-Proto': 'https' },
    { 'X-Forwarded-Host': `${evil}, ${evil}` },
    { 'X-Forwarded-Host': [evil, 'b.example.org'] },
    { 'X-Forwarded-For': evil },
    { 'x-forwarded-host': `"><a href=//${evil}>` },
  )
  assert.ok(variants.length >= 38, `${variants.length}`)
  const asked = []
  for (const headers of variants) {
    const email = newEmail('t06')
    const res = await call('POST', '/signup/email-password', { email, password: newPassword() }, headers)
    if (res.status === 400 && headers.Host) continue // net/http itself refuses what is no host at all
    assert.equal(res.status, 200, `${JSON.stringify(headers)}: ${res.text}`)
    asked.push([headers, email])
  }
  assert.ok(asked.length > 20)
  for (const [headers, email] of asked) {
    const mail = await takeMail(email, 'email-verify')
    const link = new URL(linkOf(mail))
    assert.equal(link.origin + link.pathname, `${origin}${pathname}/verify`, JSON.stringify(headers))
    assert.equal(new URL(link.searchParams.get('redirectTo')).origin, new URL(APP).origin, JSON.stringify(headers))
    assert.ok(!`${mail.html}${mail.text}${mail.subject}${JSON.stringify(mail.headers)}`.includes(evil), JSON.stringify(headers))
  }
})

test('nothing from outside breaks out of a mail', async () => {
  const email = newEmail('mail')
  const displayName = "<script>x<script> $$ = 'q'" // all of it passes the pattern
  const res = await call('POST', '/signup/email-password', { email, password: newPassword(), options: { displayName, redirectTo: `${APP}/a?b=%0d%0aBcc:x&c="><script>` } })
  assert.equal(res.status, 200, res.text)
  const mail = await takeMail(email, 'email-verify')
  assert.ok(!mail.html.includes('<script>'), 'escaped in HTML')
  assert.equal(header(mail, 'Bcc'), undefined)
  for (const bad of ['a@b.example\r\nBcc: x@example.org', 'a@b.example\nBcc: x', '"a\r\nb"@example.com', 'a b@example.com', 'a@@example.com', '@example.com', 'a@', 'a@exa mple.com', '<a@example.com>', 'a@example.com,b@example.com']) {
    assertRefusal(await call('POST', '/signup/email-password', { email: bad, password: newPassword() }), 400, 'invalid-request')
  }
})

test('a refused sign-up leaves nothing behind', async () => {
  const email = newEmail('half')
  assertRefusal(await call('POST', '/signup/email-password', { email, password: newPassword(), options: { allowedRoles: ['nope', 'user'] } }), 400, 'role-not-allowed')
  assertRefusal(await call('POST', '/user/email/send-verification-email', { email }), 401, 'invalid-email-password')
  assert.equal((await call('POST', '/signup/email-password', { email, password: newPassword() })).status, 200)
})

test('long passwords are taken whole', async () => {
  const email = newEmail('long')
  const password = `${'ä'.repeat(100)}1`
  assert.equal((await call('POST', '/signup/email-password', { email, password })).status, 200)
  await call('POST', new URL(linkOf(await takeMail(email, 'email-verify'))).href.slice(API.length))
  assertRefusal(await call('POST', '/signin/email-password', { email, password: `${'ä'.repeat(100)}2` }), 401, 'invalid-email-password')
  assert.equal((await call('POST', '/signin/email-password', { email, password })).status, 200)
  assertRefusal(await call('POST', '/signup/email-password', { email: newEmail('huge'), password: 'a'.repeat(1025) }), 400, ['password-too-long', 'invalid-request'])
})

test('preflights and origins', async () => {
  const origin = new URL(APP).origin
  const pre = await call('OPTIONS', '/token', undefined, { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' })
  assert.equal(pre.status, 204)
  assert.equal(pre.headers['access-control-allow-origin'], origin)
  assert.match(pre.headers['access-control-allow-headers'] ?? '', /authorization/i)
  assert.match(pre.headers['access-control-allow-methods'] ?? '', /POST/)
  const res = await call('POST', '/token', { refreshToken: crypto.randomUUID() }, { Origin: origin })
  assert.equal(res.headers['access-control-allow-origin'], origin, 'refusals too, or a browser calls them network errors')
  assert.notEqual((await call('GET', '/version', undefined, { Origin: 'https://evil.example.org' })).headers['access-control-allow-origin'], '*')
})

test('service endpoints', async () => {
  for (const path of ['/healthz', '/readyz']) {
    const res = await call('GET', path)
    assert.equal(res.status, 200)
    assert.equal(res.body, 'OK')
  }
  const bare = await raw(`${new URL(API).origin}/healthz`)
  assert.equal(bare.status, 200)
  assert.deepEqual(JSON.parse(bare.body), { status: 'ok' })
  const doc = await call('GET', '/openapi.yaml')
  assert.equal(doc.status, 200)
  assert.match(doc.headers['content-type'], /^application\/yaml/)
  assert.match(doc.text, /^openapi: 3/)
  assert.ok((await call('GET', '/version')).headers['x-request-id'])
})
