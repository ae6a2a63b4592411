// @nhost/nhost-js 4.7.0, unmodified, through the e-mail and password flows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, createNhostClient, createServerClient, withClientSideSessionMiddleware } from '@nhost/nhost-js'
import { generateCodeChallenge, generateCodeVerifier, generatePKCEPair } from '@nhost/nhost-js/auth'
import { MemoryStorage } from '@nhost/nhost-js/session'
import { API, APP, UUID, call, click, header, keep, linkOf, mails, newEmail, newPassword, secret, signIn, takeMail, verifiedUser } from './lib/world.mjs'

const client = (storage = new MemoryStorage()) => createClient({ authUrl: API, storage })

/** A client that is signed in as a new user. */
async function signedIn(label) {
  const user = await verifiedUser(label)
  const nhost = client()
  const { body } = await nhost.auth.signInEmailPassword(user)
  keep(body.session)
  return { ...user, nhost, session: body.session }
}

/** Holds a FetchError of the client to an exact refusal. */
async function refused(promise, status, error, message) {
  const err = await promise.then(
    (ok) => assert.fail(`was not refused: ${JSON.stringify(ok.body)}`),
    (e) => e,
  )
  assert.ok(err.body, `a FetchError with a body, not ${err}`)
  assert.equal(err.status, status, JSON.stringify(err.body))
  assert.deepEqual(Object.keys(err.body).sort(), ['error', 'message', 'status'])
  assert.equal(err.body.status, status)
  assert.ok([error].flat().includes(err.body.error), `wants ${error}: ${JSON.stringify(err.body)}`)
  if (message) assert.equal(err.body.message, message)
  assert.equal(err.message, err.body.message, 'the client shows our message')
  return err
}

const ok = (res) => {
  assert.equal(res.status, 200)
  assert.equal(res.body, 'OK')
}

test('sign-up, refused until verified, link, session, user', async () => {
  const email = newEmail('Jane')
  const password = newPassword()
  const nhost = client()

  const up = await nhost.auth.signUpEmailPassword({ email, password })
  assert.equal(up.status, 200)
  assert.deepEqual(up.body, {}, 'no session member at all')
  assert.equal(nhost.getUserSession(), null)

  await refused(nhost.auth.signInEmailPassword({ email, password }), 401, 'unverified-user', 'User is not verified.')
  await refused(nhost.auth.signInEmailPassword({ email, password: `${password}x` }), 401, 'invalid-email-password', 'Incorrect email or password')

  const mail = await takeMail(email, 'email-verify')
  assert.match(header(mail, 'X-Ticket'), /^verifyEmail:[0-9a-f-]{36}$/)
  assert.equal(header(mail, 'X-Redirect-To'), APP)
  const link = new URL(linkOf(mail))
  assert.equal(link.origin + link.pathname, `${API}/verify`)
  assert.deepEqual([...link.searchParams.keys()], ['redirectTo', 'ticket', 'type'], 'alphabetical, as upstream writes them')
  assert.equal(link.searchParams.get('type'), 'emailVerify')
  assert.equal(link.searchParams.get('ticket'), header(mail, 'X-Ticket'))

  const to = await click(link.href)
  assert.equal(to.origin, new URL(APP).origin)
  assert.equal(to.searchParams.get('type'), 'verifyEmail')
  assert.match(to.searchParams.get('refreshToken'), UUID)

  await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
  const session = keep(nhost.getUserSession())
  assert.ok(session, 'the client kept the session')
  assert.equal(session.decodedToken['https://hasura.io/jwt/claims']['x-hasura-user-id'], session.user.id)
  assert.deepEqual(session.decodedToken['https://hasura.io/jwt/claims']['x-hasura-allowed-roles'].sort(), ['me', 'user'])
  assert.equal(session.decodedToken['https://hasura.io/jwt/claims']['x-hasura-default-role'], 'user')
  assert.equal(session.decodedToken['https://hasura.io/jwt/claims']['x-hasura-user-is-anonymous'], 'false')
  assert.equal(session.decodedToken.sub, session.user.id)
  assert.ok(session.decodedToken.exp > Date.now())

  const { body: user } = await nhost.auth.getUser()
  assert.equal(user.email.toLowerCase(), email.toLowerCase())
  assert.equal(user.emailVerified, true)
  assert.equal(user.displayName.toLowerCase(), email.toLowerCase())
  assert.equal(user.activeMfaType, null)
  assert.equal(user.phoneNumber, undefined)
  assert.deepEqual(user.roles.sort(), ['me', 'user'])
  assert.deepEqual({ ...user, roles: null }, { ...session.user, roles: null }, 'GET /user and the session tell the same')

  const again = await click(link.href)
  assert.equal(again.searchParams.get('error'), 'invalid-ticket')
  assert.equal(again.searchParams.get('errorDescription'), 'Invalid ticket')
  assert.equal(again.searchParams.get('refreshToken'), null)
})

