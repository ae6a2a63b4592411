// @supabase/ssr and @supabase/supabase-js, unmodified, in a real browser and in the server of the application beside it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findBrowser, openBrowser } from './lib/browser.mjs'
import { serveSupabaseApp } from './lib/supabase-app.mjs'
import { APP, linkOf, newEmail, newPassword, takeMail } from './lib/world.mjs'

const skip = findBrowser() ? false : 'there is no Chromium or Chrome here; BROWSER_BIN names one'

test('Supabase clients in a real browser', { skip }, async (t) => {
  await serveSupabaseApp(t)
  const secrets = (page) => page.visited.filter((url) => /access_token|refresh_token/.test(url))

  await t.test('sign-up with PKCE: the link leads to a code, the server exchanges it, both have the session', async (t) => {
    const page = await openBrowser(t)
    const [email, password] = [newEmail(), newPassword()]
    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.type('password', password)
    await page.press('Sign up')
    await page.sees('Confirm your address')
    await page.screenshot('supabase-1-asked')
    await page.goto(linkOf(await takeMail(email, 'email-verify')))
    await page.sees(`The server sees: ${email}`)
    await page.sees(`Signed in as ${email}`)
    await page.screenshot('supabase-2-signed-in')
    assert.deepEqual(secrets(page), [], 'no token was in an address')

    await page.press('Refresh')
    await page.sees(`Refreshed there by ${email}, ${email}, ${email}, here by ${email}`)
    await page.press('Who am I?')
    await page.sees(`Signed in as ${email}`)
    await page.goto(APP)
    await page.sees(`The server sees: ${email}`)
    await page.sees(`Signed in as ${email}`) // the page's own script is there, too

    await page.press('Sign out')
    await page.sees('Signed out')
    await page.goto(APP)
    await page.sees('The server sees: nobody')
    await page.sees('Signed out')
    await page.type('email', email)
    await page.type('password', password)
    await page.press('Sign in')
    await page.sees(`Signed in as ${email}`)
    assert.deepEqual(page.noise, [])
  })

  await t.test('a link in a mail with PKCE opens in the browser that asked, and in no other', async (t) => {
    const [page, other] = [await openBrowser(t), await openBrowser(t)]
    const email = newEmail()
    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Mail me a link')
    await page.sees('A mail is on its way')
    const link = linkOf(await takeMail(email, 'signin-passwordless'))
    await other.goto(link)
    await other.sees('The server sees: ')
    await other.sees('code verifier')
    await other.screenshot('supabase-3-another-browser')
    assert.deepEqual(secrets(other), [])

    await page.goto(APP)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Mail me a link')
    await page.sees('A mail is on its way')
    await page.goto(linkOf(await takeMail(email, 'signin-passwordless')))
    await page.sees(`The server sees: ${email}`)
    assert.deepEqual(page.noise, [])
  })

  await t.test('supabase-js alone: the session comes in the fragment, after a button', async (t) => {
    const page = await openBrowser(t)
    const email = newEmail()
    await page.goto(`${APP}/plain`)
    await page.sees('Signed out')
    await page.type('email', email)
    await page.press('Mail me a link')
    await page.sees('A mail is on its way')
    await page.goto(linkOf(await takeMail(email, 'signin-passwordless')))
    const button = await page.until(`location.href.includes('/verify') && document.querySelector('button')?.innerText.trim()`)
    await page.screenshot('supabase-4-button')
    await page.press(button)
    await page.sees(`Signed in as ${email}`)
    assert.equal(await page.evaluate('location.hash'), '', 'the client takes the session out of the address')
    await page.goto(`${APP}/plain`)
    await page.sees(`Signed in as ${email}`)
    assert.deepEqual(page.noise, [])
  })
})
