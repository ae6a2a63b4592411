// What the tests share: where things are, a mail box, a browser, and small helpers. Nothing in here
// touches the clients under test.
import assert from 'node:assert/strict'
import { createHmac, randomInt, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

function need(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set; conformance/run sets it`)
  return value
}

/** The API with its prefix: http://127.0.0.1:4000/v1 */
export const API = need('POSTERN_URL')
/** The inbox of `postern dev`: http://127.0.0.1:4000/dev/inbox */
export const INBOX = need('INBOX_URL')
/** Where links may lead, and where they lead when nothing else is said (AUTH_CLIENT_URL). */
export const APP = need('APP_URL')
/** AUTH_LINK_CONFIRMATION of the server. */
export const CONFIRMATION = process.env.LINK_CONFIRMATION || 'auto'

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Remembers a secret. Afterwards conformance/run looks for all of them in the server's log. */
export function secret(value) {
  if (process.env.CANARY_FILE && value) fs.appendFileSync(process.env.CANARY_FILE, `${value}\n`)
  return value
}

export const newEmail = (label = 'user') => `${label}-${randomUUID()}@example.com`
export const newPassword = () => secret(`pw ${randomUUID()}`)

// ------------------------------------------------------------------------------------------- mail

/** The header of a caught mail, whatever case its name was kept in. */
export function header(mail, name) {
  for (const [key, values] of Object.entries(mail.headers ?? {})) {
    if (key.toLowerCase() === name.toLowerCase()) return [values].flat()[0]
  }
  return undefined
}

/** All mails to an address, newest first. */
export async function mails(to) {
  const res = await fetch(`${INBOX}?to=${encodeURIComponent(to)}`, { headers: { accept: 'application/json' } })
  assert.equal(res.status, 200, 'the inbox answers')
  const list = await res.json()
  return list.filter((m) => [m.to].flat().some((a) => String(a).includes(to)))
}

const taken = new Set()

/** The oldest mail of a template to an address that no test took yet; waits for it. */
export async function takeMail(to, template, seconds = 20) {
  const until = Date.now() + seconds * 1000
  let all = []
  while (Date.now() < until) {
    all = await mails(to)
    const mail = all.reverse().find((m) => !taken.has(m.id) && header(m, 'X-Email-Template') === template)
    if (mail) {
      taken.add(mail.id)
      secret(header(mail, 'X-Ticket'))
      return mail
    }
    await sleep(100)
  }
  assert.fail(`no mail ${template} to ${to} within ${seconds} s; there are: ${all.map((m) => header(m, 'X-Email-Template') + ' ' + m.subject).join(', ') || 'none'}`)
}

/** The link of a mail, as a person would click it: the one in the text of the mail. */
export function linkOf(mail) {
  const link = header(mail, 'X-Link')
  assert.ok(link, 'the mail has an X-Link')
  assert.ok(mail.links?.includes(link), `the link is in the mail itself: ${JSON.stringify(mail.links)}`)
  return link
}

// ---------------------------------------------------------------------------------------- browser

/** What a browser sends when somebody clicks a link in a mail. */
export const BROWSER = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language': 'en-GB,en;q=0.5',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'none',
  'Sec-Fetch-User': '?1',
  'Upgrade-Insecure-Requests': '1',
}

/** One request with exactly these headers, redirects off: {status, headers, body}. */
export function raw(url, { method = 'GET', headers = {}, body, localAddress } = {}) {
  return new Promise((resolve, reject) => {
    const { hostname, port, origin } = new URL(url)
    const path = url.slice(origin.length) // as it is written: a URL would tidy it up
    const req = http.request(
      { host: hostname, port, path: path || '/', method, headers, localAddress, agent: false },
      (res) => {
        const chunks = []
        res.on('data', (c) => chunks.push(c))
        res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString('utf8') }))
        res.on('error', reject)
      },
    )
    req.on('error', reject)
    req.setTimeout(20_000, () => req.destroy(new Error(`no answer from ${url}`)))
    if (body !== undefined) req.write(body)
    req.end()
  })
}

const unescape = (s) => s.replace(/&#(\d+);/g, (_, d) => String.fromCodePoint(Number(d))).replace(/&#x([0-9a-f]+);/gi, (_, h) => String.fromCodePoint(parseInt(h, 16))).replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&#?39;|&apos;/g, "'").replace(/&amp;/g, '&')
const attribute = (tag, name) => {
  const m = new RegExp(`\\s${name}\\s*=\\s*("([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag)
  return m ? unescape(m[2] ?? m[3] ?? m[4]) : undefined
}

/** The form of a confirmation page, ready to be sent: {url, body}. */
export function formOf(page, url) {
  const form = /<form\b[^>]*>/i.exec(page)
  assert.ok(form, `the page has a form: ${page.slice(0, 500)}`)
  assert.equal((attribute(form[0], 'method') ?? '').toLowerCase(), 'post', 'the form posts')
  assert.match(page, /<(button|input[^>]*type=["']?submit)/i, 'the form has a button')
  assert.doesNotMatch(page, /\.submit\s*\(|requestSubmit|\.click\s*\(|http-equiv=["']?refresh/i, 'nothing presses the button by itself')
  const action = attribute(form[0], 'action')
  const body = new URLSearchParams()
  for (const [tag] of page.matchAll(/<input\b[^>]*>/gi)) {
    if (attribute(tag, 'name')) body.append(attribute(tag, 'name'), attribute(tag, 'value') ?? '')
  }
  return { url: new URL(action || url, url).href, body: body.toString() }
}

/**
 * Opens a link as a person with a browser does, presses the button if there is a page with one, and
 * says where the browser is sent: a URL.
 */
export async function click(link) {
  let res = await raw(link, { headers: BROWSER })
  if (res.status === 200) {
    assert.match(res.headers['content-type'] ?? '', /^text\/html/, 'a page for people')
    assert.equal(res.headers['cache-control'], 'no-store')
    assert.equal(res.headers['referrer-policy'], 'no-referrer')
    const form = formOf(res.body, link)
    res = await raw(form.url, {
      method: 'POST',
      headers: {
        ...BROWSER,
        'Sec-Fetch-Site': 'same-origin',
        Origin: 'null', // what browsers say when the page's policy is no-referrer
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': Buffer.byteLength(form.body),
      },
      body: form.body,
    })
  }
  assert.ok([302, 303].includes(res.status), `the browser is sent on, not answered ${res.status}: ${res.body.slice(0, 300)}`)
  assert.ok(res.headers.location, 'and is told where')
  assert.equal(res.headers['cache-control'], 'no-store', 'nobody keeps the redirect')
  const to = new URL(res.headers.location)
  for (const name of ['refreshToken', 'code']) secret(to.searchParams.get(name))
  return to
}

// ------------------------------------------------------------------------------------------ plain

/** A call without any client: {status, headers, body (parsed, or the text)}. */
export async function call(method, path, body, headers = {}) {
  const text = body === undefined ? undefined : typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body)
  const res = await raw(API + path, {
    method,
    headers: { ...(text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }), ...headers },
    body: text,
  })
  let parsed = res.body
  try {
    parsed = JSON.parse(res.body)
  } catch {
    // not JSON: the text will do
  }
  return { ...res, text: res.body, body: parsed }
}

/** Holds a refusal to the one shape all refusals have. */
export function assertRefusal(res, status, error, message) {
  const got = `${res.status} ${JSON.stringify(res.body)}`
  assert.match(String(res.headers['content-type']), /^application\/json\b/, `JSON: ${got}`)
  assert.ok(res.headers['x-request-id'], `a request id: ${got}`)
  assert.deepEqual(Object.keys(res.body).sort(), ['error', 'message', 'status'], got)
  assert.equal(res.body.status, res.status, got)
  assert.ok(typeof res.body.message === 'string' && res.body.message !== '', got)
  if (status !== undefined) assert.equal(res.status, status, got)
  if (error !== undefined) assert.ok([error].flat().includes(res.body.error), `wants ${error}: ${got}`)
  if (message !== undefined) assert.equal(res.body.message, message)
}

/** Keeps the secrets of a session for the search in the log, and gives it back. */
export function keep(session) {
  secret(session.refreshToken)
  secret(session.accessToken)
  return session
}

/** A user who can sign in: {email, password}. */
export async function verifiedUser(label) {
  const email = newEmail(label)
  const password = newPassword()
  const res = await call('POST', '/signup/email-password', { email, password })
  assert.equal(res.status, 200, res.text)
  const to = await click(linkOf(await takeMail(email, 'email-verify')))
  assert.equal(to.searchParams.get('error'), null, to.href)
  return { email, password }
}

/** A fresh session of a user, without any client. */
export async function signIn({ email, password }) {
  const res = await call('POST', '/signin/email-password', { email, password })
  assert.equal(res.status, 200, res.text)
  return keep(res.body.session)
}

// ---------------------------------------------------------------------- second factors, messages

const base32 = (text) => {
  const bits = [...text.toUpperCase()].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))
}

/** The code of an authenticator app (RFC 6238), so many steps of 30 s from now. */
export function totp(base32Secret, steps = 0) {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps))
  const mac = createHmac('sha1', base32(base32Secret)).update(counter).digest()
  const at = mac[19] & 0xf
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** A number that no other test has. */
export const newNumber = () => `+4179${String(randomInt(10_000_000)).padStart(7, '0')}`

/** The code in the oldest text message to a number that no test took yet; waits for it. */
export async function takeSMSCode(to, seconds = 20) {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(100)) {
    const message = (await mails(to)).reverse().find((m) => !taken.has(m.id))
    if (message) {
      taken.add(message.id)
      const code = /\b\d{6}\b/.exec(message.text ?? message.body ?? JSON.stringify(message))
      assert.ok(code, `a code in ${JSON.stringify(message)}`)
      return code[0]
    }
  }
  assert.fail(`no text message to ${to} within ${seconds} s`)
}
