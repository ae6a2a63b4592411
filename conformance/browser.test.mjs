// Sign-ins as a person makes them: a real browser, a page with the published client, real clicks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serveApp } from './lib/app.mjs'
import { findBrowser, openBrowser } from './lib/browser.mjs'
import { openProvider } from './lib/provider.mjs'
import { API, APP, linkOf, newEmail, takeMail } from './lib/world.mjs'

const skip = findBrowser() ? false : 'there is no Chromium or Chrome here; BROWSER_BIN names one'

test('sign-ins in a real browser', { skip }, async (t) => {
  await serveApp(t)

  await t.test('a link in a mail, asked for and opened in one browser', async (t) => {
    const page = await openBrowser(t)
    const email = newEmail()
    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Mail me a link')
    await page.sees('A mail is on its way')
    await page.screenshot('link-1-asked')
    await page.goto(linkOf(await takeMail(email, 'signin-passwordless')))
    await page.sees(`Signed in as ${email}`)
    await page.screenshot('link-2-signed-in')
    assert.deepEqual(page.visited.filter((url) => /refreshToken/.test(url)), [], 'no token was in an address')
    assert.deepEqual(page.noise, [])
  })

  await t.test('a provider, there and back', async (t) => {
    const provider = await openProvider(t)
    const page = await openBrowser(t)
    await page.goto(APP)
    await page.sees('Signed out')
    await page.press('Sign in with the provider')
    await page.sees(`as ${provider.person.email}?`)
    await page.screenshot('provider-1-consent')
    await page.press('Continue')
    await page.sees(`Signed in as ${provider.person.email}`)
    await page.screenshot('provider-2-signed-in')
    assert.deepEqual(page.visited.filter((url) => /refreshToken/.test(url)), [], 'no token was in an address')

    await page.goto(APP)
    await page.until('document.body?.dataset.ready')
    await page.press('Sign in with the provider')
    await page.press('Cancel')
    await page.sees('Failed: oauth-provider-error')
    await page.screenshot('provider-3-refused')
    assert.deepEqual(page.noise, [])
  })

  await t.test('a state that another browser began is refused', async (t) => {
    await openProvider(t)
    const [victim, attacker] = [await openBrowser(t), await openBrowser(t)]
    const start = `${API}/signin/provider/example?redirectTo=${encodeURIComponent(APP)}`
    await attacker.goto(start) // without PKCE: a cookie binds the state
    await attacker.sees('The provider')
    await victim.goto(APP)
    await victim.sees('Signed out')
    await victim.goto(await attacker.evaluate('location.href'))
    await victim.press('Continue')
    await victim.sees('Failed: invalid-state')
    await victim.screenshot('provider-4-another-browser')
  })

  await t.test('a passkey: made, and used with and without an address', async (t) => {
    const page = await openBrowser(t)
    await page.send('WebAuthn.enable')
    await page.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    })
    const email = newEmail()
    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Create a passkey')
    const mail = await takeMail(email, 'email-verify')
    await page.screenshot('passkey-1-made')
    await page.goto(linkOf(mail))
    await page.sees('Confirm')
    await page.screenshot('passkey-2-confirm')
    await page.press(await page.evaluate(`document.querySelector('button').innerText.trim()`))
    await page.until(`location.href.startsWith(${JSON.stringify(APP)})`)

    await page.goto(APP)
    await page.until('document.body?.dataset.ready')
    await page.evaluate('localStorage.clear()')
    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Use a passkey')
    await page.sees(`Signed in as ${email}`)
    await page.screenshot('passkey-3-signed-in')

    await page.evaluate('localStorage.clear()')
    await page.goto(APP)
    await page.sees('Signed out')
    await page.press('Use a passkey')
    await page.sees(`Signed in as ${email}`)
    assert.deepEqual(page.noise, [])
  })
})
