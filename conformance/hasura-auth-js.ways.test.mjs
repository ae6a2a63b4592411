// @nhost/hasura-auth-js 2.12.0, unmodified, through the ways to sign in beside passwords and links.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HasuraAuthClient } from '@nhost/hasura-auth-js'
import { lendNavigator, openAuthenticator } from './lib/authenticator.mjs'
import { idToken, newPerson, openProvider } from './lib/provider.mjs'
import { API, APP, BROWSER, call, click, header, keep, linkOf, newEmail, newNumber, newPassword, raw, secret, signIn, takeMail, takeSMSCode, totp, verifiedUser } from './lib/world.mjs'

function client(t) {
  const store = new Map()
  const auth = new HasuraAuthClient({
    url: API, autoRefreshToken: false, autoSignIn: false, start: true, clientStorageType: 'custom',
    clientStorage: { getItem: (key) => store.get(key) ?? null, setItem: (key, value) => void store.set(key, value), removeItem: (key) => void store.delete(key) },
  })
  t.after(() => auth.client.interpreter?.stop())
  return auth
}

const session = (result) => {
  assert.equal(result.error, null, JSON.stringify(result.error))
  assert.ok(result.session, JSON.stringify(result))
  return keep(result.session)
}

test('a code in a mail', async (t) => {
  const email = newEmail('otp')
  const auth = client(t)
  assert.equal((await auth.signInEmailOTP(email, { displayName: 'Otto' })).error, null)
  const otp = header(await takeMail(email, 'signin-otp'), 'X-Ticket')
  const wrong = await auth.verifyEmailOTP(email, otp === '000000' ? '111111' : '000000')
  // The client hands on the errors of sign-ins here, and keeps this one among those of sign-ups.
  const { registration } = auth.client.interpreter.getSnapshot().context.errors
  assert.deepEqual([wrong.session, registration.status, registration.error], [null, 400, 'invalid-otp'])
  const s = session(await auth.verifyEmailOTP(email, otp))
  assert.deepEqual([s.user.email, s.user.displayName], [email, 'Otto'])
  assert.equal(auth.isAuthenticated(), true)
})

test('a code in a text message', async (t) => {
  const phoneNumber = newNumber()
  const auth = client(t)
  const asked = await auth.signIn({ phoneNumber })
  assert.deepEqual([asked.error, asked.session], [null, null])
  const s = session(await auth.signIn({ phoneNumber, otp: await takeSMSCode(phoneNumber) }))
  assert.equal(s.user.phoneNumber, phoneNumber)
})

test('a guest, who signs up by password, link and text message', async (t) => {
  for (const way of ['email-password', 'passwordless', 'sms']) {
    const auth = client(t)
    const guest = session(await auth.signIn())
    assert.equal(guest.user.isAnonymous, true)
    const email = newEmail(`guest-${way}`)
    const phoneNumber = newNumber()
    const password = newPassword()
    const result = await auth.deanonymize(
      way === 'email-password' ? { signInMethod: way, email, password, options: { displayName: 'Ann' } }
        : way === 'passwordless' ? { signInMethod: way, connection: 'email', email, options: { displayName: 'Ann' } }
          : { signInMethod: 'passwordless', connection: 'sms', phoneNumber, options: { displayName: 'Ann' } },
    )
    assert.equal(result.error ?? null, null, `${way}: ${JSON.stringify(result.error)}`)
    const own = client(t)
    if (way === 'sms') {
      const s = session(await own.signIn({ phoneNumber, otp: await takeSMSCode(phoneNumber) }))
      assert.deepEqual([s.user.id, s.user.isAnonymous], [guest.user.id, false])
      continue
    }
    const to = await click(linkOf(await takeMail(email, way === 'email-password' ? 'email-verify' : 'signin-passwordless')))
    const s = session(await own.refreshSession(to.searchParams.get('refreshToken')))
    assert.deepEqual([s.user.id, s.user.isAnonymous, s.user.email, s.user.displayName], [guest.user.id, false, email, 'Ann'])
  }
})