test('sign-up with every option', async () => {
  const email = newEmail('options')
  const password = newPassword()
  const nhost = client()
  const redirectTo = `${APP}/welcome?from=mail&x=a%20b`
  await nhost.auth.signUpEmailPassword({
    email,
    password,
    options: {
      displayName: "Ångström O'Neil, Jr.",
      locale: 'fr',
      defaultRole: 'me',
      allowedRoles: ['me'],
      metadata: { plan: 'trial', nested: { list: [1, null, 'ü'] } },
      redirectTo,
    },
  })
  const mail = await takeMail(email, 'email-verify')
  assert.equal(header(mail, 'X-Redirect-To'), redirectTo)
  const to = await click(linkOf(mail))
  assert.equal(to.origin + to.pathname, `${APP}/welcome`)
  assert.equal(to.searchParams.get('from'), 'mail', 'the query of redirectTo is kept')
  assert.equal(to.searchParams.get('x'), 'a b')
  await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
  const { body: user } = await nhost.auth.getUser()
  assert.equal(user.displayName, "Ångström O'Neil, Jr.")
  assert.equal(user.locale, 'fr')
  assert.equal(user.defaultRole, 'me')
  assert.deepEqual(user.roles, ['me'])
  assert.deepEqual(user.metadata, { plan: 'trial', nested: { list: [1, null, 'ü'] } })

  await refused(client().auth.signUpEmailPassword({ email: email.toUpperCase(), password }), 409, ['email-already-in-use', 'user-already-exists'])
})

test('sign-up refuses what its options may not say', async () => {
  const sign = (options, password = newPassword()) => client().auth.signUpEmailPassword({ email: newEmail('refused'), password, options })
  await refused(sign({ redirectTo: 'https://evil.example.org/' }), 400, 'redirectTo-not-allowed', 'The value of "options.redirectTo" is not allowed.')
  await refused(sign({ allowedRoles: ['admin', 'user'] }), 400, 'role-not-allowed', 'Role not allowed')
  await refused(sign({ allowedRoles: ['me'] }), 400, 'default-role-must-be-in-allowed-roles', 'Default role must be in allowed roles')
  await refused(sign({ displayName: 'a'.repeat(33) }), 400, 'invalid-request')
  await refused(sign({ displayName: 'a\r\nBcc: x' }), 400, 'invalid-request')
  await refused(sign(undefined, 'short12'), 400, 'password-too-short', 'Password is too short')
})

test('a refresh gives a new token and keeps the session', async () => {
  const { nhost, session } = await signedIn('refresh')
  const next = keep(await nhost.refreshSession(0))
  assert.notEqual(next.refreshToken, session.refreshToken)
  assert.equal(next.refreshTokenId, session.refreshTokenId)
  assert.equal(next.accessTokenExpiresIn, session.accessTokenExpiresIn)
  assert.equal(nhost.getUserSession().refreshToken, next.refreshToken)
})

