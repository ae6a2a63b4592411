// Receivers of Supabase's Auth Hooks send_email and send_sms, written as its documentation writes them:
// they verify with the package standardwebhooks, put the link together from what they were told, and the
// published client signs in with it.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@nhost/nhost-js'
import { generatePKCEPair } from '@nhost/nhost-js/auth'
import { Webhook } from 'standardwebhooks'
import { API, APP, assertRefusal, call, click, keep, newEmail, newNumber, newPassword, raw, secret } from './lib/world.mjs'

const { HOOKS_URL, HOOKS_SECRET } = process.env
const client = () => createClient({ authUrl: API })

let messages = []
let refusal // what the receivers answer instead

const receiver = http.createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const payload = Buffer.concat(chunks).toString('utf8')
  const send = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  try {
    const wh = new Webhook(HOOKS_SECRET.replace('v1,whsec_', ''))
    const told = wh.verify(payload, request.headers)
    if (refusal) return send(200, { error: refusal })
    if (request.url === '/send-sms') {
      const { user, sms } = told
      messages.push({ kind: 'sms', to: sms.phone, code: secret(sms.otp), user })
    } else {
      const {
        user,
        email_data: { token, token_hash, redirect_to, email_action_type, site_url },
      } = told
      const link = token_hash && `${site_url}/verify?token=${token_hash}&type=${email_action_type}&redirect_to=${redirect_to}`
      messages.push({ kind: email_action_type, to: user.new_email ?? user.email, code: secret(token), link, told })
      secret(token_hash)
    }
    send(200, {})
  } catch (error) {
    send(401, { error: { http_code: error.code, message: error.message } })
  }
})

before(() => new Promise((resolve) => receiver.listen(new URL(HOOKS_URL).port, '127.0.0.1', resolve)))
after(() => {
  receiver.closeAllConnections()
  receiver.close()
})
beforeEach(() => (refusal = undefined))

/** The oldest message of a kind to somebody that no test took yet; waits for it. */
async function take(kind, to) {
  for (const until = Date.now() + 20_000; Date.now() < until; await sleep(50)) {
    const found = messages.find((m) => m.kind === kind && m.to === to)
    if (found) {
      messages = messages.filter((m) => m !== found)
      return found
    }
  }
  assert.fail(`no ${kind} to ${to}; there are ${messages.map((m) => `${m.kind} to ${m.to}`).join(', ') || 'none'}`)
}

/** Clicks a link and gives a client that is signed in by it. */
async function enters(link) {
  const to = await click(link)
  assert.equal(to.searchParams.get('error'), null, to.href)
  const nhost = client()
  await nhost.auth.refreshToken({ refreshToken: to.searchParams.get('refreshToken') })
  const again = await click(link)
  assert.equal(again.searchParams.get('error'), 'invalid-ticket', 'it works once')
  return { nhost, to }
}

test('a sign-up, its link and a password reset', async () => {
  const email = newEmail('receiver')
  await client().auth.signUpEmailPassword({ email, password: newPassword(), options: { redirectTo: `${APP}/welcome?a=1&b=2` } })
  const mail = await take('signup', email)
  for (const headers of [{ 'User-Agent': 'scanner' }, {}]) assert.equal((await raw(mail.link, { method: 'HEAD', headers })).status, 200)
  const { nhost, to } = await enters(mail.link)
  assert.equal(to.pathname, '/welcome')
  assert.equal(to.searchParams.get('b'), '2', 'the address is whole')
  assert.equal((await nhost.auth.getUser()).body.emailVerified, true)

  await nhost.auth.sendPasswordResetEmail({ email })
  const reset = await enters((await take('recovery', email)).link)
  assert.equal((await reset.nhost.auth.getUser()).body.email, email)

  const password = newPassword()
  await reset.nhost.auth.changeUserPassword({ newPassword: password })
  const notice = await take('password_changed_notification', email)
  assert.equal(notice.link, '')
  keep((await client().auth.signInEmailPassword({ email, password })).body.session)
})

test('a magic link with PKCE, opened by others before', async () => {
  const email = newEmail('receiver')
  const { verifier, challenge } = await generatePKCEPair()
  await client().auth.signInPasswordlessEmail({ email, codeChallenge: challenge })
  const { link } = await take('magiclink', email)
  await raw(link, { headers: { 'User-Agent': 'python-requests/2.32.3' } })
  const to = await click(link)
  const nhost = client()
  keep((await nhost.auth.tokenExchange({ code: to.searchParams.get('code'), codeVerifier: verifier })).body.session)
  assert.equal((await nhost.auth.getUser()).body.email, email)
})

test('a link of one kind is none of another', async () => {
  const email = newEmail('receiver')
  await client().auth.signInPasswordlessEmail({ email })
  const { link } = await take('magiclink', email)
  for (const type of ['signup', 'recovery', 'email_change']) {
    const to = await click(link.replace('type=magiclink', `type=${type}`))
    assert.equal(to.searchParams.get('error'), 'invalid-ticket')
  }
  await enters(link)
})

test('codes in mails and in text messages', async () => {
  const email = newEmail('receiver')
  await client().auth.signInOTPEmail({ email })
  const mailed = await take('magiclink', email)
  assert.match(mailed.code, /^\d{6}$/)
  keep((await client().auth.verifySignInOTPEmail({ email, otp: mailed.code })).body.session)

  const phoneNumber = newNumber()
  await client().auth.signInPasswordlessSms({ phoneNumber })
  const { code } = await take('sms', phoneNumber.slice(1))
  keep((await client().auth.verifySignInPasswordlessSms({ phoneNumber, otp: code })).body.session)
})

test('a change of address, and both mails of it', async () => {
  const email = newEmail('receiver')
  await client().auth.signInPasswordlessEmail({ email })
  const { nhost } = await enters((await take('magiclink', email)).link)
  const newAddress = newEmail('receiver')
  await nhost.auth.changeUserEmail({ newEmail: newAddress })
  const changed = await enters((await take('email_change', newAddress)).link)
  assert.equal((await changed.nhost.auth.getUser()).body.email, newAddress)
  const notice = await take('email_changed_notification', newAddress)
  assert.equal(notice.told.email_data.old_email, email)
})

test('what a receiver refuses with reaches the client, and nobody is made', async () => {
  refusal = { http_code: 429, message: 'No more messages today' }
  const email = newEmail('receiver')
  assertRefusal(await call('POST', '/signin/passwordless/email', { email }), 429, 'hook-denied', refusal.message)
  assertRefusal(await call('POST', '/signin/passwordless/sms', { phoneNumber: newNumber() }), 429, 'hook-denied', refusal.message)
  assert.equal((await call('POST', '/user/password/reset', { email })).status, 200, 'but not where it would tell who is known')
})
