// An application with @supabase/ssr: pages that a server renders from the session in cookies, and a browser that has the same session.
import assert from 'node:assert/strict'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { createServerClient, parseCookieHeader, serializeCookieHeader } from '@supabase/ssr'
import { build } from 'esbuild'
import { API, APP } from './world.mjs'

const url = new URL(API).origin
const key = 'sb_publishable_none'

const script = `
  import { createBrowserClient } from '@supabase/ssr'
  import { createClient } from '@supabase/supabase-js'
  const cookies = location.pathname !== '/plain'
  const supabase = cookies ? createBrowserClient(${JSON.stringify(url)}, '${key}') : createClient(${JSON.stringify(url)}, '${key}')
  const back = location.origin + (cookies ? '/auth/callback' : '/plain')
  const say = (text) => { document.querySelector('#state').textContent = text }
  const value = (name) => document.querySelector('[name=' + name + ']').value
  const good = ({ data, error }) => { if (error) throw error; return data }
  const on = (id, act) => document.querySelector('#' + id).addEventListener('click', () => act().catch((err) => say('Failed: ' + err.code + ' ' + err.message)))
  const show = (user) => say(user ? 'Signed in as ' + user.email : 'Signed out')
  on('link', async () => {
    good(await supabase.auth.signInWithOtp({ email: value('email'), options: { emailRedirectTo: back } }))
    say('A mail is on its way')
  })
  on('signup', async () => {
    good(await supabase.auth.signUp({ email: value('email'), password: value('password'), options: { emailRedirectTo: back, data: { name: 'Jane' } } }))
    say('Confirm your address')
  })
  on('signin', async () => show(good(await supabase.auth.signInWithPassword({ email: value('email'), password: value('password') })).user))
  on('signout', async () => { good(await supabase.auth.signOut()); say('Signed out') })
  on('refresh', async () => {
    const there = await Promise.all([1, 2, 3].map(() => fetch('/refresh').then((r) => r.text()))) // as pages that load at once
    say('Refreshed there by ' + there.join(', ') + ', here by ' + good(await supabase.auth.refreshSession()).user.email)
  })
  on('user', async () => show(good(await supabase.auth.getUser()).user))
  supabase.auth.onAuthStateChange((event, session) => { document.body.dataset.event = event; if (event === 'INITIAL_SESSION' || event === 'SIGNED_IN') show(session?.user) })
  document.body.dataset.ready = 'yes'
`

const page = (server) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The application</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
  input, button { font: inherit; padding: .4rem .8rem; margin: .2rem } #state { font-weight: 600 }
</style>
<h1>The application</h1>
<p>The server sees: ${server.replace(/[<&]/g, (c) => `&#${c.charCodeAt(0)};`)}</p>
<p id="state">Loading…</p>
<p><input name="email" type="email" placeholder="you@example.com"> <input name="password" type="password"></p>
<p><button id="link">Mail me a link</button> <button id="signup">Sign up</button> <button id="signin">Sign in</button>
<button id="signout">Sign out</button> <button id="refresh">Refresh</button> <button id="user">Who am I?</button></p>
<script type="module" src="/app.js"></script>
</html>`

/** Serves the application until the tests end. */
export async function serveSupabaseApp(t) {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'js' },
    bundle: true, format: 'esm', write: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"' },
  })
  const server = http.createServer((req, res) => {
    answer(req, res, outputFiles[0].contents).catch((err) => res.writeHead(500).end(String(err.stack)))
  })
  const { hostname, port } = new URL(APP)
  await new Promise((resolve) => server.listen(Number(port), hostname, resolve))
  assert.equal(server.address().port, Number(port))
  t.after(() => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() }))
}

async function answer(req, res, bundle) {
  const at = new URL(req.url, APP)
  if (at.pathname === '/app.js') return res.setHeader('Content-Type', 'text/javascript').end(bundle)
  if (at.pathname === '/favicon.ico') return res.writeHead(204).end()
  const supabase = createServerClient(url, key, {
    realtime: { transport: class {} }, // which Node has from version 22 on; nothing here listens to a database
    cookies: {
      getAll: () => parseCookieHeader(req.headers.cookie ?? ''),
      setAll: (list) => { for (const c of list) res.appendHeader('Set-Cookie', serializeCookieHeader(c.name, c.value, c.options)) },
    },
  })
  const html = (text) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(text)
  switch (at.pathname) {
    case '/auth/callback': {
      const { error } = await supabase.auth.exchangeCodeForSession(at.searchParams.get('code'))
      if (error) return html(page(`${error.code} ${error.message}`))
      return res.writeHead(303, { Location: '/' }).end()
    }
    case '/refresh': {
      const { data, error } = await supabase.auth.refreshSession()
      return res.end(error ? `${error.code} ${error.message}` : data.user.email)
    }
  }
  const { data } = await supabase.auth.getUser()
  return html(page(data.user?.email ?? 'nobody'))
}