test('a token that nears its end is refreshed by the client itself', async () => {
  const user = await verifiedUser('auto')
  const storage = new MemoryStorage()
  const nhost = client(storage)
  await nhost.auth.signInEmailPassword(user)
  const before = nhost.getUserSession()
  storage.set({ ...before, decodedToken: { ...before.decodedToken, exp: Date.now() + 5_000 } })
  await nhost.auth.getUser()
  const after = nhost.getUserSession()
  assert.notEqual(after.refreshToken, before.refreshToken, 'the middleware refreshed')
  assert.equal(after.refreshTokenId, before.refreshTokenId)
})

test('many tabs refresh one token at once and none is thrown out', async () => {
  const { session } = await signedIn('tabs')
  const tabs = Array.from({ length: 12 }, () => client())
  const answers = await Promise.all(tabs.map((tab) => tab.auth.refreshToken({ refreshToken: session.refreshToken })))
  const successors = new Set(answers.map((a) => a.body.refreshToken))
  assert.equal(successors.size, 1, 'one successor for all')
  for (const tab of tabs.slice(0, 3)) await tab.auth.getUser()
  const [successor] = successors
  const { body: next } = await tabs[5].auth.refreshToken({ refreshToken: successor })
  assert.notEqual(next.refreshToken, successor)
  assert.equal(next.refreshTokenId, session.refreshTokenId)
})

test('an ended session is dropped by the client, on 401 only', async () => {
  const { nhost, session } = await signedIn('ended')
  const storage = new MemoryStorage()
  storage.set(nhost.getUserSession())
  const second = client(storage)
  ok(await nhost.auth.signOut({ refreshToken: session.refreshToken }))
  assert.equal(nhost.getUserSession(), null)
  const err = await refused(second.auth.refreshToken({ refreshToken: session.refreshToken }), 401, 'invalid-refresh-token', 'Invalid or expired refresh token')
  assert.ok(err.headers.get('x-request-id'))
  storage.set({ ...storage.get(), decodedToken: { ...storage.get().decodedToken, exp: Date.now() - 1 } })
  assert.equal(await second.refreshSession(), null)
  assert.equal(second.getUserSession(), null, 'the client forgot the session')
  await refused(client().auth.refreshToken({ refreshToken: crypto.randomUUID() }), 401, 'invalid-refresh-token')
})

test('an expired access token does not stand in the way of public calls', async () => {
  const { nhost, session, email, password } = await signedIn('stale')
  const headers = { Authorization: 'Bearer not.a.token' }
  assert.ok((await nhost.auth.refreshToken({ refreshToken: session.refreshToken }, { headers })).body.accessToken)
  assert.ok((await nhost.auth.signInEmailPassword({ email, password }, { headers })).body.session)
  ok(await nhost.auth.sendPasswordResetEmail({ email }, { headers }))
})

test('changing the password ends the other sessions', async () => {
  const { nhost, email, password } = await signedIn('change')
  const other = client()
  const { body: second } = await other.auth.signInEmailPassword({ email, password })
  const newOne = newPassword()
  ok(await nhost.auth.changeUserPassword({ newPassword: newOne }))
  assert.ok(await nhost.refreshSession(0), 'this session goes on')
  await nhost.auth.getUser()
  await refused(other.auth.refreshToken({ refreshToken: second.session.refreshToken }), 401, 'invalid-refresh-token')
  await refused(client().auth.signInEmailPassword({ email, password }), 401, 'invalid-email-password')
  assert.ok((await client().auth.signInEmailPassword({ email, password: newOne })).body.session)
  await refused(nhost.auth.changeUserPassword({ newPassword: 'short12' }), 400, 'password-too-short', 'Password is too short')
})

test('a reset by mail: link, session, new password', async () => {
  const user = await verifiedUser('reset')
  const nhost = client()
  ok(await nhost.auth.sendPasswordResetEmail({ email: user.email, options: { redirectTo: `${APP}/reset` } }))
  const mail = await takeMail(user.email, 'password-reset')
  assert.match(header(mail, 'X-Ticket'), /^passwordReset:/)
  assert.equal(new URL(linkOf(mail)).searchParams.get('type'), 'passwordReset')
  const to = await click(linkOf(mail))
  assert.equal(to.pathname, '/reset')
  assert.equal(to.searchParams.get('type'), 'passwordReset')
  await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
  const password = newPassword()
  ok(await nhost.auth.changeUserPassword({ newPassword: password }))
  assert.ok((await client().auth.signInEmailPassword({ email: user.email, password })).body.session)
  await refused(client().auth.signInEmailPassword(user), 401, 'invalid-email-password')
})

