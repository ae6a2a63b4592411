// Signing in at other providers with @supabase/auth-js, unmodified: there and back in both flow types, ID tokens, and
// identities linked to an account and taken off it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { idToken, newPerson, openProvider, throughProvider } from './lib/provider.mjs'
import { client, good, somebody, url } from './lib/supabase.mjs'
import { APP, secret } from './lib/world.mjs'

test('a provider, there and back, with PKCE and without', async (t) => {
  const provider = await openProvider(t)
  const auth = client({ flowType: 'pkce' })
  const start = good(await auth.signInWithOAuth({ provider: 'example', options: { redirectTo: `${APP}/home`, scopes: 'calendar', queryParams: { hd: 'example.com' }, skipBrowserRedirect: true } }))
  const there = await throughProvider(start.url)
  assert.equal(there.pathname, '/home')
  assert.equal(there.hash, '')
  const { session, user } = good(await auth.exchangeCodeForSession(secret(there.searchParams.get('code'))))
  assert.equal(user.email, provider.person.email)
  assert.equal(user.app_metadata.provider, 'example')
  assert.equal(user.identities[0].identity_data.sub, provider.person.sub)
  assert.equal(session.provider_token, provider.tokens.access_token)
  assert.equal(provider.asked[0].hd, 'example.com')
  assert.ok(provider.asked[0].scope.includes('calendar') && provider.asked[0].state && provider.asked[0].code_challenge)

  const plain = client({ flowType: 'implicit' })
  const at = await throughProvider(good(await plain.signInWithOAuth({ provider: 'example', options: { redirectTo: APP, skipBrowserRedirect: true } })).url)
  const said = new URLSearchParams(at.hash.slice(1))
  assert.equal(said.get('provider'), 'example')
  assert.equal(said.get('provider_token'), provider.tokens.access_token)
  const opened = good(await plain.setSession({ access_token: secret(said.get('access_token')), refresh_token: secret(said.get('refresh_token')) }))
  assert.equal(opened.user.id, user.id)

  const no = await throughProvider(good(await client({ flowType: 'pkce' }).signInWithOAuth({ provider: 'example', options: { redirectTo: APP, skipBrowserRedirect: true } })).url, 'no')
  assert.equal(no.searchParams.get('error'), 'access_denied')
})

test('ID tokens sign in', async (t) => {
  await openProvider(t)
  const person = newPerson()
  const nonce = 'a nonce of the application'
  const hashed = createHash('sha256').update(nonce).digest('hex')
  const auth = client({ flowType: 'pkce' })
  const wrong = await auth.signInWithIdToken({ provider: 'example', token: idToken(person, { nonce: hashed }), nonce: 'another' })
  assert.equal(wrong.error.status, 400)
  assert.equal((await auth.signInWithIdToken({ provider: 'example', token: idToken(person, { aud: 'somebody else' }) })).error.status, 400)
  const { user } = good(await auth.signInWithIdToken({ provider: 'example', token: idToken(person, { nonce: hashed }), nonce }))
  assert.equal(user.email, person.email)
  assert.equal(good(await client({ flowType: 'pkce' }).signInWithIdToken({ provider: 'example', token: idToken(person) })).user.id, user.id)
})

test('identities are linked, listed and taken off', async (t) => {
  const provider = await openProvider(t)
  const { auth, user } = await somebody(client({ flowType: 'pkce' }))
  const { url: to } = good(await auth.linkIdentity({ provider: 'example', options: { redirectTo: APP, skipBrowserRedirect: true } }))
  const back = await throughProvider(to)
  assert.equal(good(await auth.exchangeCodeForSession(secret(back.searchParams.get('code')))).user.id, user.id)
  const { identities } = good(await auth.getUserIdentities())
  assert.deepEqual(identities.map((i) => i.provider).sort(), ['email', 'example'])

  const stranger = await somebody(client({ flowType: 'pkce' }))
  const taken = await stranger.auth.linkIdentity({ provider: 'example', token: idToken(provider.person) })
  assert.equal(taken.error.code, 'identity_already_exists')

  good(await auth.unlinkIdentity(identities.find((i) => i.provider === 'example')))
  assert.deepEqual(good(await auth.getUserIdentities()).identities.map((i) => i.provider), ['email'])
  assert.equal((await auth.unlinkIdentity(identities.find((i) => i.provider === 'email'))).error.code, 'single_identity_not_deletable')
  good(await stranger.auth.linkIdentity({ provider: 'example', token: idToken(provider.person) }))
})
