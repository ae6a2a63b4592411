// Sign-ins as a person makes them: a real browser, a page with the published client, real clicks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serveApp } from './lib/app.mjs'
import { findBrowser, openBrowser } from './lib/browser.mjs'
import { APP, linkOf, newEmail, takeMail } from './lib/world.mjs'

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
})
