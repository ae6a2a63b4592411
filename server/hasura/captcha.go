package hasura

import (
	"fmt"
	"net/http"

	"postern/auth"
	"postern/server"
)

// proved lets a request pass when a person has solved the captcha for it, or when none is set up. It
// stands before the limits that clients may share, so that programs cannot use those up.
func (d *Door) proved(h server.Handler) server.Handler {
	if d.Captcha == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := d.captchaToken(r.Header)
		if err != nil {
			return err
		}
		if err := d.Captcha.Check(r.Context(), token, server.Client(w).Address); err != nil {
			return err
		}
		return h(w, r)
	}
}

// captchaToken finds the one token of a request.
func (d *Door) captchaToken(h http.Header) (string, error) {
	for _, name := range d.Captcha.Headers() {
		switch values := h.Values(name); {
		case len(values) > 1:
			return "", fmt.Errorf("%w: %s appears twice", auth.CaptchaFailed, name)
		case len(values) == 1:
			return values[0], nil
		}
	}
	return "", auth.CaptchaMissing
}
