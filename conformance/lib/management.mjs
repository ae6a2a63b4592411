// What the tests of the management API share: where the server is, and the API asked without any
// package, to read back what they did.
import assert from 'node:assert/strict'

export const domain = process.env.MANAGEMENT_DOMAIN
export const clientId = process.env.MANAGEMENT_CLIENT_ID
export const clientSecret = process.env.MANAGEMENT_CLIENT_SECRET
export const placeholder = '_VALUE_NOT_SHOWN_'

const base = `https://${domain}`

export async function token() {
  const response = await fetch(`${base}/oauth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, audience: `${base}/api/v2/` }),
  })
  assert.equal(response.status, 200)
  return (await response.json()).access_token
}

export async function ask(method, path, body) {
  const response = await fetch(`${base}/api/v2/${path}`, {
    method,
    headers: { Authorization: `Bearer ${await token()}`, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}

// all gives the hooks by name, with the names of their secrets.
export async function all() {
  const hooks = {}
  for (const hook of (await ask('GET', 'hooks')).body) {
    hooks[hook.name] = { ...hook, secrets: Object.keys((await ask('GET', `hooks/${hook.id}/secrets`)).body).sort() }
  }
  return hooks
}

export async function clear() {
  for (const hook of Object.values(await all())) assert.equal((await ask('DELETE', `hooks/${hook.id}`)).status, 204)
}
