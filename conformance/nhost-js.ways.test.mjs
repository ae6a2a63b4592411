// @nhost/nhost-js 4.7.0, unmodified, through the ways to sign in beside passwords and links.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '@nhost/nhost-js'
import { generatePKCEPair } from '@nhost/nhost-js/auth'
import { MemoryStorage } from '@nhost/nhost-js/session'
import { openAuthenticator } from './lib/authenticator.mjs'
import { idToken, newPerson, openProvider, throughProvider } from './lib/provider.mjs'
import { API, APP, UUID, call, click, header, keep, linkOf, mails, newEmail, newNumber, newPassword, secret, takeMail, takeSMSCode, totp, verifiedUser } from './lib/world.mjs'

const client = () => createClient({ authUrl: API, storage: new MemoryStorage() })
const session = ({ body }) => {
  assert.ok(body.session, JSON.stringify(body))
  return keep(body.session)
}
const ok = ({ status, body }) => assert.deepEqual([status, body], [200, 'OK'])

async function refused(promise, status, error) {
  const err = await promise.then((res) => assert.fail(`was not refused: ${JSON.stringify(res.body)}`), (e) => e)
  assert.equal(err.status, status, JSON.stringify(err.body))
  assert.deepEqual(Object.keys(err.body).sort(), ['error', 'message', 'status'])
  assert.ok([error].flat().includes(err.body.error), `wants ${error}: ${JSON.stringify(err.body)}`)
}

/** A client that is signed in as a new user with a password. */
async function signedIn(label) {
  const user = await verifiedUser(label)
  const nhost = client()
  const s = session(await nhost.auth.signInEmailPassword(user))
  return { ...user, nhost, id: s.user.id, session: s }
}

/** The code of a mail. */
const codeOf = (mail) => header(mail, 'X-Ticket')

test('a code in a mail signs in, and signs up who is unknown', async () => {
  const email = newEmail('code')
  const nhost = client()
  ok(await nhost.auth.signInOTPEmail({ email, options: { displayName: 'Cody', metadata: { plan: 'trial' } } }))
  const code = codeOf(await takeMail(email, 'signin-otp'))
  assert.match(code, /^\d{6}$/)
  const wrong = code === '000000' ? '111111' : '000000'
  await refused(nhost.auth.verifySignInOTPEmail({ email, otp: wrong }), 400, 'invalid-otp')
  await refused(nhost.auth.verifySignInOTPEmail({ email: newEmail('nobody'), otp: code }), 400, 'invalid-otp')
  const s = session(await nhost.auth.verifySignInOTPEmail({ email, otp: code }))
  assert.deepEqual([s.user.email, s.user.emailVerified, s.user.displayName, s.user.metadata], [email, true, 'Cody', { plan: 'trial' }])
  assert.equal(nhost.getUserSession().refreshTokenId, s.refreshTokenId, 'the client kept the session')
  await refused(client().auth.verifySignInOTPEmail({ email, otp: code }), 400, 'invalid-otp')
  ok(await nhost.auth.signInOTPEmail({ email }))
  const again = session(await nhost.auth.verifySignInOTPEmail({ email, otp: codeOf(await takeMail(email, 'signin-otp')) }))
  assert.equal(again.user.id, s.user.id)
})

test('a code in a mail signs up, and tells nobody who is known', async () => {
  const email = newEmail('code-up')
  const nhost = client()
  ok(await nhost.auth.signUpOTPEmail({ email }))
  const s = session(await nhost.auth.verifySignInOTPEmail({ email, otp: codeOf(await takeMail(email, 'signin-otp')) }))
  assert.equal(s.user.emailVerified, true)
  ok(await nhost.auth.signUpOTPEmail({ email }))
  ok(await nhost.auth.signInOTPEmail({ email }))
  await takeMail(email, 'signin-otp')
  assert.equal((await mails(email)).filter((m) => header(m, 'X-Email-Template') === 'signin-otp').length, 2, 'the second sign-up sent nothing')
})

test('the link beside the code signs in too, and uses the code up', async () => {
  const email = newEmail('code-link')
  const nhost = client()
  ok(await nhost.auth.signInOTPEmail({ email }))
  const mail = await takeMail(email, 'signin-otp')
  const to = await click(linkOf(mail))
  assert.match(to.searchParams.get('refreshToken'), UUID)
  await refused(nhost.auth.verifySignInOTPEmail({ email, otp: codeOf(mail) }), 400, 'invalid-otp')
})

