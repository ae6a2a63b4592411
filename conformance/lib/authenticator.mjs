// A software authenticator (Web Authentication, level 2): ES256 keys, attestation "none", a counter.
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const sha256 = (data) => createHash('sha256').update(data).digest()
const b64 = (data) => Buffer.from(data).toString('base64url')
const buffer = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)

/** CBOR (RFC 8949) of what an attestation has: small integers, byte and text strings, maps. */
function cbor(value) {
  const head = (major, n) => {
    if (n < 24) return Buffer.from([(major << 5) | n])
    if (n < 256) return Buffer.from([(major << 5) | 24, n])
    return Buffer.from([(major << 5) | 25, n >> 8, n & 255])
  }
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Map) return Buffer.concat([head(5, value.size), ...[...value].flatMap(([k, v]) => [cbor(k), cbor(v)])])
  return Buffer.concat([head(2, value.length), value])
}

const PRESENT = 0x01
const VERIFIED = 0x04
const ATTESTED = 0x40

/** A device with no keys yet. It answers pages of one origin. */
export function openAuthenticator({ origin, verifiesUser = true }) {
  const keys = []
  const flags = PRESENT | (verifiesUser ? VERIFIED : 0)
  const clientData = (type, challenge) => Buffer.from(JSON.stringify({ type, challenge: b64(challenge), origin, crossOrigin: false }))
  const counter = (n) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(n)
    return bytes
  }

  /** navigator.credentials.create, on buffers. */
  function make({ rp, user, challenge, pubKeyCredParams, excludeCredentials = [] }) {
    assert.ok(pubKeyCredParams.some((p) => p.alg === -7), 'ES256 is welcome')
    assert.ok(!keys.some((k) => excludeCredentials.some((c) => Buffer.from(c.id).equals(k.id))), 'not registered yet')
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x, y } = publicKey.export({ format: 'jwk' })
    const key = { id: randomBytes(32), rpId: rp.id, privateKey, userHandle: Buffer.from(user.id), count: 0 }
    keys.push(key)
    const cose = new Map([[1, 2], [3, -7], [-1, 1], [-2, Buffer.from(x, 'base64url')], [-3, Buffer.from(y, 'base64url')]])
    const data = Buffer.concat([sha256(rp.id), Buffer.from([flags | ATTESTED]), counter(0), Buffer.alloc(16), Buffer.from([0, 32]), key.id, cbor(cose)])
    return {
      id: key.id,
      clientDataJSON: clientData('webauthn.create', challenge),
      attestationObject: cbor(new Map([['fmt', 'none'], ['attStmt', new Map()], ['authData', data]])),
    }
  }

  /** navigator.credentials.get, on buffers. */
  function use({ rpId, challenge, allowCredentials = [] }) {
    const mine = keys.filter((k) => k.rpId === rpId)
    const key = allowCredentials.length === 0 ? mine.at(-1) : mine.find((k) => allowCredentials.some((c) => Buffer.from(c.id).equals(k.id)))
    assert.ok(key, 'the device has a key that is asked for')
    key.count += 1
    const data = Buffer.concat([sha256(rpId), Buffer.from([flags]), counter(key.count)])
    const client = clientData('webauthn.get', challenge)
    return {
      id: key.id, clientDataJSON: client, authenticatorData: data, userHandle: key.userHandle,
      signature: sign('sha256', Buffer.concat([data, sha256(client)]), key.privateKey),
    }
  }

  const ids = (list) => list?.map((c) => ({ ...c, id: Buffer.from(c.id, 'base64url') }))
  return {
    make, use, origin,
    /** The same in JSON, with the user's id as text, as SimpleWebAuthn up to 9 has it. */
    create(options) {
      const made = make({
        ...options, challenge: Buffer.from(options.challenge, 'base64url'), user: { ...options.user, id: Buffer.from(options.user.id) },
        excludeCredentials: ids(options.excludeCredentials),
      })
      return {
        id: b64(made.id), rawId: b64(made.id), type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform',
        response: { clientDataJSON: b64(made.clientDataJSON), attestationObject: b64(made.attestationObject), transports: ['internal'] },
      }
    },
    get(options) {
      const got = use({ ...options, challenge: Buffer.from(options.challenge, 'base64url'), allowCredentials: ids(options.allowCredentials) })
      return {
        id: b64(got.id), rawId: b64(got.id), type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform',
        response: {
          clientDataJSON: b64(got.clientDataJSON), authenticatorData: b64(got.authenticatorData), signature: b64(got.signature),
          userHandle: got.userHandle.toString(),
        },
      }
    },
  }
}

/** Lends the process what a page has, with the device plugged in. */
export function lendNavigator(t, device) {
  const credential = (id, response) => ({
    id: b64(id), rawId: buffer(id), type: 'public-key', authenticatorAttachment: 'platform', getClientExtensionResults: () => ({}),
    response: Object.fromEntries(Object.entries(response).map(([name, bytes]) => [name, buffer(bytes)])),
  })
  const credentials = {
    create: async ({ publicKey }) => {
      const { id, ...response } = device.make(publicKey)
      return credential(id, response)
    },
    get: async ({ publicKey }) => {
      const { id, ...response } = device.use(publicKey)
      return credential(id, response)
    },
  }
  globalThis.window = { PublicKeyCredential: class {}, location: { href: '', search: '', hash: '', origin: '', pathname: '/' } }
  Object.defineProperty(globalThis, 'navigator', { value: { credentials, userAgent: 'conformance' }, configurable: true })
  t.after(() => {
    delete globalThis.window
    delete globalThis.navigator
  })
}

/** Lends the process what clients of Supabase look for in a page besides. */
export function lendPage(t, device) {
  lendNavigator(t, device)
  const { create, get } = globalThis.navigator.credentials
  globalThis.PublicKeyCredential = globalThis.window.PublicKeyCredential
  globalThis.document = { visibilityState: 'visible', addEventListener() {} }
  Object.assign(globalThis.window, { addEventListener() {}, location: { ...globalThis.window.location, hostname: 'localhost', origin: device.origin } })
  const made = (answer) => Object.assign(new globalThis.PublicKeyCredential(), answer)
  globalThis.navigator.credentials = { create: async (o) => made(await create(o)), get: async (o) => made(await get(o)) }
  t.after(() => {
    delete globalThis.document
    delete globalThis.PublicKeyCredential
  })
}
