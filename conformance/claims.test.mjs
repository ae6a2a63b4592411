// Custom claims as both clients see them: the server reads them from the user's metadata
// (AUTH_JWT_CUSTOM_CLAIMS in conformance/run).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HasuraAuthClient } from '@nhost/hasura-auth-js'
import { createClient } from '@nhost/nhost-js'
import { MemoryStorage } from '@nhost/nhost-js/session'
import { API, click, keep, linkOf, newEmail, newPassword, takeMail } from './lib/world.mjs'

const NAMESPACE = 'https://hasura.io/jwt/claims'

/** A user whose metadata says what the claims read. */
async function person(metadata) {
  const nhost = createClient({ authUrl: API, storage: new MemoryStorage() })
  const who = { email: newEmail('claims'), password: newPassword() }
  const { status, body } = await nhost.auth.signUpEmailPassword({ ...who, options: { metadata } })
  assert.deepEqual([status, body], [200, {}])
  await click(linkOf(await takeMail(who.email, 'email-verify')))
  return { ...who, nhost }
}

test('nhost-js reads custom claims after signing in and after a refresh', async () => {
  const { nhost, email, password } = await person({ theme: 'dark', badges: ['a "b"', 'c,d'], level: 7 })
  const { body } = await nhost.auth.signInEmailPassword({ email, password })
  keep(body.session)
  const seen = () => {
    const { decodedToken } = nhost.getUserSession()
    const claims = decodedToken[NAMESPACE]
    return [claims['x-hasura-theme'], claims['x-hasura-badges'], claims['x-hasura-level'], claims['x-hasura-missing'], claims['x-hasura-fallback']]
  }
  const first = seen()
  assert.deepEqual([first[0], first[2], first[3], first[4]], ['dark', '7', undefined, 'none'])
  const raw = JSON.parse(Buffer.from(nhost.getUserSession().accessToken.split('.')[1], 'base64url'))[NAMESPACE]
  assert.equal(raw['x-hasura-badges'], '{"a \\"b\\"","c,d"}')
  keep(await nhost.refreshSession(0))
  assert.deepEqual(seen(), first)
})

test('an empty list and a guest have claims, too', async () => {
  const { nhost, email, password } = await person({ badges: [] })
  keep((await nhost.auth.signInEmailPassword({ email, password })).body.session)
  assert.deepEqual(nhost.getUserSession().decodedToken[NAMESPACE]['x-hasura-badges'], [], 'the client reads {} as an empty list')
  const guest = createClient({ authUrl: API, storage: new MemoryStorage() })
  keep((await guest.auth.signInAnonymous({ metadata: { theme: 'light' } })).body.session)
  const claims = guest.getUserSession().decodedToken[NAMESPACE]
  assert.deepEqual([claims['x-hasura-theme'], claims['x-hasura-user-is-anonymous']], ['light', 'true'])
})

test('hasura-auth-js gives a custom claim by its name', async (t) => {
  const { email, password } = await person({ theme: 'dark', badges: ['x'] })
  const store = new Map()
  const auth = new HasuraAuthClient({
    url: API, autoRefreshToken: false, autoSignIn: false, start: true, clientStorageType: 'custom',
    clientStorage: { getItem: (k) => store.get(k) ?? null, setItem: (k, v) => void store.set(k, v), removeItem: (k) => void store.delete(k) },
  })
  t.after(() => auth.client.interpreter?.stop())
  const { session, error } = await auth.signIn({ email, password })
  assert.equal(error, null)
  keep(session)
  assert.equal(auth.getHasuraClaim('x-hasura-theme'), 'dark')
  assert.equal(auth.getHasuraClaim('badges'), '{"x"}')
  assert.equal(auth.getHasuraClaims()['x-hasura-level'], '1')
})
