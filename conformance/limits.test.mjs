// With rate limits on (the default). The clients must be able to read the refusal: hasura-auth-js
// calls everything that is not JSON a network error and tries again and again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HasuraAuthClient } from '@nhost/hasura-auth-js'
import { createClient } from '@nhost/nhost-js'
import { MemoryStorage } from '@nhost/nhost-js/session'
import { API, assertRefusal, call, newEmail, newPassword } from './lib/world.mjs'

/** Calls until it is refused for being too often, and gives that refusal. */
async function exhaust(path, body, most) {
  for (let i = 0; i <= most; i++) {
    const res = await call('POST', path, body())
    if (res.status === 429) return res
  }
  assert.fail(`${path} was served more than ${most} times`)
}

test('guessing passwords, signing up and asking for mails have an end', async () => {
  for (const [path, body] of [
    ['/signin/email-password', () => ({ email: newEmail('limit'), password: newPassword() })],
    ['/signup/email-password', () => ({ email: newEmail('limit'), password: newPassword() })],
    ['/user/password/reset', () => ({ email: newEmail('limit') })],
  ]) {
    const res = await exhaust(path, body, 10)
    assertRefusal(res, 429, 'too-many-requests')
    assert.match(res.headers['retry-after'], /^[1-9]\d*$/)
  }
})

test('a header does not make somebody else of a client', async () => {
  for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'CF-Connecting-IP', 'True-Client-IP', 'X-Client-IP']) {
    const value = name === 'Forwarded' ? 'for=203.0.113.7' : '203.0.113.7'
    assertRefusal(await call('POST', '/signin/email-password', { email: newEmail(), password: newPassword() }, { [name]: value }), 429, 'too-many-requests')
  }
})

test('both clients can read it', async () => {
  const err = await createClient({ authUrl: API, storage: new MemoryStorage() })
    .auth.signInEmailPassword({ email: newEmail(), password: newPassword() })
    .catch((e) => e)
  assert.equal(err.status, 429)
  assert.equal(err.body.error, 'too-many-requests')
  assert.equal(err.message, err.body.message)

  const auth = new HasuraAuthClient({ url: API, autoRefreshToken: false, autoSignIn: false, start: true })
  const { error } = await auth.signIn({ email: newEmail(), password: newPassword() })
  assert.equal(error.status, 429)
  assert.equal(error.error, 'too-many-requests')
  auth.client.interpreter.stop()
})

test('the probes are not limited', async () => {
  for (let i = 0; i < 150; i++) assert.equal((await call('GET', '/healthz')).status, 200)
  assert.equal((await call('GET', '/readyz')).status, 200)
})
