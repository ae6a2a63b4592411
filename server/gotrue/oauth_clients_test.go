package gotrue_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"postern/tokens"
)

// TestOperatorsLookAfterOAuthClients is what an operator does with clients, from the empty list to the empty list.
func TestOperatorsLookAfterOAuthClients(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	const all = "/admin/oauth/clients"
	if a := d.ask(t, "GET", all+"?page=&per_page=", "", bySecret()...); a.status != 200 || strings.TrimSpace(a.body) != `{"clients":[]}` || a.header.Get("X-Total-Count") != "0" {
		t.Errorf("trap: the list of none is %d %s", a.status, a.body)
	}
	made := d.ask(t, "POST", all, `{"client_name":"Wiki","redirect_uris":["https://wiki.example.com/cb"],"response_types":["code"],"scope":"openid email","contacts":["a@example.com"]}`, bySecret()...)
	c := made.said(t)
	id, _ := c["client_id"].(string)
	for name, want := range map[string]string{
		"client_type": "confidential", "token_endpoint_auth_method": "client_secret_basic", "registration_type": "manual", "scope": "openid email", "client_name": "Wiki",
	} {
		if c[name] != want {
			t.Errorf("%s is %v", name, c[name])
		}
	}
	secret, _ := c["client_secret"].(string)
	if made.status != 201 || !tokens.IsUUID(id) || len(secret) < 43 || made.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", made.status, made.body, made.header)
	}
	d.registers(t, map[string]any{"client_type": "public"})
	for page, link := range map[string]string{"1": `rel="next"`, "2": `page=2&per_page=1>; rel="last"`} {
		a := d.ask(t, "GET", all+"?page="+page+"&per_page=1", "", bySecret()...)
		if list, _ := a.said(t)["clients"].([]any); len(list) != 1 || a.header.Get("X-Total-Count") != "2" || !strings.Contains(a.header.Get("Link"), link) || strings.Contains(a.body, "secret\"") {
			t.Errorf("%s %v", a.body, a.header)
		}
	}
	if got := d.ok(t, "GET", all+"/"+id, "", bySecret()...); got["client_secret"] != nil || got["client_id"] != id {
		t.Errorf("%v", got)
	}
	if got := d.ok(t, "PUT", all+"/"+id, `{"client_name":"Mail","token_endpoint_auth_method":"client_secret_post","client_type":"confidential"}`, bySecret()...); got["client_name"] != "Mail" || got["token_endpoint_auth_method"] != "client_secret_post" || got["scope"] != "openid email" {
		t.Errorf("%v", got)
	}
	if got := d.ok(t, "POST", all+"/"+id+"/regenerate_secret", "", bySecret()...); got["client_secret"] == secret || got["client_secret"] == nil {
		t.Errorf("%v", got)
	}
	refusals := map[string]string{
		`POST ` + all + ` {"client_name":"x"}`:                                                                                               "400 redirect_uris must",
		`POST ` + all + ` {"redirect_uris":["https://a.example/","javascript:alert(1)"]}`:                                                    "400 redirect_uris must",
		`POST ` + all + ` {"redirect_uris":["http://a.example/"]}`:                                                                           "400 redirect_uris must",
		`POST ` + all + ` {"redirect_uris":["https://a.example/"],"client_type":"public","token_endpoint_auth_method":"client_secret_post"}`: "400 client_type must fit",
		`POST ` + all + ` {"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt"}`:                           "400 token_endpoint_auth_method must",
		`POST ` + all + ` {"redirect_uris":["https://a.example/"],"response_types":["token"]}`:                                               "400 response_types must",
		`POST ` + all + ` {"redirect_uris":["https://a.example/"],"grant_types":["client_credentials"]}`:                                     "400 grant_types must",
		`POST ` + all + ` {"redirect_uris":"https://a.example/"}`:                                                                            "400 redirect_uris must",
		`PUT ` + all + `/` + id + ` {}`:                                                                                                      "400 body must say what is to change",
		`PUT ` + all + `/` + id + ` {"client_type":"public"}`:                                                                                "400 client_type must stay",
		`PUT ` + all + `/` + id + ` {"token_endpoint_auth_method":"none"}`:                                                                   "400 token_endpoint_auth_method must stay",
		`PUT ` + all + `/` + tokens.NewUUID() + ` {"client_name":"x"}`:                                                                       "404 OAuth client not found",
		`GET ` + all + `/` + tokens.NewUUID() + ` `:                                                                                          "404 OAuth client not found",
		`DELETE ` + all + `/x `: "404 OAuth client not found",
		`POST ` + all + `/` + tokens.NewUUID() + `/regenerate_secret `: "404 OAuth client not found",
		`GET ` + all + `?page=0 `:                                      "400 page must",
		`GET ` + all + `?per_page=1001 `:                               "400 per_page must",
	}
	for request, want := range refusals {
		parts := strings.SplitN(request, " ", 3)
		a := d.ask(t, parts[0], parts[1], parts[2], bySecret()...)
		message, _ := a.said(t)["msg"].(string)
		if got := strconv.Itoa(a.status) + " " + message; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", request, got)
		}
	}
	if a := d.ask(t, "DELETE", all+"/"+id, "", bySecret()...); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask(t, "DELETE", all+"/"+id, "", bySecret()...); a.code(t) != "oauth_client_not_found" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestNoOAuthServerUnlessTurnedOn has every path of it say so.
