// Package events knows what leaves the house as an event: the words, what each tells, and how one is
// handed to a receiver.
package events

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A Type is one kind of event.
type Type struct {
	Name string
	Doc  string // when it happens
	// Data are the members of its data by name, beside userId, which all have, and by, which all may have.
	Data map[string]Field
}

// A Field is a member of an event's data.
type Field struct {
	Kind     string // of JSON Schema: string, boolean, integer; or uuid, time
	Doc      string
	Optional bool // it may be missing
}

func session(doc string) Field { return Field{"uuid", doc, true} }

// Types lists all events, by name.
func Types() []Type {
	asking := session("The session that asked for it.")
	method := Field{"string", "How: password, link, otp, sms, webauthn, oauth, idtoken, anonymous, pat and the like; operator, where one made the user.", false}
	provider := Field{"string", "The sign-in provider.", false}
	passkey := Field{"uuid", "The passkey.", false}
	factor := Field{"string", "Its kind: totp, phone or webauthn.", false}
	message := Field{"uuid", "The message, as the log and the Message-ID have it.", false}
	template := Field{"string", "What it was to say: the name of its template.", false}
	oauthClient := Field{"string", "The id of the client.", false}
	scope := Field{"string", "What it may do, in words with blanks in between.", false}
	types := []Type{
		{"claims.failed", "A custom claim could not be computed. At most one a minute for each claim.", map[string]Field{
			"claim":       {"string", "Its name, or all.", false},
			"reason":      {"string", "Why, as the log has it.", false},
			"unreachable": {"boolean", "The source of the data did not answer.", false},
		}},
		{"claims.previewed", "An operator looked what the token of the user would say with other custom claims.", nil},
		{"email.change_approved", "One of two addresses confirmed a change of the e-mail address; the other is yet to do so.", nil},
		{"email.change_requested", "A change of the e-mail address was asked for; the new one is to be confirmed.", map[string]Field{"sessionId": asking}},
		{"email.changed", "A new e-mail address took the place of the old one.", nil},
		{"factor.changed", "An operator gave a second factor another name, or a telephone another number. With another number all sessions ended.", map[string]Field{
			"factor": factor, "number": {"boolean", "The number is another.", false},
		}},
		{"factor.cloned", "The security key of a second factor counted backwards: somebody has a copy of it.", map[string]Field{
			"factorId": {"uuid", "The factor.", false}, "sessionId": session("The session that it was used in."),
			"stored": {"integer", "The count that was known.", false}, "told": {"integer", "The count that came.", false},
		}},
		{"factor.disabled", "A second factor was turned off.", map[string]Field{"factor": factor, "sessionId": asking}},
		{"factor.enabled", "A second factor was turned on.", map[string]Field{"factor": factor, "sessionId": asking}},
		{"factor.reset", "An operator took second factors off a user who lost them. All sessions ended.", map[string]Field{
			"totp":          {"boolean", "Codes of an authenticator app were turned off.", false},
			"phone":         {"boolean", "Codes by text message were turned off.", false},
			"securityKeys":  {"integer", "How many security keys that were a second factor are gone.", false},
			"recoveryCodes": {"integer", "How many recovery codes are gone.", false},
			"passkeys":      {"integer", "How many passkeys are gone.", false},
			"sessions":      {"integer", "How many sessions ended.", false},
		}},
		{"factor.staged", "A second factor was begun to be set up.", map[string]Field{"sessionId": asking}},
		{"factor.unstaged", "A second factor that was begun to be set up was given up.", map[string]Field{"sessionId": asking}},
		{"identity.linked", "An account at a provider was linked.", map[string]Field{
			"provider": provider, "identityId": {"uuid", "The link.", false}, "sessionId": asking,
		}},
		{"identity.unlinked", "An account at a provider was unlinked.", map[string]Field{"identityId": {"uuid", "The link.", false}, "sessionId": asking}},
		{"link.generated", "An operator got a link that signs the user in, to hand it over.", map[string]Field{
			"template": {"string", "The mail that has such links, such as signin-passwordless or invitation.", false}, "expiresAt": {"time", "When it ends.", false},
		}},
		{"mail.failed", "A mail was given up: it is among the dead letters.", map[string]Field{"mailId": message, "template": template}},
		{"mail.sent", "An operator had a mail with a link sent to the user.", map[string]Field{"template": template}},
		{"oauth.allowed", "The user let a client of the OAuth server in on the account.", map[string]Field{"client": oauthClient, "scope": scope, "sessionId": asking}},
		{"oauth.denied", "The user did not let a client of the OAuth server in.", map[string]Field{"client": oauthClient, "scope": scope, "sessionId": asking}},
		{"oauth.opened", "A client of the OAuth server got tokens of the user, in a session of its own.", map[string]Field{
			"client": oauthClient, "scope": scope, "sessionId": session("The session of the client."),
		}},
		{"oauth.replayed", "The session of a client of the OAuth server was ended since a code or refresh token came that was used before.", map[string]Field{
			"client": oauthClient, "sessionId": session("The session of the client."), "what": {"string", "code or refresh_token.", false},
		}},
		{"oauth.withdrawn", "The user took back what a client of the OAuth server was allowed. Its sessions of the user ended.", map[string]Field{"client": oauthClient, "sessionId": asking}},
		{"passkey.added", "A passkey was added.", map[string]Field{"passkeyId": passkey, "sessionId": asking}},
		{"passkey.cloned", "A passkey counted backwards: somebody has a copy of it.", map[string]Field{
			"passkeyId": passkey, "stored": {"integer", "The count that was known.", false}, "told": {"integer", "The count that came.", false},
		}},
		{"passkey.removed", "A passkey was removed.", map[string]Field{"passkeyId": passkey, "sessionId": asking}},
		{"passkey.renamed", "A passkey got another name.", map[string]Field{"passkeyId": passkey, "sessionId": asking}},
		{"password.changed", "The password was set, changed or reset.", map[string]Field{
			"sessionId": asking, "vouched": {"boolean", "A hook knew the password of the user, who had none.", true},
		}},
		{"pat.created", "A personal access token was made.", map[string]Field{
			"patId": {"uuid", "The token's id.", false}, "expiresAt": {"time", "When it ends.", false}, "sessionId": asking,
		}},
		{"pat.revoked", "A personal access token was revoked.", map[string]Field{"patId": {"uuid", "The token's id.", false}}},
		{"phone.change_requested", "A change of the telephone number was asked for; the new one is to be confirmed.", map[string]Field{"sessionId": asking}},
		{"phone.changed", "The telephone number was changed.", map[string]Field{"sessionId": asking}},
		{"phone.confirmed", "A telephone number was confirmed by a code.", nil},
		{"phone.released", "The user lost a telephone number that somebody else has confirmed.", nil},
		{"provider.tokens.read", "The tokens of a provider were read.", map[string]Field{"provider": provider, "sessionId": asking}},
		{"provider.tokens.refreshed", "The tokens of a provider were refreshed.", map[string]Field{"provider": provider, "sessionId": asking}},
		{"recovery_code.used", "A recovery code was used in the place of the second factor.", nil},
		{"recovery_codes.renewed", "Recovery codes were made anew; the old ones are worth nothing.", map[string]Field{"sessionId": asking}},
		{"session.ended", "A session ended before its time: by sign-out, by the user from elsewhere, by a limit. Sessions that expire are not told.", map[string]Field{
			"sessionId": session("The session; missing where all ended."),
			"all":       {"boolean", "All sessions of the user ended.", true},
			"others":    {"boolean", "All but this one ended.", true},
			"hook":      {"string", "The hook that refused and wanted them ended.", true},
			"reason":    {"string", "user, client, limit, pat-revoked or operator; missing where the session signed itself out.", true},
			"count":     {"integer", "How many sessions an operator ended, what operators have in the place of the user among them; sessionId is there when it was one.", true},
			"pats":      {"integer", "How many personal access tokens were revoked with them.", true},
			"before":    {"time", "Only sessions that began before ended.", true},
		}},
		{"session.raised", "A second factor was proved within a session. The user's other sessions that have not proved one ended.", map[string]Field{"sessionId": session("The session."), "method": {"string", "How: totp, mfa/phone, mfa/webauthn or recovery-code.", false}}},
		{"session.replayed", "A session was ended since two parties held its refresh token.", map[string]Field{"sessionId": session("The session.")}},
		{"session.started", "A user signed in.", map[string]Field{"sessionId": session("The session."), "method": method}},
		{"sms.failed", "A text message was given up: it is among the dead letters.", map[string]Field{"messageId": message, "template": template}},
		{"user.confirmed", "The e-mail address was confirmed.", nil},
		{"user.created", "A user came into being.", map[string]Field{
			"method": method, "provider": {"string", "The sign-in provider, where one vouched.", true},
			"passkeyId": {"uuid", "The passkey, where the user signed up with one.", true},
			"vouched":   {"boolean", "A hook knew their password, at a sign-in.", true},
			"invited":   {"boolean", "They were mailed an invitation, where an operator made them.", true},
		}},
		{"user.deanonymized", "An anonymous user became a known one.", map[string]Field{"method": method, "sessionId": asking}},
		{"user.deleted", "A user was deleted, by Postern itself or by an operator.", map[string]Field{
			"reason": {"string", "operator; or no token: an anonymous user who could get none.", false},
			"mode":   {"string", "soft where the row is left, without anything personal; hard where it went. Missing where no operator did it.", true},
		}},
		{"user.disowned", "What somebody had set up under an address that was not theirs was taken off the user, whose owner has shown up.", map[string]Field{
			"method": {"string", "email, where a mail proved it.", true}, "provider": {"string", "The provider that proved it.", true},
			"by": {"string", "What else proved it.", true},
		}},
		{"user.impersonated", "An operator got an access token to see what the user sees, which changes nothing of the account.", map[string]Field{
			"sessionId": session("The impersonation, by which it can be ended."), "reason": {"string", "Why, in the operator's words.", false}, "expiresAt": {"time", "When the token ends.", false},
		}},
		{"user.updated", "An operator changed the user.", map[string]Field{
			"changed":       {"array", "The fields that have another value, by their names in GraphQL; personal data is not told.", false},
			"rolesAdded":    {"array", "The roles that the user may take now.", true},
			"rolesTaken":    {"array", "The roles that the user may take no longer.", true},
			"disabled":      {"boolean", "Whether the user is locked, where that changed.", true},
			"bannedUntil":   {"time", "The user is locked until then, where that changed; missing where a ban was lifted.", true},
			"sessionsEnded": {"boolean", "The user's sessions ended by it.", true},
		}},
	}
	return types
}