test('a link in a mail signs in, and signs up who is unknown', async () => {
  const email = newEmail('link')
  for (const first of [true, false]) {
    const nhost = client()
    ok(await nhost.auth.signInPasswordlessEmail({ email, options: { redirectTo: `${APP}/in`, displayName: 'By Link' } }))
    const mail = await takeMail(email, 'signin-passwordless')
    assert.match(header(mail, 'X-Ticket'), /^passwordlessEmail:/)
    assert.equal(new URL(linkOf(mail)).searchParams.get('type'), 'signinPasswordless')
    const to = await click(linkOf(mail))
    assert.equal(to.searchParams.get('type'), 'passwordlessEmail')
    await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
    const { body } = await nhost.auth.getUser()
    assert.deepEqual([body.email, body.emailVerified, body.displayName], [email, true, 'By Link'], first ? 'the first time' : 'the second time')
  }
})

test('a link in a mail signs up, and tells nobody who is known', async () => {
  const email = newEmail('link-up')
  ok(await client().auth.signUpPasswordlessEmail({ email, options: { redirectTo: `${APP}/in` } }))
  const to = await click(linkOf(await takeMail(email, 'signin-passwordless')))
  assert.match(to.searchParams.get('refreshToken'), UUID)
  ok(await client().auth.signUpPasswordlessEmail({ email }))
})

test('a reset with the ticket alone', async () => {
  const user = await verifiedUser('ticket')
  const old = await signIn(user)
  ok(await client().auth.sendPasswordResetEmail({ email: user.email }))
  const ticket = header(await takeMail(user.email, 'password-reset'), 'X-Ticket')
  const password = newPassword()
  await refused(client().auth.changeUserPassword({ newPassword: 'short12', ticket }), 400, 'password-too-short')
  ok(await client().auth.changeUserPassword({ newPassword: password, ticket }))
  await refused(client().auth.changeUserPassword({ newPassword: newPassword(), ticket }), 401, 'invalid-ticket', 'Invalid ticket')
  await refused(client().auth.refreshToken({ refreshToken: old.refreshToken }), 401, 'invalid-refresh-token')
  assert.ok((await client().auth.signInEmailPassword({ email: user.email, password })).body.session)
})

test('asking for a reset tells nothing about an address', async () => {
  const unknown = newEmail('nobody')
  ok(await client().auth.sendPasswordResetEmail({ email: unknown }))
  const unverified = newEmail('unverified')
  await client().auth.signUpEmailPassword({ email: unverified, password: newPassword() })
  await takeMail(unverified, 'email-verify')
  ok(await client().auth.sendPasswordResetEmail({ email: unverified }))
  await refused(client().auth.sendPasswordResetEmail({ email: unknown, options: { redirectTo: 'https://evil.example.org' } }), 400, 'redirectTo-not-allowed')
  await new Promise((r) => setTimeout(r, 1500))
  for (const email of [unknown, unverified]) {
    assert.deepEqual((await mails(email)).filter((m) => header(m, 'X-Email-Template') === 'password-reset'), [])
  }
})

