// Security keys as second factors of @supabase/auth-js, unmodified, against the door of its dialect, with an authenticator in software.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lendPage, openAuthenticator } from './lib/authenticator.mjs'
import { client, good, somebody } from './lib/supabase.mjs'
import { APP, UUID } from './lib/world.mjs'

const origin = new URL(APP).origin
const here = { rpId: 'localhost', rpOrigins: [origin] }

const levels = async (auth) => {
  const { currentLevel, nextLevel, currentAuthenticationMethods } = good(await auth.mfa.getAuthenticatorAssuranceLevel())
  return { currentLevel, nextLevel, latest: currentAuthenticationMethods[0].method }
}

test('a security key: register, sign in with one factor and raise the session, unenrol', async (t) => {
  const { auth, email, password } = await somebody()
  const [again, stranger] = [client(), client()] // before there is a page, in which they would wait for other tabs
  await Promise.all([again.getSession(), stranger.getSession()])
  lendPage(t, openAuthenticator({ origin, verifiesUser: false }))
  const raised = good(await auth.mfa.webauthn.register({ friendlyName: 'blue stick' }))
  assert.ok(raised.access_token)
  assert.deepEqual(await levels(auth), { currentLevel: 'aal2', nextLevel: 'aal2', latest: 'mfa/webauthn' })
  const { webauthn } = good(await auth.mfa.listFactors())
  assert.equal(webauthn.length, 1)
  assert.equal(webauthn[0].friendly_name, 'blue stick')
  assert.match(webauthn[0].id, UUID)
  const factorId = webauthn[0].id

  good(await again.signInWithPassword({ email, password }))
  assert.deepEqual(await levels(again), { currentLevel: 'aal1', nextLevel: 'aal2', latest: 'password' })
  assert.equal((await again.mfa.webauthn.enroll({ friendlyName: 'mine' })).error.code, 'insufficient_aal')
  assert.equal((await again.mfa.unenroll({ factorId })).error.code, 'insufficient_aal')
  const elsewhere = await again.mfa.webauthn.authenticate({ factorId, webauthn: { ...here, rpId: 'evil.example.com' } })
  assert.equal(elsewhere.error.code, 'validation_failed')
  const stale = (await again.getSession()).data.session.refresh_token
  good(await again.mfa.webauthn.authenticate({ factorId }))
  assert.deepEqual(await levels(again), { currentLevel: 'aal2', nextLevel: 'aal2', latest: 'mfa/webauthn' })
  assert.equal((await stranger.refreshSession({ refresh_token: stale })).error.code, 'refresh_token_not_found')

  assert.equal((await again.mfa.webauthn.enroll({ friendlyName: 'blue stick' })).error.code, 'mfa_factor_name_conflict')
  good(await again.mfa.unenroll({ factorId }))
  good(await again.refreshSession())
  assert.equal(good(await again.mfa.listFactors()).all.length, 0)
})

test('a security key, step by step: each challenge is answered once', async (t) => {
  const { auth } = await somebody()
  await auth.getSession()
  lendPage(t, openAuthenticator({ origin, verifiesUser: false }))
  const factor = good(await auth.mfa.webauthn.enroll({ friendlyName: 'stick' }))
  assert.equal(factor.type, 'webauthn')
  const made = good(await auth.mfa.webauthn.challenge({ factorId: factor.id, webauthn: here, friendlyName: 'stick' }))
  good(await auth.mfa.webauthn.verify({ ...made, webauthn: { ...here, ...made.webauthn } }))
  const signed = good(await auth.mfa.webauthn.challenge({ factorId: factor.id, webauthn: here }))
  good(await auth.mfa.webauthn.verify({ ...signed, webauthn: { ...here, ...signed.webauthn } }))
  const twice = await auth.mfa.webauthn.verify({ ...signed, webauthn: { ...here, ...signed.webauthn } })
  assert.equal(twice.error.code, 'mfa_challenge_expired')
})
