// The OAuth server, by @nhost/nhost-js 4.7.0 and by openid-client, which certified OpenID Connect clients are made with: both
// unmodified. The page that asks the user is played by a client that is signed in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '@nhost/nhost-js'
import { generatePKCEPair } from '@nhost/nhost-js/auth'
import { MemoryStorage } from '@nhost/nhost-js/session'
import * as openid from 'openid-client'
import { API, APP, UUID, keep, secret, verifiedUser } from './lib/world.mjs'

const CALLBACK = 'https://wiki.example.com/cb'
const client = () => createClient({ authUrl: API, storage: new MemoryStorage() })

/** Registers a client as operators do. */
async function register(authMethod) {
  const res = await fetch(new URL('/graphql', process.env.INBOX_URL), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-hasura-admin-secret': process.env.OPERATORS_SECRET },
    body: JSON.stringify({
      query: 'mutation ($input: CreateOAuthClientInput!) { createOAuthClient(input: $input) { oauthClient { id } clientSecret } }',
      variables: { input: { name: 'Wiki', redirectUris: [CALLBACK], authMethod, scopes: ['openid', 'profile', 'email', 'phone', 'offline_access', 'graphql'] } },
    }),
  })
  const { data, errors } = await res.json()
  assert.ok(data, JSON.stringify(errors))
  const { oauthClient, clientSecret } = data.createOAuthClient
  return { id: oauthClient.id, secret: clientSecret ? secret(clientSecret) : undefined }
}

/** A client that is signed in, as the page is. */
async function signedIn(label) {
  const user = await verifiedUser(label)
  const nhost = client()
  const { body } = await nhost.auth.signInEmailPassword(user)
  return { nhost, email: user.email, session: keep(body.session) }
}

/** Opens an address as a browser does, up to the page, and gives what the page gets. */
async function browse(url, init) {
  const res = await fetch(url, { redirect: 'manual', ...init })
  assert.equal(res.status, 302, await res.text())
  const to = new URL(res.headers.get('location'))
  assert.equal(to.origin + to.pathname, `${APP}/oauth2/login`)
  return to.searchParams.get('request_id')
}

/** The page says yes. */
async function allow(page, requestId) {
  const { body } = await page.nhost.auth.oauth2LoginPost({ requestId })
  const back = new URL(body.redirectUri)
  secret(back.searchParams.get('code'))
  return back
}

for (const way of ['public', 'confidential']) {
  test(`a ${way} client of the OAuth server: authorize, login, token, userinfo, introspect, revoke`, async () => {
    const app = await register(way === 'public' ? 'NONE' : 'CLIENT_SECRET_POST')
    const shown = { client_id: app.id, ...(app.secret && { client_secret: app.secret }) }
    const page = await signedIn('oauth')
    const { auth } = client()
    const { body: meta } = await auth.getOpenIDConfiguration()
    assert.equal(meta.issuer, API)
    assert.deepEqual((await auth.getOAuthAuthorizationServer()).body, meta)
    assert.equal((await auth.oauth2Jwks()).body.keys.length, 1)

    const { verifier, challenge } = await generatePKCEPair()
    const ask = { client_id: app.id, redirect_uri: CALLBACK, response_type: 'code', scope: 'openid profile email graphql', state: 'st', nonce: 'no', code_challenge: challenge, code_challenge_method: 'S256' }
    const url = auth.oauth2AuthorizeURL(ask)
    assert.ok(url.startsWith(`${API}/oauth2/authorize?`))
    const requestId = await browse(url)
    const { body: asked } = await auth.oauth2LoginGet({ request_id: requestId })
    assert.deepEqual([asked.requestId, asked.clientId, asked.scopes, asked.redirectUri], [requestId, app.id, ask.scope.split(' '), CALLBACK])
    const back = new URL((await page.nhost.auth.oauth2LoginPost({ requestId })).body.redirectUri)
    secret(back.searchParams.get('code'))
    assert.deepEqual([back.searchParams.get('state'), back.searchParams.get('iss')], ['st', API])
    assert.match(await browse(new URL(auth.oauth2AuthorizePostURL(ask)).origin + '/v1/oauth2/authorize', { method: 'POST', body: new URLSearchParams(ask) }), UUID)

    const { body: given } = await auth.oauth2Token({ grant_type: 'authorization_code', code: back.searchParams.get('code'), redirect_uri: CALLBACK, code_verifier: verifier, ...shown })
    for (const token of [given.access_token, given.refresh_token, given.id_token]) secret(token)
    assert.deepEqual([given.token_type, given.expires_in, given.scope], ['Bearer', 900, ask.scope])
    const bearer = { headers: { Authorization: `Bearer ${given.access_token}` } }
    const { body: who } = await auth.oauth2UserinfoGet(bearer)
    assert.deepEqual([who.sub, who.email, who.email_verified], [page.session.user.id, page.email, true])
    assert.deepEqual((await auth.oauth2UserinfoPost(bearer)).body, who)
    const { body: about } = await auth.oauth2Introspect({ token: given.access_token, ...shown })
    assert.deepEqual([about.active, about.client_id, about.sub], [true, app.id, page.session.user.id])

    const { body: next } = await auth.oauth2Token({ grant_type: 'refresh_token', refresh_token: given.refresh_token, ...shown })
    for (const token of [next.access_token, next.refresh_token, next.id_token]) secret(token)
    assert.notEqual(next.refresh_token, given.refresh_token)
    assert.equal((await auth.oauth2Revoke({ token: next.refresh_token, ...shown })).status, 200)
    assert.deepEqual((await auth.oauth2Introspect({ token: next.refresh_token, ...shown })).body, { active: false })
    await assert.rejects(auth.oauth2UserinfoGet(bearer), (e) => e.status === 401 && e.body.error === 'invalid_token')
    await assert.rejects(auth.oauth2Token({ grant_type: 'refresh_token', refresh_token: next.refresh_token, ...shown }), (e) => e.status === 400 && e.body.error === 'invalid_grant')
  })
}

for (const [method, how] of [['NONE', () => openid.None()], ['CLIENT_SECRET_BASIC', openid.ClientSecretBasic], ['CLIENT_SECRET_POST', openid.ClientSecretPost]]) {
  test(`openid-client finds, asks, verifies and refreshes (${method})`, async () => {
    const app = await register(method)
    const page = await signedIn('openid')
    const config = await openid.discovery(new URL(API), app.id, undefined, how(app.secret), { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] })
    const verifier = openid.randomPKCECodeVerifier()
    const [state, nonce] = [openid.randomState(), openid.randomNonce()]
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK, scope: 'openid email offline_access', state, nonce, code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', max_age: '600',
    })
    const back = await allow(page, await browse(url))
    const given = await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 600, idTokenExpected: true })
    for (const token of [given.access_token, given.refresh_token, given.id_token]) secret(token)
    assert.deepEqual([given.claims().sub, given.claims().email, given.claims().aud], [page.session.user.id, page.email, app.id])
    assert.equal((await openid.fetchUserInfo(config, given.access_token, page.session.user.id)).email, page.email)
    const next = await openid.refreshTokenGrant(config, given.refresh_token)
    for (const token of [next.access_token, next.refresh_token, next.id_token]) secret(token)
    assert.equal((await openid.tokenIntrospection(config, next.access_token)).active, true)
    await openid.tokenRevocation(config, next.refresh_token)
    assert.equal((await openid.tokenIntrospection(config, next.access_token)).active, false)
    await assert.rejects(openid.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }), (e) => e.error === 'invalid_grant')
  })
}
