// The npm package auth0, four majors of it, through every method that it has for hooks.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { all, ask, clear, clientId, clientSecret, domain, placeholder } from './lib/management.mjs'

const require = createRequire(import.meta.url)
const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
const script = 'function (user, context, callback) { callback(null, { user }); }'
const hook = (name, more) => ({ name, script, triggerId: 'pre-user-registration', ...more })
const audience = `https://${domain}/api/v2/`

// rejects waits for a refusal, and holds it to status, code and words.
async function rejects(promise, status, message) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.statusCode, status, `${e.message}`)
    assert.match(JSON.stringify([e.message, e.body]), message)
    return true
  })
}

// The methods of each major under one set of names. The answers differ, so each says how to read them.
const majors = {
  'auth0-2': older,
  'auth0-3': older,
  'auth0-4': (name) => {
    const { ManagementClient } = require(name)
    const { hooks } = new ManagementClient({ domain, clientId, clientSecret, audience })
    const data = (promise) => promise.then((r) => r.data)
    return {
      create: (d) => data(hooks.create(d)),
      list: () => data(hooks.getAll()),
      page: (page, per_page) => data(hooks.getAll({ page, per_page, include_totals: true })).then((r) => [r.total, r.hooks.length]),
      get: (id) => data(hooks.get({ id })),
      some: (id) => data(hooks.get({ id, fields: 'name' })),
      update: (id, d) => data(hooks.update({ id }, d)),
      remove: (id) => hooks.delete({ id }).then((r) => assert.equal(r.status, 204)),
      secrets: (id) => data(hooks.getSecrets({ id })),
      addSecrets: (id, d) => hooks.addSecrets({ id }, d),
      updateSecrets: (id, d) => hooks.updateSecrets({ id }, d),
      removeSecrets: (id, names) => hooks.deleteSecrets({ id }, names),
    }
  },
  'auth0-7': (name) => {
    const { ManagementClient } = require(name)
    const { hooks } = new ManagementClient({ domain, clientId, clientSecret, audience })
    return {
      create: (d) => hooks.create(d),
      list: async () => {
        const list = []
        for await (const h of await hooks.list()) list.push(h)
        return list
      },
      page: async (page, per_page) => {
        const p = await hooks.list({ page, per_page })
        return [p.response.total, p.data.length]
      },
      get: (id) => hooks.get(id),
      some: (id) => hooks.get(id, { fields: 'name' }),
      update: (id, d) => hooks.update(id, d),
      remove: (id) => hooks.delete(id),
      secrets: (id) => hooks.secrets.get(id),
      addSecrets: (id, d) => hooks.secrets.create(id, d),
      updateSecrets: (id, d) => hooks.secrets.update(id, d),
      removeSecrets: (id, names) => hooks.secrets.delete(id, names),
    }
  },
}

function older(name) {
  const { ManagementClient } = require(name)
  const api = new ManagementClient({ domain, clientId, clientSecret, audience })
  return {
    create: (d) => api.createHook(d),
    list: () => api.getHooks(),
    page: (page, per_page) => api.getHooks({ page, per_page, include_totals: true }).then((r) => [r.total, r.hooks.length]),
    get: (id) => api.getHook({ id }),
    some: (id) => api.hooks.get({ id, fields: 'name' }),
    update: (id, d) => api.updateHook({ id }, d),
    remove: (id) => api.deleteHook({ id }),
    secrets: (id) => api.getHookSecrets({ id }),
    addSecrets: (id, d) => api.addHookSecrets({ id }, d),
    updateSecrets: (id, d) => api.updateHookSecrets({ id }, d),
    removeSecrets: (id, names) => api.removeHookSecrets({ id }, names),
  }
}

for (const [name, open] of Object.entries(majors)) {
  test(`${name}, ${version(name)}: every method of hooks`, async () => {
    await clear()
    const api = open(name)
    assert.deepEqual(await api.list(), [])

    const made = await api.create(hook('test-hook1', { enabled: true, dependencies: { lodash: '4.17.21' } }))
    const { id, ...rest } = made
    assert.match(id, /^[0-9A-Z]{26}$/)
    assert.deepEqual(rest, hook('test-hook1', { enabled: true, dependencies: { lodash: '4.17.21' } }))
    const second = await api.create(hook('Second Hook'))
    assert.deepEqual((await api.list()).map((h) => h.name), ['test-hook1', 'Second Hook'])
    assert.deepEqual(await api.page(1, 1), [2, 1])
    assert.deepEqual(await api.page(2, 1), [2, 0])
    assert.deepEqual(await api.get(id), made)
    assert.deepEqual(await api.some(id), { name: 'test-hook1' })

    const changed = await api.update(second.id, { script: 'module.exports = 1', enabled: true, dependencies: {} })
    assert.deepEqual(changed, { ...second, script: 'module.exports = 1', enabled: true, dependencies: {} })
    assert.equal((await api.get(id)).enabled, false, 'one of a trigger is enabled')

    assert.deepEqual(await api.secrets(id), {})
    await api.addSecrets(id, { ONE: '1', TWO: '2' })
    await api.updateSecrets(id, { ONE: 'uno' })
    assert.deepEqual(await api.secrets(id), { ONE: placeholder, TWO: placeholder })
    await api.removeSecrets(id, ['TWO'])
    assert.deepEqual(await api.secrets(id), { ONE: placeholder })

    await rejects(api.create(hook('TEST-HOOK1')), 409, /same name/)
    await rejects(api.create(hook('-')), 400, /Payload validation error/)
    await rejects(api.addSecrets(id, { ONE: '1' }), 409, /same name/)
    await rejects(api.updateSecrets(id, { NONE: '1' }), 404, /Secret does not exist/)

    await api.remove(id)
    await rejects(api.get(id), 404, /Hook does not exist/)
    await rejects(api.remove(id), 404, /Hook does not exist/)
    assert.deepEqual(Object.keys(await all()), ['Second Hook'], 'read back without the package')
    assert.equal((await ask('DELETE', `hooks/${second.id}`)).status, 204)
  })
}

test('auth0-2 and auth0-7: what is not of hooks is refused for want of scope, at once', async () => {
  const { ManagementClient: Older } = require('auth0-2')
  await rejects(new Older({ domain, clientId, clientSecret, audience }).getRules(), 403, /Insufficient scope, expected any of: read:rules/)
  const { ManagementClient: Newer } = require('auth0-7')
  await rejects(new Newer({ domain, clientId, clientSecret, audience }).roles.list(), 403, /Insufficient scope, expected any of: read:roles/)
  await assert.rejects(new Newer({ domain, clientId, clientSecret: 'wrong', audience }).hooks.list(), /Unauthorized|access_denied|401/)
})
