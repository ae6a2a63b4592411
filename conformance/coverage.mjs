// Which test calls which public method of the two clients. A method that this server has no
// capability for yet says `later` and what it waits for; coverage.test.mjs keeps the lists complete.
const later = (what) => ({ later: what })

const webauthn = later('passkeys')
const codes = later('e-mail codes')
const sms = later('SMS')
const social = later('sign-in with providers')
const idToken = later('id tokens')
const totp = later('TOTP')
const guests = later('anonymous users')
const pat = later('personal access tokens')
const oauth2 = later('the OAuth2 server')

/** The auth client of @nhost/nhost-js, in nhost-js.test.mjs. */
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

  elevateWebauthn: webauthn,
  verifyElevateWebauthn: webauthn,
  signInWebauthn: webauthn,
  verifySignInWebauthn: webauthn,
  signUpWebauthn: webauthn,
  verifySignUpWebauthn: webauthn,
  addSecurityKey: webauthn,
  verifyAddSecurityKey: webauthn,
  signInOTPEmail: codes,
  verifySignInOTPEmail: codes,
  signInPasswordlessEmail: 'a link in a mail signs in, and signs up who is unknown',
  signUpPasswordlessEmail: 'a link in a mail signs up, and tells nobody who is known',
  signUpOTPEmail: codes,
  signInPasswordlessSms: sms,
  verifySignInPasswordlessSms: sms,
  signUpPasswordlessSms: sms,
  signInProviderURL: social,
  signUpProviderURL: social,
  getProviderTokens: social,
  refreshProviderToken: social,
  signInIdToken: idToken,
  signUpIdToken: idToken,
  linkIdToken: idToken,
  verifySignInMfaTotp: totp,
  changeUserMfa: totp,
  verifyChangeUserMfa: totp,
  signInAnonymous: guests,
  deanonymizeUser: guests,
  createPAT: pat,
  signInPAT: pat,
  getOpenIDConfiguration: oauth2,
  getOAuthAuthorizationServer: oauth2,
  oauth2AuthorizeURL: oauth2,
  oauth2AuthorizePostURL: oauth2,
  oauth2Token: oauth2,
  oauth2UserinfoGet: oauth2,
  oauth2UserinfoPost: oauth2,
  oauth2Jwks: oauth2,
  oauth2Revoke: oauth2,
  oauth2Introspect: oauth2,
  oauth2LoginGet: oauth2,
  oauth2LoginPost: oauth2,
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

/** HasuraAuthClient of @nhost/hasura-auth-js, in hasura-auth-js.test.mjs. */
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

  connectProvider: social,
  signInIdToken: idToken,
  linkIdToken: idToken,
  signInPAT: pat,
  createPAT: pat,
  signInEmailOTP: codes,
  verifyEmailOTP: codes,
  signInSecurityKey: webauthn,
  addSecurityKey: webauthn,
  elevateEmailSecurityKey: webauthn,
  deanonymize: guests,
}

/** The forms of HasuraAuthClient.signIn and signUp, which take everything in one method. */
export const hasuraAuthForms = {
  'signUp with email and password': 'sign-up, needsEmailVerification, link, session from the address',
  'signUp with securityKey': webauthn,
  'signIn with email and password': 'sign-in, events, refresh, sign-out',
  'signIn without parameters': guests,
  'signIn with email': 'signing in by a link in a mail',
  'signIn with email and securityKey': webauthn,
  'signIn with phoneNumber': sms,
  'signIn with phoneNumber and otp': sms,
  'signIn with otp and ticket': totp,
  'signIn with provider': social,
}
