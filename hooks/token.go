package hooks

import (
	"errors"

	"postern/auth"
)

// TokenMinting is an access token about to be signed.
type TokenMinting struct {
	Event
	User      auth.User
	SessionID string
	AAL       int
	AMR       []auth.Method  // the latest last
	Method    string         // of this event, as in AMR, or "token_refresh"
	Claims    map[string]any // the whole payload; see Replace for what of it is open to change
	replaced  bool

	// Settle gives the payload that would be signed if this one were asked for, or says why it cannot
	// be. Whoever fires the event sets it.
	Settle func(claims map[string]any) (map[string]any, error)
}

// TokenRefresh is the method of a token that is made by a refresh.
const TokenRefresh = "token_refresh"

// Replace puts another payload in the place of Claims: what it leaves out is not in the token. The
// claims that are ours stay as they are, whatever it says of them; package tokens has the list.
func (e *TokenMinting) Replace(claims map[string]any) error {
	if claims == nil {
		return errors.New("no claims")
	}
	settled, err := e.Settle(claims)
	if err != nil {
		return err
	}
	e.Claims, e.replaced = settled, true
	return nil
}

// Replaced tells whether a hook gave another payload.
func (e *TokenMinting) Replaced() bool { return e.replaced }
