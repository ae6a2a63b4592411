package hasura_test

import (
	"encoding/json"
	"testing"
	"time"

	"postern/auth"
	"postern/flow"
)

// An outcome is what becomes of a request with the token of an operator who acts as the user.
type outcome int

const (
	alone outcome = iota // it takes no access token
	sees                 // it only looks
	never                // it is the user's alone
)

// impersonated says it of every operation; one that is added is missing until somebody decides.
var impersonated = map[string]outcome{
	"getUser": sees, "listSessions": sees, "listPATs": sees, "listSecurityKeys": sees, "getElevationMethods": sees, "getUserProviders": sees, "hasuraWebhookGet": sees,

	"changeUserPhoneNumber": never, "verifyChangeUserPhoneNumber": never, "elevateOTPEmail": never, "verifyElevateOTPEmail": never, "elevateOTPSms": never,
	"verifyElevateOTPSms": never, "changeUserEmail": never, "createPAT": never, "deletePAT": never, "endSession": never, "deanonymizeUserSms": never,
	"deanonymizeUser": never, "elevateWebauthn": never, "addSecurityKey": never, "removeSecurityKey": never, "verifyElevateWebauthn": never,
	"verifyAddSecurityKey": never, "renameSecurityKey": never, "changeUserMfa": never, "verifyChangeUserMfa": never, "elevateTotp": never,
	"countRecoveryCodes": never, "createRecoveryCodes": never, "linkProvider": never, "linkIdToken": never, "getProviderTokens": never,
	"refreshProviderToken": never, "unlinkProvider": never,

	"signUpEmailPassword": alone, "signUpPasswordlessEmail": alone, "signInPasswordlessEmail": alone, "signUpOTPEmail": alone, "signInOTPEmail": alone,
	"verifySignInOTPEmail": alone, "signUpPasswordlessSms": alone, "signInPasswordlessSms": alone, "verifySignInPasswordlessSms": alone, "signInEmailPassword": alone,
	"refreshToken": alone, "verifyToken": alone, "tokenExchange": alone, "signOut": alone, "changeUserPassword": alone, "sendPasswordResetEmail": alone,
	"sendVerificationEmail": alone, "verifyTicket": alone, "verifyTicketHead": alone, "verifyTicketConfirmed": alone, "signInAnonymous": alone, "signInPAT": alone,
	"signUpWebauthn": alone, "verifySignUpWebauthn": alone, "signInWebauthn": alone, "verifySignInWebauthn": alone, "healthCheckGet": alone, "healthCheckHead": alone,
	"readinessCheck": alone, "getVersion": alone, "getJWKs": alone, "getOpenAPI": alone, "hasuraWebhookPost": alone, "verifySignInMfaTotp": alone,
	// The OAuth server is off there; TestOperatorsLetNobodyIn has it on.
	"oauth2Authorize": alone, "oauth2AuthorizePost": alone, "oauth2LoginGet": alone, "oauth2LoginPost": alone, "oauth2Token": alone, "oauth2Introspect": alone,
	"oauth2Revoke": alone, "oauth2UserinfoGet": alone, "oauth2UserinfoPost": alone, "oauth2Jwks": alone, "getOpenIDConfiguration": alone, "getOAuthAuthorizationServer": alone,
	"signInProvider": alone, "signUpProvider": alone, "signInProviderCallback": alone, "signInProviderCallbackPost": alone, "signInIdToken": alone, "signUpIdToken": alone,
}

// admin is the desk for operators of a house.
func (d doorway) admin(s flow.AdminSettings) *flow.Admin {
	if s.ImpersonationLife == 0 {
		s.ImpersonationLife = 10 * time.Minute
	}
	return &flow.Admin{Kit: d.Kit, Settings: s}
}

func chief() flow.Operator { return flow.Operator{Actor: auth.Actor{Rights: auth.AllRights}} }

