// With AUTH_CONCEAL_ERRORS=true and the newer id for a taken address.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APP, assertRefusal, call, click, linkOf, newEmail, newPassword, takeMail } from './lib/world.mjs'

const concealed = (res) => assertRefusal(res, 400, 'invalid-request', 'The request payload is incorrect')

test('sensitive errors have one face', async () => {
  const email = newEmail('concealed')
  const password = newPassword()
  assert.equal((await call('POST', '/signup/email-password', { email, password })).status, 200)
  concealed(await call('POST', '/signin/email-password', { email, password })) // unverified
  concealed(await call('POST', '/signin/email-password', { email: newEmail(), password }))
  concealed(await call('POST', '/signup/email-password', { email, password }))
  concealed(await call('POST', '/token', { refreshToken: crypto.randomUUID() }))
  concealed(await call('POST', '/user/email/send-verification-email', { email: newEmail() }))
  concealed(await call('POST', '/user/password', { newPassword: password, ticket: `passwordReset:${crypto.randomUUID()}` }))
  const link = linkOf(await takeMail(email, 'email-verify'))
  assert.equal((await click(link)).searchParams.get('error'), null)
  const again = await click(link)
  assert.equal(again.searchParams.get('error'), 'invalid-request')
  assert.equal(again.searchParams.get('errorDescription'), 'The request payload is incorrect')
})

test('the others keep theirs', async () => {
  assertRefusal(await call('POST', '/signup/email-password', { email: newEmail(), password: 'short12' }), 400, 'password-too-short')
  assertRefusal(await call('POST', '/user/password/reset', { email: newEmail(), options: { redirectTo: 'https://evil.example.org' } }), 400, 'redirectTo-not-allowed')
  assertRefusal(await call('GET', '/user'), 401, 'unauthorized')
  const to = new URL((await call('GET', `/verify?ticket=verifyEmail:x&redirectTo=${encodeURIComponent('https://evil.example.org')}`)).headers.location)
  assert.equal(to.origin, new URL(APP).origin)
  assert.equal(to.searchParams.get('error'), 'redirectTo-not-allowed')
})
