// Which test calls which public method of the two clients. A method that this server has no
// capability for yet says `later` and what it waits for; coverage.test.mjs keeps the lists complete.
const later = (what) => ({ later: what })

const letsIn = 'a ${way} client of the OAuth server: authorize, login, token, userinfo, introspect, revoke'

/** The auth client of @nhost/nhost-js, in nhost-js.test.mjs and nhost-js.ways.test.mjs. */
export const nhostAuth = {
  baseURL: 'a client put together by hand sends its own headers',
  pushChainFunction: 'a client put together by hand sends its own headers',
  signUpEmailPassword: 'sign-up, refused until verified, link, session, user',
  signInEmailPassword: 'sign-up, refused until verified, link, session, user',
  getUser: 'sign-up, refused until verified, link, session, user',
  refreshToken: 'many tabs refresh one token at once and none is thrown out',
  verifyToken: 'checking an access token',
  tokenExchange: 'PKCE: ${way}',
  signOut: 'signing out of one session, of all',
  changeUserPassword: 'changing the password ends the other sessions',
  sendPasswordResetEmail: 'a reset by mail: link, session, new password',
  changeUserEmail: 'T-41: changing the e-mail address, nothing before the link',
  sendVerificationEmail: 'the verification mail can be asked for again',
  verifyTicketURL: 'the address that verifyTicketURL builds is a link',
  healthCheckGet: 'health, version, keys',
  healthCheckHead: 'health, version, keys',
  getVersion: 'health, version, keys',
  getJWKs: 'health, version, keys',

  elevateWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  verifyElevateWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  signInWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  verifySignInWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  signUpWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  verifySignUpWebauthn: 'passkeys: sign up, sign in with and without an address, add, elevate',
  addSecurityKey: 'passkeys: sign up, sign in with and without an address, add, elevate',
  verifyAddSecurityKey: 'passkeys: sign up, sign in with and without an address, add, elevate',
  signInOTPEmail: 'a code in a mail signs in, and signs up who is unknown',
  verifySignInOTPEmail: 'a code in a mail signs in, and signs up who is unknown',
  signInPasswordlessEmail: 'a link in a mail signs in, and signs up who is unknown',
  signUpPasswordlessEmail: 'a link in a mail signs up, and tells nobody who is known',
  signUpOTPEmail: 'a code in a mail signs up, and tells nobody who is known',
  signInPasswordlessSms: 'a code in a text message signs in, and signs up who is unknown',
  verifySignInPasswordlessSms: 'a code in a text message signs in, and signs up who is unknown',
  signUpPasswordlessSms: 'a code in a text message signs in, and signs up who is unknown',
  signInProviderURL: 'signing in with a provider, tokens of the provider, ID tokens',
  signUpProviderURL: 'signing in with a provider, tokens of the provider, ID tokens',
  getProviderTokens: 'signing in with a provider, tokens of the provider, ID tokens',
  refreshProviderToken: 'signing in with a provider, tokens of the provider, ID tokens',
  signInIdToken: 'ID tokens sign in, sign up and link',
  signUpIdToken: 'ID tokens sign in, sign up and link',
  linkIdToken: 'ID tokens sign in, sign up and link',
  verifySignInMfaTotp: 'TOTP: enrol, confirm, sign in with both factors, turn off',
  changeUserMfa: 'TOTP: enrol, confirm, sign in with both factors, turn off',
  verifyChangeUserMfa: 'TOTP: enrol, confirm, sign in with both factors, turn off',
  signInAnonymous: 'a guest signs in, refreshes, and keeps everything when signing up',
  deanonymizeUser: 'a guest signs in, refreshes, and keeps everything when signing up',
  createPAT: 'personal access tokens: make, use, list, revoke',
  signInPAT: 'personal access tokens: make, use, list, revoke',
  getOpenIDConfiguration: letsIn,
  getOAuthAuthorizationServer: letsIn,
  oauth2AuthorizeURL: letsIn,
  oauth2AuthorizePostURL: letsIn,
  oauth2Token: letsIn,
  oauth2UserinfoGet: letsIn,
  oauth2UserinfoPost: letsIn,
  oauth2Jwks: letsIn,
  oauth2Revoke: letsIn,
  oauth2Introspect: letsIn,
  oauth2LoginGet: letsIn,
  oauth2LoginPost: letsIn,
}

