// Reads a JSON list of addresses from standard input and writes what the WHATWG URL standard makes of
// each: where a browser goes that meets it in a Location header of the auth server. null: nowhere.
let text = ''
for await (const piece of process.stdin) text += piece
const verdict = (address) => {
  try {
    const u = new URL(address, 'https://auth.example.com/v1/verify')
    return { protocol: u.protocol, user: u.username + u.password, host: u.host, path: u.pathname }
  } catch {
    return null
  }
}
process.stdout.write(JSON.stringify(JSON.parse(text).map(verdict)))
