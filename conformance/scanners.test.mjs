// Mail scanners, link previews and prefetchers open the links of mails before people do. Each of
// twelve profiles is let loose on each kind of link; afterwards the person must still get in, and
// the profile must never have held a session.
//
// With PKCE, and with AUTH_LINK_CONFIRMATION=always, that holds for all twelve. With `auto` and
// without PKCE it holds for those that only ask for HEAD and for those that ask like a browser, or
// say that they are one, a preview or a bot. The others are redirected like any program that follows
// a link, and use it up: that residue is asserted too, so that this file stays the truth about it.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generatePKCEPair } from '@nhost/nhost-js/auth'
import { APP, BROWSER, CONFIRMATION, call, click, keep, linkOf, newEmail, newPassword, raw, secret, signIn, takeMail, verifiedUser } from './lib/world.mjs'

const PROGRAM = { Accept: '*/*', 'User-Agent': 'python-requests/2.32.3', 'Accept-Encoding': 'gzip, deflate' }
const CHROME = {
  'User-Agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7',
  'Accept-Language': 'en-US,en;q=0.9',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'none',
}

/** What a filter makes of a link when it takes it apart and puts it together again. */
function rewritten(link) {
  const u = new URL(link)
  const pairs = [...u.searchParams].reverse()
  const encode = (s) => [...new TextEncoder().encode(s)].map((b) => (/[A-Za-z0-9]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : `%${b.toString(16).padStart(2, '0')}`)).join('')
  return `${u.origin}${u.pathname}?${pairs.map(([k, v]) => `${k}=${encode(v)}`).join('&')}`
}

/**
 * The profiles. `asks` opens the link and gives every answer it got. `html` says whether every GET
 * of it asks as a browser does, or says that it is one, a preview or a bot; `gets` whether it uses GET at all.
 */
const profiles = {
  '1 HEAD only': {
    gets: false,
    asks: async (link) => [await raw(link, { method: 'HEAD', headers: PROGRAM }), await raw(link, { method: 'HEAD', headers: CHROME })],
  },
  '2 HEAD, then GET': {
    gets: true,
    asks: async (link) => [await raw(link, { method: 'HEAD', headers: PROGRAM }), await raw(link, { headers: PROGRAM })],
  },
  '3 GET five times': {
    gets: true,
    asks: async (link) => {
      const all = []
      for (let i = 0; i < 5; i++) all.push(await raw(link, { headers: PROGRAM }))
      return all
    },
  },
  '4 GET and follow': {
    gets: true,
    asks: async (link) => {
      const all = [await raw(link, { headers: { ...PROGRAM, 'User-Agent': 'curl/8.8.0' } })]
      for (let hops = 0; hops < 5 && all.at(-1).headers.location; hops++) {
        all.push(await raw(new URL(all.at(-1).headers.location, link).href, { headers: PROGRAM }))
      }
      return all
    },
  },
  '5 sandboxed browser that runs scripts and presses nothing': {
    gets: true,
    html: true,
    asks: async (link) => {
      const page = await raw(link, { headers: CHROME })
      const all = [page]
      // A browser also asks for what the page mentions, and for the icon.
      for (const [, src] of page.body.matchAll(/<(?:script|img|link|iframe)\b[^>]*?(?:src|href)\s*=\s*["']([^"']+)["']/gi)) {
        if (!src.startsWith('data:')) all.push(await raw(new URL(src, link).href, { headers: { ...CHROME, Accept: '*/*', 'Sec-Fetch-Dest': 'image', 'Sec-Fetch-Mode': 'no-cors' } }))
      }
      all.push(await raw(`${new URL(link).origin}/favicon.ico`, { headers: { ...CHROME, Accept: 'image/avif,*/*' } }))
      return all
    },
  },
  '6 prefetch and prerender of a browser': {
    gets: true,
    html: true,
    asks: async (link) => [
      await raw(link, { headers: { ...CHROME, 'Sec-Purpose': 'prefetch' } }),
      await raw(link, { headers: { ...CHROME, 'Sec-Purpose': 'prefetch;prerender', Purpose: 'prefetch' } }),
      await raw(link, { headers: { ...CHROME, 'Sec-Purpose': 'prefetch;anonymous-client-ip' } }),
    ],
  },
  '7 older prefetch headers': {
    gets: true,
    html: true,
    asks: async (link) => [
      await raw(link, { headers: { ...BROWSER, 'X-Moz': 'prefetch' } }),
      await raw(link, { headers: { ...CHROME, Purpose: 'preview', 'X-Purpose': 'preview' } }),
    ],
  },
  '8 URL rewriting': {
    gets: true,
    html: true,
    rewrites: true,
    asks: async (link) => [
      await raw(rewritten(link), { headers: CHROME }),
      await raw(link.replaceAll('&', '&amp;'), { headers: CHROME }),
      await raw(`${rewritten(link)}&utm_source=gateway`, { headers: CHROME }),
    ],
  },
  '9 another address and agent': {
    gets: true,
    html: true,
    asks: async (link) => [
      await raw(link, { headers: CHROME, localAddress: '127.0.0.2' }),
      await raw(link, { headers: { ...BROWSER, 'User-Agent': 'Mozilla/5.0 (compatible; bingbot/2.0)' }, localAddress: '127.0.0.3' }),
    ],
  },
  '10 eight at once': {
    gets: true,
    html: true,
    asks: (link) => Promise.all(Array.from({ length: 8 }, (_, i) => raw(link, { method: i % 4 === 3 ? 'HEAD' : 'GET', headers: i % 2 ? CHROME : BROWSER, localAddress: `127.0.0.${i + 2}` }))),
  },
  '11 later': {
    gets: true,
    html: true,
    asks: async (link) => {
      await sleep(Number(process.env.SCANNER_DELAY_MS || 1000))
      return [await raw(link, { headers: CHROME, localAddress: '127.0.0.9' })]
    },
  },
  '12 previews of chats': {
    gets: true,
    html: true, // they say what they are, and ask for a part
    asks: async (link) => [
      await raw(link, { headers: { Accept: '*/*', 'User-Agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', Range: 'bytes=0-32768' } }),
      await raw(link, { headers: { Accept: '*/*', 'User-Agent': 'facebookexternalhit/1.1', Range: 'bytes=0-524287' } }),
      await raw(link, { headers: { 'User-Agent': 'TelegramBot (like TwitterBot)' } }),
      await raw(link, { headers: { Accept: 'text/html;q=1.0, */*;q=0.5', 'User-Agent': 'Mozilla/5.0 (compatible; SkypeUriPreview Preview/0.5)' } }),
    ],
  },
}

