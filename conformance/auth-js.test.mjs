// @supabase/auth-js, unmodified, against the door of its dialect.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, codeIn, good, somebody, url } from './lib/supabase.mjs'
import { APP, UUID, click, linkOf, newEmail, newPassword, takeMail } from './lib/world.mjs'

/** Follows the link of a mail, as a person with a browser does, and says where the browser is sent. */
const open = async (mail) => new URL(await click(linkOf(mail)))

const claimsOf = (session) => JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url'))

test('sign-up with a password, confirmed by the code of the mail', async () => {
  const auth = client()
  const email = newEmail()
  const password = newPassword()
  const asked = good(await auth.signUp({ email: email.toUpperCase(), password, options: { data: { full_name: 'Jane', theme: 'dark' } } }))
  assert.equal(asked.session, null)
  assert.match(asked.user.id, UUID)
  assert.equal(asked.user.email, email)
  assert.equal(asked.user.identities.length, 1)
  assert.equal(asked.user.user_metadata.theme, 'dark')
  assert.ok(asked.user.confirmation_sent_at)
  assert.equal(asked.user.email_confirmed_at, undefined)

  const early = await auth.signInWithPassword({ email, password })
  assert.equal(early.error.code, 'email_not_confirmed')
  assert.equal(early.error.message, 'Email not confirmed')

  const mail = await takeMail(email, 'email-verify')
  const wrong = await auth.verifyOtp({ email, token: '000000', type: 'signup' })
  assert.equal(wrong.error.code, 'otp_expired')
  const { session, user } = good(await auth.verifyOtp({ email, token: codeIn(mail), type: 'email' }))
  assert.equal(user.id, asked.user.id)
  assert.ok(user.email_confirmed_at && user.confirmed_at && user.last_sign_in_at)
  const claims = claimsOf(session)
  assert.equal(claims.sub, user.id)
  assert.equal(claims.aud, 'authenticated')
  assert.equal(claims.role, 'authenticated')
  assert.equal(claims.aal, 'aal1')
  assert.equal(claims.email, email)
  assert.deepEqual(claims.amr.map((m) => m.method), ['otp'])
  assert.deepEqual(claims.app_metadata, { provider: 'email', providers: ['email'] })
  assert.equal(claims.user_metadata.theme, 'dark')
  assert.equal(claims.session_id, claimsOf(good(await auth.getSession()).session).session_id)
  assert.equal(claims['https://hasura.io/jwt/claims']['x-hasura-user-id'], user.id, 'Hasura reads it as well')
  const once = await auth.verifyOtp({ email, token: codeIn(mail), type: 'email' })
  assert.equal(once.error.code, 'otp_expired', 'a code works once')

  const again = good(await client().signInWithPassword({ email, password }))
  assert.equal(again.user.id, user.id)
  assert.deepEqual(claimsOf(again.session).amr.map((m) => m.method), ['password'])
})

test('sign-up with a password, confirmed by the link of the mail', async () => {
  const auth = client()
  const email = newEmail()
  good(await auth.signUp({ email, password: newPassword(), options: { emailRedirectTo: `${APP}/welcome?x=1` } }))
  const to = await open(await takeMail(email, 'email-verify'))
  assert.equal(`${to.origin}${to.pathname}${to.search}`, `${APP}/welcome?x=1`)
  const hash = new URLSearchParams(to.hash.slice(1))
  assert.equal(hash.get('type'), 'signup')
  assert.equal(hash.get('token_type'), 'bearer')
  const { session } = good(await auth.setSession({ access_token: hash.get('access_token'), refresh_token: hash.get('refresh_token') }))
  assert.equal(session.user.email, email)
})

test('sign-up with PKCE: the link gives a code, which is exchanged once', async () => {
  const auth = client({ flowType: 'pkce' })
  const email = newEmail()
  good(await auth.signUp({ email, password: newPassword(), options: { emailRedirectTo: APP } }))
  const to = await open(await takeMail(email, 'email-verify'))
  assert.equal(to.hash, '')
  const code = to.searchParams.get('code')
  const thief = await client({ flowType: 'pkce' }).exchangeCodeForSession(code)
  assert.ok(thief.error)
  assert.equal(good(await auth.exchangeCodeForSession(code)).user.email, email)
})

test('signing up with an address that somebody has tells nothing', async () => {
  const { email, user } = await somebody()
  const twice = good(await client().signUp({ email, password: newPassword() }))
  assert.equal(twice.session, null)
  assert.deepEqual(twice.user.identities, [])
  assert.equal(twice.user.role, '')
  assert.notEqual(twice.user.id, user.id)
})

