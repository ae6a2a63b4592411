package graph_test

import (
	"strings"
	"testing"

	"postern/auth"
	"postern/flow"
)

// TestOAuthClientsLiveAndDie makes clients of the OAuth server, changes them, and ends them.
func TestOAuthClientsLiveAndDie(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	const all = `{clientSecret oauthClient{id name uri redirectUris scopes grantTypes authMethod origin fetchedAt createdBy}}`
	made := get(t, h, `mutation{createOAuthClient(input:{name:"Wiki",redirectUris:["https://wiki.example.com/cb"]})`+all+`}`, nil)
	id, _ := at(t, made, "createOAuthClient", "oauthClient", "id").(string)
	secret, _ := at(t, made, "createOAuthClient", "clientSecret").(string)
	public := get(t, h, `mutation{createOAuthClient(input:{name:"App",redirectUris:["com.example.app:/cb"],authMethod:NONE})`+all+`}`, nil)
	app, _ := at(t, public, "createOAuthClient", "oauthClient", "id").(string)
	if len(secret) < 50 || at(t, public, "createOAuthClient", "clientSecret") != nil || app == "" {
		t.Fatalf("%v %v", made, public)
	}
	if scopes, _ := at(t, made, "createOAuthClient", "oauthClient", "scopes").([]any); len(scopes) != 5 {
		t.Errorf("scopes that nobody asked for: %v", scopes)
	}
	desk := &flow.OAuthClients{Kit: h.Kit}
	good := func(secret, method string) bool {
		_, err := desk.Authenticate(t.Context(), flow.OAuthCredentials{ClientID: id, Secret: secret, Method: method})
		return err == nil
	}
	renewed := get(t, h, `mutation{newOAuthClientSecret(input:{id:"`+id+`"}){clientSecret oauthClient{id}}}`, nil)
	other, _ := at(t, renewed, "newOAuthClientSecret", "clientSecret").(string)
	if good(secret, auth.ClientSecretBasic) || !good(other, auth.ClientSecretBasic) {
		t.Error("the former secret works, or the new one does not")
	}
	get(t, h, `mutation{updateOAuthClient(input:{id:"`+id+`",name:"Mail",authMethod:CLIENT_SECRET_POST}){oauthClient{name}}}`, nil)
	if good(other, auth.ClientSecretBasic) || !good(other, auth.ClientSecretPost) {
		t.Error("the secret is not taken in the new way alone")
	}
	list := get(t, h, `{oauthClients(first:5){totalCount nodes{name} edges{cursor}} oauthClient(id:"`+id+`"){name authMethod redirectUris}}`, nil)
	if at(t, list, "oauthClients", "totalCount") != 2.0 || at(t, list, "oauthClient", "name") != "Mail" || at(t, list, "oauthClient", "redirectUris", 0) != "https://wiki.example.com/cb" {
		t.Errorf("%v", list)
	}
	get(t, h, `mutation{deleteOAuthClient(input:{id:"`+id+`"}){id}}`, nil)
	if good(other, auth.ClientSecretPost) || at(t, get(t, h, `{oauthClient(id:"`+id+`"){id}}`, nil), "oauthClient") != nil {
		t.Error("a deleted client is there")
	}

	rows := audited(t, h, "oauth-client.")
	if len(rows) != 5 {
		t.Errorf("%d audit rows: %q", len(rows), rows)
	}
	for _, s := range []string{secret, other} {
		if strings.Contains(strings.Join(rows, "\n")+h.Log.String(), s) {
			t.Error("a secret is in the audit log or the log")
		}
	}
	for query, want := range map[string]string{
		`mutation{createOAuthClient(input:{name:"",redirectUris:["https://a.example/"]}){clientSecret}}`:                               "input.name must",
		`mutation{createOAuthClient(input:{name:"a\nb",redirectUris:["https://a.example/"]}){clientSecret}}`:                           "input.name must",
		`mutation{createOAuthClient(input:{name:"a\u202eb",redirectUris:["https://a.example/"]}){clientSecret}}`:                       "input.name must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:[]}){clientSecret}}`:                                                  "input.redirectUris must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["http://a.example/"]}){clientSecret}}`:                               "input.redirectUris must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["https://a.example/"],uri:"javascript:alert(1)"}){clientSecret}}`:    "input.uri must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["https://a.example/"],logoUri:"http://a.example/"}){clientSecret}}`:  "input.logoUri must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["https://a.example/"],scopes:["admin"]}){clientSecret}}`:             "input.scopes must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["https://a.example/"],grantTypes:["refresh_token"]}){clientSecret}}`: "input.grantTypes must",
		`mutation{createOAuthClient(input:{name:"a",redirectUris:["https://a.example/"],grantTypes:["password"]}){clientSecret}}`:      "input.grantTypes must",
		`mutation{newOAuthClientSecret(input:{id:"` + app + `"}){clientSecret}}`:                                                       "input.id must be that of a client with a secret",
		`mutation{updateOAuthClient(input:{id:"` + app + `",authMethod:CLIENT_SECRET_BASIC}){oauthClient{id}}}`:                        "input.authMethod must stay",
		`mutation{updateOAuthClient(input:{id:"` + app + `"}){oauthClient{id}}}`:                                                       "input must say",
		`mutation{updateOAuthClient(input:{id:"` + app + `",scopes:[]}){oauthClient{id}}}`:                                             "input.scopes must",
		`mutation{updateOAuthClient(input:{id:"` + id + `",name:"x"}){oauthClient{id}}}`:                                               "There is no such thing",
		`mutation{deleteOAuthClient(input:{id:"` + id + `"}){id}}`:                                                                     "There is no such thing",
		`mutation{newOAuthClientSecret(input:{id:"\u0000"}){clientSecret}}`:                                                            "There is no such thing",
	} {
		if a := ask(t, h, bySecret(), query, nil); !strings.HasPrefix(a.said(), want) {
			t.Errorf("%s: %q %+v", query, a.said(), a.Errors)
		}
	}
	if after := len(audited(t, h, "oauth-client.")); after != len(rows) {
		t.Errorf("%d audit rows more", after-len(rows))
	}
}
