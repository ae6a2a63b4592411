// The part for operators of @supabase/auth-js, unmodified, with a service key.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lendPage, openAuthenticator } from './lib/authenticator.mjs'
import { client, codeIn, good, serviceKey } from './lib/supabase.mjs'
import { APP, UUID, newEmail, newPassword, secret, takeMail } from './lib/world.mjs'

const server = client({ persistSession: false }, serviceKey())
const app = () => client({ persistSession: false })

test('operators make, find, change and delete users', async () => {
  const email = newEmail()
  const password = newPassword()
  const { user } = good(await server.admin.createUser({ email, password, email_confirm: true, user_metadata: { name: 'Ann' }, app_metadata: { plan: 'pro' } }))
  assert.match(user.id, UUID)
  assert.equal(user.app_metadata.plan, 'pro')
  assert.equal(good(await app().signInWithPassword({ email, password })).user.id, user.id)
  assert.equal(good(await server.admin.getUserById(user.id)).user.email, email)
  const next = newPassword()
  assert.equal(good(await server.admin.updateUserById(user.id, { password: next, user_metadata: { name: null, team: 7 } })).user.user_metadata.team, 7)
  assert.equal((await app().signInWithPassword({ email, password })).error.code, 'invalid_credentials')
  good(await app().signInWithPassword({ email, password: next }))
  good(await server.admin.updateUserById(user.id, { ban_duration: '24h' }))
  assert.equal((await app().signInWithPassword({ email, password: next })).error.code, 'user_banned')
  good(await server.admin.updateUserById(user.id, { ban_duration: 'none' }))
  assert.equal((await server.admin.createUser({ email })).error.code, 'email_exists')
  good(await server.admin.deleteUser(user.id, true))
  good(await server.admin.deleteUser(user.id))
  assert.equal((await server.admin.getUserById(user.id)).error.code, 'user_not_found')
  assert.equal((await app().admin.getUserById(user.id)).error.code, 'bad_jwt')
})

test('operators list users by pages', async () => {
  for (let i = 0; i < 3; i++) good(await server.admin.createUser({ email: newEmail() }))
  const first = good(await server.admin.listUsers({ page: 1, perPage: 2 }))
  assert.equal(first.users.length, 2)
  assert.equal(first.nextPage, 2)
  assert.ok(first.total >= 3 && first.lastPage >= 1) // the client reads the first digit of a page's number
  assert.ok(good(await server.admin.listUsers()).users.length >= 3)
})

test('operators invite, and make links for their own mails', async () => {
  const invited = newEmail()
  assert.ok(good(await server.admin.inviteUserByEmail(invited, { data: { name: 'Ann' } })).user.invited_at)
  const mail = await takeMail(invited, 'invitation')
  const token = codeIn(mail)
  assert.equal(good(await app().verifyOtp({ email: invited, token, type: 'invite' })).user.email, invited)
  const email = newEmail()
  const made = good(await server.admin.generateLink({ type: 'signup', email, password: newPassword() }))
  secret(made.properties.hashed_token)
  assert.equal(made.user.email, email)
  good(await app().verifyOtp({ token_hash: made.properties.hashed_token, type: 'signup' }))
  for (const type of ['magiclink', 'recovery']) {
    const { properties } = good(await server.admin.generateLink({ type, email }))
    assert.equal(properties.verification_type, type)
    good(await app().verifyOtp({ email, token: secret(properties.email_otp), type }))
  }
  assert.equal((await server.admin.generateLink({ type: 'recovery', email: newEmail() })).error.code, 'user_not_found')
})

test('operators sign out somebody whose token they have', async () => {
  const email = newEmail()
  const password = newPassword()
  good(await server.admin.createUser({ email, password, email_confirm: true }))
  const auth = app()
  const { session } = good(await auth.signInWithPassword({ email, password }))
  assert.equal((await server.admin.signOut(session.access_token)).error, null)
  assert.ok((await app().getUser(session.access_token)).error)
})

test('operators look at second factors and passkeys', async () => {
  const { user } = good(await server.admin.createUser({ email: newEmail() }))
  const none = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
  assert.deepEqual(good(await server.admin.mfa.listFactors({ userId: user.id })).factors, [])
  assert.equal((await server.admin.mfa.deleteFactor({ userId: user.id, id: none })).error.code, 'mfa_factor_not_found')
  assert.deepEqual(good(await server.admin.passkey.listPasskeys({ userId: user.id })), [])
  assert.equal((await server.admin.passkey.deletePasskey({ userId: user.id, passkeyId: none })).error.code, 'webauthn_credential_not_found')
})

test('operators take a security key off somebody who lost it', async (t) => {
  const email = newEmail()
  const password = newPassword()
  const { user } = good(await server.admin.createUser({ email, password, email_confirm: true }))
  const auth = client()
  good(await auth.signInWithPassword({ email, password }))
  lendPage(t, openAuthenticator({ origin: new URL(APP).origin, verifiesUser: false }))
  good(await auth.mfa.webauthn.register({ friendlyName: 'stick' }))
  const { factors } = good(await server.admin.mfa.listFactors({ userId: user.id }))
  assert.deepEqual(factors.map((f) => [f.factor_type, f.status, f.friendly_name]), [['webauthn', 'verified', 'stick']])
  good(await server.admin.mfa.deleteFactor({ userId: user.id, id: factors[0].id }))
  assert.deepEqual(good(await server.admin.mfa.listFactors({ userId: user.id })).factors, [])
  assert.ok((await auth.getUser()).error, 'the sessions ended')
  const { session } = good(await auth.signInWithPassword({ email, password }))
  assert.equal(JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url')).factor_due, undefined)
})
