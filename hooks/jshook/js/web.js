// What scripts know from browsers and from Node: URL, TextEncoder, Buffer, crypto, fetch.
(function (kit) {
  'use strict';
  const { host, ask, give, parse, stringify } = kit;

  // ---- text and bytes ----

  const binary = (bytes) => {
    let s = '';
    for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
    return s;
  };
  const bytesOf = (s) => {
    const b = new Uint8Array(s.length);
    for (let i = 0; i < s.length; i++) b[i] = s.charCodeAt(i);
    return b;
  };
  const encodeText = (s) => bytesOf(unescape(encodeURIComponent(s.toWellFormed())));
  const decodeText = (b, fatal) => {
    try {
      return decodeURIComponent(escape(binary(b)));
    } catch (e) {
      if (fatal) throw new TypeError('the data is no UTF-8');
    }
    return host('utf8', b.toBase64());
  };
  const view = (v) => {
    if (v instanceof Uint8Array) return v;
    if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    if (v instanceof ArrayBuffer) return new Uint8Array(v);
    return null;
  };

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(s = '') { return encodeText(String(s)); }
  }
  class TextDecoder {
    #fatal; #keep;
    constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
      if (!/^utf-?8$/i.test(String(label).trim())) throw new RangeError('TextDecoder knows UTF-8 alone');
      this.#fatal = !!fatal;
      this.#keep = !!ignoreBOM;
    }
    get encoding() { return 'utf-8'; }
    get fatal() { return this.#fatal; }
    decode(input) {
      if (input === undefined) return '';
      const bytes = view(input);
      if (bytes === null) throw new TypeError('decode needs bytes');
      const text = decodeText(bytes, this.#fatal);
      return !this.#keep && text.charCodeAt(0) === 0xFEFF ? text.slice(1) : text;
    }
  }
  give('TextEncoder', TextEncoder);
  give('TextDecoder', TextDecoder);
  const badCharacter = () => { const e = new Error('The string contains invalid characters'); e.name = 'InvalidCharacterError'; return e; };
  give('btoa', (s) => {
    s = String(s);
    for (let i = 0; i < s.length; i++) if (s.charCodeAt(i) > 255) throw badCharacter();
    return bytesOf(s).toBase64();
  });
  give('atob', (s) => {
    try {
      return binary(Uint8Array.fromBase64(String(s)));
    } catch (e) {
      throw badCharacter();
    }
  });

  // ---- Buffer ----

  const encodings = { utf8: 'utf8', 'utf-8': 'utf8', hex: 'hex', base64: 'base64', base64url: 'base64url', latin1: 'latin1', binary: 'latin1', ascii: 'ascii', ucs2: 'utf16le', 'ucs-2': 'utf16le', utf16le: 'utf16le', 'utf-16le': 'utf16le' };
  const encodingOf = (name) => {
    const e = encodings[String(name === undefined || name === null ? 'utf8' : name).toLowerCase()];
    if (e === undefined) throw new TypeError('Unknown encoding: ' + name);
    return e;
  };
  const parseText = (s, encoding) => {
    switch (encodingOf(encoding)) {
      case 'utf8': return encodeText(s);
      case 'hex': return Uint8Array.fromHex(/^(?:[0-9a-f]{2})*/i.exec(s)[0]);
      case 'base64': case 'base64url': {
        const plain = s.replace(/[^A-Za-z0-9+/_-]/g, '').replace(/-/g, '+').replace(/_/g, '/');
        return Uint8Array.fromBase64(plain.length % 4 === 1 ? plain.slice(0, -1) : plain);
      }
      case 'utf16le': {
        const b = new Uint8Array(s.length * 2);
        for (let i = 0; i < s.length; i++) { const c = s.charCodeAt(i); b[2 * i] = c & 255; b[2 * i + 1] = c >> 8; }
        return b;
      }
      default: return bytesOf(s);
    }
  };
  class Buffer extends Uint8Array {
    static from(v, encoding, length) {
      if (typeof v === 'string') return Buffer.over(parseText(v, encoding));
      if (v instanceof ArrayBuffer) return new Buffer(v, encoding, length);
      if (v !== null && typeof v === 'object') {
        if (v.type === 'Buffer' && Array.isArray(v.data)) v = v.data;
        return Buffer.over(Uint8Array.from(v));
      }
      throw new TypeError('Buffer.from needs text, bytes or an array');
    }
    static over(b) { return new Buffer(b.buffer, b.byteOffset, b.byteLength); }
    static alloc(n, fill, encoding) { const b = new Buffer(n); return fill === undefined ? b : b.fill(fill, encoding); }
    static allocUnsafe(n) { return new Buffer(n); }
    static isBuffer(v) { return v instanceof Buffer; }
    static isEncoding(name) { return encodings[String(name).toLowerCase()] !== undefined; }
    static byteLength(v, encoding) { return typeof v === 'string' ? parseText(v, encoding).length : v.byteLength; }
    static compare(a, b) { return Buffer.prototype.compare.call(a, b); }
    static concat(list, total) {
      let n = 0;
      for (const b of list) n += b.length;
      const all = new Buffer(total === undefined ? n : total);
      let at = 0;
      for (const b of list) {
        if (at >= all.length) break;
        all.set(b.subarray(0, all.length - at), at);
        at += b.length;
      }
      return all;
    }
    toString(encoding, start = 0, end = this.length) {
      const b = this.subarray(start, end);
      switch (encodingOf(encoding)) {
        case 'utf8': return decodeText(b, false);
        case 'hex': return b.toHex();
        case 'base64': return b.toBase64();
        case 'base64url': return b.toBase64({ alphabet: 'base64url', omitPadding: true });
        case 'ascii': return binary(b.map((c) => c & 127));
        case 'utf16le': { let s = ''; for (let i = 0; i + 1 < b.length; i += 2) s += String.fromCharCode(b[i] | b[i + 1] << 8); return s; }
        default: return binary(b);
      }
    }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    equals(other) { return this.compare(other) === 0; }
    compare(other) {
      const n = Math.min(this.length, other.length);
      for (let i = 0; i < n; i++) if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
      return Math.sign(this.length - other.length);
    }
    slice(start, end) { return Buffer.over(Uint8Array.prototype.subarray.call(this, start, end)); }
    write(s, at = 0) { const b = encodeText(String(s)).subarray(0, this.length - at); this.set(b, at); return b.length; }
    copy(target, at = 0, start = 0, end = this.length) {
      const part = Uint8Array.prototype.subarray.call(this, start, Math.min(end, start + target.length - at));
      target.set(part, at);
      return part.length;
    }
    fill(v, encoding) {
      if (typeof v !== 'string') { Uint8Array.prototype.fill.call(this, v); return this; }
      const b = parseText(v, encoding);
      for (let i = 0; i < this.length && b.length > 0; i++) this[i] = b[i % b.length];
      return this;
    }
    indexOf(v, from = 0) {
      if (typeof v === 'number') return Uint8Array.prototype.indexOf.call(this, v, from);
      return binary(this).indexOf(binary(typeof v === 'string' ? encodeText(v) : v), from);
    }
    includes(v, from) { return this.indexOf(v, from) !== -1; }
    #view() { return new DataView(this.buffer, this.byteOffset, this.byteLength); }
    readUInt8(at = 0) { return this.#view().getUint8(at); }
    readUInt16BE(at = 0) { return this.#view().getUint16(at); }
    readUInt16LE(at = 0) { return this.#view().getUint16(at, true); }
    readUInt32BE(at = 0) { return this.#view().getUint32(at); }
    readUInt32LE(at = 0) { return this.#view().getUint32(at, true); }
    readInt32BE(at = 0) { return this.#view().getInt32(at); }
    writeUInt8(v, at = 0) { this.#view().setUint8(at, v); return at + 1; }
    writeUInt16BE(v, at = 0) { this.#view().setUint16(at, v); return at + 2; }
    writeUInt32BE(v, at = 0) { this.#view().setUint32(at, v); return at + 4; }
    writeUInt32LE(v, at = 0) { this.#view().setUint32(at, v, true); return at + 4; }
  }
  give('Buffer', Buffer);

  // ---- crypto ----

  const dataOf = (v, encoding) => {
    if (typeof v === 'string') return parseText(v, encoding);
    const bytes = view(v);
    if (bytes === null) throw new TypeError('the data must be text or bytes');
    return bytes;
  };
  class Digest {
    #how; #key; #parts = []; #ended = false;
    constructor(how, key) {
      this.#how = String(how).toLowerCase().replace(/^rsa-/, '');
      if (!host('hashes', this.#how)) throw new Error('Digest method not supported: ' + how);
      this.#key = key;
    }
    update(data, encoding) {
      if (this.#ended) throw new Error('Digest already called');
      this.#parts.push(Uint8Array.from(dataOf(data, encoding)));
      return this;
    }
    digest(encoding) {
      if (this.#ended) throw new Error('Digest already called');
      this.#ended = true;
      const all = Buffer.concat(this.#parts).toString('base64');
      const sum = Buffer.from(host('hash', this.#how, all, this.#key === null ? '' : this.#key.toBase64(), this.#key !== null), 'base64');
      return encoding === undefined || encoding === 'buffer' ? sum : sum.toString(encoding);
    }
  }
  const randomBytes = (n, then) => {
    n = Number(n);
    if (!(n >= 0 && n <= 65536)) throw new RangeError('randomBytes gives 0 to 65536 bytes');
    const b = Buffer.from(host('random', Math.trunc(n)), 'base64');
    if (typeof then !== 'function') return b;
    queueMicrotask(() => then(null, b));
  };
  const randomUUID = () => host('uuid');
  const getRandomValues = (v) => {
    const bytes = view(v);
    if (bytes === null || bytes.length > 65536) throw new TypeError('getRandomValues fills at most 65536 bytes');
    bytes.set(Uint8Array.fromBase64(host('random', bytes.length)));
    return v;
  };
  const crypto = {
    randomBytes, randomUUID, getRandomValues,
    randomInt: (low, high) => {
      if (high === undefined) { high = low; low = 0; }
      const span = high - low, top = 2 ** 48 - 2 ** 48 % span;
      if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || !(span > 0 && span <= 2 ** 47)) throw new RangeError('randomInt needs two integers, the first smaller');
      for (;;) {
        const b = randomBytes(6), n = b.readUInt16BE(0) * 2 ** 32 + b.readUInt32BE(2);
        if (n < top) return low + n % span;
      }
    },
    createHash: (how) => new Digest(how, null),
    createHmac: (how, key) => new Digest(how, Uint8Array.from(dataOf(key))),
    getHashes: () => ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'],
    timingSafeEqual: (a, b) => {
      a = view(a); b = view(b);
      if (a === null || b === null) throw new TypeError('timingSafeEqual compares bytes');
      if (a.length !== b.length) throw new RangeError('Input buffers must have the same byte length');
      let differ = 0;
      for (let i = 0; i < a.length; i++) differ |= a[i] ^ b[i];
      return differ === 0;
    },
  };
  give('crypto', { randomUUID, getRandomValues });

  // ---- addresses ----

  const plus = (s) => {
    s = s.replace(/\+/g, ' ');
    try {
      return decodeURIComponent(s);
    } catch (e) {
      return host('unescape', s);
    }
  };
  const escapeForm = (s) => encodeURIComponent(s.toWellFormed()).replace(/%20/g, '+').replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
  class URLSearchParams {
    #list = []; #changed = null;
    constructor(init = '', changed) {
      this.#changed = typeof changed === 'function' ? changed : null;
      if (typeof init === 'object' && init !== null) {
        const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
        for (const [k, v] of pairs) this.#list.push([String(k), String(v)]);
      } else this.#read(String(init));
    }
    #read(s) {
      for (const part of s.replace(/^\?/, '').split('&')) {
        if (part === '') continue;
        const at = part.indexOf('=');
        this.#list.push(at < 0 ? [plus(part), ''] : [plus(part.slice(0, at)), plus(part.slice(at + 1))]);
      }
    }
    #told() { if (this.#changed !== null) this.#changed(this.toString()); }
    append(k, v) { this.#list.push([String(k), String(v)]); this.#told(); }
    delete(k, v) { this.#list = this.#list.filter((p) => p[0] !== String(k) || v !== undefined && p[1] !== String(v)); this.#told(); }
    get(k) { const p = this.#list.find((p) => p[0] === String(k)); return p === undefined ? null : p[1]; }
    getAll(k) { return this.#list.filter((p) => p[0] === String(k)).map((p) => p[1]); }
    has(k, v) { return this.#list.some((p) => p[0] === String(k) && (v === undefined || p[1] === String(v))); }
    set(k, v) {
      k = String(k);
      const at = this.#list.findIndex((p) => p[0] === k);
      if (at < 0) this.#list.push([k, String(v)]);
      else this.#list = this.#list.filter((p, i) => i <= at || p[0] !== k).map((p, i) => i === at ? [k, String(v)] : p);
      this.#told();
    }
    sort() { this.#list.sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0); this.#told(); }
    get size() { return this.#list.length; }
    forEach(fn, self) { for (const [k, v] of this.#list.slice()) fn.call(self, v, k, this); }
    keys() { return this.#list.map((p) => p[0])[Symbol.iterator](); }
    values() { return this.#list.map((p) => p[1])[Symbol.iterator](); }
    entries() { return this.#list.map((p) => [p[0], p[1]])[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
    toString() { return this.#list.map((p) => escapeForm(p[0]) + '=' + escapeForm(p[1])).join('&'); }
  }
  give('URLSearchParams', URLSearchParams);
  const split = (text, base) => {
    const parts = host('url', String(text), base === undefined ? '' : String(base), base !== undefined);
    if (parts === '') { const e = new TypeError('Invalid URL'); e.code = 'ERR_INVALID_URL'; throw e; }
    return parse(parts);
  };
  class URL {
    #p; #query = null;
    constructor(text, base) { this.#p = split(text, base); }
    static canParse(text, base) { try { return split(text, base) !== null; } catch (e) { return false; } }
    static parse(text, base) { try { return new URL(text, base); } catch (e) { return null; } }
    #put(change) {
      const p = { ...this.#p, ...change };
      const who = p.username === '' && p.password === '' ? '' : p.username + (p.password === '' ? '' : ':' + p.password) + '@';
      this.#p = split(p.protocol + (p.opaque ? '' : '//') + who + p.hostname + (p.port === '' ? '' : ':' + p.port) + p.pathname + p.search + p.hash);
    }
    get href() { return this.#p.href; }
    set href(v) { this.#p = split(v); this.#query = null; }
    get origin() { return this.#p.origin; }
    get protocol() { return this.#p.protocol; }
    set protocol(v) { this.#put({ protocol: String(v).replace(/:.*$/, '') + ':' }); }
    get username() { return this.#p.username; }
    set username(v) { this.#put({ username: encodeURIComponent(v) }); }
    get password() { return this.#p.password; }
    set password(v) { this.#put({ password: encodeURIComponent(v) }); }
    get host() { return this.#p.hostname + (this.#p.port === '' ? '' : ':' + this.#p.port); }
    set host(v) { const m = /^(.*?)(?::(\d*))?$/.exec(String(v)); this.#put({ hostname: m[1], port: m[2] === undefined ? this.#p.port : m[2] }); }
    get hostname() { return this.#p.hostname; }
    set hostname(v) { this.#put({ hostname: String(v) }); }
    get port() { return this.#p.port; }
    set port(v) { this.#put({ port: String(v) }); }
    get pathname() { return this.#p.pathname; }
    set pathname(v) { v = String(v).replace(/[?#]/g, encodeURIComponent); this.#put({ pathname: v.startsWith('/') ? v : '/' + v }); }
    get search() { return this.#p.search; }
    set search(v) { v = String(v).replace(/#/g, '%23'); this.#put({ search: v === '' || v === '?' ? '' : v.startsWith('?') ? v : '?' + v }); this.#query = null; }
    get hash() { return this.#p.hash; }
    set hash(v) { v = String(v); this.#put({ hash: v === '' || v === '#' ? '' : v.startsWith('#') ? v : '#' + v }); }
    get searchParams() {
      if (this.#query === null) this.#query = new URLSearchParams(this.#p.search, (s) => this.#put({ search: s === '' ? '' : '?' + s }));
      return this.#query;
    }
    toString() { return this.#p.href; }
    toJSON() { return this.#p.href; }
  }
  give('URL', URL);

  // ---- fetch ----

  class Headers {
    #map = new Map();
    constructor(init) {
      if (init === undefined || init === null) return;
      for (const [k, v] of typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init)) this.append(k, v);
    }
    #key(k) {
      k = String(k).toLowerCase();
      if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(k)) throw new TypeError('no name of a header: ' + k);
      return k;
    }
    #text(v) {
      v = String(v).trim();
      if (/[\r\n\0]/.test(v)) throw new TypeError('no value of a header');
      return v;
    }
    append(k, v) { k = this.#key(k); v = this.#text(v); const old = this.#map.get(k); this.#map.set(k, old === undefined ? v : old + ', ' + v); }
    set(k, v) { this.#map.set(this.#key(k), this.#text(v)); }
    get(k) { const v = this.#map.get(this.#key(k)); return v === undefined ? null : v; }
    has(k) { return this.#map.has(this.#key(k)); }
    delete(k) { this.#map.delete(this.#key(k)); }
    forEach(fn, self) { for (const [k, v] of this) fn.call(self, v, k, this); }
    keys() { return [...this.#map.keys()].sort()[Symbol.iterator](); }
    values() { return [...this].map((p) => p[1])[Symbol.iterator](); }
    entries() { return [...this.#map].sort((a, b) => a[0] < b[0] ? -1 : 1)[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
  }
  give('Headers', Headers);

  class AbortSignal {
    aborted = false; reason = undefined; onabort = null; #heard = [];
    static timeout(ms) {
      const c = new AbortController();
      setTimeout(() => { const e = new Error('The operation timed out'); e.name = 'TimeoutError'; c.abort(e); }, ms);
      return c.signal;
    }
    static abort(reason) { const c = new AbortController(); c.abort(reason); return c.signal; }
    addEventListener(kind, fn) { if (kind === 'abort') this.#heard.push(fn); }
    removeEventListener(kind, fn) { this.#heard = this.#heard.filter((f) => f !== fn); }
    throwIfAborted() { if (this.aborted) throw this.reason; }
    _abort(reason) {
      if (this.aborted) return;
      this.aborted = true;
      if (reason === undefined) { reason = new Error('This operation was aborted'); reason.name = 'AbortError'; }
      this.reason = reason;
      const event = { type: 'abort', target: this };
      for (const fn of [this.onabort, ...this.#heard]) if (typeof fn === 'function') fn.call(this, event);
    }
  }
  class AbortController {
    signal = new AbortSignal();
    abort(reason) { this.signal._abort(reason); }
  }
  give('AbortSignal', AbortSignal);
  give('AbortController', AbortController);

  class Response {
    #bytes; #used = false;
    constructor(body = null, init = {}) {
      this.#bytes = body === null ? new Uint8Array(0) : dataOf(body);
      this.status = init.status === undefined ? 200 : init.status;
      this.statusText = init.statusText || '';
      this.headers = new Headers(init.headers);
      this.url = init.url || '';
      this.type = 'default';
      this.redirected = false;
    }
    get ok() { return this.status >= 200 && this.status < 300; }
    get bodyUsed() { return this.#used; }
    async #take() {
      if (this.#used) throw new TypeError('Body is unusable: Body has already been read');
      this.#used = true;
      return this.#bytes;
    }
    async bytes() { return this.#take(); }
    async arrayBuffer() { const b = await this.#take(); return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength); }
    async text() { return decodeText(await this.#take(), false); }
    async json() { return parse(await this.text()); }
    clone() { return new Response(this.#bytes, this); }
  }
  give('Response', Response);

  give('fetch', async (target, init = {}) => {
    const headers = new Headers(init.headers);
    let body = init.body, bytes = null;
    if (body instanceof URLSearchParams) {
      body = body.toString();
      if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
    }
    if (body !== undefined && body !== null) {
      bytes = typeof body === 'string' ? encodeText(body) : view(body);
      if (bytes === null) bytes = encodeText(String(body));
      if (typeof init.body === 'string' && !headers.has('content-type')) headers.set('content-type', 'text/plain;charset=UTF-8');
    }
    const signal = init.signal;
    if (signal) signal.throwIfAborted();
    const url = split(target).href;
    const answer = ask({ method: String(init.method || 'GET').toUpperCase(), url, header: [...headers], body: bytes === null ? '' : bytes.toBase64() });
    const raced = signal ? Promise.race([answer, new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))]) : answer;
    const r = await raced;
    return new Response(r.body ? Uint8Array.fromBase64(r.body) : null, { status: r.status, statusText: r.statusText, headers: r.header || [], url });
  });

  // ---- modules that need no file ----

  const promisify = (fn) => (...args) => new Promise((resolve, reject) => fn(...args, (e, v) => e ? reject(e) : resolve(v)));
  const inherits = (child, parent) => { Object.setPrototypeOf(child.prototype, parent.prototype); Object.setPrototypeOf(child, parent); };
  Object.assign(kit.modules, {
    buffer: { Buffer, kMaxLength: 2 ** 31 - 1 },
    crypto: { ...crypto, webcrypto: { randomUUID, getRandomValues } },
    url: { URL, URLSearchParams, parse: (s) => new URL(s), format: (u) => String(u) },
    querystring: {
      parse: (s) => { const o = {}; for (const [k, v] of new URLSearchParams(s)) o[k] = k in o ? [].concat(o[k], v) : v; return o; },
      stringify: (o) => Object.entries(o).flatMap(([k, v]) => [].concat(v).map((x) => encodeURIComponent(k) + '=' + encodeURIComponent(x))).join('&'),
      escape: encodeURIComponent, unescape: decodeURIComponent,
    },
    util: { promisify, inherits, TextEncoder, TextDecoder, inspect: (v) => typeof v === 'string' ? v : stringify(v), format: (...a) => a.map((v) => typeof v === 'string' ? v : stringify(v)).join(' ') },
    timers: { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate },
  });
});
