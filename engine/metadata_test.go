package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/engine"
	"postern/internal/fakehasura"
	"postern/internal/testpg"
)

// begin gives an engine that knows nothing, the address that we call it by, and the tables there are.
func begin(t *testing.T) (*fakehasura.Engine, *engine.Engine, engine.Tables) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	fake := fakehasura.New(t, testpg.New(t))
	return fake, at(t, fake.URL), fake.Tables(t)
}

// at gives an engine at a fake's address. The change may alter its settings.
func at(t *testing.T, url string, change ...func(*engine.Settings)) *engine.Engine {
	t.Helper()
	s := engine.Settings{URL: url, AdminSecret: fakehasura.Secret, Metadata: engine.Apply}
	for _, c := range change {
		c(&s)
	}
	e, err := engine.Open(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func texts(steps []engine.Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Text)
	}
	return out
}

// apply applies and fails on any error.
func apply(t *testing.T, e *engine.Engine, tables engine.Tables) engine.Outcome {
	t.Helper()
	outcome, err := e.Apply(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestApplyOnAFreshEngine(t *testing.T) {
	t.Parallel()
	fake, e, tables := begin(t)
	steps, err := e.Plan(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"track auth.provider_requests as authProviderRequests, one row as authProviderRequest",
		"track auth.refresh_token_types as authRefreshTokenTypes, one row as authRefreshTokenType",
		"track auth.refresh_tokens as authRefreshTokens, one row as authRefreshToken",
		"track auth.roles as authRoles, one row as authRole",
		"track auth.user_providers as authUserProviders, one row as authUserProvider",
		"track auth.user_roles as authUserRoles, one row as authUserRole",
		"track auth.users as users, one row as user",
		"track auth.providers as authProviders, one row as authProvider",
		"track auth.user_security_keys as authUserSecurityKeys, one row as authUserSecurityKey",
		"relate auth.users.defaultRoleByRole to one row by default_role",
		"relate auth.users.roles to the rows of auth.user_roles by user_id",
		"relate auth.users.userProviders to the rows of auth.user_providers by user_id",
		"relate auth.users.refreshTokens to the rows of auth.refresh_tokens by user_id",
		"relate auth.users.securityKeys to the rows of auth.user_security_keys by user_id",
		"relate auth.roles.userRoles to the rows of auth.user_roles by role",
		"relate auth.roles.usersByDefaultRole to the rows of auth.users by default_role",
		"relate auth.user_roles.user to one row by user_id",
		"relate auth.user_roles.roleByRole to one row by role",
		"relate auth.providers.userProviders to the rows of auth.user_providers by provider_id",
		"relate auth.user_providers.user to one row by user_id",
		"relate auth.user_providers.provider to one row by provider_id",
		"relate auth.refresh_tokens.user to one row by user_id",
		"relate auth.refresh_token_types.refreshTokens to the rows of auth.refresh_tokens by type",
		"relate auth.user_security_keys.user to one row by user_id",
		"let the role user select its own rows of auth.refresh_tokens, and delete those that are personal access tokens",
	}
	if diff := cmp.Diff(want, texts(steps)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if n := fake.ResourceVersion(); n != 1 {
		t.Errorf("planning changed the metadata: version %d", n)
	}

	if diff := cmp.Diff(want, texts(apply(t, e, tables).Added)); diff != "" {
		t.Errorf("added (-want +got):\n%s", diff)
	}
	after, version := fake.Metadata(), fake.ResourceVersion()
	for range 20 {
		if outcome := apply(t, e, tables); !outcome.Nothing() {
			t.Fatalf("there is something to do again: %+v", outcome)
		}
	}
	if fake.Metadata() != after || fake.ResourceVersion() != version {
		t.Error("applying again changed the metadata")
	}

	// The names are those that applications of Hasura Auth use.
	const query = `{ users(limit: 1) { currentChallenge phoneNumberVerified metadata defaultRoleByRole { role usersByDefaultRole { id } }
		roles { role roleByRole { role } user { id } } userProviders { providerUserId provider { id } } refreshTokens { refreshTokenHash type } securityKeys { credentialPublicKey nickname } }
		user(id: "00000000-0000-0000-0000-000000000001") { id } usersAggregate { aggregate { count } } authRefreshTokenTypes { value refreshTokens { id } } authProviderRequest(id: "00000000-0000-0000-0000-000000000001") { options } }`
	data, err := e.Query(t.Context(), query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), `{"users":[],"user":null,"usersAggregate":{"aggregate":{"count":0}}`) {
		t.Errorf("data %s", data)
	}
	for _, member := range []string{
		`"insert_one":"insertUser"`, `"delete_by_pk":"deleteAuthUserSecurityKey"`, `"select_aggregate":"authRefreshTokensAggregate"`, `"update":"updateAuthUserRoles"`,
		`"select_permissions":[{"permission":{"columns":["id","created_at","expires_at","metadata","type","user_id"],"filter":{"user_id":{"_eq":"X-Hasura-User-Id"}}},"role":"user"}]`,
		`"delete_permissions":[{"permission":{"filter":{"_and":[{"user_id":{"_eq":"X-Hasura-User-Id"}},{"type":{"_eq":"pat"}}]}},"role":"user"}]`,
	} {
		if !strings.Contains(after, member) {
			t.Errorf("no %s in the metadata", member)
		}
	}
	for _, table := range []string{"tickets", "events", "audit_entries", "factors", "postern_state", "hook_scripts", "hook_script_secrets", "machine_clients", "oauth_clients", "audit_seals", "audit_head", "audit_pending", "audit_counts", "active_users", "active_counts"} {
		if strings.Contains(after, table) {
			t.Errorf("our own table %s was tracked", table)
		}
	}
}

// foreign is metadata with much that is not ours, and with parts of schema auth done by hand.
const foreign = `{
	"version": 3,
	"actions": [{"name": "greet", "definition": {"handler": "{{GREETER}}", "output_type": "Greeting", "kind": "synchronous"}, "permissions": [{"role": "user"}]}],
	"custom_types": {"objects": [{"name": "Greeting", "fields": [{"name": "text", "type": "String!"}]}]},
	"remote_schemas": [{"name": "shop", "definition": {"url": "https://shop.example.com/graphql", "timeout_seconds": 60, "customization": {}}, "comment": "<b>&"}],
	"inherited_roles": [{"role_name": "both", "role_set": ["user", "editor"]}],
	"rest_endpoints": [], "network": {"tls_allowlist": []}, "something_of_tomorrow": {"n": 12345678901234567890.1},
	"sources": [
		{"name": "other", "kind": "mssql", "tables": [{"table": {"schema": "auth", "name": "users"}}], "configuration": {"connection_info": {"connection_string": {"from_env": "X"}}}},
		{"name": "default", "kind": "postgres", "configuration": {"connection_info": {"database_url": {"from_env": "HASURA_GRAPHQL_DATABASE_URL"}, "isolation_level": "read-committed"}},
		 "functions": [{"function": {"schema": "public", "name": "f"}}],
		 "tables": [
			{"table": {"schema": "auth", "name": "refresh_tokens"}, "configuration": {"custom_column_names": {}}, "select_permissions": [{"role": "user", "permission": {"columns": [], "filter": {"id": {"_is_null": true}}}}]},
			{"table": {"schema": "auth", "name": "roles"}, "is_enum": true},
			{"table": {"schema": "auth", "name": "users"}, "configuration": {"custom_name": "people", "custom_root_fields": {"select": "people", "select_by_pk": "human"}, "column_config": {"avatar_url": {"custom_name": "picture"}}},
			 "object_relationships": [{"name": "profile", "using": {"manual_configuration": {"remote_table": {"schema": "public", "name": "users"}, "column_mapping": {"id": "id"}, "insertion_order": null}}}],
			 "array_relationships": [{"name": "roles", "using": {"foreign_key_constraint_on": {"column": "default_role", "table": {"schema": "auth", "name": "users"}}}}, {"name": "securityKeys", "using": {"manual_configuration": {"remote_table": {"schema": "auth", "name": "user_security_keys"}, "column_mapping": {"id": "user_id"}}}}],
			 "select_permissions": [{"role": "user", "permission": {"columns": ["id", "display_name"], "filter": {}, "limit": 5}}]},
			{"table": {"schema": "public", "name": "users"}, "select_permissions": [{"role": "user", "permission": {"columns": "*", "filter": {"id": {"_eq": "X-Hasura-User-Id"}}}, "comment": "mine"}], "event_triggers": [{"name": "t", "definition": {"insert": {"columns": "*"}}}]}
		 ]}
	]}`

func TestI16ForeignMetadataStaysAsItIs(t *testing.T) {
	t.Parallel()
	fake, e, tables := begin(t)
	fake.Do(t, `{"type": "replace_metadata", "version": 2, "args": {"allow_inconsistent_metadata": true, "metadata": `+foreign+`}}`)
	before := fake.Metadata()
	outcome := apply(t, e, tables)
	wantDifferent := []string{
		"auth.refresh_tokens is tracked under other names: its name is not set, not authRefreshTokens, select is auth_refresh_tokens, not authRefreshTokens, select_by_pk is auth_refresh_tokens_by_pk, not authRefreshToken and 11 more",
		"auth.roles is tracked under other names: its name is not set, not authRoles, select is auth_roles, not authRoles, select_by_pk is auth_roles_by_pk, not authRole and 7 more",
		"auth.users is tracked under other names: its name is people, not users, select is people, not users, select_by_pk is human, not user and 26 more; custom claims need the field user",
		"auth.users.roles is there and leads elsewhere than along user_roles.user_id",
	}
	if diff := cmp.Diff(wantDifferent, texts(outcome.Different)); diff != "" {
		t.Errorf("different (-want +got):\n%s", diff)
	}
	for _, text := range texts(outcome.Added) {
		if strings.Contains(text, "securityKeys to") || strings.Contains(text, "let the role") || strings.Contains(text, "track auth.users ") {
			t.Errorf("added although it was there: %s", text)
		}
	}
	added := fake.Metadata()
	for range 20 {
		apply(t, e, tables)
	}
	if fake.Metadata() != added {
		t.Error("applying again changed the metadata")
	}
	if got := without(t, added, before); got != before {
		t.Errorf("foreign metadata changed:\nbefore %s\nafter  %s", before, got)
	}
	for _, c := range fake.Calls()[1:] {
		if c != "export_metadata" && c != "pg_track_table" && !strings.HasPrefix(c, "pg_create_") {
			t.Errorf("call %s, which may change what is there", c)
		}
	}
}

// without takes out of metadata what was added to it: tables that were not tracked before, and
// relationships that their tables did not have.
func without(t *testing.T, after, before string) string {
	t.Helper()
	type object = map[string]any
	decode := func(text string) (root object, tables map[string]object) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&root); err != nil {
			t.Fatal(err)
		}
		tables = map[string]object{}
		for _, s := range root["sources"].([]any) {
			source := s.(object)
			for _, table := range source["tables"].([]any) {
				name, _ := json.Marshal([]any{source["name"], table.(object)["table"]})
				tables[string(name)] = table.(object)
			}
		}
		return root, tables
	}
	_, old := decode(before)
	root, now := decode(after)
	for name, table := range now {
		for _, kind := range []string{"object_relationships", "array_relationships"} {
			had, _ := old[name][kind].([]any)
			if has, ok := table[kind].([]any); ok && len(had) == 0 {
				delete(table, kind)
			} else if ok {
				table[kind] = has[:len(had)] // whatever was added stands behind
			}
		}
	}
	for _, s := range root["sources"].([]any) {
		source := s.(object)
		kept := []any{}
		for _, table := range source["tables"].([]any) {
			name, _ := json.Marshal([]any{source["name"], table.(object)["table"]})
			if old[string(name)] != nil {
				kept = append(kept, table)
			}
		}
		source["tables"] = kept
	}
	text, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPermissionsOfTheRoleUserAreSomebodysDecision(t *testing.T) {
	t.Parallel()
	for kind, ours := range map[string]bool{"insert": false, "select": false, "delete": false, "update": false, "of another role": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fake, e, tables := begin(t)
			call, role := kind, "user"
			if ours {
				call, role = "select", "editor"
			}
			fake.Track(t, "auth", "refresh_tokens")
			fake.Do(t, `{"type": "pg_create_`+call+`_permission", "args": {"table": {"schema": "auth", "name": "refresh_tokens"}, "role": "`+role+`", "permission": {"columns": [], "filter": {}}}}`)
			got := strings.Contains(strings.Join(texts(apply(t, e, tables).Added), "\n"), "let the role user")
			if got != ours || strings.Contains(fake.Metadata(), `"delete_permissions":[{"permission":{"filter":{"_and"`) != ours {
				t.Errorf("permissions were added: %t, want %t", got, ours)
			}
		})
	}
}

