/**
 * Told of every new password, by whoever has set it. Nobody waits for it.
 *
 * user     {id, email, last_password_reset}
 * context  {connection: {id, name, tenant}, webtask: {secrets}}
 * cb       function (error): an error is logged and changes nothing
 *
 * It may be told of the same change twice, after a crash: context.webtask.id is the same then.
 */
module.exports = function (user, context, cb) {
  console.log('new password of', user.id);
  cb();
};
