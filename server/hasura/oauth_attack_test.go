package hasura_test

import (
	"slices"
	"testing"

	"postern/auth"
	"postern/flow"
)

// TestARefusalLeadsToNoStranger has links to the server lead nowhere for clients that anybody can make. Of one that an operator made, and
// that asks for the same, the client gets to know.
func TestARefusalLeadsToNoStranger(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	made := d.register(t, true)
	stranger := made
	c, _, err := d.clients().Register(t.Context(), flow.NewOAuthClient{Name: "Lure", RedirectURIs: []string{made.redirect}, AuthMethod: auth.NoClientSecret}, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	stranger.id = c.ID
	for _, wrong := range [][]string{{"prompt", "none"}, {"scope", "openid graphql more"}, {"response_type", "token"}, {"code_challenge", ""}, {"max_age", "x"}} {
		if to := location(t, made.knock(t, "GET", "/oauth2/authorize?"+made.asks(wrong...).Encode(), nil)); to.Host != "wiki.example.com" {
			t.Errorf("%v of a client that an operator made: %s", wrong, to)
		}
		a := stranger.knock(t, "GET", "/oauth2/authorize?"+stranger.asks(wrong...).Encode(), nil)
		if a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%v of a client that registered itself: %s to %s", wrong, a, a.header.Get("Location"))
		}
	}
	stranger.allow(t, stranger.begin(t), d.person(t).AccessToken) // by who is asked it is let in as any other
}

// TestAScopeThatWasTakenAwayIsNotGiven takes it from a client between the user's yes and the exchange.
func TestAScopeThatWasTakenAwayIsNotGiven(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c := d.register(t, true)
	code := c.code(t, d.person(t).AccessToken, "scope", "openid graphql")
	if _, err := d.clients().Change(t.Context(), c.id, flow.OAuthClientChange{Scopes: []string{auth.ScopeOpenID, auth.ScopeEmail}}, chief()); err != nil {
		t.Fatal(err)
	}
	g := c.exchange(t, code).given(t)
	if _, said := saidIn(t, g.AccessToken); g.Scope != "openid" || said["scope"] != "openid" || said["https://hasura.io/jwt/claims"] != nil {
		t.Errorf("%q: %v", g.Scope, said)
	}
}

// TestNoConsentSpeaksForAnotherDoor leaves nothing that another door, which asks once, would take for its own: its tokens say more by
// the same scopes.
func TestNoConsentSpeaksForAnotherDoor(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, p := d.register(t, true), d.person(t)
	c.grant(t, p.AccessToken)
	if scopes := value[[]string](t, d, `select scopes from auth.oauth_consents where user_id = $1`, p.User.ID); len(scopes) > 0 {
		t.Errorf("other doors ask no more about %v", scopes)
	}
	grants, err := d.Kit.Store.GrantsOf(t.Context(), p.User.ID, 9)
	if err != nil || len(grants) != 1 || !slices.Equal(grants[0].Scopes, []string{"email", "offline_access", "openid", "profile"}) {
		t.Errorf("what the user has allowed: %v, %v", grants, err)
	}
}