// Notes lists what is in the audit log alone, by name: it concerns no user, or its user is not to be told of it.
func Notes() []Type {
	script := Field{"string", "The id of the script.", false}
	client := Field{"string", "The machine client.", false}
	application := Field{"string", "The id of the client.", false}
	method := Field{"string", "How it shows who it is: client_secret_basic, client_secret_post or none.", false}
	names := Field{"array", "Their names.", false}
	role := Field{"string", "The role.", false}
	template := Field{"string", "The name of its template.", false}
	return []Type{
		{"audit.expired", "Entries went whose time to be kept was over (AUTH_AUDIT_KEPT).", map[string]Field{
			"before": {"time", "Those from before.", false}, "partitions": {"integer", "Months that went as a whole.", false},
		}},
		{"audit.restarted", "The chain goes on after it was found broken (postern audit restart).", map[string]Field{
			"was": {"integer", "The number of the last seal, as the head had it.", false}, "no": {"integer", "The number of the last seal that was there.", false},
			"wasSeal": {"string", "That seal.", false}, "unsealed": {"integer", "Entries that had no seal and waited for none.", false},
			"seal": {"string", "That seal.", false}, "proved": {"boolean", "The head was the sealer's own; otherwise nothing it said was kept.", false},
			"anchor": {"integer", "The number of the seal that the first one kept follows.", false}, "anchorSeal": {"string", "That seal.", false},
			"keptSince": {"time", "Entries from before may be gone.", true},
		}},
		{"dead-letter.discarded", "Something that was given up was forgotten.", map[string]Field{
			"kind": {"string", "event, mail or sms.", false}, "item": {"uuid", "The id of the event or the message.", false}, "user": {"uuid", "Whose it was.", true},
		}},
		{"dead-letter.retried", "A message that was given up was tried once more.", map[string]Field{
			"kind": {"string", "mail or sms.", false}, "item": {"uuid", "The id of the message.", false}, "user": {"uuid", "Whose it is.", true},
		}},
		{"events.replayed", "Events were asked for again.", map[string]Field{
			"count": {"integer", "How many, counted for each receiver.", false}, "receivers": {"integer", "To how many receivers.", false},
			"event": {"uuid", "The event, where it was one.", true}, "receiver": {"string", "The receiver, where one was named.", true},
			"user": {"uuid", "Whose, where one was named.", true}, "type": {"string", "Of which type, where one was named.", true},
		}},
		{"hook-script.changed", "A script of a hook was changed, or enabled or disabled.", map[string]Field{"script": script, "client": client}},
		{"hook-script.created", "A script of a hook was made.", map[string]Field{"script": script, "client": client}},
		{"hook-script.deleted", "A script of a hook was deleted.", map[string]Field{"script": script, "client": client}},
		{"hook-script.secrets.added", "A script of a hook got secrets.", map[string]Field{"script": script, "client": client, "names": names}},
		{"hook-script.secrets.changed", "Secrets of a script were changed.", map[string]Field{"script": script, "client": client, "names": names}},
		{"hook-script.secrets.deleted", "Secrets of a script were deleted.", map[string]Field{"script": script, "client": client, "names": names}},
		{"hook-script.secrets.set", "Secrets of a script were added or changed.", map[string]Field{"script": script, "client": client, "names": names}},
		{"hook-script.tested", "A hook, or a script in its place, was tried about somebody made up, or with a question of the operator's. It is written before, whatever becomes of it.", map[string]Field{
			"hook": {"string", "The hook, where one was named.", true}, "script": {"string", "The id of the script, where it is a stored one.", true},
			"candidate":   {"boolean", "A script that is not stored was tried.", true},
			"sourceHash":  {"string", "SHA-256 of the script, where one was tried by its text or its id.", true},
			"payloadHash": {"string", "SHA-256 of the question, where one was given.", true},
		}},
		{"machine-client.changed", "A machine client was changed.", map[string]Field{"client": client}},
		{"machine-client.created", "A machine client was made.", map[string]Field{"client": client}},
		{"machine-client.deleted", "A machine client was deleted.", map[string]Field{"client": client}},
		{"machine-client.granted", "A machine client got a token for the management API.", map[string]Field{
			"client": client, "audience": {"string", "For whom the token is.", false}, "scope": {"string", "What it allows.", false},
		}},
		{"machine-client.refused", "Somebody asked for a token of a machine client without its secret. Of those who try one after another, no more are kept than may try one.", map[string]Field{
			"client": {"string", "The machine client, where there is such a one.", true},
		}},
		{"machine-client.secret-rotated", "A machine client got another secret.", map[string]Field{"client": client}},
		{"machine-client.set", "The machine client of the settings was made or changed.", map[string]Field{"client": client}},
		{"message.tested", "A test message was sent.", map[string]Field{
			"kind": {"string", "mail or sms.", false}, "template": template, "to": {"string", "The address or the number, masked.", false},
			"sent": {"boolean", "It was taken.", false},
		}},
		{"oauth-client.changed", "A client of the OAuth server was changed.", map[string]Field{
			"client": application, "changed": {"string", "What of it.", false},
		}},
		{"oauth-client.created", "An operator made a client of the OAuth server.", map[string]Field{"client": application, "method": method}},
		{"oauth-client.deleted", "A client of the OAuth server was deleted.", map[string]Field{"client": application}},
		{"oauth-client.registered", "A client of the OAuth server registered itself.", map[string]Field{"client": application, "method": method}},
		{"oauth-client.secret-rotated", "A client of the OAuth server got another secret.", map[string]Field{"client": application}},
		{"operator.refused", "Somebody showed a wrong admin secret. Nothing of it is kept. Tries after the limit is used up leave no entry.", map[string]Field{
			"door": {"string", "Where: graphql.", false},
		}},
		{"role.created", "An operator made a role.", map[string]Field{"role": role}},
		{"role.deleted", "An operator deleted a role that nobody had.", map[string]Field{"role": role}},
		{"sessions.ended", "An operator ended sessions of everybody: so many in a step, each with an entry.", map[string]Field{
			"count": {"integer", "How many.", false}, "pats": {"integer", "How many personal access tokens were revoked with them.", false},
			"before": {"time", "Only those that began before.", true}, "more": {"boolean", "There may be more to end: that has entries of its own.", false},
		}},
		{"signin.failed", "Somebody did not get in. What they typed is not kept. Tries after a limit is used up leave no entry.", map[string]Field{
			"method":   {"string", "How they tried: password, otp, sms, totp, mfa/phone, mfa/webauthn, recovery-code, webauthn, link, oauth, idtoken, pat and the like.", false},
			"reason":   {"string", "unknown where nobody is known by what was typed, else the code of the refusal (errors.md), such as invalid-credentials or user-disabled.", false},
			"provider": {"string", "The sign-in provider, where one vouched.", true},
			"locks":    {"boolean", "This try used up a limit: more are refused for a while.", true},
		}},
		{"user.imported", "A user came from another system (postern import).", map[string]Field{"from": {"string", "The system: supabase.", false}}},
	}
}