test('T-41: changing the e-mail address, nothing before the link', async () => {
  const { nhost, email, password, session } = await signedIn('old')
  const taken = await verifiedUser('taken')
  const next = newEmail('new')
  await refused(nhost.auth.changeUserEmail({ newEmail: taken.email }), 409, ['email-already-in-use', 'user-already-exists'])
  ok(await nhost.auth.changeUserEmail({ newEmail: next, options: { redirectTo: `${APP}/changed` } }))
  const mail = await takeMail(next, 'email-confirm-change')
  assert.match(header(mail, 'X-Ticket'), /^emailConfirmChange:/)
  assert.equal(new URL(linkOf(mail)).searchParams.get('type'), 'emailConfirmChange')

  assert.equal((await nhost.auth.getUser()).body.email, session.user.email, 'nothing has changed')
  assert.ok((await client().auth.signInEmailPassword({ email, password })).body.session)
  await refused(client().auth.signInEmailPassword({ email: next, password }), 401, 'invalid-email-password')

  const to = await click(linkOf(mail))
  assert.equal(to.pathname, '/changed')
  assert.equal(to.searchParams.get('type'), 'emailConfirmChange')
  await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
  const { body: user } = await nhost.auth.getUser()
  assert.equal(user.email, next)
  assert.equal(user.emailVerified, true)
  assert.equal(user.id, session.user.id)
  assert.ok((await client().auth.signInEmailPassword({ email: next, password })).body.session)
  await refused(client().auth.signInEmailPassword({ email, password }), 401, 'invalid-email-password')
  assert.equal((await click(linkOf(mail))).searchParams.get('error'), 'invalid-ticket', 'the link works once')
})

test('T-41: an address that somebody took meanwhile is not taken over', async () => {
  const { nhost } = await signedIn('late')
  const wanted = newEmail('wanted')
  ok(await nhost.auth.changeUserEmail({ newEmail: wanted }))
  const change = await takeMail(wanted, 'email-confirm-change')
  await client().auth.signUpEmailPassword({ email: wanted, password: newPassword() })
  await click(linkOf(await takeMail(wanted, 'email-verify')))
  const to = await click(linkOf(change))
  assert.ok(['email-already-in-use', 'user-already-exists'].includes(to.searchParams.get('error')), to.href)
  assert.equal(to.searchParams.get('refreshToken'), null)
  assert.notEqual((await nhost.auth.getUser()).body.email, wanted)
})

test('the verification mail can be asked for again', async () => {
  const email = newEmail('again')
  const password = newPassword()
  await client().auth.signUpEmailPassword({ email, password })
  const first = await takeMail(email, 'email-verify')
  ok(await client().auth.sendVerificationEmail({ email, options: { redirectTo: `${APP}/again` } }))
  const second = await takeMail(email, 'email-verify')
  assert.notEqual(header(first, 'X-Ticket'), header(second, 'X-Ticket'))
  const to = await click(linkOf(second))
  assert.equal(to.pathname, '/again')
  assert.match(to.searchParams.get('refreshToken'), UUID)
  await refused(client().auth.sendVerificationEmail({ email }), 400, 'email-already-verified', "User's email is already verified")
  await refused(client().auth.sendVerificationEmail({ email: newEmail('nobody') }), 401, 'invalid-email-password')
})

test('PKCE: the helpers of the client', async () => {
  const { verifier, challenge } = await generatePKCEPair()
  assert.match(challenge, /^[A-Za-z0-9_-]{43}$/)
  assert.equal(await generateCodeChallenge(verifier), challenge)
  assert.notEqual(generateCodeVerifier(), verifier)
})

/** The four ways to a mail link, with PKCE. */
const pkceWays = {
  'link to sign in': async (nhost, codeChallenge) => {
    const email = newEmail('pkce')
    await nhost.auth.signInPasswordlessEmail({ email, codeChallenge, options: { redirectTo: `${APP}/cb` } })
    return takeMail(email, 'signin-passwordless')
  },
  'sign-up': async (nhost, codeChallenge) => {
    const email = newEmail('pkce')
    await nhost.auth.signUpEmailPassword({ email, password: newPassword(), codeChallenge, options: { redirectTo: `${APP}/cb` } })
    return takeMail(email, 'email-verify')
  },
  'verification again': async (nhost, codeChallenge) => {
    const email = newEmail('pkce')
    await nhost.auth.signUpEmailPassword({ email, password: newPassword() })
    await takeMail(email, 'email-verify')
    await nhost.auth.sendVerificationEmail({ email, codeChallenge, options: { redirectTo: `${APP}/cb` } })
    return takeMail(email, 'email-verify')
  },
  'password reset': async (nhost, codeChallenge) => {
    const { email } = await verifiedUser('pkce')
    await nhost.auth.sendPasswordResetEmail({ email, codeChallenge, options: { redirectTo: `${APP}/cb` } })
    return takeMail(email, 'password-reset')
  },
  'e-mail change': async (nhost, codeChallenge) => {
    await nhost.auth.signInEmailPassword(await verifiedUser('pkce'))
    const newEmail_ = newEmail('pkce-new')
    await nhost.auth.changeUserEmail({ newEmail: newEmail_, codeChallenge, options: { redirectTo: `${APP}/cb` } })
    return takeMail(newEmail_, 'email-confirm-change')
  },
}

