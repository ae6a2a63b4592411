package hasura_test

import (
	"context"
	"encoding/json"
	"testing"

	"postern/hooks"
	"postern/internal/testhouse"
	"postern/totp"
)

// marks has confirmations and sessions put metadata in the place of a user's, and tells which did.
func (o *operator) marks(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks(t, o, &h.UserConfirmed, "confirmed", hooks.Mutator, func(e hooks.UserConfirmed) (string, any) {
		return e.ID, fields{"metadata": e.User.Metadata}
	}, func(e *hooks.UserConfirmed, answer map[string]any) error { return e.ReplaceMetadata(answer) })
	asks(t, o, &h.SessionOpening, "session", hooks.Mutator, func(e hooks.SessionOpening) (string, any) {
		return e.ID, fields{"metadata": e.User.Metadata, "confirms": e.Confirms}
	}, func(e *hooks.SessionOpening, answer map[string]any) error { return e.ReplaceMetadata(answer) })
}

// marked answers one of the two with other metadata.
func marked(moment string) func(context.Context, string, map[string]any) (any, error) {
	return func(_ context.Context, name string, _ map[string]any) (any, error) {
		if name != moment {
			return nil, nil
		}
		return fields{"plan": moment, "provider": "stolen"}, nil
	}
}

const planClaim = `{"plan": "metadata.plan", "provider": "metadata.provider"}`

// mark is the metadata of whoever an access token is of.
func (d doorway) mark(t testing.TB, token string) string {
	t.Helper()
	subject, _ := payloadOf(t, token)["sub"].(string)
	return value[string](t, d, `select metadata::text from auth.users where id = $1`, subject)
}

// TestHooksReplaceMetadataOfWhoComesIn has other metadata written with the session, and with the
// confirmation, and told by the first token. What is ours among them stays.
func TestHooksReplaceMetadataOfWhoComesIn(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.marks(t, h)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off", "AUTH_JWT_CUSTOM_CLAIMS", planClaim), h)
	list := entrances(t, d, clock)
	clock.Advance(totp.Period)
	d.sql(t, `update auth.users set metadata = '{"old": true, "provider": "ours"}'`)
	for _, e := range list {
		if len(e.name) >= 7 && e.name[:7] == "refresh" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			o.says(marked("session"))
			o.asked("session")
			token := d.accessTokenOf(t, e.step(t))
			var kept map[string]any
			if err := json.Unmarshal([]byte(d.mark(t, token)), &kept); err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, token)
			if len(kept) != 2 || kept["plan"] != "session" || kept["provider"] == "stolen" || claims["x-hasura-plan"] != "session" || claims["x-hasura-provider"] != kept["provider"] {
				t.Errorf("%v are kept, and the token says %v", kept, claims)
			}
			got := o.asked("session")
			if len(got) != 1 || got[0].body["confirms"] != (e.first["x-hasura-verified"] != "" || e.name == "texted code") {
				t.Errorf("asked %v", got)
			}
		})
	}
}

// TestHooksReplaceMetadataAtAConfirmation does it at every first confirmation, and holds that nothing is
// written when the session is refused after it.
func TestHooksReplaceMetadataAtAConfirmation(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.marks(t, h)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off", "AUTH_JWT_CUSTOM_CLAIMS", planClaim), h)
	coded, number, byFactor := newAddress(), newNumber(), newAddress()
	d.ask(t, "POST", askMail, fields{"email": coded}).ok(t)
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	d.ask(t, "POST", signInLink, fields{"email": byFactor}).ok(t)
	for name, step := range map[string]func(*testing.T) answer{
		"link":                           d.mailed(t, byFactor, "signin-passwordless"),
		"code":                           d.posts(typeMail, fields{"email": coded, "otp": d.mailedCode(t, coded, 1)}),
		"text":                           d.posts(typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)}),
		"sign-up without a confirmation": d.posts("/signup/email-password", fields{"email": newAddress(), "password": rightPassword}),
	} {
		t.Run(name, func(t *testing.T) {
			before := d.state(t)
			if name[:4] != "sign" {
				o.says(func(ctx context.Context, moment string, body map[string]any) (any, error) {
					if moment == "session" {
						return denies(ctx, moment, body)
					}
					return marked("confirmed")(ctx, moment, body)
				})
				step(t).turnedAway(t, 418, "hook-denied", "not today, says session")
				d.sameState(t, before, "a refusal")
			}
			o.asked("session")
			o.says(marked("confirmed"))
			token := d.accessTokenOf(t, step(t))
			if kept := d.mark(t, token); kept != `{"plan": "confirmed"}` || claimsOf(t, token)["x-hasura-plan"] != "confirmed" {
				t.Errorf("%s are kept, and the token says %v", kept, claimsOf(t, token))
			}
			got := o.asked("session")
			told, _ := got[0].body["metadata"].(map[string]any)
			if len(got) != 1 || told["plan"] != "confirmed" || got[0].body["confirms"] != (name[:4] != "sign") {
				t.Errorf("asked %v", got)
			}
		})
	}
}

// TestMetadataOfAConfirmationThatOpensNoSession has it written with what is due before the session: the
// ticket of a second factor, or the code that the application exchanges.
func TestMetadataOfAConfirmationThatOpensNoSession(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.marks(t, h)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off"), h)
	kept := func(email string) string {
		t.Helper()
		return value[string](t, d, `select coalesce(metadata::text, '') from auth.users where email = $1::text::public.citext and email_verified`, email)
	}
	email := d.signUp(t, nil)
	d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": email}).ok(t)
	d.sql(t, `update auth.users set active_mfa_type = 'totp', totp_secret = 'x' where email = $1`, email)
	link := d.mailed(t, email, "email-verify")
	o.says(marked("confirmed"))
	link(t)
	if got := kept(email); got != `{"plan": "confirmed"}` {
		t.Errorf("before the second factor, %s are kept", got)
	}

	p := someone()
	o.says(agrees)
	d.signUp(t, fields{"email": p.Email})
	_, challenge := testhouse.Verifier()
	e := providerDoor{d, vouching}
	atVouching.Lock()
	defer atVouching.Unlock()
	o.says(marked("confirmed"))
	if _, q := e.comeBack(t, e.setOut(t, "/signin/provider/github?codeChallenge="+challenge, p)).redirect(t, 302); q.Get("code") == "" {
		t.Fatalf("the provider led to %v", q)
	}
	if got := kept(p.Email); got != `{"plan": "confirmed"}` {
		t.Errorf("before the exchange, %s are kept", got)
	}
}
