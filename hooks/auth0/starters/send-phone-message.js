/**
 * Sends a text message with a code for a fresh proof or a second factor. Other messages are not its own.
 *
 * recipient  text: a number such as +15551234567
 * text       text: what the message says, code included
 * context    {message_type, action, factor_type, language, code, ip, user_agent,
 *            user: {user_id, name, email, app_metadata, user_metadata}, webtask: {secrets}}
 * cb         function (error, anything)
 *
 * The person waits until this has called back. With an error there was no message, and they are told so:
 *   new SendPhoneMessageError('for the log', 'for the person')
 */
module.exports = function (recipient, text, context, cb) {
  // Put the address of your gateway and its key into the secrets of this hook.
  const { GATEWAY, KEY } = context.webtask.secrets;
  if (!GATEWAY) {
    return cb(new SendPhoneMessageError('the secret GATEWAY is not set'));
  }
  fetch(GATEWAY, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer ' + KEY },
    body: JSON.stringify({ to: recipient, text }),
  }).then((answer) => (answer.ok ? cb() : cb(new SendPhoneMessageError('the gateway says ' + answer.status))), cb);
};
