package sms

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// modica sends through the Mobile Gateway of Modica.
type modica struct {
	client
	base           string // instead of Modica's own, when set
	user, password string
}

// Send hands the message over.
func (t *modica) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(map[string]string{"destination": m.To, "content": m.Text})
	if err != nil {
		return hopeless(err)
	}
	base := t.base
	if base == "" {
		base = "https://api.modicagroup.com/rest/sms/v2"
	}
	a, err := t.do(ctx, post{
		gateway: "modica", url: strings.TrimRight(base, "/") + "/messages", contentType: "application/json",
		body: string(body), user: t.user, pass: t.password, header: http.Header{"Accept": {"application/json"}},
	})
	if err != nil {
		return err
	}
	if !a.ok() {
		return refused("modica", a.status)
	}
	return nil
}