// Known tells whether there is such an event.
func Known(name string) bool {
	return slices.ContainsFunc(Types(), func(t Type) bool { return t.Name == name })
}

// Schema is the JSON Schema of what a receiver gets for an event of the type.
func (t Type) Schema() []byte {
	members, required := map[string]any{
		"userId": Field{Kind: "uuid", Doc: "The user."}.schema(),
		"by":     Field{Kind: "string", Doc: "operator, where somebody did it who runs the service; missing where the user did."}.schema(),
	}, []string{"userId"}
	for _, name := range slices.Sorted(maps.Keys(t.Data)) {
		members[name] = t.Data[name].schema()
		if !t.Data[name].Optional {
			required = append(required, name)
		}
	}
	schema := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       t.Name,
		"description": t.Doc,
		"type":        "object",
		"required":    []string{"id", "type", "timestamp", "data"},
		"properties": map[string]any{
			"id":        map[string]any{"type": "string", "description": "The event's id, the same in every attempt and in the header webhook-id."},
			"type":      map[string]any{"const": t.Name},
			"timestamp": map[string]any{"type": "string", "format": "date-time", "description": "When it happened."},
			"data":      map[string]any{"type": "object", "required": required, "properties": members},
		},
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return []byte("{}") // maps and strings can be encoded
	}
	return text
}