for (const [way, ask] of Object.entries(pkceWays)) {
  test(`PKCE: ${way}`, async () => {
    const { verifier, challenge } = await generatePKCEPair()
    secret(verifier)
    const asking = client()
    const link = linkOf(await ask(asking, challenge))
    assert.equal(new URL(link).searchParams.get('codeChallenge'), challenge)

    const first = await click(link)
    assert.equal(first.pathname, '/cb')
    const one = first.searchParams.get('code')
    assert.ok(one, first.href)
    assert.equal(first.searchParams.get('refreshToken'), null, 'T-07: no token in an address')
    const two = (await click(link)).searchParams.get('code')
    assert.ok(two && two !== one, 'the link may be opened again')

    // Leaving the challenge out of the link does not get round it; another one is refused.
    const stripped = new URL(link)
    stripped.searchParams.delete('codeChallenge')
    const bare = await click(stripped.href)
    assert.equal(bare.searchParams.get('refreshToken'), null, 'no downgrade')
    const other = new URL(link)
    other.searchParams.set('codeChallenge', await generateCodeChallenge(generateCodeVerifier()))
    assert.equal((await click(other.href)).searchParams.get('error'), 'invalid-ticket')

    const nhost = client()
    await refused(nhost.auth.tokenExchange({ code: one, codeVerifier: generateCodeVerifier() }), 400, 'invalid-request')
    const { body } = await nhost.auth.tokenExchange({ code: one, codeVerifier: verifier })
    keep(body.session)
    assert.equal(nhost.getUserSession().accessToken, body.session.accessToken, 'the client kept the session')
    assert.equal((await nhost.auth.getUser()).body.emailVerified, true)
    if (way === 'password reset') ok(await nhost.auth.changeUserPassword({ newPassword: newPassword() }))

    for (const code of [one, two]) {
      await refused(client().auth.tokenExchange({ code, codeVerifier: verifier }), 400, 'invalid-request')
    }
    const dead = await click(link)
    assert.equal(dead.searchParams.get('error'), 'invalid-ticket', 'the link is used up now')
    assert.equal(dead.searchParams.get('code'), null)
  })
}

test('T-09: of 64 exchanges of one code one succeeds', async () => {
  const { verifier, challenge } = await generatePKCEPair()
  const link = linkOf(await pkceWays['sign-up'](client(), challenge))
  const codes = [(await click(link)).searchParams.get('code'), (await click(link)).searchParams.get('code')]
  const results = await Promise.allSettled(
    Array.from({ length: 64 }, (_, i) => client().auth.tokenExchange({ code: codes[i % 2], codeVerifier: verifier })),
  )
  assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1)
  for (const r of results) if (r.status === 'rejected') assert.equal(r.reason.status, 400)
})

test('T-09: of 32 clicks on one link one gets a session', async () => {
  const email = newEmail('clicks')
  await client().auth.signUpEmailPassword({ email, password: newPassword() })
  const link = linkOf(await takeMail(email, 'email-verify'))
  const ends = await Promise.all(Array.from({ length: 32 }, () => click(link)))
  assert.equal(ends.filter((to) => to.searchParams.get('refreshToken')).length, 1)
  for (const to of ends) if (!to.searchParams.get('refreshToken')) assert.equal(to.searchParams.get('error'), 'invalid-ticket')
})

