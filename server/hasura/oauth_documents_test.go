package hasura_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/house"
	"postern/internal/testhouse"
)

// website publishes what a client says of itself, and counts who reads it.
type website struct {
	*httptest.Server
	document atomic.Value
	read     atomic.Int32
	// meanwhile is a func() that runs while the document is read.
	meanwhile atomic.Value
}

func newWebsite(t testing.TB) *website {
	t.Helper()
	site := &website{}
	site.document.Store("")
	site.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site.read.Add(1)
		if f, ok := site.meanwhile.Load().(func()); ok {
			f()
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, strings.ReplaceAll(site.document.Load().(string), "HERE", site.URL+r.URL.Path))
	}))
	t.Cleanup(site.Close)
	return site
}

// publishing opens a house that takes clients by their documents, and one of those.
func publishing(t testing.TB, settings map[string]string, options ...func(*house.Options)) (client, *website) {
	t.Helper()
	all := map[string]string{"AUTH_OAUTH2_PROVIDER_CIMD_ENABLED": "true", "AUTH_OAUTH2_PROVIDER_CIMD_ALLOW_INSECURE_TRANSPORT": "true"}
	for name, value := range settings {
		all[name] = value
	}
	d, site := oauthDoor(t, all, options...), newWebsite(t)
	c := client{doorway: d, id: site.URL + "/client.json", redirect: "https://agent.example.com/cb", method: auth.NoClientSecret}
	site.document.Store(`{"client_id":"HERE","client_name":"Agent","redirect_uris":["https://agent.example.com/cb"]}`)
	return c, site
}

// TestAClientIsWhatItPublishes lets a client in that nobody registered, and asks its website no more than once an hour.
func TestAClientIsWhatItPublishes(t *testing.T) {
	t.Parallel()
	clock := &testhouse.Clock{}
	c, site := publishing(t, nil, testhouse.OnClock(clock))
	if a := c.ask(t, "GET", "/.well-known/openid-configuration", nil); a.object(t)["client_id_metadata_document_supported"] != true {
		t.Errorf("%s", a)
	}
	p := c.person(t)
	g := c.grant(t, p.AccessToken)
	if _, said := saidIn(t, g.AccessToken); said["client_id"] != c.id || said["aud"] != c.id {
		t.Errorf("%v", said)
	}
	if again := c.refresh(t, g.RefreshToken).given(t); again.AccessToken == "" {
		t.Error("no refresh")
	}
	id := c.begin(t)
	if a := c.ask(t, "GET", "/oauth2/login?request_id="+id, nil); a.object(t)["clientName"] != "Agent" || a.object(t)["clientId"] != c.id {
		t.Errorf("%s", a)
	}
	if n := site.read.Load(); n != 1 {
		t.Errorf("it was read %d times", n)
	}

	// It says something else now, which counts when an hour is over: an address that it had is its own no more.
	site.document.Store(`{"client_id":"HERE","redirect_uris":["https://agent.example.com/new"],"scope":"openid graphql"}`)
	c.begin(t)
	clock.Advance(time.Hour)
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).oauth(t, 400, "invalid_request")
	c.redirect = "https://agent.example.com/new"
	c.begin(t, "scope", "openid")
	for _, scope := range []string{"graphql", "email"} {
		c.knock(t, "GET", "/oauth2/authorize?"+c.asks("scope", scope).Encode(), nil).oauth(t, 400, "invalid_scope")
	}
	if n := site.read.Load(); n != 2 {
		t.Errorf("it was read %d times", n)
	}
}

