// custom_access_token as a receiver over HTTP, in Node with the package standardwebhooks.
//
//   npm install
//   HOOK_SECRET='v1,whsec_…' PORT=3000 node receiver.mjs
//
//   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED=true
//   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI=http://localhost:3000/
//   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS='v1,whsec_…'
//
// It gives each token the session variable x-hasura-plan, and people of a blocked domain none.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const hasura = 'https://hasura.io/jwt/claims';
const blocked = ['blocked.example'];
const webhook = new Webhook((process.env.HOOK_SECRET ?? '').replace(/^v1,/, ''));
const longest = 1 << 20;

function answer(event) {
  const domain = event.claims.email.split('@')[1];
  if (blocked.includes(domain)) {
    return { error: { http_code: 403, message: 'Your organisation has no plan' } };
  }
  const plan = domain === 'example.com' ? 'staff' : 'free';
  return { claims: { ...event.claims, [hasura]: { ...event.claims[hasura], 'x-hasura-plan': plan } } };
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
    return reply(401, {}); // not from Postern, too old, or changed on the way
  }
  try {
    reply(200, answer(event));
  } catch (error) {
    console.error(error);
    reply(500, {});
  }
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
