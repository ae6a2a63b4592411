// custom_access_token as a script that Postern runs itself.
//
//   AUTH_HOOKS_SCRIPTS_DIR=/the/folder/of/this/file
//   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED=true
//   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI=js:plan.js
//
// It gives each token the session variable x-hasura-plan, and people of a blocked domain none.
const hasura = 'https://hasura.io/jwt/claims';
const blocked = ['blocked.example'];

export default function (event) {
  const domain = event.claims.email.split('@')[1];
  if (blocked.includes(domain)) {
    return { error: { http_code: 403, message: 'Your organisation has no plan' } };
  }
  const plan = domain === 'example.com' ? 'staff' : 'free';
  return { claims: { ...event.claims, [hasura]: { ...event.claims[hasura], 'x-hasura-plan': plan } } };
}
