// A small application as a browser sees it: one page with the published client, served at APP_URL.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { API, APP } from './world.mjs'

const client = fileURLToPath(new URL('../node_modules/@nhost/nhost-js/dist/', import.meta.url))

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The application</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
  input, button { font: inherit; padding: .4rem .8rem; margin: .2rem } #state { font-weight: 600 }
</style>
<h1>The application</h1>
<p id="state">Loading…</p>
<p><input name="email" type="email" placeholder="you@example.com">
<button id="link">Mail me a link</button> <button id="signup">Create a passkey</button> <button id="passkey">Use a passkey</button></p>
<p><button id="provider">Sign in with the provider</button></p>
<script type="module">
  import { createClient } from '/client/nhost-js.js'
  import { generatePKCEPair } from '/client/nhost-js/auth.js'
  const nhost = createClient({ authUrl: ${JSON.stringify(API)} })
  const say = (text) => { document.querySelector('#state').textContent = text }
  const email = () => document.querySelector('[name=email]').value
  const b64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=/g, '')
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
  const on = (id, act) => document.querySelector('#' + id).addEventListener('click', () => act().catch((err) => say('Failed: ' + err.message)))
  async function show() {
    const session = nhost.getUserSession()
    if (!session) return say('Signed out')
    const { body } = await nhost.auth.getUser()
    say('Signed in as ' + (body.email ?? body.displayName))
  }
  const pkce = async () => {
    const { verifier, challenge } = await generatePKCEPair()
    localStorage.setItem('verifier', verifier)
    return challenge
  }

  on('link', async () => {
    await nhost.auth.signInPasswordlessEmail({ email: email(), codeChallenge: await pkce() })
    say('A mail is on its way')
  })
  on('signup', async () => {
    const { body: options } = await nhost.auth.signUpWebauthn({ email: email() })
    const made = await navigator.credentials.create({ publicKey: {
      ...options, challenge: bytes(options.challenge), user: { ...options.user, id: new TextEncoder().encode(options.user.id) },
    } })
    await nhost.auth.verifySignUpWebauthn({ credential: {
      id: made.id, rawId: b64(made.rawId), type: made.type, clientExtensionResults: made.getClientExtensionResults(),
      response: { clientDataJSON: b64(made.response.clientDataJSON), attestationObject: b64(made.response.attestationObject) },
    }, nickname: 'This browser' })
    await show()
  })
  on('passkey', async () => {
    const { body: options } = await nhost.auth.signInWebauthn(email() ? { email: email() } : {})
    const got = await navigator.credentials.get({ publicKey: {
      ...options, challenge: bytes(options.challenge),
      allowCredentials: options.allowCredentials?.map((c) => ({ ...c, id: bytes(c.id) })),
    } })
    await nhost.auth.verifySignInWebauthn({ credential: {
      id: got.id, rawId: b64(got.rawId), type: got.type, clientExtensionResults: got.getClientExtensionResults(),
      response: {
        clientDataJSON: b64(got.response.clientDataJSON), authenticatorData: b64(got.response.authenticatorData),
        signature: b64(got.response.signature), userHandle: new TextDecoder().decode(got.response.userHandle),
      },
    } })
    await show()
  })
  on('provider', async () => {
    location.href = nhost.auth.signInProviderURL('example', { redirectTo: location.origin + '/', codeChallenge: await pkce() })
  })

  const q = new URLSearchParams(location.search)
  if (q.get('code')) {
    await nhost.auth.tokenExchange({ code: q.get('code'), codeVerifier: localStorage.getItem('verifier') })
    history.replaceState(null, '', '/')
  }
  if (q.get('error')) say('Failed: ' + q.get('error') + ' ' + q.get('errorDescription'))
  else await show().catch((err) => say('Failed: ' + err.message))
  document.body.dataset.ready = 'yes'
</script>
</html>`

/** Serves the application until the tests end. */
export async function serveApp(t) {
  const server = http.createServer((req, res) => {
    const { pathname } = new URL(req.url, APP)
    if (pathname === '/') return res.setHeader('Content-Type', 'text/html; charset=utf-8').end(page)
    const file = path.join(client, path.normalize(pathname).replace(/^\/client\//, ''))
    if (!pathname.startsWith('/client/') || !file.startsWith(client) || !fs.existsSync(file)) return res.writeHead(404).end()
    return res.setHeader('Content-Type', 'text/javascript').end(fs.readFileSync(file))
  })
  const { hostname, port } = new URL(APP)
  await new Promise((resolve) => server.listen(Number(port), hostname, resolve))
  assert.equal(server.address().port, Number(port))
  t.after(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() }))
}
