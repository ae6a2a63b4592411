package clientdocs

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// refusal is what the maker of a document is told; what everybody else is not told begins with "only here: ".
func refusal(err error) string {
	var p *Problem
	switch {
	case err == nil:
		return ""
	case errors.As(err, &p):
		return p.Refusal()
	}
	return "only here: " + err.Error()
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	var status int
	var media, body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(strings.ReplaceAll(body, "HERE", "http://"+r.Host+r.URL.Path)))
	}))
	defer server.Close()
	reader := &Reader{Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, Insecure: true}
	id := server.URL + "/client.json"
	const fine = `{"client_id":"HERE","redirect_uris":["https://a.example.com/cb"]}`
	for name, test := range map[string]struct {
		status      int
		media, body string
		want        string
	}{
		"fine":           {200, "application/json", fine, ""},
		"another type":   {200, "application/cimd+json; charset=utf-8", fine, ""},
		"more members":   {200, "application/json", `{"client_id":"HERE","redirect_uris":["https://a.example.com/cb"],"contacts":["a@example.com"],"jwks":{}}`, ""},
		"nobody there":   {404, "application/json", fine, "the document at client_id must be answered with the status 200, not 404"},
		"a redirect":     {302, "application/json", fine, "the document at client_id must be there, not where its address redirects to"},
		"a page":         {200, "text/html", fine, "the document at client_id must be of the type application/json"},
		"no type":        {200, "", fine, "the document at client_id must be of the type application/json"},
		"too long":       {200, "application/json", fine + strings.Repeat(" ", MaxBytes), "the document at client_id must not be longer than 5120 bytes"},
		"no object":      {200, "application/json", `["HERE"]`, "the document at client_id must be a JSON object"},
		"not JSON":       {200, "application/json", `client_id: HERE`, "the document at client_id must be a JSON object"},
		"a number":       {200, "application/json", `{"client_id":"HERE","redirect_uris":[1]}`, "redirect_uris in the document at client_id must not be a number"},
		"somebody else":  {200, "application/json", `{"client_id":"https://bank.example.com/client.json"}`, "client_id in the document must be the address of the document, letter by letter"},
		"a secret":       {200, "application/json", `{"client_id":"HERE","client_secret":"s"}`, "the document at client_id must have no client_secret: everybody reads it"},
		"a secret's end": {200, "application/json", `{"client_id":"HERE","client_secret_expires_at":0}`, "the document at client_id must have no client_secret: everybody reads it"},
		"shows a secret": {200, "application/json", `{"client_id":"HERE","token_endpoint_auth_method":"client_secret_basic"}`, "token_endpoint_auth_method in the document at client_id must be none"},
	} {
		status, media, body = test.status, test.media, test.body
		_, err := reader.Read(t.Context(), id)
		if got := refusal(err); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}

	status, media = 200, "application/json"
	body = `{"client_id":"HERE","client_name":"Agent","client_uri":"https://agent.example.com","logo_uri":"https://agent.example.com/logo.png",
		"redirect_uris":["http://127.0.0.1/cb"],"grant_types":["authorization_code"],"scope":" openid  email ","token_endpoint_auth_method":"none"}`
	got, err := reader.Read(t.Context(), id)
	want := Document{"Agent", "https://agent.example.com", "https://agent.example.com/logo.png", []string{"http://127.0.0.1/cb"}, []string{"authorization_code"}, []string{"openid", "email"}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	server.Close()
	if _, err := reader.Read(t.Context(), id); !strings.HasPrefix(refusal(err), "only here: ") {
		t.Errorf("a server that is gone: %q", refusal(err))
	}
}

// Whoever may write one page of a server must not be able to be the client of another one there.
func TestAddressesOfDocuments(t *testing.T) {
	t.Parallel()
	asked := errors.New("asked")
	reader := &Reader{Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, asked })}}
	for id, fine := range map[string]bool{
		"https://agent.example.com/client.json":              true,
		"https://agent.example.com:8443/client":              true,
		"https://agent.example.com/client?v=1":               true,
		"http://agent.example.com/client.json":               false,
		"https://agent.example.com":                          false,
		"https://agent.example.com/":                         false,
		"https://agent.example.com/a/../client.json":         false,
		"https://agent.example.com/a/%2e%2E/client":          false,
		"https://agent.example.com/./client.json":            false,
		"https://Agent.example.com/client.json":              false,
		"https://agent.example.com:/client.json":             false,
		"https://agent.example.com/client.json#a":            false,
		"https://agent.example.com/client.json#":             false,
		"https://bank@agent.example.com/client.json":         false,
		"https:///client.json":                               false,
		"https://agent.example.com/cl ient":                  false,
		"https://agent.example.com/ü":                        false,
		"https://a.example.com/" + "1048576":                 true,
		"https://a.example.com/" + strings.Repeat("a", 2048): false,
	} {
		if _, err := reader.Read(t.Context(), id); errors.Is(err, asked) != fine {
			t.Errorf("%.80s: %v", id, err)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"client_id":"https://a.example.com/c","redirect_uris":["https://a.example.com/cb"],"scope":"openid"}`, `{}`, `[`, `null`, `{"client_id":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const id = "https://a.example.com/c"
		d, err := parse(id, body)
		if err != nil && refusal(err) == "only here: "+err.Error() {
			t.Errorf("%q: nobody is told of %v", body, err)
		}
		if err != nil && (d.Name != "" || len(d.RedirectURIs) > 0) {
			t.Errorf("%q is refused and says something", body)
		}
	})
}
