// Second factors and telephones of @supabase/auth-js, unmodified, against the door of its dialect.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { AuthClient } from '@supabase/auth-js'
import { API, newEmail, newPassword, secret, takeMail } from './lib/world.mjs'

const SUPABASE = `${new URL(API).origin}/auth/v1`

/** A client with a memory of its own, as one device has. */
function client() {
  const kept = new Map()
  return new AuthClient({
    url: SUPABASE,
    headers: { apikey: 'sb_publishable_none', Authorization: 'Bearer sb_publishable_none' },
    autoRefreshToken: false,
    persistSession: true,
    detectSessionInUrl: false,
    storage: { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => void kept.set(k, v), removeItem: (k) => void kept.delete(k) },
  })
}

/** What a client gives when all is well. */
function good({ data, error }) {
  assert.equal(error, null, error && `${error.status} ${error.code}: ${error.message}`)
  if (data?.session) secret(data.session.access_token) && secret(data.session.refresh_token)
  if (data?.access_token) secret(data.access_token) && secret(data.refresh_token)
  return data
}

/** Somebody who has signed up and confirmed the address, and is signed in. */
async function somebody(auth = client()) {
  const email = newEmail()
  const password = newPassword()
  good(await auth.signUp({ email, password }))
  const mail = await takeMail(email, 'email-verify')
  const token = secret(/\b\d{6}\b/.exec(mail.text)[0])
  const { user } = good(await auth.verifyOtp({ email, token, type: 'signup' }))
  return { auth, email, password, user }
}

/** The code that an authenticator app shows (RFC 6238), some steps from now. */
function totp(base32, ahead = 0) {
  const bits = [...base32].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + ahead))
  const mac = createHmac('sha1', key).update(counter).digest()
  const at = mac[19] & 15
  return secret(String((mac.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0'))
}

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
