// Every public method of the clients is called by a test or says what it waits for.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { HasuraAuthClient } from '@nhost/hasura-auth-js'
import { createClient } from '@nhost/nhost-js'
import * as helpers from '@nhost/nhost-js/auth'
import { AuthClient } from '@supabase/auth-js'
import * as lists from './coverage.mjs'

const source = (name) => fs.readFileSync(new URL(name, import.meta.url), 'utf8')

/** The tests of a client's files: title → source. */
function testsOf(file) {
  const client = file.replace('.test.mjs', '')
  const files = fs.readdirSync(new URL('.', import.meta.url)).filter((f) => f === file || (f.startsWith(`${client}.`) && f.endsWith('.test.mjs')))
  const parts = files.flatMap((f) => source(f).split(/^ *test\(/m).slice(1))
  return new Map(parts.map((p) => [/^(['"`])(.*?)\1/.exec(p)?.[2], p]))
}

function check(name, has, list, file, calls = (method) => new RegExp(`\\b${method}\\b`)) {
  test(`coverage: ${name}`, () => {
    assert.deepEqual(Object.keys(list).sort(), [...has].sort(), 'the list names exactly what the client has')
    const tests = testsOf(file)
    for (const [method, title] of Object.entries(list)) {
      console.log(`# ${name}.${method}: ${title.later ? `waits for ${title.later}` : title}`)
      if (title.later) continue
      assert.ok(tests.has(title), `${method}: no test "${title}" in ${file}`)
      assert.match(tests.get(title), calls(method), `${method}: "${title}" calls it (or a helper of ${file} does)`)
    }
    const left = Object.values(list).filter((v) => v.later).length
    console.log(`# ${name}: ${Object.keys(list).length - left} exercised, ${left} later`)
  })
}

const nhost = createClient({ authUrl: 'http://127.0.0.1:1/v1' })
check('nhost-js auth', Object.keys(nhost.auth), lists.nhostAuth, 'nhost-js.test.mjs')
check(
  'nhost-js client',
  Object.getOwnPropertyNames(Object.getPrototypeOf(nhost)).filter((n) => n !== 'constructor'),
  lists.nhostClient,
  'nhost-js.test.mjs',
)
check('nhost-js PKCE helpers', Object.keys(helpers).filter((n) => n.startsWith('generate')), lists.nhostHelpers, 'nhost-js.test.mjs')
check(
  'hasura-auth-js',
  Object.getOwnPropertyNames(HasuraAuthClient.prototype).filter((n) => !['constructor', 'waitUntilReady', 'isReady'].includes(n)),
  lists.hasuraAuth,
  'hasura-auth-js.test.mjs',
  (method) => (method === 'client' ? /machine\(|\.client\b/ : new RegExp(`\\.${method}\\(`)),
)

/** The public methods of a client and of its parts; what its types call private is not there. */
function methodsOf(client) {
  const hidden = ['constructor', 'jwks', 'jwks_cached_at', 'isThrowOnErrorEnabled', 'fetchJwk', 'fetch', 'logger', 'signInWithEthereum', 'signInWithSolana', 'linkIdentityOAuth', 'linkIdentityIdToken']
  const named = (o) =>
    [...Object.keys(o), ...Object.getOwnPropertyNames(Object.getPrototypeOf(o))].filter((n) => !n.startsWith('_') && !hidden.includes(n) && typeof o[n] === 'function' && !(n in Object.prototype))
  const parts = { '': client, mfa: client.mfa, 'mfa.webauthn': client.mfa.webauthn, passkey: client.passkey, oauth: client.oauth, admin: client.admin }
  for (const part of ['mfa', 'oauth', 'passkey', 'customProviders']) parts[`admin.${part}`] = client.admin[part]
  return new Set(Object.entries(parts).flatMap(([part, o]) => named(o).map((n) => (part ? `${part}.${n}` : n))))
}
check(
  'auth-js',
  methodsOf(new AuthClient({ url: 'http://127.0.0.1:1', autoRefreshToken: false, experimental: { passkey: true } })),
  lists.supabaseAuth,
  'auth-js.test.mjs',
  (method) => new RegExp(`\\.${method.replaceAll('.', '\\.')}\\(`),
)
