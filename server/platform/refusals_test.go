package platform

import (
	"testing"

	"postern/auth"
	"postern/flow"
)

func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	for _, code := range auth.Codes() {
		if no := refusals[code]; no.status < 400 || no.status > 599 || no.code == "" || no.message == "" {
			t.Errorf("%s: %+v", code, no)
		}
	}
	if len(refusals) != len(auth.Codes()) {
		t.Errorf("there are words for %d codes, and %d codes", len(refusals), len(auth.Codes()))
	}
}

func TestThePathsAreThoseOfTheRoutes(t *testing.T) {
	t.Parallel()
	d := &Door{Policy: &flow.Policy{}}
	for _, r := range d.routes() {
		if !Has(r.path) {
			t.Errorf("%s is none of the door's", r.path)
		}
	}
	for _, path := range []string{"/v1/signup/", "/v1", "/v1/user", "/v1/login/x", ""} {
		if Has(path) {
			t.Errorf("%q is one of the door's", path)
		}
	}
}