test('too many wrong codes use a code up', async () => {
  const email = newEmail('guess')
  const nhost = client()
  ok(await nhost.auth.signInOTPEmail({ email }))
  const mail = await takeMail(email, 'signin-otp')
  const wrong = codeOf(mail) === '000000' ? '111111' : '000000'
  for (let i = 0; i < 5; i += 1) await refused(nhost.auth.verifySignInOTPEmail({ email, otp: wrong }), 400, ['invalid-otp', 'otp-too-many-attempts'])
  await refused(nhost.auth.verifySignInOTPEmail({ email, otp: codeOf(mail) }), 400, 'otp-too-many-attempts')
  assert.match((await click(linkOf(mail))).searchParams.get('refreshToken'), UUID, 'the link still works')
})

test('a code in a text message signs in, and signs up who is unknown', async () => {
  const phoneNumber = newNumber()
  const nhost = client()
  ok(await nhost.auth.signInPasswordlessSms({ phoneNumber, options: { displayName: 'Phil' } }))
  const otp = await takeSMSCode(phoneNumber)
  await refused(nhost.auth.verifySignInPasswordlessSms({ phoneNumber, otp: otp === '000000' ? '111111' : '000000' }), 400, ['invalid-otp', 'invalid-request'])
  const s = session(await nhost.auth.verifySignInPasswordlessSms({ phoneNumber, otp }))
  assert.deepEqual([s.user.phoneNumber, s.user.phoneNumberVerified, s.user.displayName], [phoneNumber, true, 'Phil'])
  const { body: user } = await nhost.auth.getUser()
  assert.equal(user.phoneNumber, phoneNumber, 'a user without an address may do what others may')
  await nhost.refreshSession(0)
  const up = newNumber()
  ok(await nhost.auth.signUpPasswordlessSms({ phoneNumber: up }))
  session(await nhost.auth.verifySignInPasswordlessSms({ phoneNumber: up, otp: await takeSMSCode(up) }))
  await refused(nhost.auth.signInPasswordlessSms({ phoneNumber: 'not a number' }), 400, ['cannot-send-sms', 'invalid-request'])
})

test('a guest signs in, refreshes, and keeps everything when signing up', async () => {
  const nhost = client()
  const s = session(await nhost.auth.signInAnonymous({ displayName: 'Guest', metadata: { cart: 1 } }))
  assert.deepEqual([s.user.isAnonymous, s.user.defaultRole, s.user.roles, s.user.displayName], [true, 'anonymous', ['anonymous'], 'Guest'])
  await nhost.refreshSession(0)
  assert.equal(nhost.getUserSession().decodedToken['https://hasura.io/jwt/claims']['x-hasura-user-is-anonymous'], 'true')
  const email = newEmail('was-guest')
  const password = newPassword()
  const before = await call('POST', '/token', { refreshToken: secret(nhost.getUserSession().refreshToken) })
  const guest = { Authorization: `Bearer ${secret(before.body.accessToken)}` }
  ok(await client().auth.deanonymizeUser({ signInMethod: 'email-password', email, password }, { headers: guest }))
  await refused(client().auth.deanonymizeUser({ signInMethod: 'email-password', email: newEmail('twice'), password }, { headers: guest }), 401, 'unauthorized') // the guest's session has ended
  await click(linkOf(await takeMail(email, 'email-verify')))
  const own = session(await client().auth.signInEmailPassword({ email, password }))
  assert.deepEqual([own.user.id, own.user.isAnonymous, own.user.defaultRole], [s.user.id, false, 'user'])
})

test('a guest signs up by a link in a mail', async () => {
  const nhost = client()
  const s = session(await nhost.auth.signInAnonymous())
  const email = newEmail('guest-link')
  const { verifier, challenge } = await generatePKCEPair()
  ok(await nhost.auth.deanonymizeUser({ signInMethod: 'passwordless', email, codeChallenge: challenge }))
  const to = await click(linkOf(await takeMail(email, 'signin-passwordless')))
  const own = session(await client().auth.tokenExchange({ code: to.searchParams.get('code'), codeVerifier: verifier }))
  assert.deepEqual([own.user.id, own.user.isAnonymous, own.user.email], [s.user.id, false, email])
})