test('signing out of one session, of all', async () => {
  const user = await verifiedUser('out')
  const [a, b, c] = [client(), client(), client()]
  for (const x of [a, b, c]) await x.auth.signInEmailPassword(user)
  const tokens = [a, b, c].map((x) => x.getUserSession().refreshToken)
  ok(await a.auth.signOut({ refreshToken: tokens[0] }))
  await refused(client().auth.refreshToken({ refreshToken: tokens[0] }), 401, 'invalid-refresh-token')
  assert.ok((await b.auth.refreshToken({ refreshToken: tokens[1] })).body.accessToken, 'the others go on')
  ok(await client().auth.signOut({ refreshToken: crypto.randomUUID() }), 'an unknown token is no error')
  ok(await b.auth.signOut({ all: true }))
  await refused(client().auth.refreshToken({ refreshToken: tokens[2] }), 401, 'invalid-refresh-token')
  await refused(client().auth.signOut({ all: true }), 400, 'invalid-request')
  await refused(client().auth.signOut({}), 400, 'invalid-request')
})

test('checking an access token', async () => {
  const { nhost, session } = await signedIn('verify')
  ok(await nhost.auth.verifyToken({}))
  ok(await client().auth.verifyToken({ token: session.accessToken }))
  ok(await client().auth.verifyToken({ token: `Bearer ${session.accessToken}` }))
  await refused(client().auth.verifyToken({ token: `${session.accessToken}x` }), 400, 'invalid-request')
  await refused(client().auth.verifyToken({ token: session.refreshToken }), 400, 'invalid-request')
  await refused(client().auth.verifyToken({}), 400, 'invalid-request')
})

test('health, version, keys', async () => {
  const nhost = client()
  ok(await nhost.auth.healthCheckGet())
  assert.equal((await nhost.auth.healthCheckHead()).status, 200)
  assert.equal(typeof (await nhost.auth.getVersion()).body.version, 'string')
  const { body } = await nhost.auth.getJWKs()
  assert.ok(Array.isArray(body.keys), 'an array even when there is nothing to publish')
})

test('what needs a session says so', async () => {
  await refused(client().auth.getUser(), 401, 'unauthorized')
  await refused(client().auth.changeUserEmail({ newEmail: newEmail() }), 401, 'unauthorized')
  const err = await client().auth.changeUserPassword({ newPassword: newPassword() }).catch((e) => e)
  assert.ok([400, 401].includes(err.status), `${err.status}`)
})

test('the address that verifyTicketURL builds is a link', async () => {
  const email = newEmail('built')
  await client().auth.signUpEmailPassword({ email, password: newPassword() })
  const ticket = header(await takeMail(email, 'email-verify'), 'X-Ticket')
  const to = await click(client().auth.verifyTicketURL({ ticket, redirectTo: `${APP}/built`, type: 'emailVerify' }))
  assert.match(to.searchParams.get('refreshToken'), UUID)
})

test('the server-side client keeps and refreshes a session too', async () => {
  const user = await verifiedUser('server')
  const storage = new MemoryStorage()
  const nhost = createServerClient({ authUrl: API, storage })
  const { body } = await nhost.auth.signInEmailPassword(user)
  assert.equal(nhost.getUserSession().refreshToken, body.session.refreshToken)
  assert.notEqual((await nhost.refreshSession(0)).refreshToken, body.session.refreshToken)
  nhost.clearSession()
  assert.equal(nhost.getUserSession(), null)
})

test('a client put together by hand sends its own headers', async () => {
  const user = await verifiedUser('chain')
  const nhost = createNhostClient({ authUrl: API, storage: new MemoryStorage(), configure: [withClientSideSessionMiddleware] })
  const seen = []
  nhost.auth.pushChainFunction((next) => async (url, options) => {
    const res = await next(url, options)
    seen.push(`${options.method} ${new URL(url).pathname} ${res.status}`)
    return res
  })
  assert.equal(nhost.auth.baseURL, API)
  await nhost.auth.signInEmailPassword(user)
  await nhost.auth.getUser()
  const prefix = new URL(API).pathname
  assert.deepEqual(seen, [`POST ${prefix}/signin/email-password 200`, `GET ${prefix}/user 200`])
  assert.equal((await call('GET', '/healthz')).status, 200)
})
