// @nhost/hasura-auth-js 2.12.0, unmodified, through the e-mail and password flows. Its state machine
// decides by exact status, id and shape what happened; this is where drift shows first.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HasuraAuthClient } from '@nhost/hasura-auth-js'
import { API, APP, UUID, click, header, keep, linkOf, newEmail, newPassword, secret, takeMail, verifiedUser } from './lib/world.mjs'

/** The client with a storage of its own (its default one is shared by the whole process). */
function client(t, options = {}) {
  const store = options.store ?? new Map()
  const auth = new HasuraAuthClient({
    url: API,
    autoRefreshToken: false,
    autoSignIn: false,
    start: true,
    clientStorageType: 'custom',
    clientStorage: {
      getItem: (key) => store.get(key) ?? null,
      setItem: (key, value) => void store.set(key, value),
      removeItem: (key) => void store.delete(key),
    },
    ...options.auth,
  })
  t.after(() => auth.client.interpreter?.stop())
  return Object.assign(auth, { store })
}

/** Lends the client a page address, as if it were loaded in a browser there. */
function atAddress(t, href) {
  const at = (to) => {
    const { origin, pathname, search, hash } = new URL(to)
    return { href: to, origin, pathname, search, hash }
  }
  globalThis.window = {
    location: at(href),
    history: { pushState: (_state, _title, to) => (globalThis.window.location = at(new URL(to, href).href)) },
  }
  t.after(() => delete globalThis.window)
}

const machine = (auth) => auth.client.interpreter.getSnapshot()

async function until(what, check, seconds = 15) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const got = await check()
    if (got) return got
    await new Promise((r) => setTimeout(r, 50))
  }
  assert.fail(`${what}: not within ${seconds} s`)
}

/** An error of the server as the client hands it on: exactly our body. A network error has status 0. */
function assertError(error, status, id, message) {
  assert.ok(error, `an error ${id}`)
  assert.notEqual(error.status, 0, 'not a network error: the answer was JSON')
  assert.deepEqual({ ...error, message: message ?? error.message }, { status, error: error.error, message: message ?? error.message })
  assert.ok([id].flat().includes(error.error), `wants ${id}: ${JSON.stringify(error)}`)
  assert.deepEqual(Object.keys(error).sort(), ['error', 'message', 'status'])
}

test('sign-up, needsEmailVerification, link, session from the address', async (t) => {
  const email = newEmail('jane')
  const password = newPassword()
  const auth = client(t)
  const up = await auth.signUp({ email, password, options: { displayName: 'Jane Doe', locale: 'en', metadata: { plan: 'trial' }, redirectTo: `${APP}/home` } })
  assert.deepEqual(up, { session: null, error: null })
  assert.ok(machine(auth).matches({ registration: { incomplete: 'needsEmailVerification' } }))

  const early = client(t)
  const refused = await early.signIn({ email, password })
  assert.equal(refused.session, null)
  assert.equal(refused.error.error, 'unverified-user')
  assert.equal(refused.error.status, 20, "the client's own state error: it understood")
  assert.ok(machine(early).matches({ authentication: { signedOut: 'noErrors' }, registration: { incomplete: 'needsEmailVerification' } }))

  const mail = await takeMail(email, 'email-verify')
  const to = await click(linkOf(mail))
  assert.equal(to.pathname, '/home')

  atAddress(t, to.href)
  const loaded = client(t, { auth: { autoSignIn: true } })
  assert.equal(await loaded.isAuthenticatedAsync(), true, 'the token of the address became a session')
  assert.equal(new URL(globalThis.window.location.href).searchParams.get('refreshToken'), null, 'and left the address')
  const user = loaded.getUser()
  assert.equal(user.email, email)
  assert.equal(user.displayName, 'Jane Doe')
  assert.deepEqual(user.metadata, { plan: 'trial' })
  assert.equal(user.emailVerified, true)
  assert.equal(loaded.getHasuraClaim('user-id'), user.id)
  assert.deepEqual(loaded.getHasuraClaim('x-hasura-allowed-roles').sort(), ['me', 'user'])
  assert.equal(loaded.getHasuraClaims()['x-hasura-default-role'], 'user')
  assert.equal(loaded.getDecodedAccessToken().sub, user.id)
  assert.equal(loaded.getAccessToken().split('.').length, 3)
  assert.ok(loaded.getSession().accessTokenExpiresIn > 0)
  assert.match(loaded.store.get('nhostRefreshToken'), UUID)
  assert.match(loaded.store.get('nhostRefreshTokenId'), UUID)
  assert.deepEqual(loaded.getAuthenticationStatus(), { isAuthenticated: true, isLoading: false, connectionAttempts: 0 })
})

