package gotrue

import (
	"net/http"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/providers"
	"postern/server"
	"postern/tokens"
	"postern/userobject"
)

// session is a session as clients store it.
type session struct {
	AccessToken  string          `json:"access_token"`
	TokenType    string          `json:"token_type"`
	ExpiresIn    int             `json:"expires_in"`
	ExpiresAt    int64           `json:"expires_at"`
	RefreshToken string          `json:"refresh_token"`
	User         userobject.User `json:"user"`
}

// passwordSession says, too, what is weak about a password that was taken when the rules were others.
type passwordSession struct {
	session
	Weak *weak `json:"weak_password"`
}

// typedSession is told to whoever verified something; type is for clients of old.
type typedSession struct {
	session
	Type string `json:"type,omitempty"`
}

// vouchedSession says, too, what the provider that vouched for somebody lets the application do for them.
type vouchedSession struct {
	session
	providerTokens
}

type providerTokens struct {
	Access  string `json:"provider_token,omitempty"`
	Refresh string `json:"provider_refresh_token,omitempty"`
}

func toProviderTokens(t *providers.Tokens) providerTokens {
	if t == nil {
		return providerTokens{}
	}
	return providerTokens{t.Access, t.Refresh}
}

func (d *Door) toSession(g *auth.Grant) session {
	return session{
		AccessToken: g.AccessToken, TokenType: "bearer", ExpiresIn: int(g.ExpiresIn / time.Second),
		ExpiresAt: d.Front.Now().Add(g.ExpiresIn).Unix(), RefreshToken: g.RefreshToken, User: userobject.Whole(g.User, g.Details),
	}
}

// admit answers with a session. Where a second factor must be proved first, that is said: no session of one factor is
// given to who has two.
func (d *Door) admit(w http.ResponseWriter, a auth.Admission, body func(session) any) error {
	if a.Grant == nil {
		return auth.FactorRequired
	}
	h := w.Header()
	h.Set("Sb-Auth-User-Id", a.Grant.User.ID)
	h.Set("Sb-Auth-Session-Id", a.Grant.Session.ID)
	return server.JSON(w, http.StatusOK, body(d.toSession(a.Grant)))
}

// how bodies of this dialect are read: what is not known is left alone, and null is as good as nothing.
var body = server.Body{Optional: true, Lenient: true, Null: true, AnyType: true, Free: []string{"data", "options", "gotrue_meta_security"}}

// heard is how a body is read that hooks may be told of as it came.
func (d *Door) heard(b server.Body) server.Body {
	b.Heard = d.SignIn.HearsRequests()
	return b
}

// said is what a client sent, for hooks.
func said(v server.Verbatim) flow.Said { return flow.Said{Data: v.Raw()} }

// pkce are the members by which a client says that it will exchange a code.
type pkce struct {
	Challenge string `json:"code_challenge"`
	Method    string `json:"code_challenge_method"`
}

// check refuses a challenge that is none, and methods that are not in use any more: whoever sees a plain challenge can
// exchange the code (RFC 9700, 2.1.1).
func (p pkce) check() error {
	switch {
	case p.Challenge == "" && p.Method == "":
		return nil
	case p.Challenge == "" || p.Method == "":
		return auth.Invalid{Field: "code_challenge", Problem: "and code_challenge_method belong together: send both, or neither"}
	case p.Method != "s256" && p.Method != "S256":
		return auth.Invalid{Field: "code_challenge_method", Problem: "must be s256"}
	case !tokens.ValidChallenge(p.Challenge):
		return auth.Invalid{Field: "code_challenge", Problem: "must be the base64url SHA-256 of the verifier, 43 characters (RFC 7636)"}
	}
	return nil
}

// redirectTo is where a mail's link shall lead: what the request asks for, if that is allowed, else where it
// came from, else the application.
func (d *Door) redirectTo(r *http.Request) string {
	asked := r.Header.Get("redirect_to")
	if asked == "" {
		asked = r.URL.Query().Get("redirect_to")
	}
	for _, to := range []string{asked, r.Header.Get("Referer")} {
		if to == "" {
			continue
		}
		if allowed, err := d.Policy.Redirect(to); err == nil {
			return allowed
		}
	}
	return ""
}

// address is an e-mail address as it comes. This dialect knows them in lower case alone.
type address string

// UnmarshalText reads the address.
func (a *address) UnmarshalText(text []byte) error {
	*a = address(strings.ToLower(string(text)))
	return nil
}

// check refuses what is no address.
func (a address) check() error {
	if !flow.ValidEmail(string(a)) {
		return auth.Invalid{Field: "email", Problem: "must be an e-mail address"}
	}
	return nil
}