// actAs gives an operator's token of a user.
func (d doorway) actAs(t testing.TB, userID string) flow.Impersonated {
	t.Helper()
	i, err := d.admin(flow.AdminSettings{}).Impersonate(t.Context(), chief(), flow.Impersonation{UserID: userID, Reason: "Ticket 12"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestImpersonationSeesAndChangesNothing asks every operation as an operator who acts as the user.
func TestImpersonationSeesAndChangesNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_HASURA_WEBHOOK_ENABLED": "true"})
	p := d.person(t)
	token := d.actAs(t, p.User.ID).AccessToken
	before := d.state(t)
	told := 0
	for _, o := range operations(t) {
		want, decided := impersonated[o.id]
		switch {
		case !decided:
			t.Errorf("%s: say in impersonated what becomes of it with an operator's token", o.id)
		case (want == alone) == o.bearer:
			t.Errorf("%s: takes a token %v, and the table says otherwise", o.id, o.bearer)
		case want == sees:
			told++
			if a := o.send(t, d, token); a.status != 200 {
				t.Errorf("%s: %s", o.id, a)
			}
		case want == never:
			told++
			o.send(t, d, token).refused(t, 403, "impersonated", "")
		}
		d.sameState(t, before, o.id)
	}
	if told < 25 {
		t.Errorf("only %d operations were tried", told)
	}
	// What takes a token only sometimes.
	d.ask(t, "POST", "/token/verify", nil, bearer(token)).ok(t)
	d.ask(t, "POST", "/signout", fields{"all": true}, bearer(token)).refused(t, 403, "impersonated", "")
	d.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(token)).refused(t, 403, "impersonated", "")
	d.sameState(t, before, "the rest")
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
}

// TestImpersonationSaysWhoItIs reads the token: the user's claims, who acts, and no way to go on.
func TestImpersonationSaysWhoItIs(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	i := d.actAs(t, p.User.ID)
	claims, err := d.Kit.Signer.Verify(i.AccessToken, d.Clock.Now())
	if err != nil || claims.Impersonator != "operator" || claims.SessionID != i.ID || claims.UserID != p.User.ID || claims.Elevated || claims.ExpiresAt.Sub(claims.IssuedAt) != 10*time.Minute {
		t.Errorf("%v %+v", err, claims)
	}
	var detail map[string]any
	row := value[string](t, d, `select detail::text from auth.audit_entries where event = 'user.impersonated' and user_id = $1 and session_id = $2`, p.User.ID, i.ID)
	if err := json.Unmarshal([]byte(row), &detail); err != nil || detail["reason"] != "Ticket 12" || detail["by"] != "operator" {
		t.Errorf("%v %s", err, row)
	}
	if n := value[int](t, d, `select count(*) from auth.refresh_tokens where user_id = $1`, p.User.ID); n != 1 {
		t.Errorf("%d sessions: no session opens", n)
	}
	d.Clock.Advance(10*time.Minute + time.Second)
	d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)).refused(t, 401, "unauthorized", "")
}

// TestImpersonationEnds by what ends users, and by who ends it.
func TestImpersonationEnds(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	admin := d.admin(flow.AdminSettings{})
	end := func(in flow.SessionEnding) func(*testing.T, string, flow.Impersonated) {
		return func(t *testing.T, _ string, i flow.Impersonated) {
			t.Helper()
			if in.SessionIDs != nil {
				in.SessionIDs = []string{i.ID}
			}
			if out, err := admin.EndSessions(t.Context(), chief(), in); err != nil || out.Sessions == 0 {
				t.Errorf("%+v %v", out, err)
			}
		}
	}
	sql := func(text string) func(*testing.T, string, flow.Impersonated) {
		return func(t *testing.T, user string, _ flow.Impersonated) { t.Helper(); d.sql(t, text, user) }
	}
	for name, c := range map[string]struct {
		does   func(t *testing.T, user string, i flow.Impersonated)
		status int
	}{
		"disabled":  {sql(`update auth.users set disabled = true where id = $1`), 401},
		"banned":    {sql(`update auth.users set banned_until = now() + interval '1 hour' where id = $1`), 401},
		"deleted":   {sql(`delete from auth.users where id = $1`), 401},
		"by its id": {end(flow.SessionEnding{SessionIDs: []string{""}}), 401},
	} {
		t.Run(name, func(t *testing.T) {
			p := d.person(t)
			i := d.actAs(t, p.User.ID)
			d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)).is(t, 200, "")
			c.does(t, p.User.ID, i)
			if a := d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)); a.status != c.status {
				t.Errorf("%s", a)
			}
		})
	}
	p := d.person(t)
	i := d.actAs(t, p.User.ID)
	end(flow.SessionEnding{All: true})(t, "", i)
	if a := d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)); a.status != 401 {
		t.Errorf("%s", a)
	}
}