// TestDocumentsThatMakeNoClient sends nobody anywhere, and tells the client's developer why. What goes wrong between the servers is told nobody.
func TestDocumentsThatMakeNoClient(t *testing.T) {
	t.Parallel()
	c, site := publishing(t, nil)
	refused := func(id, why string) {
		t.Helper()
		a := c.knock(t, "GET", "/oauth2/authorize?"+c.asks("client_id", id).Encode(), nil)
		a.oauth(t, 401, "invalid_client")
		if said := fmt.Sprint(a.object(t)["error_description"]); !strings.Contains(said, why) || a.header.Get("Location") != "" {
			t.Errorf("%s: %q, want %q", id, said, why)
		}
	}
	for document, why := range map[string]string{
		`{"client_id":"HERE"}`: "redirectUris must be 1 to 10 addresses",
		`{"client_id":"HERE","redirect_uris":["javascript:alert(1)"]}`:                                   "redirectUris",
		`{"client_id":"HERE","redirect_uris":["https://a.example.com/*"]}`:                               "without *",
		`{"client_id":"HERE","redirect_uris":["https://a.example.com"],"client_name":"a\u202eb"}`:        "name must have",
		`{"client_id":"HERE","redirect_uris":["https://a.example.com"],"logo_uri":"javascript:1"}`:       "logoUri",
		`{"client_id":"HERE","redirect_uris":["https://a.example.com"],"grant_types":["refresh_token"]}`: "grantTypes",
		`{"client_id":"https://bank.example.com/client.json"}`:                                           "letter by letter",
		`{"client_id":"HERE","client_secret":"s"}`:                                                       "no client_secret",
	} {
		site.document.Store(document)
		refused(c.id, why)
	}
	refused(site.URL, "must have a path")
	site.Close()
	refused(site.URL+"/gone.json", "The client is unknown")
	if n := value[int](t, c.doorway, `select count(*)::int from auth.oauth_clients`); n != 0 {
		t.Errorf("%d clients are kept", n)
	}
}

// TestDocumentsLeadNowhereNear has a stranger's address never ask this machine or the network behind it, and says nothing of what is there
// (server-side request forgery).
func TestDocumentsLeadNowhereNear(t *testing.T) {
	t.Parallel()
	c, site := publishing(t, map[string]string{"AUTH_OAUTH2_PROVIDER_CIMD_ALLOW_INSECURE_TRANSPORT": "false"})
	for _, id := range []string{
		c.id, strings.Replace(c.id, "http:", "https:", 1), "https://localhost/client.json", "https://127.0.0.1/client.json", "https://[::1]/client.json", "https://169.254.169.254/latest/meta-data",
		"https://10.0.0.1/client.json", "https://2130706433/client.json",
	} {
		a := c.knock(t, "GET", "/oauth2/authorize?"+c.asks("client_id", id).Encode(), nil)
		a.oauth(t, 401, "invalid_client")
		if said := fmt.Sprint(a.object(t)["error_description"]); strings.Contains(said, "network") || strings.Contains(said, "machine") {
			t.Errorf("%s: %q", id, said)
		}
	}
	for _, reason := range []string{"begin with https://", "this machine", "where clouds keep their metadata", "a private network", "neither a name nor an address"} {
		if !strings.Contains(c.Log.String(), reason) {
			t.Errorf("nothing was refused since it is %q", reason)
		}
	}
	if n := site.read.Load(); n != 0 {
		t.Errorf("it was read %d times", n)
	}
}

// TestADeletedDocumentStaysDeleted keeps out whom an operator deleted, whatever they publish.
func TestADeletedDocumentStaysDeleted(t *testing.T) {
	t.Parallel()
	clock := &testhouse.Clock{}
	c, site := publishing(t, nil, testhouse.OnClock(clock))
	g := c.grant(t, c.person(t).AccessToken)
	if err := c.clients().Delete(t.Context(), c.id, chief()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Hour)
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).oauth(t, 401, "invalid_client")
	c.refresh(t, g.RefreshToken).oauth(t, 401, "invalid_client")
	if n := site.read.Load(); n != 1 {
		t.Errorf("it was read %d times", n)
	}
}

// TestADocumentThatIsDeletedWhileItIsReadStaysDeleted has an operator delete the client while its website takes its time.
func TestADocumentThatIsDeletedWhileItIsReadStaysDeleted(t *testing.T) {
	t.Parallel()
	clock := &testhouse.Clock{}
	c, site := publishing(t, nil, testhouse.OnClock(clock))
	c.begin(t)
	clock.Advance(2 * time.Hour)
	site.meanwhile.Store(func() {
		if err := c.clients().Delete(context.Background(), c.id, chief()); err != nil {
			t.Error(err)
		}
	})
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).oauth(t, 401, "invalid_client")
}

