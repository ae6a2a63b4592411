// What hooks are sent, as the verifier of Standard Webhooks sees it: the package as it is published
// receives what the transport of hooks posts (hooks/httphook, TestPublishedVerifier).
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'

const root = fileURLToPath(new URL('..', import.meta.url))
const secret = () => `whsec_${randomBytes(32).toString('base64')}`

test('the published verifier believes what hooks are sent, over a retry and a change of secrets', async () => {
  const [old, fresh, other] = [secret(), secret(), secret()]
  const seen = []
  const server = http.createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString('utf8')
    seen.push({ headers: request.headers, body })
    if (seen.length === 1) return response.writeHead(503, { 'Retry-After': '1' }).end()
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ believed: true }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await promisify(execFile)('go', ['test', '-count=1', '-run', '^TestPublishedVerifier$', './hooks/httphook'], {
      cwd: root,
      env: {
        ...process.env,
        POSTERN_WEBHOOK_RECEIVER: `http://127.0.0.1:${server.address().port}/hook`,
        POSTERN_WEBHOOK_SECRETS: `v1,${old}|v1,${fresh}`,
      },
    })
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  assert.equal(seen.length, 2, 'it asks again after 503 with Retry-After')
  for (const { headers, body } of seen) {
    for (const held of [old, fresh]) assert.deepEqual(new Webhook(held).verify(body, headers), { name: 'Zoë', valid: true })
    assert.throws(() => new Webhook(other).verify(body, headers), WebhookVerificationError)
    assert.throws(() => new Webhook(old).verify(body.replace('true', 'false'), headers), WebhookVerificationError)
    assert.throws(() => new Webhook(old).verify(body, { ...headers, 'webhook-id': 'another' }), WebhookVerificationError)
  }
  const [first, second] = seen.map((s) => s.headers)
  assert.equal(first['webhook-id'], second['webhook-id'], 'a retry has the same id')
  assert.notEqual(first['webhook-timestamp'], second['webhook-timestamp'], 'and a fresh time')
  assert.throws(() => new Webhook(old).verify(seen[0].body, { ...first, 'webhook-timestamp': second['webhook-timestamp'] }), WebhookVerificationError)
})
