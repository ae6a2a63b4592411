package gotrue

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

func (d *Door) passkeyRoutes() []route {
	routes := []route{
		{method: "POST", path: "/passkeys/registration/options", handle: d.beginPasskey},
		{method: "POST", path: "/passkeys/registration/verify", handle: d.addPasskey},
		{method: "POST", path: "/passkeys/authentication/options", handle: d.beginPasskeySignIn, rate: d.Rates.passkeys(), captcha: true},
		{method: "POST", path: "/passkeys/authentication/verify", handle: d.signInPasskey},
		{method: "GET", path: "/passkeys", handle: d.ownPasskeys},
		{method: "PATCH", path: "/passkeys/{passkey_id}", handle: d.renamePasskey},
		{method: "DELETE", path: "/passkeys/{passkey_id}", handle: d.removePasskey},
	}
	if !d.Offered.Passkeys {
		for i := range routes {
			routes[i].handle, routes[i].captcha = noPasskeys, false
		}
	}
	return routes
}

func noPasskeys(http.ResponseWriter, *http.Request) error {
	return refusal{http.StatusNotFound, "passkey_disabled", "Passkeys are not turned on"}
}

// unsigned words what comes of passkeys.
var unsigned = map[auth.Code]refusal{
	auth.UserAnonymous:  {http.StatusForbidden, "no_authorization", "Anonymous users cannot have passkeys"},
	auth.NotElevated:    {http.StatusForbidden, "insufficient_aal", "AAL2 is required to change passkeys"},
	auth.FactorRequired: {http.StatusForbidden, "insufficient_aal", "AAL2 is required to change passkeys"},
	auth.UserUnverified: {http.StatusForbidden, "email_not_confirmed", "Email not confirmed"},
	auth.NotFound:       {http.StatusNotFound, "webauthn_credential_not_found", "There is no passkey of the id"},
	auth.LastWayIn:      {http.StatusUnprocessableEntity, "single_identity_not_deletable", "Without the passkey nothing would be left to sign in by"},
}

// passkeyRefusal finds the words for what comes of passkeys.
func passkeyRefusal(err error) error {
	var many flow.TooManyPasskeys
	switch {
	case errors.Is(err, flow.ErrNoChallenge):
		return fmt.Errorf("%w: %w", refusal{http.StatusBadRequest, "webauthn_challenge_not_found", "The challenge is unknown, expired or used: ask for another"}, err)
	case errors.Is(err, flow.ErrPasskeyTaken):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "webauthn_credential_exists", "The passkey is registered already"}, err)
	case errors.As(err, &many):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "too_many_passkeys", fmt.Sprintf("Users may have %d passkeys at most", many.Most)}, err)
	}
	return here(err, unsigned)
}

// offeredChallenge is what a client hands its browser.
type offeredChallenge struct {
	ChallengeID string `json:"challenge_id"`
	Options     any    `json:"options"`
	ExpiresAt   int64  `json:"expires_at"`
}

func offer(w http.ResponseWriter, c flow.PasskeyChallenge, options any) error {
	w.Header().Set("Cache-Control", "no-store")
	return server.JSON(w, http.StatusOK, offeredChallenge{c.ChallengeID, options, c.ExpiresAt.Unix()})
}

// toCreationOptions writes the wish for a new key. Clients of this dialect read the user's id as base64url.
func toCreationOptions(c flow.PasskeyCreation) server.CreationOptions {
	out := server.ToCreationOptions(c)
	out.User.ID = base64.RawURLEncoding.EncodeToString([]byte(c.UserID))
	return out
}

func (d *Door) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	creation, err := d.Account.BeginPasskey(r.Context(), actor)
	if err != nil {
		return passkeyRefusal(err)
	}
	options := toCreationOptions(creation)
	options.AuthenticatorSelection.RequireResidentKey, options.AuthenticatorSelection.ResidentKey = true, "required" // it signs in by itself
	return offer(w, creation.PasskeyChallenge, options)
}

// withCredential is how a body is read that has what an authenticator answered.
var withCredential = server.Body{Optional: true, Lenient: true, Null: true, AnyType: true, Free: []string{"credential", "gotrue_meta_security"}}

type newPasskeyRequest struct {
	ChallengeID string                    `json:"challenge_id"`
	Credential  *server.CreatedCredential `json:"credential"`
}

