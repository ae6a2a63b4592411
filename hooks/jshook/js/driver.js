// What runs a script inside its machine. Postern evaluates this first in every fresh machine; the
// script cannot reach what is in here but through the functions that it is given.
(function () {
  'use strict';
  const host = globalThis.__host, bundled = globalThis.__module, web = globalThis.__web;
  delete globalThis.__host;
  delete globalThis.__module;
  delete globalThis.__web;
  const stringify = JSON.stringify, parse = JSON.parse;
  const maxTimers = 1000, maxFetches = 100, maxLine = 65536;

  // ---- console ----

  const words = (v) => {
    if (typeof v === 'string') return v;
    if (typeof v === 'bigint') return v + 'n';
    if (typeof v === 'function') return '[Function: ' + v.name + ']';
    if (v === null || typeof v !== 'object') return String(v);
    try {
      if (v instanceof Error) return String(v) + (v.stack ? '\n' + ours(v.stack) : '');
      const seen = new Set();
      const text = stringify(v, function (k, x) {
        if (typeof x === 'bigint') return x + 'n';
        if (typeof x === 'function') return '[Function]';
        if (x === undefined) return '[undefined]';
        if (x instanceof Error) return String(x);
        if (x !== null && typeof x === 'object') {
          if (seen.has(x)) return '[seen above]';
          seen.add(x);
        }
        return x;
      });
      return text === undefined ? '[Object]' : text;
    } catch (e) {
      return '[Object]';
    }
  };
  const format = (args) => {
    let i = 0, text = '';
    if (typeof args[0] === 'string' && args.length > 1 && args[0].length <= maxLine) {
      i = 1;
      text = args[0].replace(/%[sdifjoOc%]/g, (m) => {
        if (m === '%%') return '%';
        if (i >= args.length) return m;
        const v = args[i++];
        switch (m) {
          case '%d': return String(Number(v));
          case '%i': return String(Math.trunc(Number(v)));
          case '%f': return String(Number(v));
          case '%c': return '';
          default: return words(v);
        }
      });
      if (i < args.length) text += ' ';
    }
    for (let first = true; i < args.length && text.length <= maxLine; i++, first = false) {
      text += (first ? '' : ' ') + words(args[i]);
    }
    // What is cut here could end in half a secret, which nobody would know to hide.
    return text.length > maxLine ? '[a line of ' + text.length + ' characters, which is too long]' : text;
  };
  let full = false;
  const say = (...args) => { if (!full) full = host('say', format(args)); };
  const quiet = () => {};
  globalThis.console = {
    log: say, info: say, debug: say, warn: say, error: say, dir: (v) => say(v), table: (v) => say(v),
    trace: say, group: say, groupEnd: quiet, time: quiet, timeEnd: quiet, timeLog: quiet, count: quiet,
    assert: (ok, ...rest) => { if (!ok) say('Assertion failed', ...rest); },
  };

  // ---- timers ----

  const timers = new Map();
  let lastTimer = 0;
  const addTimer = (fn, ms, repeat, args) => {
    if (typeof fn !== 'function') throw new TypeError('a timer needs a function');
    if (timers.size >= maxTimers) throw new RangeError('more than ' + maxTimers + ' timers at a time');
    const wait = Math.min(Math.max(Number(ms) || 0, repeat ? 1 : 0), 2147483647);
    timers.set(++lastTimer, { due: host('now') + wait, wait, fn, repeat, args });
    return lastTimer;
  };
  const dropTimer = (id) => { timers.delete(Number(id)); };
  globalThis.setTimeout = (fn, ms, ...args) => addTimer(fn, ms, false, args);
  globalThis.setInterval = (fn, ms, ...args) => addTimer(fn, ms, true, args);
  globalThis.setImmediate = (fn, ...args) => addTimer(fn, 0, false, args);
  globalThis.clearTimeout = globalThis.clearInterval = globalThis.clearImmediate = dropTimer;

  // __posternTick runs the first timer that is due. It says in how many milliseconds there is more to do: -1
  // when there is no timer left.
  const __posternTick = (now) => {
    let id = 0, next = null;
    for (const [key, t] of timers) if (next === null || t.due < next.due) { id = key; next = t; }
    if (next === null) return -1;
    if (next.due > now) return next.due - now;
    if (next.repeat) next.due = now + next.wait; else timers.delete(id);
    try {
      next.fn.apply(undefined, next.args);
    } catch (e) {
      fail(e);
    }
    return 0;
  };

  // ---- fetch: who asks is Postern ----

  const asked = new Map();
  let lastFetch = 0;
  const ask = (request) => new Promise((resolve, reject) => {
    if (lastFetch >= maxFetches) throw new TypeError('fetch: more than ' + maxFetches + ' requests in one call');
    asked.set(++lastFetch, { resolve, reject });
    host('fetch', lastFetch, stringify(request));
  });
  const fetched = (id, text) => {
    const waiting = asked.get(id);
    if (waiting === undefined) return;
    asked.delete(id);
    const answer = parse(text);
    if (answer.error) waiting.reject(new TypeError('fetch failed: ' + answer.error));
    else waiting.resolve(answer);
  };

  // ---- answers ----

  let answered = false;
  const done = (ok, text) => {
    if (answered) return;
    answered = true;
    host('done', ok, text);
  };
  // fail ends the call with an error, whatever was thrown. The engine throws null when memory is
  // out, so what is false is an error too.
  const fail = (e) => {
    if (answered) return;
    done(false, describe(e));
  };
  // Where frames of ours begin in a stack, what follows is no business of the script's author.
  const ours = (stack) => {
    const lines = String(stack).slice(0, 8192).split('\n').filter((l) => !/^ +at __posternBack /.test(l));
    let end = lines.findIndex((l) => /^ +at __postern/.test(l));
    if (end > 0 && /^ +at (apply|call) \(native\)/.test(lines[end - 1])) end--;
    return (end < 0 ? lines : lines.slice(0, end)).join('\n').replaceAll('<eval>:', 'hook.js:').trimEnd();
  };
  const describe = (e) => {
    const plain = { name: 'Error', message: '' };
    if (e === null) return '{"name":"Error","message":"null was thrown, as happens when memory is out","empty":true}';
    if (e === undefined || typeof e !== 'object' && typeof e !== 'function') {
      plain.message = e === undefined || e === 0 || e === '' || e === false || e !== e
        ? (typeof e === 'string' ? "''" : String(e)) + ' was thrown' : String(e);
      return stringify(plain);
    }
    try {
      const data = {};
      for (const key of Object.getOwnPropertyNames(e).slice(0, 50)) {
        const v = e[key];
        if (typeof v !== 'function' && stringify(v) !== undefined) data[key] = v;
      }
      const message = e.message !== undefined && e.message !== '' ? String(e.message) : e instanceof Error ? '' : String(e);
      data.message = message.slice(0, 8192);
      data.name = String(e.name || 'Error').slice(0, 256);
      if (data.stack !== undefined) data.stack = ours(data.stack);
      return stringify(data);
    } catch (again) {
      plain.message = 'an error that cannot be read was thrown';
      return stringify(plain);
    }
  };
  const succeed = (v) => {
    if (answered) return;
    let text;
    try {
      text = v === undefined ? '' : stringify(v);
    } catch (e) {
      fail(new TypeError('the answer cannot be written as JSON: ' + (e === null ? 'null was thrown' : e.message)));
      return;
    }
    if (typeof text !== 'string') fail(new TypeError('the answer cannot be written as JSON: it is a ' + typeof v));
    else done(true, text);
  };
  // callback is what a script of the callback convention gets as its last argument. Success is only
  // what the script says by it, and only the first time.
  const callback = () => {
    let called = false;
    return function __posternBack(error, result) {
      if (called) return;
      called = true;
      if (error === undefined || error === null) {
        if (error === null && arguments.length < 2 && (host('full') || !roomy())) fail(null);
        else succeed(result);
      } else if (!error && result !== undefined) succeed(result);
      else if (error instanceof Error) fail(error);
      else fail(new Error(error && error.message || (error ? String(error) : 'the callback got ' + (error === '' ? "''" : String(error)) + ' for an error')));
    };
  };
  const roomy = () => {
    try {
      return new ArrayBuffer(8 << 20).byteLength > 0;
    } catch (e) {
      return false;
    }
  };

  // ---- modules ----

  const modules = new Map();
  const known = (name) => name.startsWith('node:') ? name.slice(5) : name;
  const require = function __posternRequire(name) {
    name = String(name);
    loadWeb();
    const inside = kit.modules[known(name)];
    if (inside !== undefined) return inside;
    const cached = modules.get(name);
    if (cached !== undefined) return cached.exports;
    const load = bundled(name);
    if (load === undefined) {
      const e = new Error("Cannot find module '" + name + "'");
      e.code = 'MODULE_NOT_FOUND';
      throw e;
    }
    const module = { exports: {}, id: name };
    modules.set(name, module);
    try {
      load.call(module.exports, module.exports, require, module, name + '.js', '/');
    } catch (e) {
      modules.delete(name);
      throw e;
    }
    return module.exports;
  };

  const __postern = (called, run, args, member) => {
    let fn;
    const values = parse(args);
    try {
      const module = { exports: {}, id: 'hook' };
      if (member) module[member] = values.at(-1)[member];
      const returned = run.call(module.exports, module.exports, require, module, 'hook.js', '/');
      fn = module.exports;
      if (typeof fn !== 'function' && typeof returned === 'function') fn = returned;
      if (fn !== null && typeof fn === 'object' && typeof fn.default === 'function') fn = fn.default;
      if (typeof fn !== 'function') {
        fail(new TypeError('the script exports no function'));
        return;
      }
      if (called) {
        const returned = fn.apply(undefined, [...values, callback()]);
        if (returned !== null && (typeof returned === 'object' || typeof returned === 'function') && typeof returned.then === 'function') {
          returned.then(undefined, fail);
        }
      } else {
        Promise.resolve(fn.apply(undefined, values)).then(succeed, fail);
      }
    } catch (e) {
      fail(e);
    }
  };

  // ---- what only some scripts need comes when it is first used ----

  const lazy = new Set(['TextEncoder', 'TextDecoder', 'btoa', 'atob', 'Buffer', 'crypto', 'URL', 'URLSearchParams', 'Headers', 'Response', 'AbortSignal', 'AbortController', 'fetch']);
  const put = (name, value) => {
    lazy.delete(name);
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  };
  const kit = { host, ask, modules: Object.create(null), parse, stringify, give: (name, value) => { if (lazy.has(name)) put(name, value); } };
  let loaded = false;
  const loadWeb = () => {
    if (loaded) return;
    loaded = true;
    web()(kit);
  };
  for (const name of lazy) {
    Object.defineProperty(globalThis, name, { configurable: true, get() { loadWeb(); return globalThis[name]; }, set(v) { put(name, v); } });
  }
  globalThis.global = globalThis;
  globalThis.queueMicrotask = globalThis.queueMicrotask || ((fn) => { Promise.resolve().then(fn).catch(fail); });
  globalThis.structuredClone = (v) => parse(stringify(v));
  globalThis.process = { env: {}, version: '', versions: {}, platform: 'postern', argv: [], nextTick: (fn, ...args) => queueMicrotask(() => fn(...args)), cwd: () => '/', on: quiet, emitWarning: quiet };
  const calls = { start: __postern, tick: __posternTick, fetched, fail };
  return function __posternCall(name, ...args) { return calls[name](...args); };
})();
