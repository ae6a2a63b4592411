// Telephone numbers of @supabase/auth-js, unmodified, against the door of its dialect.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, codeIn, good } from './lib/supabase.mjs'
import { newEmail, newNumber, newPassword, takeMail, takeSMSCode } from './lib/world.mjs'

const number = () => newNumber().slice(1)

test('sign-up with a number and a password, confirmed by a text message', async () => {
  const auth = client()
  const phone = number()
  const password = newPassword()
  const asked = good(await auth.signUp({ phone, password, options: { data: { theme: 'dark' } } }))
  assert.equal(asked.session, null)
  assert.equal(asked.user.phone, phone)
  assert.equal(asked.user.identities.length, 1)
  assert.equal((await client().signInWithPassword({ phone, password })).error.code, 'phone_not_confirmed')
  const { session, user } = good(await auth.verifyOtp({ phone, token: await takeSMSCode(`+${phone}`), type: 'sms' }))
  assert.equal(user.id, asked.user.id)
  assert.equal(session.user.user_metadata.theme, 'dark')
  assert.ok(user.phone_confirmed_at)

  const again = good(await client().signInWithPassword({ phone: `+${phone}`, password }))
  assert.equal(again.user.id, user.id)
  assert.equal((await client().signInWithPassword({ phone, password: newPassword() })).error.code, 'invalid_credentials')
  const stranger = good(await client().signUp({ phone, password: newPassword() }))
  assert.equal(stranger.session, null)
  assert.deepEqual(stranger.user.identities, [])
})

test('another number, proved by the code that is sent there', async () => {
  const auth = client()
  const [old, phone] = [number(), number()]
  good(await auth.signUp({ phone: old, password: newPassword() }))
  good(await auth.verifyOtp({ phone: old, token: await takeSMSCode(`+${old}`), type: 'sms' }))
  const { user } = good(await auth.updateUser({ phone }))
  assert.equal(user.phone, old)
  assert.equal(user.new_phone, phone)
  await takeSMSCode(`+${phone}`)
  good(await auth.resend({ type: 'phone_change', phone: old }))
  const changed = good(await auth.verifyOtp({ phone, token: await takeSMSCode(`+${phone}`), type: 'phone_change' }))
  assert.equal(changed.user.id, user.id)
  assert.equal(changed.user.phone, phone)
  assert.equal(good(await auth.getUser()).user.phone, phone)
})

test('a guest becomes a user by updateUser', async () => {
  const auth = client()
  const { user: guest } = good(await auth.signInAnonymously({ options: { data: { cart: 7 } } }))
  assert.equal(guest.is_anonymous, true)
  assert.equal((await auth.updateUser({ password: newPassword() })).error.code, 'validation_failed')
  const email = newEmail()
  const password = newPassword()
  const { user: asked } = good(await auth.updateUser({ email, password }))
  assert.equal(asked.is_anonymous, true)
  assert.equal(asked.new_email, email)
  const mail = await takeMail(email, 'email-confirm-change')
  const { user } = good(await auth.verifyOtp({ email, token: codeIn(mail), type: 'email_change' }))
  assert.equal(user.id, guest.id)
  assert.equal(user.is_anonymous, false)
  assert.equal(user.user_metadata.cart, 7)
  assert.equal(good(await client().signInWithPassword({ email, password })).user.id, guest.id)

  const other = client()
  const phone = number()
  good(await other.signInAnonymously())
  good(await other.updateUser({ phone }))
  const by = good(await other.verifyOtp({ phone, token: await takeSMSCode(`+${phone}`), type: 'phone_change' }))
  assert.equal(by.user.is_anonymous, false)
})