test('an error in the address reaches the application', async (t) => {
  const email = newEmail('twice')
  const first = client(t)
  await first.signUp({ email, password: newPassword() })
  const link = linkOf(await takeMail(email, 'email-verify'))
  await click(link)
  const to = await click(link)
  atAddress(t, to.href)
  const auth = client(t, { auth: { autoSignIn: true } })
  assert.equal(await auth.isAuthenticatedAsync(), false)
  assert.deepEqual(machine(auth).context.errors.authentication, { status: 10, error: 'invalid-ticket', message: 'Invalid ticket' })
})

test('wrong password, unknown user, taken address', async (t) => {
  const { email } = await verifiedUser('wrong')
  for (const who of [email, newEmail('nobody')]) {
    const { error, session } = await client(t).signIn({ email: who, password: newPassword() })
    assert.equal(session, null)
    assertError(error, 401, 'invalid-email-password', 'Incorrect email or password')
  }
  const { error } = await client(t).signUp({ email, password: newPassword() })
  assertError(error, 409, ['email-already-in-use', 'user-already-exists'])
  const short = await client(t).signUp({ email: newEmail('short'), password: 'short12' })
  assertError(short.error, 400, 'password-too-short', 'Password is too short')
  const role = await client(t).signUp({ email: newEmail('role'), password: newPassword(), options: { allowedRoles: ['admin', 'user'] } })
  assertError(role.error, 400, 'role-not-allowed', 'Role not allowed')
})

test('headers of the application may come along', async (t) => {
  const email = newEmail('headers')
  const { error } = await client(t).signUp({ email, password: newPassword() }, { headers: { 'x-cf-turnstile-response': 'none' } })
  assert.equal(error, null)
  await takeMail(email, 'email-verify')
})

test('sign-in, events, refresh, sign-out', async (t) => {
  const user = await verifiedUser('events')
  const auth = client(t)
  const states = []
  let tokens = 0
  auth.onAuthStateChanged((event, session) => states.push([event, session?.user.email ?? null]))
  auth.onTokenChanged(() => (tokens += 1))

  const { session, mfa, error } = await auth.signIn(user)
  assert.equal(error, null)
  assert.equal(mfa, null)
  keep(session)
  assert.equal(auth.isAuthenticated(), true)
  const id = auth.store.get('nhostRefreshTokenId')

  const again = await auth.signIn(user)
  assert.equal(again.error.error, 'already-signed-in')

  const refreshed = await auth.refreshSession()
  assert.equal(refreshed.error, null)
  keep(refreshed.session)
  assert.notEqual(refreshed.session.refreshToken, session.refreshToken)
  assert.equal(auth.store.get('nhostRefreshTokenId'), id, 'the session has one name for life')

  assert.deepEqual(await auth.signOut(), { error: null })
  assert.equal(auth.isAuthenticated(), false)
  assert.equal(auth.store.get('nhostRefreshToken') ?? null, null)
  assert.deepEqual(states.filter(([e]) => e === 'SIGNED_IN').at(0), ['SIGNED_IN', user.email])
  assert.equal(states.at(-1)[0], 'SIGNED_OUT')
  assert.ok(tokens >= 3, `the token changed ${tokens} times`)

  const late = await client(t).refreshSession(refreshed.session.refreshToken)
  assert.equal(late.session, null)
  assert.equal(late.error.error, 'invalid-refresh-token')
})

test('the timer refreshes by itself', async (t) => {
  const auth = client(t, { auth: { autoRefreshToken: true, refreshIntervalTime: 1 } })
  const { session } = await auth.signIn(await verifiedUser('timer'))
  const next = await until('a refresh by the timer', () => {
    const now = auth.getSession()
    return now && now.refreshToken !== session.refreshToken && now
  })
  secret(next.refreshToken)
  assert.equal(auth.isAuthenticated(), true)
})

test('a stored token is imported at start, by several tabs at once', async (t) => {
  const first = client(t)
  await first.signIn(await verifiedUser('tabs'))
  const stored = first.store.get('nhostRefreshToken')
  const tabs = Array.from({ length: 8 }, () => client(t, { store: new Map([['nhostRefreshToken', stored]]) }))
  assert.deepEqual(await Promise.all(tabs.map((tab) => tab.isAuthenticatedAsync())), tabs.map(() => true), 'no tab is thrown out')
  assert.equal(new Set(tabs.map((tab) => tab.getSession().refreshToken)).size, 1, 'all hold the same successor')
})

test('a session that ended signs the client out at its next refresh', async (t) => {
  const user = await verifiedUser('gone')
  const auth = client(t, { auth: { autoRefreshToken: true, refreshIntervalTime: 1 } })
  await auth.signIn(user)
  const other = client(t)
  await other.signIn(user)
  assert.deepEqual(await other.signOut({ all: true }), { error: null })
  await until('signed out', () => !auth.isAuthenticated())
})