test('of two who sign up with an address that nobody confirmed, neither has set a password', async () => {
  const email = newEmail()
  const [first, second] = [newPassword(), newPassword()]
  good(await client().signUp({ email, password: first }))
  await takeMail(email, 'email-verify')
  good(await client().signUp({ email, password: second, options: { data: { mine: true } } }))
  const auth = client()
  good(await auth.verifyOtp({ email, token: codeIn(await takeMail(email, 'email-verify')), type: 'signup' }))
  for (const password of [first, second]) assert.equal((await client().signInWithPassword({ email, password })).error.code, 'invalid_credentials')
  const third = newPassword()
  good(await auth.updateUser({ password: third }))
  good(await client().signInWithPassword({ email, password: third }))
})

test('wrong passwords and unknown addresses are refused alike', async () => {
  const { email } = await somebody()
  for (const who of [email, newEmail()]) {
    const { error } = await client().signInWithPassword({ email: who, password: newPassword() })
    assert.deepEqual([error.status, error.code, error.message], [400, 'invalid_credentials', 'Invalid login credentials'])
  }
})

test('a weak password is refused with the reason', async () => {
  const { error } = await client().signUp({ email: newEmail(), password: 'short' })
  assert.equal(error.name, 'AuthWeakPasswordError')
  assert.deepEqual(error.reasons, ['length'])
})

test('refreshing, in many tabs at once', async () => {
  const { auth, session } = await somebody()
  const refreshed = await Promise.all(Array.from({ length: 5 }, () => client().refreshSession({ refresh_token: session.refresh_token })))
  const tokens = new Set(refreshed.map((r) => good(r).session.refresh_token))
  assert.equal(tokens.size, 1)
  assert.notEqual([...tokens][0], session.refresh_token)
  const { user } = good(await auth.getUser(refreshed[0].data.session.access_token))
  assert.equal(user.id, session.user.id)
  const none = await client().refreshSession({ refresh_token: '00000000-0000-4000-8000-000000000000' })
  assert.equal(none.error.code, 'refresh_token_not_found')
  assert.match(none.error.message, /^Invalid Refresh Token:/)
})

test('a guest signs in', async () => {
  const auth = client()
  const { user, session } = good(await auth.signInAnonymously({ options: { data: { cart: 3 } } }))
  assert.equal(user.is_anonymous, true)
  assert.equal(user.email, '')
  assert.deepEqual(user.identities, [])
  assert.equal(user.user_metadata.cart, 3)
  assert.equal(claimsOf(session).is_anonymous, true)
  assert.equal(good(await auth.getUser()).user.id, user.id)
})

test('signing in by a mail: the code, the link, the hash in it', async () => {
  const { email, user } = await somebody()
  const auth = client()
  good(await auth.signInWithOtp({ email }))
  const byCode = good(await auth.verifyOtp({ email, token: codeIn(await takeMail(email, 'signin-passwordless')), type: 'email' }))
  assert.equal(byCode.user.id, user.id)

  good(await auth.signInWithOtp({ email }))
  const to = await open(await takeMail(email, 'signin-passwordless'))
  assert.equal(new URLSearchParams(to.hash.slice(1)).get('type'), 'magiclink')

  good(await auth.signInWithOtp({ email }))
  const token_hash = new URL(linkOf(await takeMail(email, 'signin-passwordless'))).searchParams.get('token')
  assert.equal(good(await auth.verifyOtp({ token_hash, type: 'email' })).user.id, user.id)
  const twice = await auth.verifyOtp({ token_hash, type: 'email' })
  assert.equal(twice.error.code, 'otp_expired')

  const nobody = await auth.signInWithOtp({ email: newEmail(), options: { shouldCreateUser: false } })
  assert.deepEqual([nobody.error.code, nobody.error.message], ['otp_disabled', 'Signups not allowed for otp'])
  const newcomer = newEmail()
  good(await auth.signInWithOtp({ email: newcomer, options: { data: { from: 'otp' } } }))
  const came = good(await auth.verifyOtp({ email: newcomer, token: codeIn(await takeMail(newcomer, 'signin-passwordless')), type: 'email' }))
  assert.equal(came.user.user_metadata.from, 'otp')
})

test('a forgotten password', async () => {
  const { email, password } = await somebody()
  const auth = client({ flowType: 'pkce' })
  good(await auth.resetPasswordForEmail(email, { redirectTo: `${APP}/new-password` }))
  good(await client().resetPasswordForEmail(newEmail()))
  const to = await open(await takeMail(email, 'password-reset'))
  good(await auth.exchangeCodeForSession(to.searchParams.get('code')))
  const next = newPassword()
  const same = await auth.updateUser({ password })
  assert.equal(same.error.code, 'same_password')
  good(await auth.updateUser({ password: next }))
  good(await client().signInWithPassword({ email, password: next }))
  const old = await client().signInWithPassword({ email, password })
  assert.equal(old.error.code, 'invalid_credentials')
})

