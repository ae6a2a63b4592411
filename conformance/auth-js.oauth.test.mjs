// The OAuth server by @supabase/auth-js, unmodified: operators keep clients, and the page of the application asks users.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { client, good, serviceKey, somebody, url } from './lib/supabase.mjs'
import { APP, UUID, secret } from './lib/world.mjs'

const CALLBACK = 'https://wiki.example.com/cb'
const server = client({ persistSession: false }, serviceKey())

/** A client that operators make. */
async function wiki(more = {}) {
  const made = good(await server.admin.oauth.createClient({ client_name: 'Wiki', client_uri: 'https://wiki.example.com', redirect_uris: [CALLBACK], ...more }))
  return { ...made, client_secret: secret(made.client_secret) }
}

/** Opens the address that a client sends browsers to, up to the page, and gives what the page is told. */
async function browse(app, scope) {
  const verifier = secret(randomBytes(32).toString('base64url'))
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const query = new URLSearchParams({
    client_id: app.client_id, redirect_uri: CALLBACK, response_type: 'code', scope, state: 'xyz', code_challenge: challenge, code_challenge_method: 's256',
  })
  const res = await fetch(`${url}/oauth/authorize?${query}`, { redirect: 'manual' })
  assert.equal(res.status, 302, await res.text())
  const page = new URL(res.headers.get('location'))
  assert.equal(page.origin + page.pathname, `${APP}/oauth/consent`)
  return { id: page.searchParams.get('authorization_id'), verifier }
}

/** Asks for tokens as the client does. */
async function token(app, form) {
  const res = await fetch(`${url}/oauth/token`, {
    method: 'POST', body: new URLSearchParams(form),
    headers: { authorization: `Basic ${Buffer.from(`${app.client_id}:${app.client_secret}`).toString('base64')}` },
  })
  const body = await res.json()
  if (res.ok) secret(body.access_token) && secret(body.refresh_token)
  return { status: res.status, body }
}

test('users let a client in, see what they allowed, and take it back', async () => {
  const app = await wiki()
  const { auth, email, user } = await somebody()
  const first = await browse(app, 'email')
  const asked = good(await auth.oauth.getAuthorizationDetails(first.id))
  assert.equal(asked.client.name, 'Wiki')
  assert.equal(asked.user.email, email)
  assert.equal(asked.scope, 'email')
  const { redirect_url: to } = good(await auth.oauth.approveAuthorization(first.id, { skipBrowserRedirect: true }))
  const back = new URL(to)
  assert.equal(back.origin + back.pathname, CALLBACK)
  assert.equal(back.searchParams.get('state'), 'xyz')
  const code = secret(back.searchParams.get('code'))
  const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: first.verifier }
  const { status, body } = await token(app, form)
  assert.equal(status, 200, JSON.stringify(body.error))
  const info = await (await fetch(`${url}/oauth/userinfo`, { headers: { authorization: `Bearer ${body.access_token}` } })).json()
  assert.equal(info.sub, user.id)
  assert.equal(info.email, email)

  const grants = good(await auth.oauth.listGrants())
  assert.deepEqual(grants.map((g) => [g.client.id, g.scopes]), [[app.client_id, ['email']]])
  // What was allowed before is not asked again.
  const second = await browse(app, 'email')
  assert.match(good(await auth.oauth.getAuthorizationDetails(second.id)).redirect_url, /[?&]code=/)

  assert.equal((await auth.oauth.revokeGrant({ clientId: app.client_id })).error, null)
  assert.deepEqual(good(await auth.oauth.listGrants()), [])
  assert.equal((await token(app, { grant_type: 'refresh_token', refresh_token: body.refresh_token })).status, 400)
  assert.equal((await auth.oauth.revokeGrant({ clientId: app.client_id })).error.code, 'oauth_consent_not_found')
})

test('users keep a client out', async () => {
  const app = await wiki()
  const { auth } = await somebody()
  const { id } = await browse(app, 'email')
  good(await auth.oauth.getAuthorizationDetails(id))
  const back = new URL(good(await auth.oauth.denyAuthorization(id, { skipBrowserRedirect: true })).redirect_url)
  assert.equal(back.searchParams.get('error'), 'access_denied')
  assert.equal(back.searchParams.get('code'), null)
  assert.ok((await auth.oauth.approveAuthorization(id, { skipBrowserRedirect: true })).error)
  assert.deepEqual(good(await auth.oauth.listGrants()), [])
})

test('operators keep the clients of the OAuth server', async () => {
  const app = good(await server.admin.oauth.createClient({ client_name: 'Wiki', redirect_uris: [CALLBACK] }))
  secret(app.client_secret)
  assert.match(app.client_id, UUID)
  assert.equal(app.client_type, 'confidential')
  assert.equal(good(await server.admin.oauth.getClient(app.client_id)).client_name, 'Wiki')
  const { clients } = good(await server.admin.oauth.listClients({ page: 1, perPage: 100 }))
  assert.ok(clients.some((c) => c.client_id === app.client_id))
  assert.ok(clients.every((c) => !c.client_secret))
  assert.equal(good(await server.admin.oauth.updateClient(app.client_id, { client_name: 'Wiki 2' })).client_name, 'Wiki 2')
  const next = good(await server.admin.oauth.regenerateClientSecret(app.client_id))
  assert.notEqual(secret(next.client_secret), app.client_secret)
  const form = { grant_type: 'refresh_token', refresh_token: 'none' }
  assert.equal((await token(app, form)).body.error, 'invalid_client')
  assert.equal((await token(next, form)).body.error, 'invalid_grant')
  assert.equal((await client().admin.oauth.listClients()).error.code, 'bad_jwt')
  assert.equal((await server.admin.oauth.deleteClient(app.client_id)).error, null)
  assert.equal((await server.admin.oauth.getClient(app.client_id)).error.code, 'oauth_client_not_found')
})
