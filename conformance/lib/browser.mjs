// A real browser, driven through the DevTools protocol over a pipe. It needs Chromium or Chrome:
// BROWSER_BIN, or one of the usual names in PATH.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The browser's binary, or undefined when there is none. */
export function findBrowser() {
  if (process.env.BROWSER_BIN) return process.env.BROWSER_BIN
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
}

/** Starts a browser with a profile of its own. */
export async function openBrowser(t) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'postern-browser-'))
  const child = spawn(findBrowser(), [
    '--headless', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    `--user-data-dir=${profile}`, '--window-size=1000,700', 'about:blank',
  ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const [, , , input, output] = child.stdio
  const waiting = new Map()
  const listeners = new Set()
  let last = 0
  let rest = ''
  output.setEncoding('utf8')
  output.on('data', (text) => {
    const messages = (rest + text).split('\0')
    rest = messages.pop()
    for (const message of messages.map((m) => JSON.parse(m))) {
      if (message.id === undefined) {
        for (const listen of listeners) listen(message)
        continue
      }
      const { resolve, reject } = waiting.get(message.id)
      waiting.delete(message.id)
      if (message.error) reject(new Error(`${message.error.message} ${message.error.data ?? ''}`))
      else resolve(message.result)
    }
  })
  const send = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      last += 1
      waiting.set(last, { resolve, reject })
      input.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`)
    })
  t.after(async () => {
    send('Browser.close').catch(() => child.kill())
    await ended
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })
  const { targetInfos } = await send('Target.getTargets')
  const { targetId } = targetInfos.find((i) => i.type === 'page')
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const page = new Page((method, params) => send(method, params, sessionId), listeners, sessionId)
  await page.send('Page.enable')
  await page.send('Runtime.enable')
  await page.send('Network.enable')
  return page
}

/** One tab. */
class Page {
  /** What the page wrote to its console, and what the network refused it. */
  noise = []
  /** Every address that the tab was at, redirects too. */
  visited = []

  constructor(send, listeners, sessionId) {
    this.send = send
    listeners.add((message) => {
      if (message.sessionId !== sessionId) return
      if (message.method === 'Runtime.exceptionThrown') this.noise.push(message.params.exceptionDetails.exception?.description)
      if (message.method === 'Runtime.consoleAPICalled') this.noise.push(message.params.args.map((a) => a.value ?? a.description).join(' '))
      if (message.method === 'Network.requestWillBeSent' && message.params.type === 'Document') this.visited.push(message.params.request.url)
    })
  }

  async goto(url) {
    const { errorText } = await this.send('Page.navigate', { url })
    assert.ok(!errorText || errorText === 'net::ERR_ABORTED', `${url}: ${errorText}`)
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** Waits until an expression is true in whatever page the tab is at. */
  async until(expression, seconds = 20) {
    const end = Date.now() + seconds * 1000
    let problem
    while (Date.now() < end) {
      try {
        const value = await this.evaluate(expression)
        if (value) return value
      } catch (err) {
        problem = err // between two pages
      }
      await sleep(50)
    }
    const text = await this.evaluate('location.href + "\\n" + document.body.innerText').catch(() => problem)
    assert.fail(`waited in vain for ${expression}\n${text}\n${this.noise.join('\n')}`)
  }

  /** Waits until the page shows a text. */
  sees(text) {
    return this.until(`document.body?.innerText.includes(${JSON.stringify(text)})`)
  }

  /** Presses the button or link with a text, as a mouse does. */
  async press(text) {
    const spot = await this.until(`(() => {
      const it = [...document.querySelectorAll('button, a, input[type=submit]')].find((e) => (e.innerText || e.value || '').trim() === ${JSON.stringify(text)})
      if (!it) return
      it.scrollIntoView({ block: 'center' })
      const r = it.getBoundingClientRect()
      return r.width && { x: r.x + r.width / 2, y: r.y + r.height / 2 }
    })()`)
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.send('Input.dispatchMouseEvent', { type, ...spot, button: 'left', clickCount: 1 })
    }
  }

  /** Types into the field with a name. */
  async type(name, text) {
    await this.until(`(() => { const f = document.querySelector('[name="${name}"]'); f?.focus(); f?.select?.(); return !!f })()`)
    await this.send('Input.insertText', { text })
  }

  /** A picture, where SCREENSHOTS says. */
  async screenshot(name) {
    if (!process.env.SCREENSHOTS) return
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
    fs.mkdirSync(process.env.SCREENSHOTS, { recursive: true })
    fs.writeFileSync(path.join(process.env.SCREENSHOTS, `${name}.png`), Buffer.from(data, 'base64'))
  }
}
