/**
 * Told of every new user who came by password, passkey, mail or text message. Nobody waits for it.
 *
 * user     {tenant, id, email, emailVerified, phoneNumber, phoneNumberVerified, user_metadata, app_metadata}
 * context  {requestLanguage, renderLanguage, request: {ip, language}, connection: {id, name, tenant}, webtask: {secrets}}
 * cb       function (error): an error is logged and changes nothing
 *
 * It may be told of the same user twice, after a crash: context.webtask.id is the same then.
 */
module.exports = function (user, context, cb) {
  console.log('new user', user.id);
  cb();
};