/** The session part of @nhost/nhost-js (NhostClient itself), in nhost-js.test.mjs. */
export const nhostClient = {
  getUserSession: 'sign-up, refused until verified, link, session, user',
  refreshSession: 'a refresh gives a new token and keeps the session',
  clearSession: 'the server-side client keeps and refreshes a session too',
}

/** The PKCE helpers of @nhost/nhost-js/auth, in nhost-js.test.mjs. */
export const nhostHelpers = {
  generatePKCEPair: 'PKCE: the helpers of the client',
  generateCodeChallenge: 'PKCE: the helpers of the client',
  generateCodeVerifier: 'PKCE: the helpers of the client',
}

/** HasuraAuthClient of @nhost/hasura-auth-js, in hasura-auth-js.test.mjs and hasura-auth-js.ways.test.mjs. */
export const hasuraAuth = {
  signUp: 'sign-up, needsEmailVerification, link, session from the address',
  signIn: 'sign-in, events, refresh, sign-out',
  signOut: 'sign-in, events, refresh, sign-out',
  refreshSession: 'sign-in, events, refresh, sign-out',
  onTokenChanged: 'sign-in, events, refresh, sign-out',
  onAuthStateChanged: 'sign-in, events, refresh, sign-out',
  isAuthenticated: 'sign-in, events, refresh, sign-out',
  isAuthenticatedAsync: 'sign-up, needsEmailVerification, link, session from the address',
  getAuthenticationStatus: 'sign-up, needsEmailVerification, link, session from the address',
  getAccessToken: 'sign-up, needsEmailVerification, link, session from the address',
  getDecodedAccessToken: 'sign-up, needsEmailVerification, link, session from the address',
  getHasuraClaims: 'sign-up, needsEmailVerification, link, session from the address',
  getHasuraClaim: 'sign-up, needsEmailVerification, link, session from the address',
  getSession: 'sign-up, needsEmailVerification, link, session from the address',
  getUser: 'sign-up, needsEmailVerification, link, session from the address',
  initWithSession: 'an initial session is taken over as it is',
  changePassword: 'changing the password',
  resetPassword: 'a reset by mail: through the link, and with the ticket',
  changeEmail: 'changing the e-mail address',
  sendVerificationEmail: 'the verification mail again',
  client: 'sign-up, needsEmailVerification, link, session from the address',

  connectProvider: 'a provider: the address to go to, ID tokens',
  signInIdToken: 'a provider: the address to go to, ID tokens',
  linkIdToken: 'a provider: the address to go to, ID tokens',
  signInPAT: 'personal access tokens',
  createPAT: 'personal access tokens',
  signInEmailOTP: 'a code in a mail',
  verifyEmailOTP: 'a code in a mail',
  signInSecurityKey: 'security keys: sign up, sign in, add, elevate',
  addSecurityKey: 'security keys: sign up, sign in, add, elevate',
  elevateEmailSecurityKey: 'security keys: sign up, sign in, add, elevate',
  deanonymize: 'a guest, who signs up by password, link and text message',
}

/** The forms of HasuraAuthClient.signIn and signUp, which take everything in one method. */
export const hasuraAuthForms = {
  'signUp with email and password': 'sign-up, needsEmailVerification, link, session from the address',
  'signUp with securityKey': 'security keys: sign up, sign in, add, elevate',
  'signIn with email and password': 'sign-in, events, refresh, sign-out',
  'signIn without parameters': 'a guest, who signs up by password, link and text message',
  'signIn with email': 'signing in by a link in a mail',
  'signIn with email and securityKey': 'security keys: sign up, sign in, add, elevate',
  'signIn with phoneNumber': 'a code in a text message',
  'signIn with phoneNumber and otp': 'a code in a text message',
  'signIn with otp and ticket': 'a second factor',
  'signIn with provider': 'a provider: the address to go to, ID tokens',
}

const totpFactors = 'a second factor: enrol, verify, sign in with one and raise the session, unenrol'
const keys = 'a security key: register, sign in with one factor and raise the session, unenrol'
const keySteps = 'a security key, step by step: each challenge is answered once'
const passkeys = 'passkeys: register, list, sign in, rename, delete'
const passkeySteps = 'passkeys, step by step: each challenge is answered once'
const oauthClients = 'operators keep the clients of the OAuth server'
const consent = 'users let a client in, see what they allowed, and take it back'
const never = (why) => later(`nothing: ${why}`)
const web3 = never('web3 is not planned')

