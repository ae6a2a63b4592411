/**
 * Asked whenever a machine gets a token (client credentials grant).
 *
 * client    {id, name, tenant, metadata}: the machine
 * scope     list of texts: what the token would grant
 * audience  text: whom the token is for
 * context   {webtask: {secrets}}
 * cb        function (error, token)
 *
 * What is called back becomes the token: its scope in the place of the one above, and claims whose names are
 * http or https addresses. Refuse with one of these errors:
 *   new InvalidScopeError('…')    400 invalid_scope
 *   new InvalidRequestError('…')  400 invalid_request
 *   new ServerError('…')          500 server_error
 */
module.exports = function (client, scope, audience, context, cb) {
  const token = {};
  token.scope = scope; // without this line the token grants nothing
  // token.scope.push('read:reports');
  // token['https://example.com/plan'] = client.metadata.plan;
  cb(null, token);
};