func TestManyApplyAtOnce(t *testing.T) {
	t.Parallel()
	fake, _, tables := begin(t)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if _, err := at(t, fake.URL).Apply(t.Context(), tables); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if steps, err := at(t, fake.URL).Plan(t.Context(), tables); err != nil || len(steps) != 0 {
		t.Errorf("left to do: %v, error %v", texts(steps), err)
	}
}

func TestOnlyWhatIsThereIsTold(t *testing.T) {
	t.Parallel()
	_, e, _ := begin(t)
	steps, err := e.Plan(t.Context(), engine.Tables{
		"users":                {"id", "default_role", "created_at"},
		"oauth2_clients":       {"client_id", "client_secret_hash", "created_by"},
		"oauth2_auth_requests": {"id", "client_id"},
		"tickets":              {"id"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"track auth.users as users, one row as user",
		"track auth.oauth2_clients as authOauth2Clients, one row as authOauth2Client",
		"track auth.oauth2_auth_requests as authOauth2AuthRequests, one row as authOauth2AuthRequest",
		"relate auth.users.defaultRoleByRole to one row by default_role",
		"relate auth.oauth2_clients.createdByUser to one row by created_by",
		"relate auth.oauth2_clients.authRequests to the rows of auth.oauth2_auth_requests by client_id",
		"relate auth.oauth2_auth_requests.client to one row by client_id",
	}
	if diff := cmp.Diff(want, texts(steps)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestMetadataThatCannotBePlanned(t *testing.T) {
	t.Parallel()
	fake, _, tables := begin(t)
	fake.Do(t, `{"type": "replace_metadata", "args": {"version": 3, "sources": [{"name": "main", "kind": "postgres", "tables": []}, {"name": "ms", "kind": "mssql", "tables": []}]}}`)
	tests := []struct {
		name   string
		change func(*engine.Settings)
		want   string
	}{
		{"no such database", func(*engine.Settings) {}, `no database called "default" but main, ms; AUTH_HASURA_SOURCE`},
		{"another kind of database", func(s *engine.Settings) { s.Source = "ms" }, "of kind mssql"},
		{"no address", func(s *engine.Settings) { s.URL = strings.Replace(s.URL, "/v1/graphql", "/graphql", 1) }, "set AUTH_HASURA_METADATA_URL"},
		{"wrong secret", func(s *engine.Settings) { s.AdminSecret = "wrong" }, "the engine refuses HASURA_GRAPHQL_ADMIN_SECRET"},
		{"no secret", func(s *engine.Settings) { s.AdminSecret = "" }, "HASURA_GRAPHQL_ADMIN_SECRET is not set"},
		{"no metadata API", func(s *engine.Settings) { s.MetadataURL = strings.Replace(s.URL, "/v1/graphql", "/v2", 1) }, "status 404"},
		{"the right name", func(s *engine.Settings) { s.Source = "main" }, ""},
		{"the address in full", func(s *engine.Settings) {
			s.MetadataURL = strings.Replace(s.URL, "/v1/graphql", "/v1/metadata", 1)
			s.URL, s.Source = "http://127.0.0.1:1/graphql", "main"
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := at(t, fake.URL, tt.change).Plan(t.Context(), tables)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), fakehasura.Secret) {
				t.Error("the error holds the secret")
			}
		})
	}
}

func TestOtherFormsOfMetadata(t *testing.T) {
	t.Parallel()
	tables := engine.Tables{"users": {"id"}}
	tests := []struct{ name, answer, want string }{
		{"one form only", `{"version": 3, "sources": [{"name": "default", "kind": "postgres", "tables": []}]}`, ""},
		{"no kind", `{"metadata": {"sources": [{"name": "default"}]}}`, ""},
		{"Hasura 1", `{"version": 2, "tables": []}`, "version 1"},
		{"no database yet", `{"resource_version": 1, "metadata": {"version": 3, "sources": []}}`, "no database yet"},
		{"something else", `{"resource_version": 1, "metadata": 5}`, "cannot be read"},
		{"a list", `[]`, "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps, err := open(t, serve(t, says(http.StatusOK, tt.answer))).Plan(t.Context(), tables)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && len(steps) != 1 {
				t.Errorf("steps %v, error %v, want one with %q", texts(steps), err, tt.want)
			}
		})
	}
}