/** AuthClient of @supabase/auth-js, in auth-js.test.mjs. Members of its own parts have their name in front. */
export const supabaseAuth = {
  initialize: 'what a client does with a session by itself',
  signUp: 'sign-up with a password, confirmed by the code of the mail',
  signInAnonymously: 'a guest signs in',
  signInWithPassword: 'sign-up with a password, confirmed by the code of the mail',
  signInWithOtp: 'signing in by a mail: the code, the link, the hash in it',
  verifyOtp: 'sign-up with a password, confirmed by the code of the mail',
  exchangeCodeForSession: 'sign-up with PKCE: the link gives a code, which is exchanged once',
  resend: 'the confirmation can be asked for again',
  resetPasswordForEmail: 'a forgotten password',
  updateUser: 'users change what is theirs',
  getSession: 'sign-up with a password, confirmed by the code of the mail',
  setSession: 'sign-up with a password, confirmed by the link of the mail',
  refreshSession: 'refreshing, in many tabs at once',
  getUser: 'refreshing, in many tabs at once',
  getUserIdentities: 'what a client does with a session by itself',
  getClaims: 'what a client does with a session by itself',
  onAuthStateChange: 'what a client does with a session by itself',
  startAutoRefresh: 'what a client does with a session by itself',
  stopAutoRefresh: 'what a client does with a session by itself',
  dispose: 'what a client does with a session by itself',
  signOut: 'signing out of this session, of the others, of all',
  'mfa.listFactors': 'what a client does with a session by itself',
  'mfa.getAuthenticatorAssuranceLevel': 'what a client does with a session by itself',

  reauthenticate: 'a code by which the password changes',
  signInWithOAuth: 'a provider, there and back, with PKCE and without',
  signInWithIdToken: 'ID tokens sign in',
  linkIdentity: 'identities are linked, listed and taken off',
  unlinkIdentity: 'identities are linked, listed and taken off',
  signInWithPasskey: passkeys,
  registerPasskey: passkeys,
  ...Object.fromEntries(['enroll', 'challenge', 'verify', 'unenroll', 'challengeAndVerify'].map((m) => [`mfa.${m}`, totpFactors])),
  ...Object.fromEntries(['register', 'authenticate'].map((m) => [`mfa.webauthn.${m}`, keys])),
  ...Object.fromEntries(['enroll', 'challenge', 'verify'].map((m) => [`mfa.webauthn.${m}`, keySteps])),
  ...Object.fromEntries(['startRegistration', 'verifyRegistration', 'startAuthentication', 'verifyAuthentication'].map((m) => [`passkey.${m}`, passkeySteps])),
  ...Object.fromEntries(['list', 'update', 'delete'].map((m) => [`passkey.${m}`, passkeys])),
  ...Object.fromEntries(['getAuthorizationDetails', 'approveAuthorization', 'listGrants', 'revokeGrant'].map((m) => [`oauth.${m}`, consent])),
  'oauth.denyAuthorization': 'users keep a client out',
  'admin.createUser': 'operators make, find, change and delete users',
  'admin.getUserById': 'operators make, find, change and delete users',
  'admin.updateUserById': 'operators make, find, change and delete users',
  'admin.deleteUser': 'operators make, find, change and delete users',
  'admin.listUsers': 'operators list users by pages',
  'admin.inviteUserByEmail': 'operators invite, and make links for their own mails',
  'admin.generateLink': 'operators invite, and make links for their own mails',
  'admin.signOut': 'operators sign out somebody whose token they have',
  'admin.mfa.listFactors': 'operators look at second factors and passkeys',
  'admin.mfa.deleteFactor': 'operators look at second factors and passkeys',
  'admin.passkey.listPasskeys': 'operators look at second factors and passkeys',
  'admin.passkey.deletePasskey': 'operators look at second factors and passkeys',
  ...Object.fromEntries(['listClients', 'createClient', 'getClient', 'updateClient', 'deleteClient', 'regenerateClientSecret'].map((m) => [`admin.oauth.${m}`, oauthClients])),
  ...Object.fromEntries(
    ['listProviders', 'createProvider', 'getProvider', 'updateProvider', 'deleteProvider'].map((m) => [`admin.customProviders.${m}`, never('custom providers are set in the configuration')]),
  ),
  signInWithWeb3: web3,
  signInWithSSO: never('SAML is not planned'),
}
