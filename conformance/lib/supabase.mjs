// What tests of @supabase/auth-js have in common: clients of the door of GoTrue, and people who sign in by them.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { AuthClient } from '@supabase/auth-js'
import { API, newEmail, newPassword, secret, takeMail } from './world.mjs'

/** Where the door is. */
export const url = `${new URL(API).origin}/auth/v1`

/** A client of the library with a key, which keeps its session in memory. */
export function client(options = {}, key = 'sb_publishable_none') {
  const kept = new Map()
  return new AuthClient({
    url, headers: { apikey: key, Authorization: `Bearer ${key}` }, autoRefreshToken: false, detectSessionInUrl: false,
    storage: { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) },
    experimental: { passkey: true }, ...options,
  })
}

/** A key of the service, as programs on servers have one. */
export function serviceKey() {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ role: 'service_role', iss: 'supabase', iat: now, exp: now + 3600 })}`
  return secret(`${text}.${createHmac('sha256', process.env.PROJECT_SECRET).update(text).digest('base64url')}`)
}

/** What a method gives, which must not be a refusal. */
export function good({ data, error }) {
  assert.equal(error, null, error && `${error.status} ${error.code}: ${error.message}`)
  const session = data?.session ?? (data?.access_token ? data : null)
  if (session) secret(session.access_token) && secret(session.refresh_token)
  return data
}

/** The code in the text of a mail. */
export const codeIn = (mail) => secret(/\b\d{6}\b/.exec(mail.text)[0])

/** Somebody with a password, whose address is confirmed, signed in. */
export async function somebody(auth = client(), data = {}) {
  const email = newEmail()
  const password = newPassword()
  good(await auth.signUp({ email, password, options: { data } }))
  const { session, user } = good(await auth.verifyOtp({ email, token: codeIn(await takeMail(email, 'email-verify')), type: 'signup' }))
  return { auth, email, password, session, user }
}
