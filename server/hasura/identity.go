package hasura

import (
	"cmp"
	"net/http"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/providers"
	"postern/server"
)

type idTokenRequest struct {
	server.Verbatim `json:"-"`

	Provider string        `json:"provider"`
	IDToken  string        `json:"idToken"`
	Nonce    *string       `json:"nonce"`
	Options  signUpOptions `json:"options"`
}

// Check tells what is wrong with the request.
func (in *idTokenRequest) Check() error {
	return cmp.Or(idTokenIn(in.Provider, in.IDToken, in.Nonce), in.Options.check("options."))
}

type linkIDTokenRequest struct {
	Provider string  `json:"provider"`
	IDToken  string  `json:"idToken"`
	Nonce    *string `json:"nonce"`
}

// Check tells what is wrong with the request.
func (in *linkIDTokenRequest) Check() error { return idTokenIn(in.Provider, in.IDToken, in.Nonce) }

func idTokenIn(provider, raw string, nonce *string) error {
	switch {
	case provider == "" || len(provider) > maxProvider:
		return auth.Invalid{Field: "provider", Problem: "must be the name of a provider"}
	case raw == "" || len(raw) > maxIDToken:
		return auth.Invalid{Field: "idToken", Problem: "must be the ID token of the provider, of at most 16 KiB"}
	case nonce != nil && len(*nonce) > maxNonce:
		return auth.Invalid{Field: "nonce", Problem: "must not be longer than 512 bytes"}
	}
	return nil
}

const (
	maxProvider = 64
	maxIDToken  = 16 << 10
	maxNonce    = 512
)

func (in *idTokenRequest) toFlow(w http.ResponseWriter) flow.IDTokenSignIn {
	return flow.IDTokenSignIn{Provider: in.Provider, IDToken: in.IDToken, Nonce: text(in.Nonce), Options: in.Options.toFlow(), Said: said(in.Verbatim), Client: server.Client(w)}
}

func (d *Door) signInIDToken(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[idTokenRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.WithIDToken(r.Context(), in.toFlow(w))
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

func (d *Door) signUpIDToken(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[idTokenRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	admission, err := d.SignUp.WithIDToken(r.Context(), in.toFlow(w))
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

func (d *Door) linkIDToken(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[linkIDTokenRequest](r, server.Body{})
	if err != nil {
		return err
	}
	err = d.Account.LinkIDToken(r.Context(), flow.IDTokenLink{
		Actor: actor, Provider: in.Provider, IDToken: in.IDToken, Nonce: text(in.Nonce), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return ok(w)
}

type linkProviderRequest struct {
	RedirectTo string            `json:"redirectTo"`
	State      string            `json:"state"`
	Params     map[string]string `json:"providerSpecificParams"`
}

// Check tells what is wrong with the request.
func (in *linkProviderRequest) Check() error { return stateIn(in.State) }

// linkProvider gives the address to go to, and the cookie to come back with.
func (d *Door) linkProvider(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[linkProviderRequest](r, server.Body{Optional: true})
	if err != nil {
		return err
	}
	params, err := paramsIn("providerSpecificParams.", func(name string) string { return in.Params[name] })
	if err != nil {
		return err
	}
	started, err := d.Account.LinkProvider(r.Context(), actor, flow.ProviderStart{
		Provider: r.PathValue("provider"), Options: flow.Options{RedirectTo: in.RedirectTo}, State: in.State, Params: params, Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	d.cookies().Set(w, started)
	return server.JSON(w, http.StatusOK, map[string]string{"url": started.URL})
}

// providerSession is what a provider lets the application do for the user.
type providerSession struct {
	AccessToken  string    `json:"accessToken"`
	ExpiresIn    int       `json:"expiresIn"`
	ExpiresAt    time.Time `json:"expiresAt"`
	RefreshToken string    `json:"refreshToken,omitempty"`
}

// never is when tokens expire of which the provider does not say when.
var never = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func (d *Door) toProviderSession(t providers.Tokens) providerSession {
	if t.ExpiresAt.IsZero() {
		t.ExpiresAt = never
	}
	left := t.ExpiresAt.Sub(d.Front.Now()) / time.Second
	return providerSession{AccessToken: t.Access, ExpiresIn: int(min(max(left, 0), 1<<31-1)), ExpiresAt: t.ExpiresAt.UTC(), RefreshToken: t.Refresh}
}

// providerTokens hands out the tokens, once. A HEAD takes nothing.
func (d *Door) providerTokens(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	t, err := d.Account.ProviderTokens(r.Context(), flow.ProviderAsk{Actor: actor, Provider: r.PathValue("provider"), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, d.toProviderSession(t))
}

type refreshProviderRequest struct {
	RefreshToken string `json:"refreshToken"`
}

// Check tells what is wrong with the request.
func (in *refreshProviderRequest) Check() error {
	if in.RefreshToken == "" || len(in.RefreshToken) > maxIDToken {
		return auth.Invalid{Field: "refreshToken", Problem: "must be the refresh token of the provider, of at most 16 KiB"}
	}
	return nil
}

func (d *Door) refreshProviderTokens(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[refreshProviderRequest](r, server.Body{})
	if err != nil {
		return err
	}
	t, err := d.Account.RefreshProviderTokens(r.Context(), flow.ProviderAsk{Actor: actor, Provider: r.PathValue("provider"), Client: server.Client(w)}, in.RefreshToken)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, d.toProviderSession(t))
}

// identity is an identity as its user sees it.
type identity struct {
	ID             string     `json:"id"`
	Provider       string     `json:"provider"`
	ProviderUserID string     `json:"providerUserId"`
	Email          string     `json:"email,omitempty"`
	EmailVerified  bool       `json:"emailVerified"`
	DisplayName    string     `json:"displayName,omitempty"`
	CreatedAt      time.Time  `json:"createdAt"`
	LastUsedAt     *time.Time `json:"lastUsedAt,omitempty"`
}

type identityList struct {
	Providers []identity `json:"providers"`
}

func (d *Door) identities(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	list, err := d.Account.Identities(r.Context(), actor)
	if err != nil {
		return err
	}
	out := identityList{Providers: make([]identity, 0, len(list))}
	for _, i := range list {
		shown := identity{
			ID: i.ID, Provider: i.Provider, ProviderUserID: i.ProviderUserID, Email: i.Email, EmailVerified: i.EmailVerified,
			DisplayName: i.DisplayName, CreatedAt: i.CreatedAt.UTC(),
		}
		if !i.SignedInAt.IsZero() {
			at := i.SignedInAt.UTC()
			shown.LastUsedAt = &at
		}
		out.Providers = append(out.Providers, shown)
	}
	return server.JSON(w, http.StatusOK, out)
}

func (d *Door) unlink(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if !uuid.MatchString(id) {
		return auth.NotFound
	}
	if err := d.Account.Unlink(r.Context(), flow.Unlinking{Actor: actor, IdentityID: id, Client: server.Client(w)}); err != nil {
		return err
	}
	return ok(w)
}
