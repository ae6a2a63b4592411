/**
 * Asked before somebody becomes a user, by password, passkey, mail or text message.
 *
 * user     {tenant, id, password, email, emailVerified, phoneNumber, phoneNumberVerified, user_metadata, app_metadata}
 * context  {requestLanguage, renderLanguage, request: {ip, language}, connection: {id, name, tenant}, webtask: {secrets}}
 * cb       function (error, answer)
 *
 * Of the answer's user only user_metadata and app_metadata count. Refuse with
 *   new PreUserRegistrationError('for the log', 'for the person')
 * Any other error refuses, too, and the person learns nothing of it.
 */
module.exports = function (user, context, cb) {
  // if (!/@example\.com$/.test(user.email)) {
  //   return cb(new PreUserRegistrationError('not of example.com', 'Only people of example.com may sign up'));
  // }
  cb(null, { user: { app_metadata: { signed_up_from: context.connection.name } } });
};