test('the confirmation can be asked for again', async () => {
  const auth = client()
  const email = newEmail()
  good(await auth.signUp({ email, password: newPassword() }))
  await takeMail(email, 'email-verify')
  good(await auth.resend({ type: 'signup', email }))
  good(await auth.verifyOtp({ email, token: codeIn(await takeMail(email, 'email-verify')), type: 'signup' }))
  good(await auth.resend({ type: 'signup', email }))
  good(await auth.resend({ type: 'signup', email: newEmail() }))
})

test('users change what is theirs', async () => {
  const { auth, email } = await somebody(client(), { a: 1, b: 2 })
  const { user } = good(await auth.updateUser({ data: { b: null, c: { d: 3 } } }))
  assert.deepEqual([user.user_metadata.a, user.user_metadata.b, user.user_metadata.c], [1, undefined, { d: 3 }])
  const refused = await auth.updateUser({ data: {}, app_metadata: { admin: true } })
  assert.equal(refused.error.code, 'not_admin')
  const sneaky = good(await auth.updateUser({ data: { app_metadata: { admin: true } } }))
  assert.equal(sneaky.user.app_metadata.admin, undefined)

  const next = newEmail('next')
  const asked = good(await auth.updateUser({ email: next }))
  assert.equal(asked.user.new_email, next)
  assert.equal(asked.user.email, email)
  const half = await open(await takeMail(next, 'email-confirm-change'))
  assert.ok(new URLSearchParams(half.hash.slice(1)).get('message'))
  assert.equal(good(await auth.getUser()).user.email, email)
  const to = await open(await takeMail(email, 'email-confirm-change'))
  assert.equal(new URLSearchParams(to.hash.slice(1)).get('type'), 'email_change')
  assert.equal(good(await auth.getUser()).user.email, next)
})

test('signing out of this session, of the others, of all', async () => {
  const { auth, email, password } = await somebody()
  const other = client()
  good(await other.signInWithPassword({ email, password }))
  const third = client()
  good(await third.signInWithPassword({ email, password }))
  assert.equal((await auth.signOut({ scope: 'others' })).error, null)
  good(await auth.getUser())
  assert.equal((await other.getUser()).error.name, 'AuthSessionMissingError', 'the client forgets a session that has ended')
  good(await other.signInWithPassword({ email, password }))
  assert.equal((await other.signOut({ scope: 'local' })).error, null)
  good(await auth.getUser())
  good(await third.signInWithPassword({ email, password }))
  assert.equal((await third.signOut()).error, null)
  assert.equal((await auth.getUser()).error.name, 'AuthSessionMissingError')
})

test('what a client does with a session by itself', async () => {
  const auth = client()
  const events = []
  const { data } = auth.onAuthStateChange((event) => events.push(event))
  await auth.initialize()
  const { session } = await somebody(auth)
  const claims = good(await auth.getClaims()).claims
  assert.equal(claims.sub, session.user.id)
  const { identities } = good(await auth.getUserIdentities())
  assert.deepEqual(identities.map((i) => [i.provider, i.id, i.identity_data.email_verified]), [['email', session.user.id, true]])
  const levels = good(await auth.mfa.getAuthenticatorAssuranceLevel())
  assert.deepEqual([levels.currentLevel, levels.nextLevel], ['aal1', 'aal1'])
  assert.deepEqual(good(await auth.mfa.listFactors()).all, [])
  await auth.startAutoRefresh()
  await auth.stopAutoRefresh()
  assert.equal((await auth.signOut()).error, null)
  data.subscription.unsubscribe()
  assert.deepEqual(events, ['INITIAL_SESSION', 'SIGNED_IN', 'SIGNED_OUT'])
  auth.dispose()
})

test('what a client reads without a session', async () => {
  const settings = await (await fetch(`${url}/settings`)).json()
  assert.equal(settings.external.email, true)
  assert.equal(settings.autoconfirm, settings.mailer_autoconfirm)
  const health = await (await fetch(`${url}/health`)).json()
  assert.equal(health.name, 'GoTrue')
  const keys = await (await fetch(`${url}/.well-known/jwks.json`)).json()
  assert.ok(Array.isArray(keys.keys))
  const { data } = await client().getSession()
  assert.equal(data.session, null)
  const stranger = await fetch(`${url}/user`, { headers: { Authorization: 'Bearer sb_publishable_none' } })
  assert.equal(stranger.status, 403)
  const preflight = await fetch(`${url}/user`, {
    method: 'OPTIONS',
    headers: { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'apikey,authorization,content-type,x-client-info,x-supabase-api-version' },
  })
  assert.match(preflight.headers.get('access-control-allow-headers'), /apikey/)
  assert.match(preflight.headers.get('access-control-allow-methods'), /PUT/)
})