// TestPublishedClientsAreNoneOnceTheyAreOff has clients be none, whatever was read of them before the operator took no more of them.
func TestPublishedClientsAreNoneOnceTheyAreOff(t *testing.T) {
	t.Parallel()
	c, _ := publishing(t, nil)
	g := c.grant(t, c.person(t).AccessToken)
	off := maps.Clone(c.Env)
	off["AUTH_OAUTH2_PROVIDER_CIMD_ENABLED"] = "false"
	c.House = c.With(t, off)
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).oauth(t, 401, "invalid_client")
	c.refresh(t, g.RefreshToken).oauth(t, 401, "invalid_client")
}

// TestManyNewDocumentsAtOnce keeps each client once, however many browsers it sends at the same moment.
func TestManyNewDocumentsAtOnce(t *testing.T) {
	t.Parallel()
	c, site := publishing(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "false"})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			id := site.URL + "/client" + strconv.Itoa(i%6) + ".json"
			if a := c.knock(t, "GET", "/oauth2/authorize?"+c.asks("client_id", id).Encode(), nil); a.status != 302 {
				t.Errorf("%s: %s", id, a)
			}
		})
	}
	all.Wait()
	if n := value[int](t, c.doorway, `select count(*)::int from auth.oauth_clients`); n != 6 {
		t.Errorf("%d clients", n)
	}
}

// TestAddressesAreNoClientsUnlessAsked has the server ask nobody where the operator did not say so.
func TestAddressesAreNoClientsUnlessAsked(t *testing.T) {
	t.Parallel()
	c, site := publishing(t, map[string]string{"AUTH_OAUTH2_PROVIDER_CIMD_ENABLED": "false"})
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).oauth(t, 401, "invalid_client")
	if n := site.read.Load(); n != 0 {
		t.Errorf("it was read %d times", n)
	}
}

// TestUnusedClientsMakeRoom has nobody keep others from registering by registering many clients. Clients that somebody let in stay.
func TestUnusedClientsMakeRoom(t *testing.T) {
	t.Parallel()
	clock := &testhouse.Clock{}
	d := oauthDoor(t, nil, testhouse.OnClock(clock))
	register := func() (string, error) {
		made, _, err := d.clients().Register(t.Context(), flow.NewOAuthClient{RedirectURIs: []string{"https://wiki.example.com/cb"}, AuthMethod: auth.NoClientSecret}, auth.Client{})
		return made.ID, err
	}
	used, err := register()
	if err != nil {
		t.Fatal(err)
	}
	c := client{doorway: d, id: used, redirect: "https://wiki.example.com/cb", method: auth.NoClientSecret}
	c.grant(t, d.person(t).AccessToken)
	clock.Advance(time.Second)
	fill := `insert into auth.oauth_clients (id, redirect_uris, scopes, grant_types, auth_method, origin, created_at, updated_at)
		select gen_random_uuid()::text, redirect_uris, scopes, grant_types, auth_method, origin, $1::timestamptz, $1 from auth.oauth_clients, generate_series(1, 9999) where id = '` + used + `'`
	if _, err := d.Kit.Store.Exec(t.Context(), fill, clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := register(); auth.CodeOf(err) != auth.BadRequest {
		t.Errorf("one too many, while the others may still be asked about: %v", err)
	}
	clock.Advance(80 * time.Minute) // a document counts for an hour, and a request of its client and the code for minutes
	if _, err := register(); auth.CodeOf(err) != auth.BadRequest {
		t.Errorf("one too many, while the others may be asked about by a document that was read an hour ago: %v", err)
	}
	clock.Advance(time.Hour)
	if _, err := register(); err != nil {
		t.Error(err)
	}
	if n := value[int](t, d, `select count(*)::int from auth.oauth_clients where deleted_at is null`); n != 10000 {
		t.Errorf("%d clients", n)
	}
	if _, err := d.clients().Find(t.Context(), used); err != nil {
		t.Errorf("the one that is used: %v", err)
	}
}