test('personal access tokens: make, use, list, revoke', async () => {
  const { nhost, id } = await signedIn('pat')
  const expiresAt = new Date(Date.now() + 3600_000).toISOString()
  await refused(nhost.auth.createPAT({ expiresAt: new Date(Date.now() - 1000).toISOString() }), 400, 'invalid-request')
  const { body: pat } = await nhost.auth.createPAT({ expiresAt, metadata: { name: 'ci' } })
  assert.match(secret(pat.personalAccessToken), UUID)
  for (let i = 0; i < 2; i += 1) {
    const s = session(await client().auth.signInPAT({ personalAccessToken: pat.personalAccessToken }))
    assert.equal(s.user.id, id)
  }
  const bearer = { Authorization: `Bearer ${nhost.getUserSession().accessToken}` }
  const list = await call('GET', '/pat', undefined, bearer)
  assert.ok(list.text.includes(pat.id) && !list.text.includes(pat.personalAccessToken), list.text)
  assert.equal((await call('DELETE', `/pat/${pat.id}`, undefined, bearer)).status, 200)
  await refused(client().auth.signInPAT({ personalAccessToken: pat.personalAccessToken }), 401, 'invalid-pat')
})

test('TOTP: enrol, confirm, sign in with both factors, turn off', async () => {
  const { nhost, email, password } = await signedIn('totp')
  const { body: enrolled } = await nhost.auth.changeUserMfa()
  assert.match(enrolled.imageUrl, /^data:image\/png;base64,/)
  assert.match(secret(enrolled.totpSecret), /^[A-Z2-7]{52}$/)
  session(await client().auth.signInEmailPassword({ email, password })) // staged: it asks for nothing yet
  await refused(nhost.auth.verifyChangeUserMfa({ code: totp(enrolled.totpSecret, -20), activeMfaType: 'totp' }), 401, 'invalid-totp')
  ok(await nhost.auth.verifyChangeUserMfa({ code: totp(enrolled.totpSecret), activeMfaType: 'totp' }))
  assert.equal((await nhost.auth.getUser()).body.activeMfaType, 'totp')

  const half = client()
  const { body } = await half.auth.signInEmailPassword({ email, password })
  assert.equal(body.session, undefined)
  assert.match(secret(body.mfa.ticket), /^mfaTotp:[0-9a-f-]{36}$/)
  await refused(half.auth.verifySignInMfaTotp({ ticket: body.mfa.ticket, otp: totp(enrolled.totpSecret, -20) }), 401, 'invalid-totp')
  await refused(half.auth.verifySignInMfaTotp({ ticket: body.mfa.ticket, otp: totp(enrolled.totpSecret) }), 401, 'invalid-totp') // used at the enrolment
  session(await half.auth.verifySignInMfaTotp({ ticket: body.mfa.ticket, otp: totp(enrolled.totpSecret, 1) }))
  await refused(half.auth.verifySignInMfaTotp({ ticket: body.mfa.ticket, otp: totp(enrolled.totpSecret, 1) }), 401, 'invalid-ticket')
})

test('passkeys: sign up, sign in with and without an address, add, elevate', async () => {
  const device = openAuthenticator({ origin: new URL(APP).origin })
  const email = newEmail('passkey')
  const nhost = client()
  const { body: creation } = await nhost.auth.signUpWebauthn({ email, options: { displayName: 'Kay' } })
  const { body: up } = await nhost.auth.verifySignUpWebauthn({ credential: device.create(creation), nickname: 'first' })
  assert.deepEqual(up, {}, 'the address must be confirmed first')
  await click(linkOf(await takeMail(email, 'email-verify')))

  for (const who of [{ email }, {}, undefined]) {
    const { body: request } = await nhost.auth.signInWebauthn(who)
    const s = session(await nhost.auth.verifySignInWebauthn({ ...who, credential: device.get(request) }))
    assert.deepEqual([s.user.email, s.user.displayName], [email, 'Kay'])
  }
  const second = openAuthenticator({ origin: new URL(APP).origin })
  const { body: add } = await nhost.auth.addSecurityKey()
  assert.equal(add.excludeCredentials.length, 1)
  const { body: key } = await nhost.auth.verifyAddSecurityKey({ credential: second.create(add), nickname: 'second' })
  assert.equal(key.nickname, 'second')
  const { body: request } = await nhost.auth.elevateWebauthn()
  const s = session(await nhost.auth.verifyElevateWebauthn({ email, credential: second.get(request) }))
  const claims = JSON.parse(Buffer.from(s.accessToken.split('.')[1], 'base64url'))['https://hasura.io/jwt/claims']
  assert.equal(claims['x-hasura-auth-elevated'], s.user.id)
})

