package emails

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"
)

// Postmark sends through Postmark's HTTP API. The words are the templates kept there, by the alias
// <locale>.<template>; when Postmark has none, the same template in the default locale, and after
// that our own rendering.
type Postmark struct {
	Token         string // server token
	Sender        *mail.Address
	Timeout       time.Duration // zero means ten seconds
	DefaultLocale string
	BaseURL       string       // empty means Postmark's own
	Client        *http.Client // nil means one that follows no redirects

	once sync.Once
}

// noSuchTemplate is Postmark's code for an alias it does not know.
const noSuchTemplate = 1101

// Send hands the mail over.
func (p *Postmark) Send(ctx context.Context, m Outgoing) error {
	limit := p.Timeout
	if limit <= 0 {
		limit = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	to, err := recipient(m.To)
	if err != nil {
		return &SendError{Permanent: true, Err: err}
	}
	model, err := postmarkModel(m)
	if err != nil {
		return &SendError{Permanent: true, Err: err}
	}
	for _, alias := range p.aliases(m) {
		err := p.post(ctx, "/email/withTemplate", map[string]any{
			"From": p.Sender.String(), "To": to, "TemplateAlias": alias, "TemplateModel": model,
		})
		if !errors.Is(err, errNoSuchTemplate) {
			return err
		}
	}
	return p.post(ctx, "/email", map[string]any{
		"From": p.Sender.String(), "To": to, "Subject": m.Subject, "HtmlBody": m.HTML, "TextBody": m.Text,
		"Headers": []map[string]string{
			{"Name": "Message-ID", "Value": "<" + messageID(m.ID, p.Sender.Address) + ">"},
			{"Name": "X-PM-KeepID", "Value": "true"},
			{"Name": "X-Email-Template", "Value": m.Template},
		},
	})
}

// aliases lists the names to try. Postmark's customers named theirs after the locale asked for, so
// that one is first, whatever our own fallback found.
func (p *Postmark) aliases(m Outgoing) []string {
	var list []string
	for _, l := range []string{m.Message.Locale, p.DefaultLocale, "en"} {
		alias := l + "." + m.Template
		if localePattern.MatchString(l) && !slices.Contains(list, alias) {
			list = append(list, alias)
		}
	}
	return list
}

// postmarkModel has every variable, the empty ones too.
func postmarkModel(m Outgoing) (map[string]string, error) {
	values, err := cleanValues(m.Variables)
	if err != nil {
		return nil, err
	}
	model := make(map[string]string, len(VariableNames()))
	for _, name := range VariableNames() {
		model[name] = values[name]
	}
	model["locale"] = m.Rendered.Locale
	codeAndTicket(m.Template, model)
	return model, nil
}

// errNoSuchTemplate says that Postmark does not know the alias.
var errNoSuchTemplate = errors.New("postmark has no such template")

// post sends one request. What the operator can mend (a wrong token) and what passes (too many
// requests, trouble at Postmark) is worth another attempt; any other refusal is not.
func (p *Postmark) post(ctx context.Context, path string, body map[string]any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return &SendError{Permanent: true, Err: fmt.Errorf("postmark: %w", err)}
	}
	base := p.BaseURL
	if base == "" {
		base = "https://api.postmarkapp.com"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(base, "/")+path, bytes.NewReader(b))
	if err != nil {
		return &SendError{Permanent: true, Err: fmt.Errorf("postmark: %w", err)}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Postmark-Server-Token", p.Token)
	res, err := p.client().Do(req)
	if err != nil {
		return &SendError{Err: fmt.Errorf("postmark: %w", err)}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode == http.StatusOK {
		return nil
	}
	if err != nil {
		return &SendError{Code: res.StatusCode, Err: fmt.Errorf("postmark: %w", err)}
	}
	var said struct {
		ErrorCode int
		Message   string
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		said.Message = "an answer that is not JSON"
	}
	reason := fmt.Errorf("postmark: %d %s", said.ErrorCode, said.Message)
	if res.StatusCode == http.StatusUnprocessableEntity && said.ErrorCode == noSuchTemplate {
		reason = fmt.Errorf("%w: %s", errNoSuchTemplate, said.Message)
	}
	return &SendError{Permanent: postmarkHopeless(res.StatusCode), Code: res.StatusCode, Err: reason}
}

func postmarkHopeless(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= 499
}

func (p *Postmark) client() *http.Client {
	p.once.Do(func() {
		if p.Client == nil {
			p.Client = newClient()
		}
	})
	return p.Client
}
