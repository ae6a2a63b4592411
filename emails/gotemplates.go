package emails

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	gotemplate "html/template"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	goFetchTime = 10 * time.Second
	goMaxOutput = 2 << 20 // bytes of a mail that a template makes
)

// Own is what mails of GoTrue's dialect know besides the variables.
type Own struct {
	Data   json.RawMessage   `json:"data,omitempty"`   // what users say of themselves: an object
	Detail map[string]string `json:"detail,omitempty"` // of a change: oldEmail, oldPhone, provider, factorType
}

// goTemplates fetches and fills the templates of the operator.
type goTemplates struct {
	settings GoSettings
	client   *http.Client
	now      func() time.Time

	mu     sync.Mutex
	copies map[string]*goCopy // by the template of the house
}

// goCopy is a template as it was fetched last. Its lock makes one fetch at a time.
type goCopy struct {
	mu      sync.Mutex
	body    *gotemplate.Template // nil until a fetch went well
	fetched time.Time
	failed  time.Time
}

func newGoTemplates(s GoSettings, now func() time.Time) *goTemplates {
	return &goTemplates{settings: s, client: newClient(), now: now, copies: map[string]*goCopy{}}
}

// apply puts the operator's words into a mail that the house has worded. Where they cannot be had, or cannot be filled
// in, the whole mail stays as it is, with a warning.
func (g *goTemplates) apply(ctx context.Context, m Message, values map[string]string, out Rendered) Rendered {
	kind := g.settings.kinds[m.Template]
	if m.Own == nil || kind == nil || *kind == (goKind{}) {
		return out
	}
	subject, body, err := g.fill(ctx, m, kind, goValues(m, values))
	if err != nil {
		out.Warnings = append(out.Warnings, fmt.Errorf("the operator's template for %s: %w; the built-in mail is sent", m.Template, err))
		return out
	}
	if subject != "" {
		out.Subject = subject
	}
	if body != "" {
		out.HTML, out.Text, out.Source = body, textOf(body), "gotrue"
	}
	return out
}

func (g *goTemplates) fill(ctx context.Context, m Message, kind *goKind, values map[string]any) (subject, body string, err error) {
	if kind.address != "" {
		t, err := g.body(ctx, m.Template, absolute(kind.address, m.Variables["clientUrl"]))
		if err != nil {
			return "", "", err
		}
		if body, err = execute(t, values); err != nil {
			return "", "", err
		}
		if strings.TrimSpace(body) == "" {
			return "", "", errors.New("it says nothing")
		}
	}
	if kind.subject != "" {
		t, err := parseGo(kind.subject)
		if err != nil {
			return "", "", err
		}
		if subject, err = execute(t, values); err != nil {
			return "", "", err
		}
		subject = shorten(cleanLine(html.UnescapeString(subject)), 250) // a subject is no HTML
	}
	return subject, body, nil
}

// absolute is where a template is: GoTrue puts addresses without http behind the site's.
func absolute(address, site string) string {
	if strings.HasPrefix(address, "http") {
		return address
	}
	return strings.TrimRight(site, "/") + "/" + strings.TrimLeft(address, "/")
}

// body gives a template: the copy while it is young, a fresh one, or with a failure behind it the copy however old.
func (g *goTemplates) body(ctx context.Context, name, address string) (*gotemplate.Template, error) {
	g.mu.Lock()
	c := g.copies[name]
	if c == nil {
		c = &goCopy{}
		g.copies[name] = c
	}
	g.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := g.now()
	switch {
	case c.body != nil && now.Sub(c.fetched) < g.settings.MaxAge:
		return c.body, nil
	case !c.failed.IsZero() && now.Sub(c.failed) < g.settings.Retry && c.body != nil:
		return c.body, nil
	case !c.failed.IsZero() && now.Sub(c.failed) < g.settings.Retry:
		return nil, errors.New("it could not be fetched a moment ago")
	}
	t, err := g.fetch(ctx, address)
	if err == nil {
		c.body, c.fetched, c.failed = t, now, time.Time{}
		return t, nil
	}
	c.failed = now
	if c.body != nil {
		return c.body, nil
	}
	return nil, err
}

// fetch gets a template. The error says nothing of the address, which may have a key in it.
func (g *goTemplates) fetch(ctx context.Context, address string) (*gotemplate.Template, error) {
	ctx, cancel := context.WithTimeout(ctx, goFetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("its address is none")
	}
	res, err := g.client.Do(req)
	if err != nil {
		return nil, errors.New("its server does not answer")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its server answered %d, and only 200 counts", res.StatusCode)
	}
	most := int64(g.settings.MaxSize)
	text, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return nil, errors.New("its server stopped in the middle")
	case int64(len(text)) > most:
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	return parseGo(string(text))
}

// parseGo reads a template.
func parseGo(text string) (*gotemplate.Template, error) {
	t, err := gotemplate.New("mail").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return t, nil
}

// execute fills a template in, as far as a mail may go.
func execute(t *gotemplate.Template, values map[string]any) (string, error) {
	out := &bounded{left: goMaxOutput}
	if err := t.Execute(out, values); err != nil {
		if out.left < 0 {
			return "", fmt.Errorf("it makes more than %d bytes", goMaxOutput)
		}
		return "", errors.New("it cannot be filled in") // the reason may repeat what users said
	}
	return out.text.String(), nil
}

// bounded takes so many bytes.
type bounded struct {
	text strings.Builder
	left int
}

// Write takes the bytes, or ends the template.
func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("too long")
	}
	return b.text.Write(p)
}

// goValues are what templates may say. What users say of themselves is made harmless as their names are: whoever signs
// up with the address of somebody else chooses what this person reads.
func goValues(m Message, values map[string]string) map[string]any {
	detail := map[string]string{}
	maps.Copy(detail, m.Own.Detail)
	var data map[string]any
	if json.Unmarshal(m.Own.Data, &data) != nil || data == nil {
		data = map[string]any{}
	}
	hash := values["ticket"]
	if values["code"] == "" || hash == values["code"] { // there is a code alone
		hash = ""
	}
	return map[string]any{
		"SiteURL": values["clientUrl"], "ConfirmationURL": values["link"], "Email": values["email"], "NewEmail": values["newEmail"], "SendingTo": m.To,
		"Token": values["code"], "TokenHash": hash, "RedirectTo": values["redirectTo"], "Data": harmless(data),
		"OldEmail": detail["oldEmail"], "OldPhone": detail["oldPhone"], "Phone": detail["phone"], "Provider": detail["provider"], "FactorType": detail["factorType"],
	}
}

// harmless is a value of JSON whose texts are one short line each, and no links.
func harmless(v any) any {
	switch v := v.(type) {
	case string:
		return defuse(shorten(cleanLine(v), 5*maxName))
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[name] = harmless(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = harmless(value)
		}
		return out
	}
	return v
}