test('signing in with a provider, tokens of the provider, ID tokens', async (t) => {
  const provider = await openProvider(t)
  const nhost = client()

  const { verifier, challenge } = await generatePKCEPair()
  const there = await throughProvider(nhost.auth.signInProviderURL('example', { redirectTo: `${APP}/home`, state: 'mine', codeChallenge: challenge, metadata: { from: 'provider' } }))
  assert.deepEqual([there.pathname, there.searchParams.get('state'), there.searchParams.get('error')], ['/home', 'mine', null])
  assert.equal(there.searchParams.get('refreshToken'), null)
  const s = session(await nhost.auth.tokenExchange({ code: secret(there.searchParams.get('code')), codeVerifier: verifier }))
  assert.deepEqual([s.user.email, s.user.emailVerified, s.user.displayName, s.user.metadata], [provider.person.email, true, 'Pat Provider', { from: 'provider' }])
  assert.ok(provider.asked[0].code_challenge && provider.asked[0].nonce && provider.asked[0].state, 'PKCE, nonce and state')
  assert.ok(!JSON.stringify(provider.asked).includes(s.accessToken))

  const { body: tokens } = await nhost.auth.getProviderTokens('example')
  assert.equal(tokens.accessToken, provider.tokens.access_token)
  assert.ok(tokens.expiresIn > 3000 && Date.parse(tokens.expiresAt) > Date.now())
  const { body: renewed } = await nhost.auth.refreshProviderToken('example', { refreshToken: tokens.refreshToken })
  assert.notEqual(renewed.accessToken, tokens.accessToken)

  const again = await throughProvider(client().auth.signInProviderURL('example', { redirectTo: APP }))
  assert.match(secret(again.searchParams.get('refreshToken')), UUID, 'the form that old clients read')

  const no = await throughProvider(client().auth.signInProviderURL('example', { redirectTo: APP }), 'no')
  assert.deepEqual([no.searchParams.get('error'), no.searchParams.get('provider_error')], ['oauth-provider-error', 'access_denied'])

  provider.person = newPerson()
  const up = await throughProvider(client().auth.signUpProviderURL('example', { redirectTo: APP }))
  assert.match(secret(up.searchParams.get('refreshToken')), UUID)
})

test('ID tokens sign in, sign up and link', async (t) => {
  await openProvider(t)
  const person = newPerson()
  const nhost = client()
  const nonce = 'a nonce of the application'
  await refused(nhost.auth.signInIdToken({ provider: 'example', idToken: idToken(person, { nonce }), nonce: 'another' }), 400, 'invalid-request')
  await refused(nhost.auth.signInIdToken({ provider: 'example', idToken: idToken(person, { aud: 'somebody else' }) }), 400, 'invalid-request')
  await refused(nhost.auth.signInIdToken({ provider: 'example', idToken: idToken(person, { exp: 1 }) }), 400, 'invalid-request')
  const s = session(await nhost.auth.signUpIdToken({ provider: 'example', idToken: idToken(person, { nonce }), nonce }))
  await refused(nhost.auth.signUpIdToken({ provider: 'example', idToken: idToken(person) }), 409, ['user-already-exists', 'email-already-in-use'])
  assert.equal(session(await nhost.auth.signInIdToken({ provider: 'example', idToken: idToken(person) })).user.id, s.user.id)

  const other = await signedIn('link')
  const second = newPerson()
  ok(await other.nhost.auth.linkIdToken({ provider: 'example', idToken: idToken(second) }))
  assert.equal(session(await client().auth.signInIdToken({ provider: 'example', idToken: idToken(second) })).user.id, other.id)
  await refused(other.nhost.auth.linkIdToken({ provider: 'example', idToken: idToken(person) }), 400, 'provider-account-already-linked')
})
