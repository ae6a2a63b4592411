package gotrue_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
	"postern/server/gotrue"
	"postern/tokens"
)

const adminSecret = "the admin secret of these tests"

// signed is a JWT, signed with the key of the house.
func signed(claims map[string]any) string {
	return signedWith(strings.Repeat("test-key-", 8), `{"alg":"HS256","typ":"JWT"}`, claims)
}

func signedWith(key, header string, claims map[string]any) string {
	body, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// keyOf are the claims of a key for a role.
func keyOf(role string) map[string]any {
	return map[string]any{"role": role, "iss": "hasura-auth", "iat": time.Now().Unix() - 60, "exp": time.Now().Unix() + 3600}
}

func serviceKey() string { return "Bearer " + signed(keyOf("service_role")) }

func (d door) admin(t testing.TB, method, path, body string) answer {
	t.Helper()
	return d.ask(t, method, path, body, "Authorization", serviceKey())
}

// made has the service key make a user.
func (d door) made(t testing.TB, body string) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/admin/users", body, "Authorization", serviceKey())
}

func (d door) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// holds gives what a query finds, as text.
func (d door) holds(t testing.TB, sql string, args ...any) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var text string
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// claimsAServiceRole has every token say that it is one of a service key, as far as a hook can.
func claimsAServiceRole(t testing.TB) func(*house.Options) {
	t.Helper()
	h := hooks.New()
	err := h.TokenMinting.Bind(hooks.Binding[hooks.TokenMinting]{Name: "liar", Ask: func(_ context.Context, e hooks.TokenMinting) (func(*hooks.TokenMinting) error, error) {
		all := maps.Clone(e.Claims)
		all["role"] = "service_role"
		delete(all, "sub")
		return func(e *hooks.TokenMinting) error { return e.Replace(all) }, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *house.Options) { o.Hooks = h }
}

// TestWhoMayAskAsAnOperator tries every route for operators as everybody who might.
func TestWhoMayAskAsAnOperator(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Open(t, map[string]string{
		"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_ANONYMOUS_USERS_ENABLED": "true",
		"HASURA_GRAPHQL_ADMIN_SECRET": adminSecret, "AUTH_ADMIN_ROLE": "operator", "AUTH_ADMIN_READER_ROLE": "auditor", "AUTH_RATE_LIMIT_ENABLE": "false",
	}, claimsAServiceRole(t))}
	bearers := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	user := func(roles ...string) (id, token string) {
		email := newAddress()
		s := d.ok(t, "POST", "/signup", `{"email":"`+email+`","password":"`+password+`","data":{"role":"service_role","app_metadata":{"role":"service_role"}}}`)
		id = s["user"].(map[string]any)["id"].(string)
		for _, r := range roles {
			d.exec(t, `insert into auth.user_roles (user_id, role) values ($1, $2)`, id, r)
		}
		return id, d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))["access_token"].(string)
	}
	more := func(claims map[string]any, name string, value any) map[string]any {
		claims[name] = value
		return claims
	}
	someone, plain := user()
	_, chief := user("operator")
	_, reader := user("auditor")
	demoted, former := user("operator")
	d.exec(t, `delete from auth.user_roles where user_id = $1 and role = 'operator'`, demoted)
	banned, lockedOut := user("operator")
	d.exec(t, `update auth.users set banned_until = now() + interval '1 day' where id = $1`, banned)
	due := newAddress()
	d.ok(t, "POST", "/signup", credentials(due, password))
	d.exec(t, `insert into auth.user_roles (user_id, role) select id, 'operator' from auth.users where email = $1`, due)
	d.exec(t, `insert into auth.factors (id, user_id, kind, status, name, created_at, confirmed_at) select $2, id, 'totp', 'active', 'phone', now(), now() from auth.users where email = $1`, due, tokens.NewUUID())
	d.exec(t, `update auth.users set active_mfa_type = 'totp', totp_secret = 'x' where email = $1`, due)
	half := d.ok(t, "POST", "/token?grant_type=password", credentials(due, password))["access_token"].(string)
	guest := d.ok(t, "POST", "/signup", `{}`)["access_token"].(string)
	key := strings.Repeat("test-key-", 8)

	const no, yes, reads = "403 not_admin", "yes", "reads"
	callers := map[string]struct {
		header []string
		want   string
	}{
		"nobody":                           {nil, "401 no_authorization"},
		"no token":                         {bearers("sb_secret_x"), "403 bad_jwt"},
		"an anon key":                      {bearers(signed(keyOf("anon"))), no},
		"a key of authenticated":           {bearers(signed(keyOf("authenticated"))), no},
		"a key without a role":             {bearers(signed(more(keyOf(""), "role", nil))), "403 bad_jwt"},
		"a key with a list of roles":       {bearers(signed(more(keyOf(""), "role", []string{"service_role"}))), "403 bad_jwt"},
		"a user whose token says so":       {bearers(plain), no},
		"a guest":                          {bearers(guest), no},
		"a banned operator":                {bearers(lockedOut), "403 user_banned"},
		"a former operator":                {bearers(former), no},
		"an operator whose factor is due":  {bearers(half), "403 bad_jwt"},
		"an operator":                      {bearers(chief), yes},
		"an operator who only reads":       {bearers(reader), reads},
		"the service key":                  {bearers(signed(keyOf("service_role"))), yes},
		"a key of supabase_admin":          {bearers(signed(keyOf("supabase_admin"))), yes},
		"a key that Supabase made":         {bearers(signed(more(keyOf("service_role"), "iss", "supabase"))), yes},
		"a key with our audience":          {bearers(signed(more(keyOf("service_role"), "aud", "authenticated"))), yes},
		"a key with a user":                {bearers(signed(more(keyOf("service_role"), "sub", someone))), "403 bad_jwt"},
		"a key with an empty user":         {bearers(signed(more(keyOf("service_role"), "sub", ""))), "403 bad_jwt"},
		"a key with a session":             {bearers(signed(more(keyOf("service_role"), "session_id", someone))), "403 bad_jwt"},
		"a key with claims of Hasura":      {bearers(signed(more(keyOf("service_role"), "https://hasura.io/jwt/claims", map[string]any{}))), "403 bad_jwt"},
		"a key for another audience":       {bearers(signed(more(keyOf("service_role"), "aud", "others"))), "403 bad_jwt"},
		"a key of another issuer":          {bearers(signed(more(keyOf("service_role"), "iss", "others"))), "403 bad_jwt"},
		"a key that expired":               {bearers(signed(more(keyOf("service_role"), "exp", time.Now().Unix()-60))), "403 bad_jwt"},
		"a key without an end":             {bearers(signed(map[string]any{"role": "service_role"})), "403 bad_jwt"},
		"a key signed with another":        {bearers(signedWith(key+"x", `{"alg":"HS256","typ":"JWT"}`, keyOf("service_role"))), "403 bad_jwt"},
		"a key signed with none":           {bearers(signedWith(key, `{"alg":"none","typ":"JWT"}`, keyOf("service_role"))), "403 bad_jwt"},
		"a key of another purpose":         {bearers(signedWith(key, `{"alg":"HS256","typ":"postern-machine+jwt"}`, keyOf("service_role"))), "403 bad_jwt"},
		"the admin secret":                 {[]string{"X-Hasura-Admin-Secret", adminSecret}, yes},
		"a wrong secret":                   {[]string{"X-Hasura-Admin-Secret", adminSecret + "x"}, no},
		"a wrong secret and a service key": {append(bearers(signed(keyOf("service_role"))), "X-Hasura-Admin-Secret", "x"), no},
		"the secret, for a reader":         {[]string{"X-Hasura-Admin-Secret", adminSecret, "X-Hasura-Role", "auditor", "X-Hasura-User-Id", demoted}, no},
		"the key as apikey alone":          {[]string{"apikey", signed(keyOf("service_role"))}, "401 no_authorization"},
	}
	routes := gotrue.OperatorsRoutes()
	if len(routes) < 5 {
		t.Fatal(routes)
	}
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			for _, route := range routes {
				method, path, _ := strings.Cut(route, " ")
				path = strings.NewReplacer("{user_id}", tokens.NewUUID(), "{factor_id}", tokens.NewUUID(), "{passkey_id}", tokens.NewUUID()).Replace(path)
				a := d.ask(t, method, path, `{"email":"`+newAddress()+`","type":"magiclink","friendly_name":"x"}`, c.header...)
				got := strconv.Itoa(a.status)
				if a.status >= 400 && strings.HasPrefix(a.body, "{") {
					got += " " + a.code(t)
				}
				refused := []string{no, "401 no_authorization", "403 bad_jwt"}
				switch {
				case a.status >= 500:
					t.Errorf("%s: %d %s", route, a.status, a.body)
				case name == "an operator" && path == "/admin/generate_link": // as the passwords of others
					if got != no {
						t.Errorf("%s: got %s, want %s", route, got, no)
					}
				case c.want == yes, c.want == reads && method == "GET":
					if slices.Contains(refused, got) {
						t.Errorf("%s: %s", route, a.body)
					}
				case c.want == reads:
					if got != no {
						t.Errorf("%s: got %s, want %s", route, got, no)
					}
				case got != c.want:
					t.Errorf("%s: got %s, want %s", route, got, c.want)
				}
			}
		})
	}
}