/** How to get a link of each kind, for a person who then checks that it did what it is for. */
const kinds = {
  'email-verify': async (extra) => {
    const email = newEmail('scan')
    const password = newPassword()
    await wanted('/signup/email-password', { email, password, options: { redirectTo: `${APP}/cb` }, ...extra })
    return { mail: await takeMail(email, 'email-verify'), done: () => signIn({ email, password }) }
  },
  'signin-passwordless': async (extra) => {
    const email = newEmail('scan')
    await wanted('/signin/passwordless/email', { email, options: { redirectTo: `${APP}/cb` }, ...extra })
    return { mail: await takeMail(email, 'signin-passwordless'), done: async (session) => assert.equal(session.user.emailVerified, true) }
  },
  'password-reset': async (extra) => {
    const user = await verifiedUser('scan')
    await wanted('/user/password/reset', { email: user.email, options: { redirectTo: `${APP}/cb` }, ...extra })
    return {
      mail: await takeMail(user.email, 'password-reset'),
      done: async (session) => {
        const password = newPassword()
        await wanted('/user/password', { newPassword: password }, { Authorization: `Bearer ${session.accessToken}` })
        await signIn({ email: user.email, password })
      },
    }
  },
  'email-confirm-change': async (extra) => {
    const user = await verifiedUser('scan')
    const email = newEmail('scan-new')
    const session = await signIn(user)
    await wanted('/user/email/change', { newEmail: email, options: { redirectTo: `${APP}/cb` }, ...extra }, { Authorization: `Bearer ${session.accessToken}` })
    return { mail: await takeMail(email, 'email-confirm-change'), done: () => signIn({ email, password: user.password }) }
  },
}

async function wanted(path, body, headers) {
  const res = await call('POST', path, body, headers)
  assert.equal(res.status, 200, `${path}: ${res.text}`)
}

/** The refresh tokens and access tokens in an answer. */
function sessionsIn(res) {
  const text = `${res.headers.location ?? ''}\n${res.headers['set-cookie'] ?? ''}\n${res.body}`
  return [...text.matchAll(/refreshToken=([0-9a-f-]{36})|"refreshToken":"([^"]+)"|eyJ[\w-]+\.[\w-]+\.[\w-]+/g)].map((m) => m[0])
}