func TestWhatTheEngineRefusesIsReportedAndTheRestDone(t *testing.T) {
	t.Parallel()
	fake, e, tables := begin(t)
	tables["users"] = append(tables["users"], "active_mfa_typo") // that is in no database
	tables["oauth2_clients"] = []string{"client_id"}
	outcome, err := e.Apply(t.Context(), tables)
	var no *engine.Refusal
	if !errors.As(err, &no) || no.Code != "not-exists" || !strings.Contains(err.Error(), "track auth.oauth2_clients") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"track auth.oauth2_clients as authOauth2Clients, one row as authOauth2Client"}, texts(outcome.Missing)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if len(outcome.Added) != 25 || !strings.Contains(fake.Metadata(), `"name":"roleByRole"`) {
		t.Errorf("only %d were added", len(outcome.Added))
	}
	// The engine was asked once to read the catalogue again: its own may be older than the tables.
	if n := strings.Count(strings.Join(fake.Calls(), " "), "reload_metadata"); n != 1 {
		t.Errorf("%d times reloaded, want once", n)
	}
}

func TestApplyGoesOnAfterAConflict(t *testing.T) {
	t.Parallel()
	fake, _, tables := begin(t)
	var once sync.Once
	proxy := proxyTo(t, fake, func(w http.ResponseWriter, body string) bool {
		answered := false
		if strings.Contains(body, "securityKeys") {
			once.Do(func() {
				fakehasura.Says(http.StatusConflict, "application/json", `{"path":"$","error":"metadata resource version referenced (5) did not match current version","code":"conflict"}`)(w, nil)
				answered = true
			})
		}
		return answered
	})
	if outcome := apply(t, at(t, proxy), tables); len(outcome.Added) != 25 || len(outcome.Missing) != 0 {
		t.Errorf("%d added, %d missing", len(outcome.Added), len(outcome.Missing))
	}
}