func TestNoOAuthServerUnlessTurnedOn(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": adminSecret, "AUTH_GOTRUE_OAUTH_DYNAMIC_REGISTRATION": "true"})
	for _, request := range []string{
		"GET /oauth/authorize", "GET /oauth/authorizations/x", "POST /oauth/authorizations/x/consent", "POST /oauth/token", "GET /oauth/userinfo", "POST /oauth/clients/register",
		"GET /.well-known/oauth-authorization-server", "GET /user/oauth/grants", "DELETE /user/oauth/grants", "GET /admin/oauth/clients", "POST /admin/oauth/clients",
		"GET /admin/oauth/clients/x", "PUT /admin/oauth/clients/x", "DELETE /admin/oauth/clients/x", "POST /admin/oauth/clients/x/regenerate_secret",
	} {
		method, path, _ := strings.Cut(request, " ")
		if a := d.ask(t, method, path, `{"client_name":"x"}`, bySecret()...); a.status != 404 || a.code(t) != "feature_disabled" {
			t.Errorf("%s: %d %s", request, a.status, a.body)
		}
	}
}

// TestClientsRegisterThemselves where they may, and only so often.
func TestClientsRegisterThemselves(t *testing.T) {
	t.Parallel()
	const path, whole = "/oauth/clients/register", `{"redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback"],"client_name":"Cursor","token_endpoint_auth_method":"none","software_id":"x"}`
	if a := oauthDoor(t, nil).ask(t, "POST", path, whole); a.status != 403 || a.code(t) != "oauth_dynamic_client_registration_disabled" {
		t.Errorf("%d %s", a.status, a.body)
	}
	d := oauthDoor(t, map[string]string{"AUTH_GOTRUE_OAUTH_DYNAMIC_REGISTRATION": "true", "AUTH_RATE_LIMIT_ENABLE": "true"})
	if got := d.ok(t, "GET", "/.well-known/oauth-authorization-server", ""); got["registration_endpoint"] != oauthIssuer+path {
		t.Errorf("%v", got)
	}
	a := d.ask(t, "POST", path, whole)
	c := a.said(t)
	if a.status != 201 || c["client_type"] != "public" || c["client_secret"] != nil || c["registration_type"] != "dynamic" || c["scope"] != "openid profile email phone offline_access" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for body, want := range map[string]string{
		`{"redirect_uris":["https://a.example/"],"scope":"openid graphql"}`:           "scope must not have graphql",
		`{"redirect_uris":["data:text/html,x"]}`:                                      "redirect_uris must",
		`{"redirect_uris":["https://a.example/"],"client_uri":"javascript:alert(1)"}`: "client_uri must",
		`{"redirect_uris":["https://a.example/"],"client_name":"Your\u202eBank"}`:     "client_name must",
		`{"redirect_uris":["https://a.example/"],"client_name":"Your\u200bBank"}`:     "client_name must",
		`{"redirect_uris":["https://a.example/"],"client_name":"\ufeffYour Bank"}`:    "client_name must",
	} {
		if a := d.ask(t, "POST", path, body); a.status != 400 || !strings.HasPrefix(a.said(t)["msg"].(string), want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	refused := false
	for range 12 {
		refused = refused || d.ask(t, "POST", path, whole).status == http.StatusTooManyRequests
	}
	if made := d.holds(t, `select count(*)::text from auth.oauth_clients`); !refused || made > "9" && len(made) == 1 || len(made) > 2 {
		t.Errorf("a flood made %s clients, refused %v", made, refused)
	}
	if rows := d.holds(t, `select count(*)::text from auth.audit_entries where event = 'oauth-client.registered'`); rows == "0" {
		t.Error("nobody could tell who registered")
	}
}
