// An OpenID provider that lives in the test: discovery, a consent page with a button, PKCE, signed ID
// tokens (RFC 6749, RFC 7636, OpenID Connect Core 1.0). It listens at PROVIDER_URL.
import assert from 'node:assert/strict'
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { linkSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { APP, BROWSER, raw, secret } from './world.mjs'

export const ISSUER = process.env.PROVIDER_URL
export const CLIENT_ID = 'postern-conformance'
export const CLIENT_SECRET = 'conformance-client-secret'

// All test files are one provider with one key, since the server keeps its keys by their names.
const keyFile = `${process.env.CANARY_FILE}.provider-key`
try {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(`${keyFile}.${process.pid}`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  linkSync(`${keyFile}.${process.pid}`, keyFile) // whole, or not at all
} catch (error) {
  if (error.code !== 'EEXIST') throw error // another file was first
}
const privateKey = createPrivateKey(readFileSync(keyFile))
const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** An ID token for a person, as the provider signs it. */
export function idToken(person, claims = {}) {
  const now = Math.floor(Date.now() / 1000)
  const body = { iss: ISSUER, aud: CLIENT_ID, iat: now, exp: now + 300, ...person, ...claims }
  const unsigned = `${b64({ alg: 'RS256', kid: 'k1', typ: 'JWT' })}.${b64(body)}`
  return secret(`${unsigned}.${sign('RSA-SHA256', Buffer.from(unsigned), privateKey).toString('base64url')}`)
}

/** A person at the provider. */
export const newPerson = (claims = {}) => {
  const sub = randomUUID()
  return { sub, email: `${sub}@example.com`, email_verified: true, name: 'Pat Provider', ...claims }
}

/** Starts the provider. `provider.person` is who sits in front of the browser. */
export async function openProvider(t) {
  const provider = { person: newPerson(), asked: [] }
  const codes = new Map()
  const refreshTokens = new Map()
  const server = http.createServer(async (req, res) => {
    const url = new URL(req.url, ISSUER)
    const json = (status, body) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    const chunks = []
    for await (const chunk of req) chunks.push(chunk)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    switch (`${req.method} ${url.pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return json(200, {
          issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token`,
          userinfo_endpoint: `${ISSUER}/userinfo`, jwks_uri: `${ISSUER}/jwks`, response_types_supported: ['code'],
          subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'], code_challenge_methods_supported: ['S256'],
        })
      case 'GET /jwks':
        return json(200, { keys: [jwk] })
      case 'GET /authorize': {
        provider.asked.push(Object.fromEntries(url.searchParams))
        return res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>The provider</title>
          <body style="font: 16px/1.5 system-ui; max-width: 30rem; margin: 4rem auto"><h1>The provider</h1><p>Sign in to ${CLIENT_ID} as <b>${provider.person.email}</b>?</p>
          <form method="post" action="/consent${url.search.replaceAll('"', '')}"><button name="ok" value="yes">Continue</button> <button name="ok" value="no">Cancel</button></form></body></html>`)
      }
      case 'POST /consent': {
        const q = url.searchParams
        const back = new URL(q.get('redirect_uri'))
        back.searchParams.set('state', q.get('state'))
        if (form.get('ok') === 'no') {
          back.searchParams.set('error', 'access_denied')
          back.searchParams.set('error_description', 'The person said no')
        } else {
          const code = secret(randomUUID())
          codes.set(code, { q, person: provider.person })
          back.searchParams.set('code', code)
        }
        return res.writeHead(303, { Location: back.href }).end()
      }
      case 'POST /token': {
        const basic = Buffer.from((req.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
        const [id, password] = basic ? basic.split(':').map((s) => decodeURIComponent(s.replaceAll('+', ' '))) : [form.get('client_id'), form.get('client_secret')]
        if (id !== CLIENT_ID || password !== CLIENT_SECRET) return json(401, { error: 'invalid_client' })
        let person
        let nonce
        if (form.get('grant_type') === 'authorization_code') {
          const found = codes.get(form.get('code'))
          codes.delete(form.get('code'))
          const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url')
          if (!found || found.q.get('redirect_uri') !== form.get('redirect_uri') || found.q.get('code_challenge') !== challenge) return json(400, { error: 'invalid_grant' })
          person = found.person
          nonce = found.q.get('nonce') ?? undefined
        } else {
          person = refreshTokens.get(form.get('refresh_token'))
          refreshTokens.delete(form.get('refresh_token'))
          if (!person) return json(400, { error: 'invalid_grant' })
        }
        const tokens = { access_token: secret(`pa-${randomUUID()}`), refresh_token: secret(`pr-${randomUUID()}`) }
        refreshTokens.set(tokens.refresh_token, person)
        provider.tokens = tokens
        provider.tokenPerson = person
        return json(200, { ...tokens, token_type: 'Bearer', expires_in: 3600, scope: 'openid email profile', id_token: idToken(person, { nonce }) })
      }
      case 'GET /userinfo':
        return req.headers.authorization === `Bearer ${provider.tokens?.access_token}` ? json(200, provider.tokenPerson) : json(401, { error: 'invalid_token' })
      default:
        return json(404, { error: 'not_found' })
    }
  })
  const { hostname, port } = new URL(ISSUER)
  for (const until = Date.now() + 60_000; !server.listening; ) {
    try {
      await new Promise((resolve, reject) => server.once('error', reject).listen(Number(port), hostname, resolve))
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || Date.now() > until) throw error
      await sleep(100) // another file has its turn
    }
  }
  t.after(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() }))
  return provider
}

/** A browser that keeps cookies and goes where it is sent, through the provider and back. */
export async function throughProvider(start, answer = 'yes') {
  const jar = new Map()
  let url = start
  let request = {}
  for (let hops = 0; hops < 10; hops += 1) {
    if (url.startsWith(APP)) return new URL(url)
    const cookies = [...jar].map(([k, v]) => `${k}=${v}`).join('; ')
    const { Accept, ...rest } = BROWSER
    const res = await raw(url, { ...request, headers: { Accept, ...rest, ...request.headers, ...(cookies ? { Cookie: cookies } : {}) } })
    for (const line of [res.headers['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
    request = {}
    if (res.headers.location) {
      url = new URL(res.headers.location, url).href
      continue
    }
    const form = /<form method="post" action="([^"]+)"/.exec(res.body)
    assert.ok(form, `${url}: ${res.status} ${res.body.slice(0, 300)}`)
    const body = `ok=${answer}`
    request = { method: 'POST', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length } }
    url = new URL(form[1].replaceAll('&amp;', '&'), url).href
  }
  assert.fail('sent around in circles')
}
