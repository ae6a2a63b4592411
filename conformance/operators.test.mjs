// The example of a typed client of the API for operators: it is made from the schema, it compiles, it does
// not compile with a mistake in it, and it does what it says.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { createClient } from '@nhost/nhost-js'
import { MemoryStorage } from '@nhost/nhost-js/session'
import { API, click, keep, linkOf, newEmail, newPassword, takeMail } from './lib/world.mjs'

const run = promisify(execFile)
const example = path.resolve(import.meta.dirname, '../examples/operators')
const bin = (name) => path.join(example, 'node_modules/.bin', name)
const secret = process.env.OPERATORS_SECRET
let work

before(async () => {
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: example })
  work = await mkdtemp(path.join(tmpdir(), 'postern-operators-'))
})
after(() => rm(work, { recursive: true, force: true }))

/** Runs the example. */
async function operators(args, env = {}) {
  const { stdout } = await run(process.execPath, [path.join(work, 'dist/main.js'), ...args], {
    env: { ...process.env, POSTERN_URL: new URL('/', process.env.INBOX_URL).href, HASURA_GRAPHQL_ADMIN_SECRET: secret, ...env },
  })
  return stdout
}

test('the types are those of the schema', async () => {
  for (const name of ['src', 'tsconfig.json', 'package.json']) await cp(path.join(example, name), path.join(work, name), { recursive: true })
  await symlink(path.join(example, 'node_modules'), path.join(work, 'node_modules'))
  const config = JSON.parse(await readFile(path.join(work, 'tsconfig.json'), 'utf8'))
  config.compilerOptions.plugins[0].schema = path.resolve(example, '../../docs/schema.graphql')
  await writeFile(path.join(work, 'tsconfig.json'), JSON.stringify(config))
  await run(bin('gql.tada'), ['generate-output'], { cwd: work })
  assert.equal(await readFile(path.join(work, 'src/schema.d.ts'), 'utf8'), await readFile(path.join(example, 'src/schema.d.ts'), 'utf8'), 'run npm run generate in examples/operators')
})

test('it compiles, and not with a mistake', async () => {
  await run(bin('tsc'), [], { cwd: work })
  const main = path.join(work, 'src/main.ts')
  const right = await readFile(main, 'utf8')
  await writeFile(main, right.replace('displayName roles', 'displayNam roles').replace('user.id}`', 'user.idd}`'))
  await assert.rejects(run(bin('tsc'), ['--noEmit'], { cwd: work }), ({ stdout }) => /Property 'idd' does not exist/.test(stdout))
  await writeFile(main, right)
})

test('it invites, lists, tells and signs out', async () => {
  const email = newEmail('operators')
  assert.match(await operators(['invite', email]), new RegExp(`^${email} is invited, as [0-9a-f-]{36}\n$`))
  assert.ok(await takeMail(email, 'invitation'), 'a mail')

  const nhost = createClient({ authUrl: API, storage: new MemoryStorage() })
  const who = { email: newEmail('operators'), password: newPassword() }
  await nhost.auth.signUpEmailPassword(who)
  await click(linkOf(await takeMail(who.email, 'email-verify')))
  const { session } = (await nhost.auth.signInEmailPassword(who)).body
  keep(session)

  const listed = (await operators(['list'])).trim().split('\n').map((line) => JSON.parse(line))
  assert.ok([email, who.email].every((e) => listed.some((user) => user.email === e)))
  assert.ok(listed.length > 0 && (await operators(['list', 'DELETED'])).trim() === '')
  assert.match(await operators(['history', who.email]), /session\.started/)
  assert.match(await operators(['sign-out', who.email]), /^[1-9]\d* sessions ended\n$/)
  const refreshed = await fetch(`${API}/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ refreshToken: session.refreshToken }),
  })
  assert.equal(refreshed.status, 401, 'the session is gone')
})

test('it says what is wrong', async () => {
  const says = (args, env, words) => assert.rejects(operators(args, env), ({ code, stderr }) => code === 1 && words.test(stderr))
  await says(['invite', 'nobody'], {}, /refused \(bad-request\): .*e-mail/)
  await says(['history', 'nobody@example.com'], {}, /refused \(not-found\)/)
  await says(['list'], { HASURA_GRAPHQL_ADMIN_SECRET: 'another' }, /refused \(unauthorized\)/)
})