// Check tells what is wrong with the request.
func (in *newPasskeyRequest) Check() error {
	if !tokens.IsUUID(in.ChallengeID) {
		return noChallengeID
	}
	return in.Credential.Check("credential")
}

// noChallengeID is said where a challenge must be named.
var noChallengeID = auth.Invalid{Field: "challenge_id", Problem: "must be the id of a challenge"}

func (d *Door) addPasskey(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[newPasskeyRequest](r, withCredential)
	if err != nil {
		return err
	}
	key, err := d.Account.AddPasskey(r.Context(), flow.NewPasskey{
		Actor: actor, ChallengeID: in.ChallengeID, Answer: in.Credential.Answer(), NameIt: true, Client: server.Client(w),
	})
	if err != nil {
		return passkeyRefusal(err)
	}
	return server.JSON(w, http.StatusOK, toListedPasskey(key))
}

func (d *Door) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) error {
	request, err := d.SignIn.BeginPasskey(r.Context(), "")
	if err != nil {
		return err
	}
	return offer(w, request.PasskeyChallenge, server.ToRequestOptions(request))
}

type passkeyProof struct {
	server.Verbatim `json:"-"`

	ChallengeID string                     `json:"challenge_id"`
	Credential  *server.AssertedCredential `json:"credential"`
}

// Check tells what is wrong with the request.
func (in *passkeyProof) Check() error {
	if !tokens.IsUUID(in.ChallengeID) {
		return noChallengeID
	}
	return in.Credential.Check("credential")
}

func (d *Door) signInPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[passkeyProof](r, d.heard(withCredential))
	if err != nil {
		return err
	}
	admission, err := d.SignIn.WithPasskey(r.Context(), flow.PasskeyAnswer{
		ChallengeID: in.ChallengeID, Answer: in.Credential.Answer(), Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return passkeyRefusal(err)
	}
	return d.admit(w, admission, func(s session) any { return s })
}

// ownPasskeys lists those of who asks.
func (d *Door) ownPasskeys(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	keys, err := d.Account.ListPasskeys(r.Context(), actor)
	if err != nil {
		return passkeyRefusal(err)
	}
	list := make([]listedPasskey, 0, len(keys))
	for _, k := range keys {
		list = append(list, toListedPasskey(k))
	}
	return server.JSON(w, http.StatusOK, list)
}

func toListedPasskey(k auth.Passkey) listedPasskey {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	return listedPasskey{ID: k.ID, FriendlyName: k.Nickname, CreatedAt: at(k.AddedAt), LastUsedAt: at(k.UsedAt)}
}

type renameRequest struct {
	Name string `json:"friendly_name"`
}

// Check tells what is wrong with the request.
func (in *renameRequest) Check() error {
	if n := utf8.RuneCountInString(in.Name); n < 1 || n > 120 || strings.ContainsFunc(in.Name, server.IsControl) {
		return auth.Invalid{Field: "friendly_name", Problem: "must be a name of 1 to 120 characters, on one line"}
	}
	return nil
}

func (d *Door) renamePasskey(w http.ResponseWriter, r *http.Request) error {
	change, err := d.passkeyChange(w, r)
	if err != nil {
		return err
	}
	in, err := server.Decode[renameRequest](r, body)
	if err != nil {
		return err
	}
	change.Nickname = in.Name
	key, err := d.Account.RenamePasskey(r.Context(), change)
	if err != nil {
		return passkeyRefusal(err)
	}
	return server.JSON(w, http.StatusOK, toListedPasskey(key))
}

func (d *Door) removePasskey(w http.ResponseWriter, r *http.Request) error {
	change, err := d.passkeyChange(w, r)
	if err != nil {
		return err
	}
	if err := d.Account.RemovePasskey(r.Context(), change); err != nil {
		return passkeyRefusal(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// passkeyChange reads who wants to change which key.
func (d *Door) passkeyChange(w http.ResponseWriter, r *http.Request) (flow.PasskeyChange, error) {
	actor, err := d.actor(r)
	if err != nil {
		return flow.PasskeyChange{}, err
	}
	id, err := pathID(r, "passkey_id")
	return flow.PasskeyChange{Actor: actor, ID: id, Client: server.Client(w)}, err
}