const codesIn = (res) => (res.headers.location ? [new URL(res.headers.location).searchParams.get('code')].filter(Boolean) : [])

// The application that links lead to, for those that follow.
const app = http.createServer((_req, res) => res.end('<!doctype html><title>app</title>'))
before(() => new Promise((resolve) => app.listen(Number(new URL(APP).port), new URL(APP).hostname, resolve)))
after(() => new Promise((resolve) => app.close(resolve)))

describe(`AUTH_LINK_CONFIRMATION=${CONFIRMATION}`, { concurrency: 4 }, () => {
  for (const [kind, ask] of Object.entries(kinds)) {
    for (const pkce of [false, true]) {
      for (const [name, profile] of Object.entries(profiles)) {
        const residue = !pkce && profile.gets && !profile.html && CONFIRMATION === 'auto'
        const off = !pkce && profile.gets && CONFIRMATION === 'off'
        test(`H-24: ${kind}${pkce ? ' with PKCE' : ''}: ${name}${residue || off ? ' (known residue: uses the link up)' : ''}`, async () => {
          const { verifier, challenge } = await generatePKCEPair()
          const { mail, done } = await ask(pkce ? { codeChallenge: challenge } : {})
          const link = linkOf(mail)

          const answers = await profile.asks(link)
          for (const res of answers) assert.ok(res.status < 500, `${res.status} ${res.body.slice(0, 200)}`)
          const held = answers.flatMap(sessionsIn)
          held.forEach(secret)
          if (residue || off) {
            assert.equal(held.length, 1, 'one of its answers has a session; if none has, the residue is gone: change this test and the documentation')
            assert.equal((await click(link)).searchParams.get('error'), 'invalid-ticket', 'the person is told')
            return
          }
          assert.deepEqual(held, [], 'the scanner holds no session')
          for (const code of answers.flatMap(codesIn)) {
            const res = await call('POST', '/token/exchange', { code, codeVerifier: challenge })
            assert.equal(res.status, 400, 'a code is worth nothing without the verifier')
          }

          // Now the person.
          const to = await click(profile.rewrites ? rewritten(link) : link)
          assert.equal(to.searchParams.get('error'), null, to.href)
          const res = pkce
            ? await call('POST', '/token/exchange', { code: to.searchParams.get('code'), codeVerifier: verifier })
            : await call('POST', '/token', { refreshToken: to.searchParams.get('refreshToken') })
          assert.equal(res.status, 200, res.text)
          await done(keep(pkce ? res.body.session : res.body))
        })
      }
    }
  }
})

test('HEAD tells nothing about a ticket', async () => {
  const { mail } = await kinds['email-verify']({})
  const link = linkOf(mail)
  const wrong = link.replace(/ticket=[^&]+/, `ticket=verifyEmail%3A${crypto.randomUUID()}`)
  const [good, bad] = [await raw(link, { method: 'HEAD' }), await raw(wrong, { method: 'HEAD' })]
  assert.equal(good.status, 200)
  assert.equal(bad.status, 200)
  const plain = ({ headers }) => Object.keys(headers).sort().join()
  assert.equal(plain(good), plain(bad))
  assert.equal(good.headers.location, undefined)
})

test('the page works where nothing may run and nothing may be framed', { skip: CONFIRMATION === 'off' }, async () => {
  const { mail } = await kinds['email-verify']({})
  const page = await raw(linkOf(mail), { headers: BROWSER })
  assert.equal(page.status, 200)
  assert.doesNotMatch(page.body, /<script|\son\w+\s*=/i, 'no scripts')
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.equal(page.headers['referrer-policy'], 'no-referrer')
  assert.equal(page.headers['x-content-type-options'], 'nosniff')
  const csp = page.headers['content-security-policy'] ?? ''
  assert.match(csp, /default-src 'none'/)
  assert.match(csp, /frame-ancestors 'none'/)
  // Browsers apply form-action to the redirect after the form too: 'self' would end the journey
  // before the application is reached.
  const forms = /form-action ([^;]*)/.exec(csp)
  if (forms) assert.ok(forms[1].includes(new URL(APP).origin) || /https?:(\s|$)/.test(forms[1]), `form-action lets the redirect through: ${forms[1]}`)
})