test('personal access tokens', async (t) => {
  const user = await verifiedUser('pat')
  const auth = client(t)
  const s = session(await auth.signIn(user))
  const { data, error } = await auth.createPAT(new Date(Date.now() + 3600_000), { name: 'ci' })
  assert.equal(error, null)
  const own = session(await client(t).signInPAT(secret(data.personalAccessToken)))
  assert.equal(own.user.id, s.user.id)
  const wrong = await client(t).signInPAT(data.id)
  assert.deepEqual([wrong.error.status, wrong.error.error], [401, 'invalid-pat'])
})

test('a second factor', async (t) => {
  const user = await verifiedUser('mfa')
  const { accessToken } = await signIn(user)
  const bearer = { Authorization: `Bearer ${accessToken}` }
  const { body } = await call('GET', '/mfa/totp/generate', undefined, bearer)
  assert.equal((await call('POST', '/user/mfa', { code: totp(secret(body.totpSecret)), activeMfaType: 'totp' }, bearer)).status, 200)
  const auth = client(t)
  const half = await auth.signIn(user)
  assert.deepEqual([half.session, half.error], [null, null])
  assert.match(secret(half.mfa.ticket), /^mfaTotp:/)
  const wrong = await auth.signIn({ otp: totp(body.totpSecret, -20), ticket: half.mfa.ticket })
  assert.deepEqual([wrong.error.status, wrong.error.error], [401, 'invalid-totp'])
  session(await auth.signIn({ otp: totp(body.totpSecret, 1), ticket: half.mfa.ticket }))
  assert.equal(auth.isAuthenticated(), true)
})

test('security keys: sign up, sign in, add, elevate', async (t) => {
  const device = openAuthenticator({ origin: new URL(APP).origin })
  lendNavigator(t, device)
  const email = newEmail('key')
  const auth = client(t)
  const up = await auth.signUp({ email, securityKey: true, options: { nickname: 'my phone', displayName: 'Kim' } })
  assert.deepEqual([up.error, up.session], [null, null])
  await click(linkOf(await takeMail(email, 'email-verify')))
  const s = session(await client(t).signIn({ email, securityKey: true }))
  assert.deepEqual([s.user.email, s.user.displayName], [email, 'Kim'])
  const own = client(t)
  assert.equal(session(await own.signInSecurityKey()).user.id, s.user.id)

  const elevated = await own.elevateEmailSecurityKey(email)
  assert.deepEqual([elevated.error, elevated.elevated], [null, true])
  assert.equal(own.getHasuraClaim('x-hasura-auth-elevated'), s.user.id)

  lendNavigator(t, openAuthenticator({ origin: new URL(APP).origin }))
  const added = await own.addSecurityKey('my laptop')
  assert.equal(added.error, null)
  assert.equal(added.key.nickname, 'my laptop')
})

test('a provider: the address to go to, ID tokens', async (t) => {
  await openProvider(t)
  const auth = client(t)
  const { providerUrl } = await auth.signIn({ provider: 'example', options: { redirectTo: `${APP}/home`, allowedRoles: ['user', 'me'], metadata: { a: 1 } } })
  const res = await raw(providerUrl, { headers: BROWSER })
  assert.equal(res.status, 302, res.body)
  assert.ok(new URL(res.headers.location).searchParams.get('state'))

  const person = newPerson()
  const s = session(await auth.signInIdToken({ provider: 'example', idToken: idToken(person) }))
  assert.equal(s.user.email, person.email)

  const user = await verifiedUser('connect')
  const own = client(t)
  session(await own.signIn(user))
  const linked = await own.linkIdToken({ provider: 'example', idToken: idToken(newPerson()) })
  assert.equal(linked.error ?? null, null, JSON.stringify(linked))
  const connected = await own.connectProvider({ provider: 'example', options: { redirectTo: APP } })
  assert.match(connected.providerUrl, /connect=/)
  const start = await raw(connected.providerUrl, { headers: { ...BROWSER, 'Sec-Fetch-Site': 'cross-site', Referer: `${APP}/` } })
  assert.equal(start.status, 302, start.body)
  assert.ok(!start.headers.location.includes(own.getAccessToken()), 'the access token is not handed to the provider')
})
