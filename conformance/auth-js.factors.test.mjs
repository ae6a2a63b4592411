// Second factors and telephones of @supabase/auth-js, unmodified, against the door of its dialect.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, codeIn, good, somebody } from './lib/supabase.mjs'
import { newNumber, newPassword, secret, takeMail, takeSMSCode, totp } from './lib/world.mjs'

test('a second factor: enrol, verify, sign in with one and raise the session, unenrol', async () => {
  const { auth, email, password } = await somebody()
  const enrolled = good(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'my phone', issuer: 'Example' }))
  secret(enrolled.totp.secret)
  assert.match(enrolled.totp.qr_code, /^data:image\/svg\+xml;utf-8,<\?xml/)
  assert.match(enrolled.totp.uri, /^otpauth:\/\/totp\/Example/)
  assert.equal(good(await auth.mfa.listFactors()).all[0].status, 'unverified')

  const challenge = good(await auth.mfa.challenge({ factorId: enrolled.id }))
  assert.equal(challenge.type, 'totp')
  const wrong = await auth.mfa.verify({ factorId: enrolled.id, challengeId: challenge.id, code: '000000' })
  assert.equal(wrong.error.code, 'mfa_verification_failed')
  good(await auth.mfa.verify({ factorId: enrolled.id, challengeId: challenge.id, code: totp(enrolled.totp.secret) }))
  assert.deepEqual(good(await auth.mfa.getAuthenticatorAssuranceLevel()).currentLevel, 'aal2')
  assert.equal(good(await auth.mfa.listFactors()).totp.length, 1)

  const again = client()
  good(await again.signInWithPassword({ email, password }))
  assert.deepEqual(
    (({ currentLevel, nextLevel }) => ({ currentLevel, nextLevel }))(good(await again.mfa.getAuthenticatorAssuranceLevel())),
    { currentLevel: 'aal1', nextLevel: 'aal2' },
  )
  assert.equal((await again.updateUser({ password: newPassword() })).error.code, 'insufficient_aal')
  assert.equal((await again.mfa.unenroll({ factorId: enrolled.id })).error.code, 'insufficient_aal')
  const stale = (await again.getSession()).data.session.refresh_token
  good(await again.mfa.challengeAndVerify({ factorId: enrolled.id, code: totp(enrolled.totp.secret, 1) }))
  assert.equal(good(await again.mfa.getAuthenticatorAssuranceLevel()).currentLevel, 'aal2')
  assert.equal((await client().refreshSession({ refresh_token: stale })).error.code, 'refresh_token_not_found')
  good(await again.refreshSession())
  assert.equal(good(await again.mfa.getAuthenticatorAssuranceLevel()).currentLevel, 'aal2')
  good(await again.mfa.unenroll({ factorId: enrolled.id }))
  good(await again.refreshSession())
  assert.equal(good(await again.mfa.listFactors()).all.length, 0)
})

test('a telephone as second factor: enrol, verify, sign in with one and raise the session, unenrol', async () => {
  const { auth, email, password } = await somebody()
  const number = newNumber()
  assert.equal((await auth.mfa.enroll({ factorType: 'phone', friendlyName: 'mobile', phone: 'none' })).error.code, 'validation_failed')
  const enrolled = good(await auth.mfa.enroll({ factorType: 'phone', friendlyName: 'mobile', phone: number }))
  assert.deepEqual([enrolled.type, enrolled.friendly_name, enrolled.phone], ['phone', 'mobile', number.slice(1)])
  const challenge = good(await auth.mfa.challenge({ factorId: enrolled.id, channel: 'sms' }))
  assert.equal(challenge.type, 'phone')
  const code = secret(await takeSMSCode(number))
  const other = code[0] === '0' ? `1${code.slice(1)}` : `0${code.slice(1)}`
  const wrong = await auth.mfa.verify({ factorId: enrolled.id, challengeId: challenge.id, code: other })
  assert.equal(wrong.error.code, 'mfa_verification_failed')
  good(await auth.mfa.verify({ factorId: enrolled.id, challengeId: challenge.id, code }))
  const level = good(await auth.mfa.getAuthenticatorAssuranceLevel())
  assert.equal(level.currentLevel, 'aal2')
  assert.equal(level.currentAuthenticationMethods[0].method, 'mfa/phone')
  assert.equal(good(await auth.mfa.listFactors()).phone.length, 1)
  const two = await auth.mfa.enroll({ factorType: 'phone', friendlyName: 'two', phone: newNumber() })
  assert.equal(two.error.code, 'mfa_verified_factor_exists')

  const again = client()
  good(await again.signInWithPassword({ email, password }))
  assert.equal(good(await again.mfa.getAuthenticatorAssuranceLevel()).nextLevel, 'aal2')
  const second = good(await again.mfa.challenge({ factorId: enrolled.id, channel: 'sms' }))
  good(await again.mfa.verify({ factorId: enrolled.id, challengeId: second.id, code: secret(await takeSMSCode(number)) }))
  assert.equal(good(await again.mfa.getAuthenticatorAssuranceLevel()).currentLevel, 'aal2')
  good(await again.mfa.unenroll({ factorId: enrolled.id }))
  good(await again.refreshSession())
  assert.equal(good(await again.mfa.listFactors()).all.length, 0)
})

test('a code in a text message signs up, is sent again, and signs in', async () => {
  const auth = client()
  const phone = newNumber().slice(1)
  assert.equal((await auth.signInWithOtp({ phone, options: { shouldCreateUser: false } })).error.code, 'otp_disabled')
  good(await auth.signInWithOtp({ phone, options: { data: { theme: 'dark' } } }))
  const first = await takeSMSCode(`+${phone}`)
  assert.equal((await auth.verifyOtp({ phone, token: '000000', type: 'sms' })).error.code, 'otp_expired')
  const { session, user } = good(await auth.verifyOtp({ phone, token: first, type: 'sms' }))
  assert.equal(user.phone, phone)
  assert.equal(user.user_metadata.theme, 'dark')
  assert.equal(session.user.id, user.id)

  const again = client()
  good(await again.signInWithOtp({ phone, options: { channel: 'sms' } }))
  await takeSMSCode(`+${phone}`)
  good(await again.resend({ phone, type: 'sms' }))
  const { user: same } = good(await again.verifyOtp({ phone, token: await takeSMSCode(`+${phone}`), type: 'sms' }))
  assert.equal(same.id, user.id)
})

test('a code by which the password changes', async () => {
  const { auth, email } = await somebody()
  good(await auth.reauthenticate())
  const mail = await takeMail(email, 'signin-otp')
  const nonce = codeIn(mail)
  assert.equal((await client().verifyOtp({ email, token: nonce, type: 'email' })).error.code, 'otp_expired')
  good(await auth.updateUser({ password: newPassword(), nonce }))
})
