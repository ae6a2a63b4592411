// auth0-deploy-cli, two majors of it: import, change, deletion, export. It ends well on refusals too, so
// everything is read back. Each import takes it 10 to 20 seconds of computing.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { all, ask, clear, clientId, clientSecret, domain, placeholder } from './lib/management.mjs'

const onlyHooks = { AUTH0_INCLUDED_ONLY: '["hooks"]' }

// run runs the program as a shell would.
async function run(major, args, env) {
  const program = fileURLToPath(new URL(`node_modules/auth0-deploy-cli-${major}/lib/index.js`, import.meta.url))
  const { PATH, HOME, NODE_EXTRA_CA_CERTS } = process.env
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...args], {
    env: { PATH, HOME, NODE_EXTRA_CA_CERTS, AUTH0_DOMAIN: domain, AUTH0_CLIENT_ID: clientId, AUTH0_CLIENT_SECRET: clientSecret, ...env },
    timeout: 300_000,
  })
  return stdout + stderr
}

// tenant writes a folder as the program wants it.
async function tenant(dir, hooks) {
  await rm(join(dir, 'hooks'), { recursive: true, force: true })
  await mkdir(join(dir, 'hooks'), { recursive: true })
  for (const { script, ...hook } of hooks) {
    await writeFile(join(dir, 'hooks', `${hook.name}.json`), JSON.stringify({ ...hook, script: `./${hook.name}.js` }))
    await writeFile(join(dir, 'hooks', `${hook.name}.js`), script)
  }
}

const trigger = { triggerId: 'credentials-exchange', dependencies: {} }
const code = (n) => `module.exports = function (client, scope, audience, context, cb) { cb(null, { scope, n: ${n} }) }`

for (const major of [7, 8]) {
  test(`auth0-deploy-cli ${major}`, async (t) => {
    await clear()
    const dir = await mkdtemp(join(tmpdir(), 'deploy-cli-'))
    t.after(() => rm(dir, { recursive: true, force: true }))

    await tenant(dir, [
      { name: 'first', enabled: true, script: code(1), secrets: { KEEP: 'kept', DROP: 'dropped' }, ...trigger, dependencies: { lodash: '4.17.21' } },
      { name: 'second', enabled: false, script: code(2), secrets: {}, ...trigger },
    ])
    if (major === 8) {
      assert.match(await run(major, ['import', '--dry-run', '-i', dir], onlyHooks), /first/)
      assert.deepEqual(await all(), {}, 'a dry run changes nothing')
    }
    await run(major, ['import', '-i', dir], onlyHooks)
    let hooks = await all()
    assert.deepEqual(Object.keys(hooks).sort(), ['first', 'second'])
    const { first } = hooks
    assert.deepEqual({ ...first, id: '' }, { id: '', name: 'first', enabled: true, script: code(1), ...trigger, dependencies: { lodash: '4.17.21' }, secrets: ['DROP', 'KEEP'] })

    // The second takes the first's place, whose script and secrets change: one stays by its placeholder.
    await tenant(dir, [
      { name: 'first', enabled: false, script: code(3), secrets: { KEEP: placeholder, ADD: 'added' }, ...trigger },
      { name: 'third', enabled: true, script: code(4), secrets: {}, ...trigger },
    ])
    await run(major, ['import', '-i', dir], { ...onlyHooks, AUTH0_ALLOW_DELETE: 'true' })
    hooks = await all()
    assert.deepEqual(Object.keys(hooks).sort(), ['first', 'third'], 'the second was deleted')
    assert.deepEqual(hooks.first, { ...first, enabled: false, script: code(3), dependencies: {}, secrets: ['ADD', 'KEEP'] })
    assert.equal(hooks.third.enabled, true)
    assert.equal(hooks.third.script, code(4))

    // All of a tenant: what is not ours is refused, and stepped over.
    const out = join(dir, 'out')
    await mkdir(out)
    await run(major, ['export', '-f', 'directory', '-o', out], {})
    assert.deepEqual((await readdir(join(out, 'hooks'))).sort(), ['first.js', 'first.json', 'third.js', 'third.json'])
    const exported = JSON.parse(await readFile(join(out, 'hooks', 'first.json'), 'utf8'))
    assert.deepEqual(exported.secrets, { ADD: placeholder, KEEP: placeholder })
    assert.equal(exported.triggerId, 'credentials-exchange')
    assert.equal(await readFile(join(out, 'hooks', 'first.js'), 'utf8'), code(3))

    assert.equal((await ask('GET', 'hooks?include_totals=true')).body.total, 2)
    await clear()
  })
}
