// Passkeys of @supabase/auth-js, unmodified, against the door of its dialect, with an authenticator in software.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lendPage, openAuthenticator } from './lib/authenticator.mjs'
import { client, good, somebody } from './lib/supabase.mjs'
import { APP, UUID } from './lib/world.mjs'

const claimsOf = (session) => JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url'))

test('passkeys: register, list, sign in, rename, delete', async (t) => {
  const { auth, email, user } = await somebody()
  const stranger = client()
  await stranger.getSession()
  lendPage(t, openAuthenticator({ origin: new URL(APP).origin }))
  const key = good(await auth.registerPasskey())
  assert.match(key.id, UUID)
  assert.ok(key.created_at)

  const { session } = good(await stranger.signInWithPasskey())
  assert.equal(session.user.email, email)
  assert.deepEqual(claimsOf(session).amr.map((m) => m.method), ['passkey'])
  assert.equal(claimsOf(session).aal, 'aal2', 'the key saw whose it is')

  const list = good(await stranger.passkey.list())
  assert.deepEqual(list.map((k) => k.id), [key.id])
  assert.ok(list[0].last_used_at)
  assert.equal(good(await stranger.passkey.update({ passkeyId: key.id, friendlyName: 'my phone' })).friendly_name, 'my phone')
  assert.equal(good(await auth.passkey.list())[0].friendly_name, 'my phone')
  assert.equal(good(await auth.getUser()).user.id, user.id)
  assert.equal((await auth.passkey.update({ passkeyId: key.id, friendlyName: '' })).error.code, 'validation_failed')
  good(await auth.passkey.delete({ passkeyId: key.id }))
  assert.deepEqual(good(await auth.passkey.list()), [])
  assert.equal((await auth.passkey.delete({ passkeyId: key.id })).error.code, 'webauthn_credential_not_found')
})

test('passkeys, step by step: each challenge is answered once', async () => {
  const device = openAuthenticator({ origin: new URL(APP).origin })
  const plain = (options) => ({ ...options, user: options.user && { ...options.user, id: Buffer.from(options.user.id, 'base64url').toString() } })
  const { auth } = await somebody()
  const asked = good(await auth.passkey.startRegistration())
  assert.ok(asked.expires_at > Date.now() / 1000 + 200)
  const credential = device.create(plain(asked.options))
  const key = good(await auth.passkey.verifyRegistration({ challengeId: asked.challenge_id, credential }))
  assert.equal((await auth.passkey.verifyRegistration({ challengeId: asked.challenge_id, credential })).error.code, 'webauthn_challenge_not_found')

  const stranger = client()
  const begun = good(await stranger.passkey.startAuthentication())
  const signed = device.get(begun.options)
  const { session } = good(await stranger.passkey.verifyAuthentication({ challengeId: begun.challenge_id, credential: signed }))
  assert.ok(session.access_token)
  const again = await client().passkey.verifyAuthentication({ challengeId: begun.challenge_id, credential: signed })
  assert.equal(again.error.code, 'webauthn_challenge_not_found')
  good(await auth.passkey.delete({ passkeyId: key.id }))
  const later = good(await stranger.passkey.startAuthentication())
  const refused = await client().passkey.verifyAuthentication({ challengeId: later.challenge_id, credential: device.get(later.options) })
  assert.equal(refused.error.code, 'webauthn_verification_failed')
})
