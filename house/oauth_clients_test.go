package house_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"postern/auth"
	"postern/flow"
	"postern/internal/testhouse"
	"postern/store"
)

func operator() flow.Operator { return flow.Operator{Actor: auth.Actor{Rights: auth.ChangeRights}} }

func newClient(t testing.TB, f *flow.OAuthClients, method string) (store.OAuthClient, string) {
	t.Helper()
	c, secret, err := f.Create(t.Context(), flow.NewOAuthClient{Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/cb"}, AuthMethod: method}, operator())
	if err != nil {
		t.Fatal(err)
	}
	return c, secret
}

// TestOAuthClientsShowThemselves takes each client's own secret in the registered way, and nothing else.
func TestOAuthClientsShowThemselves(t *testing.T) {
	t.Parallel()
	f := &flow.OAuthClients{Kit: testhouse.Open(t, nil).Kit}
	basic, secret := newClient(t, f, "")
	post, postSecret := newClient(t, f, auth.ClientSecretPost)
	public, none := newClient(t, f, auth.NoClientSecret)
	if len(secret) < 50 || secret == postSecret || none != "" || public.SecretHash != nil || strings.Contains(string(basic.SecretHash), secret) {
		t.Fatalf("secrets %q, %q, %q", secret, postSecret, none)
	}
	shown := func(id, secret, method string) bool {
		t.Helper()
		c, err := f.Authenticate(t.Context(), flow.OAuthCredentials{ClientID: id, Secret: secret, Method: method})
		if err != nil && auth.CodeOf(err) != auth.InvalidClient || err == nil && c.ID != id {
			t.Errorf("%s: %v", id, err)
		}
		if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in %v", err)
		}
		return err == nil
	}
	for name, c := range map[string]struct {
		id, secret, method string
		right              bool
	}{
		"basic":                           {basic.ID, secret, auth.ClientSecretBasic, true},
		"post":                            {post.ID, postSecret, auth.ClientSecretPost, true},
		"public":                          {public.ID, "", auth.NoClientSecret, true},
		"basic by post":                   {basic.ID, secret, auth.ClientSecretPost, false},
		"post by basic":                   {post.ID, postSecret, auth.ClientSecretBasic, false},
		"basic without a secret":          {basic.ID, "", auth.NoClientSecret, false},
		"an empty secret":                 {basic.ID, "", auth.ClientSecretBasic, false},
		"a secret as if there were none":  {basic.ID, secret, auth.NoClientSecret, false},
		"another client's secret":         {basic.ID, postSecret, auth.ClientSecretBasic, false},
		"longer":                          {basic.ID, secret + "A", auth.ClientSecretBasic, false},
		"in small letters":                {basic.ID, strings.ToLower(secret), auth.ClientSecretBasic, false},
		"10 MB":                           {basic.ID, strings.Repeat(secret, 200000), auth.ClientSecretBasic, false},
		"no method":                       {basic.ID, secret, "", false},
		"public with a secret":            {public.ID, secret, auth.ClientSecretBasic, false},
		"public with a secret, by none":   {public.ID, secret, auth.NoClientSecret, false},
		"public with an empty one":        {public.ID, "", auth.ClientSecretPost, false},
		"nobody":                          {"00000000-0000-4000-8000-000000000000", secret, auth.ClientSecretBasic, false},
		"no id":                           {"", secret, auth.ClientSecretBasic, false},
		"an id with a zero byte":          {basic.ID + "\x00", secret, auth.ClientSecretBasic, false},
		"an id that a database misreads":  {strings.ToUpper(basic.ID), secret, auth.ClientSecretBasic, false},
		"an id of which there is no end":  {strings.Repeat("a", 10<<20), secret, auth.ClientSecretBasic, false},
		"an id that is not of this world": {"\xff", secret, auth.ClientSecretBasic, false},
	} {
		if got := shown(c.id, c.secret, c.method); got != c.right {
			t.Errorf("%s: %v", name, got)
		}
	}

	_, other, err := f.NewSecret(t.Context(), basic.ID, operator())
	if err != nil || shown(basic.ID, secret, auth.ClientSecretBasic) || !shown(basic.ID, other, auth.ClientSecretBasic) {
		t.Errorf("after another secret the former one is good, or the new one is not: %v", err)
	}
	if err := f.Delete(t.Context(), basic.ID, operator()); err != nil || shown(basic.ID, other, auth.ClientSecretBasic) {
		t.Errorf("a deleted client is let in, or %v", err)
	}
	if _, err := f.Find(t.Context(), basic.ID); auth.CodeOf(err) != auth.InvalidClient {
		t.Errorf("a deleted client is found: %v", err)
	}
}

// TestOAuthClientsOfHasuraAuthGoOn copies them from where they are, at each start, with secrets that nobody knows any more.
func TestOAuthClientsOfHasuraAuthGoOn(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("their-secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	f := &flow.OAuthClients{Kit: h.Kit}
	adopt := func() {
		t.Helper()
		var wg sync.WaitGroup
		for range 3 { // replicas that start at once
			wg.Go(func() {
				if err := f.Adopt(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	adopt() // there is no such table
	run(`create table auth.oauth2_clients (client_id text primary key, client_secret_hash text, redirect_uris text[] not null default '{}',
		scopes text[] not null default '{openid,profile,graphql,graphql:role:editor}', type text not null default 'registered', metadata jsonb,
		created_by uuid, created_at timestamptz not null default now(), updated_at timestamptz not null default now())`)
	run(`insert into auth.oauth2_clients (client_id, client_secret_hash, redirect_uris) values ('nhoa_0123456789abcdef', $1, '{https://a.example/cb}'), ('nhoa_public', null, '{http://localhost/cb}')`, string(hash))
	run(`insert into auth.oauth2_clients (client_id, type) values ('https://c.example/client.json', 'client_id_metadata_document')`)
	adopt()
	for _, method := range []string{auth.ClientSecretBasic, auth.ClientSecretPost} { // the second is hashed anew
		c, err := f.Authenticate(t.Context(), flow.OAuthCredentials{ClientID: "nhoa_0123456789abcdef", Secret: "their-secret", Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{"https://a.example/cb"}, {"openid", "profile", "graphql"}}, [][]string{c.RedirectURIs, c.Scopes}); diff != "" {
			t.Error(diff)
		}
	}
	for name, in := range map[string]flow.OAuthCredentials{
		"wrong":   {ClientID: "nhoa_0123456789abcdef", Secret: "their-secre", Method: auth.ClientSecretPost},
		"none":    {ClientID: "nhoa_0123456789abcdef", Method: auth.NoClientSecret},
		"cached":  {ClientID: "https://c.example/client.json", Method: auth.NoClientSecret},
		"by hash": {ClientID: "nhoa_0123456789abcdef", Secret: string(hash), Method: auth.ClientSecretPost},
	} {
		if _, err := f.Authenticate(t.Context(), in); auth.CodeOf(err) != auth.InvalidClient {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Authenticate(t.Context(), flow.OAuthCredentials{ClientID: "nhoa_public", Method: auth.NoClientSecret}); err != nil {
		t.Error(err)
	}

	// An operator's changes stay, until something changes there.
	if err := f.Delete(t.Context(), "nhoa_public", operator()); err != nil {
		t.Fatal(err)
	}
	adopt()
	if _, err := f.Find(t.Context(), "nhoa_public"); auth.CodeOf(err) != auth.InvalidClient {
		t.Errorf("a deleted client is there again: %v", err)
	}
	run(`update auth.oauth2_clients set client_secret_hash = null, updated_at = now() + interval '1 minute' where client_id = 'nhoa_0123456789abcdef'`)
	run(`delete from auth.oauth2_clients where client_id = 'nhoa_public'`)
	adopt()
	if c, err := f.Find(t.Context(), "nhoa_0123456789abcdef"); err != nil || !c.Public() || c.SecretHash != nil {
		t.Errorf("%+v, %v", c, err)
	}
	run(`delete from auth.oauth2_clients`)
	adopt()
	if _, err := f.Find(t.Context(), "nhoa_0123456789abcdef"); auth.CodeOf(err) != auth.InvalidClient {
		t.Errorf("a client that is gone there is here: %v", err)
	}
}