test('an initial session is taken over as it is', async (t) => {
  const first = client(t)
  const { session } = await first.signIn(await verifiedUser('init'))
  const second = client(t, { auth: { start: false } })
  await second.initWithSession({ session: { ...first.getSession(), refreshToken: session.refreshToken } })
  assert.equal(second.isAuthenticated(), true)
  assert.equal(second.getUser().id, session.user.id)
})

test('changing the password', async (t) => {
  const user = await verifiedUser('change')
  const auth = client(t)
  await auth.signIn(user)
  const newOne = newPassword()
  assertError((await auth.changePassword({ newPassword: 'short12' })).error, 400, 'password-too-short')
  assert.deepEqual(await auth.changePassword({ newPassword: newOne }), { error: null })
  assert.equal((await auth.refreshSession()).error, null, 'this session goes on')
  assertError((await client(t).signIn(user)).error, 401, 'invalid-email-password')
  assert.equal((await client(t).signIn({ email: user.email, password: newOne })).error, null)
  const nobody = (await client(t).changePassword({ newPassword: newPassword() })).error
  assert.ok([400, 401].includes(nobody.status), JSON.stringify(nobody))
})

test('a reset by mail: through the link, and with the ticket', async (t) => {
  const user = await verifiedUser('reset')
  assert.deepEqual(await client(t).resetPassword({ email: user.email, options: { redirectTo: `${APP}/reset` } }), { error: null })
  const to = await click(linkOf(await takeMail(user.email, 'password-reset')))
  atAddress(t, to.href)
  const auth = client(t, { auth: { autoSignIn: true } })
  assert.equal(await auth.isAuthenticatedAsync(), true)
  const second = newPassword()
  assert.deepEqual(await auth.changePassword({ newPassword: second }), { error: null })
  delete globalThis.window

  await client(t).resetPassword({ email: user.email })
  const ticket = header(await takeMail(user.email, 'password-reset'), 'X-Ticket')
  const third = newPassword()
  assert.deepEqual(await client(t).changePassword({ newPassword: third, ticket }), { error: null })
  assertError((await client(t).changePassword({ newPassword: newPassword(), ticket })).error, 401, 'invalid-ticket', 'Invalid ticket')
  assert.equal((await client(t).signIn({ email: user.email, password: third })).error, null)
  assert.deepEqual(await client(t).resetPassword({ email: newEmail('nobody') }), { error: null })
  assertError((await client(t).resetPassword({ email: user.email, options: { redirectTo: 'https://evil.example.org/' } })).error, 400, 'redirectTo-not-allowed')
})

test('changing the e-mail address', async (t) => {
  const user = await verifiedUser('old')
  const auth = client(t)
  await auth.signIn(user)
  const newOne = newEmail('new')
  assert.deepEqual(await auth.changeEmail({ newEmail: newOne }), { error: null })
  const to = await click(linkOf(await takeMail(newOne, 'email-confirm-change')))
  const { session } = await auth.refreshSession(to.searchParams.get('refreshToken'))
  assert.equal(session.user.email, newOne)
  assert.equal((await client(t).signIn({ email: newOne, password: user.password })).error, null)
  const taken = await verifiedUser('taken')
  assertError((await auth.changeEmail({ newEmail: taken.email })).error, 409, ['email-already-in-use', 'user-already-exists'])
  assertError((await client(t).changeEmail({ newEmail: newEmail() })).error, 401, 'unauthorized')
})

test('the verification mail again', async (t) => {
  const email = newEmail('again')
  await client(t).signUp({ email, password: newPassword() })
  await takeMail(email, 'email-verify')
  assert.deepEqual(await client(t).sendVerificationEmail({ email, options: { redirectTo: `${APP}/again` } }), { error: null })
  const to = await click(linkOf(await takeMail(email, 'email-verify')))
  assert.match(to.searchParams.get('refreshToken'), UUID)
  assertError((await client(t).sendVerificationEmail({ email })).error, 400, 'email-already-verified', "User's email is already verified")
})

test('signing in by a link in a mail', async (t) => {
  const email = newEmail('link')
  const { error } = await client(t).signIn({ email, options: { redirectTo: `${APP}/in` } })
  assert.equal(error, null)
  const to = await click(linkOf(await takeMail(email, 'signin-passwordless')))
  assert.match(to.searchParams.get('refreshToken'), UUID)
})

test('what this server does not have yet is refused in words, never as a network error', async (t) => {
  const auth = client(t)
  for (const [name, ask] of Object.entries({
    'anonymous sign-in': () => auth.signIn(),
    'personal access token': () => auth.signInPAT(crypto.randomUUID()),
    'id token': () => auth.signInIdToken({ provider: 'google', idToken: 'a.b.c' }),
    'e-mail code': () => auth.signInEmailOTP(newEmail('otp')),
  })) {
    const { error } = await ask()
    if (error) assert.notEqual(error.status, 0, `${name}: ${JSON.stringify(error)}`)
  }
})