// proxyTo stands before a fake and may answer in its place.
func proxyTo(t *testing.T, fake *fakehasura.Engine, answer func(w http.ResponseWriter, body string) bool) string {
	t.Helper()
	return serveRaw(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if answer(w, string(body)) {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		fake.ServeHTTP(w, r)
	})
}

func TestKeepWaitsForTheEngine(t *testing.T) {
	t.Parallel()
	fake, e, tables := begin(t)
	fake.Down(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked, reasons := 0, []string{}
	var last engine.Outcome
	e.Keep(ctx, func(context.Context) (engine.Tables, error) {
		asked++
		switch asked {
		case 1:
			return nil, errors.New("no database")
		case 3:
			fake.Down(false)
		}
		return tables, nil
	}, func(_ context.Context, o engine.Outcome, err error) {
		if err != nil {
			reasons = append(reasons, err.Error())
		}
		last = o
	})
	if ctx.Err() != nil || asked != 3 || len(last.Added) != 25 {
		t.Errorf("asked %d times, added %d, context %v", asked, len(last.Added), ctx.Err())
	}
	if diff := cmp.Diff([]string{"no database", "hasura: no answer: EOF"}, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestKeepEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	open(t, serve(t, says(http.StatusServiceUnavailable, ""))).Keep(ctx, func(context.Context) (engine.Tables, error) { return nil, nil }, func(context.Context, engine.Outcome, error) {
		told++
		cancel()
	})
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestSettleDoesWhatTheSettingSays(t *testing.T) {
	t.Parallel()
	fake, _, tables := begin(t)
	for _, tt := range []struct {
		mode           string
		added, missing int
		calls          int
	}{
		{engine.Off, 0, 0, 0},
		{engine.Check, 0, 25, 1},
		{engine.Apply, 25, 0, 27},
	} {
		e := at(t, fake.URL, func(s *engine.Settings) { s.Metadata = tt.mode })
		o, err := e.Settle(t.Context(), tables)
		if err != nil || len(o.Added) != tt.added || len(o.Missing) != tt.missing || len(fake.Calls()) != tt.calls {
			t.Errorf("%s: %d added, %d missing, %d calls, error %v; want %+v", tt.mode, len(o.Added), len(o.Missing), len(fake.Calls()), err, tt)
		}
	}
}

func TestARelationshipWhoseNameAColumnHas(t *testing.T) {
	t.Parallel()
	fake, e, tables := begin(t)
	fake.Do(t, `{"type": "pg_track_table", "args": {"table": {"schema": "auth", "name": "users"}, "configuration": {"custom_column_names": {"metadata": "roles"}}}}`)
	outcome := apply(t, e, tables)
	if got := strings.Join(texts(outcome.Different), "\n"); !strings.Contains(got, "auth.users.roles is not there, since the column metadata has its name") {
		t.Errorf("different:\n%s", got)
	}
	if o := apply(t, e, tables); len(o.Added)+len(o.Missing) != 0 {
		t.Errorf("there is something to do again: %+v", o)
	}
}

func TestRelationshipsThatAreThere(t *testing.T) {
	t.Parallel()
	const userRoles = `{"schema": "auth", "name": "user_roles"}`
	tests := []struct {
		name, kind, using string
		same              bool
	}{
		{"a column", "array", `{"foreign_key_constraint_on": {"table": ` + userRoles + `, "column": "user_id"}}`, true},
		{"a list of columns", "array", `{"foreign_key_constraint_on": {"table": ` + userRoles + `, "columns": ["user_id"]}}`, true},
		{"by hand", "array", `{"manual_configuration": {"remote_table": ` + userRoles + `, "column_mapping": {"id": "user_id"}}}`, true},
		{"an object", "object", `{"foreign_key_constraint_on": {"table": ` + userRoles + `, "column": "user_id"}}`, false},
		{"another table", "array", `{"foreign_key_constraint_on": {"table": {"schema": "public", "name": "user_roles"}, "column": "user_id"}}`, false},
		{"a table of schema public", "array", `{"foreign_key_constraint_on": {"table": "user_roles", "column": "user_id"}}`, false},
		{"another column", "array", `{"foreign_key_constraint_on": {"table": ` + userRoles + `, "column": "role"}}`, false},
		{"more columns", "array", `{"foreign_key_constraint_on": {"table": ` + userRoles + `, "columns": ["user_id", "role"]}}`, false},
		{"another table by hand", "array", `{"manual_configuration": {"remote_table": "user_roles", "column_mapping": {"id": "user_id"}}}`, false},
		{"more columns by hand", "array", `{"manual_configuration": {"remote_table": ` + userRoles + `, "column_mapping": {"id": "user_id", "role": "role"}}}`, false},
		{"nothing", "array", `{}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			metadata := `{"metadata": {"sources": [{"name": "default", "tables": [
				{"table": {"schema": "auth", "name": "users"}, "` + tt.kind + `_relationships": [{"name": "roles", "using": ` + tt.using + `}]}]}]}}`
			steps, err := open(t, serve(t, says(http.StatusOK, metadata))).Plan(t.Context(), engine.Tables{"users": {"id"}, "user_roles": {"user_id", "role"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				if !s.Stays && strings.Contains(s.Text, "auth.users.roles") {
					t.Errorf("would add %s", s.Text)
				}
			}
			if got := !strings.Contains(strings.Join(texts(steps), "\n"), "auth.users.roles is there and leads elsewhere"); got != tt.same {
				t.Errorf("taken for ours: %t, want %t", got, tt.same)
			}
		})
	}
}
