// send_sms as a receiver over HTTP, in Node with the package standardwebhooks: it hands text messages to a
// gateway of yours.
//
//   npm install
//   HOOK_SECRET='v1,whsec_…' GATEWAY_URL=https://gateway.example.com/messages PORT=3000 node receiver.mjs
//
//   AUTH_HOOK_SEND_SMS_ENABLED=true
//   AUTH_HOOK_SEND_SMS_URI=http://localhost:3000/
//   AUTH_HOOK_SEND_SMS_SECRETS='v1,whsec_…'
//
// A question may come twice with the same id, when an answer was lost: the message is sent once.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook((process.env.HOOK_SECRET ?? '').replace(/^v1,/, ''));
const longest = 1 << 20;
const remembered = 10 * 60 * 1000; // longer than a question may be old

// Ids of questions, with the promise of their answer. Several processes would share a store instead.
const asked = new Map();

async function send(event) {
  const response = await fetch(process.env.GATEWAY_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: `+${event.sms.phone}`, text: `Your code is ${event.sms.otp}` }),
    signal: AbortSignal.timeout(4000), // Postern waits for five seconds
  });
  if (response.ok) return {};
  // The user is told what is said here, so it names no gateway.
  return { error: { http_code: 502, message: 'The message could not be sent' } };
}

function once(id, answer) {
  if (!asked.has(id)) {
    const promise = answer();
    asked.set(id, promise);
    promise.catch(() => asked.delete(id)); // what failed may be tried again
    setTimeout(() => asked.delete(id), remembered).unref();
  }
  return asked.get(id);
}

const server = createServer(async (request, response) => {
  const reply = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > longest) return reply(413, {});
    chunks.push(chunk);
  }
  let event;
  try {
    event = webhook.verify(Buffer.concat(chunks).toString('utf8'), request.headers);
  } catch {
    return reply(401, {});
  }
  try {
    reply(200, await once(request.headers['webhook-id'], () => send(event)));
  } catch (error) {
    console.error(error.message);
    reply(500, {});
  }
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