func (f Field) schema() map[string]any {
	s := map[string]any{"type": f.Kind, "description": f.Doc}
	switch f.Kind {
	case "uuid":
		s["type"], s["format"] = "string", "uuid"
	case "time":
		s["type"], s["format"] = "string", "date-time"
	}
	return s
}

// Pattern turns a filter such as user.* into a pattern of SQL's like.
func Pattern(filter string) string {
	return strings.ReplaceAll(strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(filter), "*", "%")
}

// matches tells whether a filter takes an event of the type: its name, or a beginning up to a dot with
// a star after it.
func matches(filter, name string) bool {
	before, wild := strings.CutSuffix(filter, "*")
	if !wild {
		return filter == name
	}
	return strings.HasPrefix(name, before)
}

// CheckFilter says what is wrong with a filter, or nothing.
func CheckFilter(filter string) string {
	before, wild := strings.CutSuffix(filter, "*")
	if strings.Contains(before, "*") || wild && before != "" && !strings.HasSuffix(before, ".") {
		return "is no event: a star stands alone or after a dot, as in user.*"
	}
	if !slices.ContainsFunc(Types(), func(t Type) bool { return matches(filter, t.Name) }) {
		return "is no event; docs/events.md lists them"
	}
	return ""
}

// Matching lists what a filter takes of all that may be in the audit log: a name, or a beginning up to a dot with
// a star after it.
func Matching(filter string) []string {
	var names []string
	for _, t := range slices.Concat(Types(), Notes()) {
		if matches(filter, t.Name) {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return names
}
