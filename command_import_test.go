package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"postern/internal/testhouse"
	"postern/internal/testpg"
	"postern/passwords"
	"postern/tokens"
	"postern/totp"
)

// supabaseSchema is what an import reads of a Supabase Auth, and some of what it must leave alone.
const supabaseSchema = `
	create schema auth;
	create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
	create type auth.factor_status as enum ('unverified', 'verified');
	create table auth.users (
		instance_id uuid, id uuid primary key, aud varchar(255), role varchar(255), email varchar(255), encrypted_password varchar(255), email_confirmed_at timestamptz,
		invited_at timestamptz, confirmation_token varchar(255), recovery_token varchar(255), email_change varchar(255), last_sign_in_at timestamptz,
		raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean, created_at timestamptz, updated_at timestamptz, phone text unique, phone_confirmed_at timestamptz,
		confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
		banned_until timestamptz, is_sso_user boolean not null default false, deleted_at timestamptz, is_anonymous boolean not null default false
	);
	create table auth.identities (
		id uuid primary key default gen_random_uuid(), provider_id text not null, user_id uuid not null references auth.users, identity_data jsonb not null, provider text not null,
		last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz, email text generated always as (lower(identity_data ->> 'email')) stored, unique (provider_id, provider)
	);
	create table auth.mfa_factors (
		id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users, friendly_name text, factor_type auth.factor_type not null, status auth.factor_status not null,
		created_at timestamptz not null, updated_at timestamptz not null, secret text, phone text, last_challenged_at timestamptz
	);
	create table auth.sessions (id uuid primary key, user_id uuid)`

// moving is a Supabase Auth with users, and a house that they move into.
type moving struct {
	*testhouse.House
	from *pgx.Conn
	url  string
	ids  map[string]string
}

// put writes a user there, who is called by the name; columns beyond it are given as SQL.
func (m *moving) put(t testing.TB, name, columns, values string, args ...any) {
	t.Helper()
	m.ids[name] = tokens.NewUUID()
	sql := fmt.Sprintf(`insert into auth.users (id, aud, role, created_at, updated_at%s) values ('%s', 'authenticated', 'authenticated', '2024-01-02 03:04:05.678901+00', '2024-02-03 03:04:05+00'%s)`, columns, m.ids[name], values)
	if _, err := m.from.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func (m *moving) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := m.from.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (m *moving) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return runPostern(t, map[string]string{
		"POSTGRES_CONNECTION": m.Database, "HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + strings.Repeat("test-key-", 8) + `"}`,
		"AUTH_ENCRYPTION_KEY": strings.Repeat("0123456789abcdef", 4),
	}, append([]string{"import", "supabase", "--from", m.url}, args...)...)
}

// counted is how many rows there are of all that an import writes.
func (m *moving) counted(t testing.TB) (n int) {
	t.Helper()
	if err := m.Store.Pool().QueryRow(t.Context(), `select (select count(*) from auth.users) + (select count(*) from auth.user_providers) + (select count(*) from auth.factors)
		+ (select count(*) from auth.user_roles)`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// post asks one of the doors.
func (m *moving) post(t testing.TB, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(m.URL, "/v1")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := m.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, said
}

const (
	movedPassword = "correct horse battery"
	firebaseHash  = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
	movedSecret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

// TestMovingFromSupabase brings users of every kind, and signs them in.
func TestMovingFromSupabase(t *testing.T) {
	t.Parallel()
	m := &moving{url: testpg.Empty(t), ids: map[string]string{}}
	var err error
	if m.from, err = pgx.Connect(t.Context(), m.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.from.Close(t.Context()) })
	m.exec(t, supabaseSchema)
	m.House = testhouse.Open(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_MFA_ENABLED": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})
	b, err := bcrypt.GenerateFromPassword([]byte(movedPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	a, err := passwords.NewHasher(passwords.Settings{Memory: 1024, Iterations: 1}, time.Now).Hash(t.Context(), movedPassword)
	if err != nil {
		t.Fatal(err)
	}
	const account, account3 = `, email, encrypted_password, email_confirmed_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data`, `, $1, $2, '2024-01-03 00:00:00+00', '2024-01-04 00:00:00+00', $3, $4`
	m.put(t, "ann", account, account3, "Ann@Example.com", string(b), `{"provider":"email","providers":["email","github"],"plan":"gold","big":12345678901234567890}`,
		`{"sub":"x","email":"ann@example.com","email_verified":false,"full_name":"Ann","avatar_url":"https://example.com/a.png","app_metadata":{"plan":"root"}}`)
	m.put(t, "bob", account, account3, "bob@example.com", a, `{"provider":"email"}`, `{"app_metadata":{"plan":"root"}}`)
	m.put(t, "fay", account, account3, "fay@example.com", firebaseHash, nil, `{}`)
	m.put(t, "tom", account, account3, "tom@example.com", string(b), `{}`, `{}`)
	m.put(t, "texted", account, account3, "texted@example.com", string(b), `{}`, `{}`)
	m.put(t, "unconfirmed", `, email, encrypted_password`, `, 'new@example.com', $1`, string(b))
	m.put(t, "banned", account+`, banned_until`, account3+`, 'infinity'`, "banned@example.com", string(b), `{}`, `{}`)
	m.put(t, "phone", `, phone, phone_confirmed_at`, `, '15550100123', '2024-01-03+00'`)
	m.put(t, "guest", `, is_anonymous`, `, true`)
	m.put(t, "google", `, email, email_confirmed_at`, `, 'goo@example.com', '2024-01-03+00'`)
	m.put(t, "gone", `, email, deleted_at, raw_user_meta_data`, `, 'a3f0f7', '2024-05-05+00', '{"full_name":"Zed"}'`)
	refused := map[string]string{"sso": "SAML", "sealed": "encrypted there", "odd": "unknown kind", "keyed": "has a security key", "taken": "has the address", "bad": "an address that is none"}
	m.put(t, "sso", `, email, is_sso_user`, `, 'sso@example.com', true`)
	m.put(t, "sealed", `, email, encrypted_password`, `, 'sealed@example.com', '{"key_id":"1","alg":"aes-gcm-hkdf","data":"AA==","nonce":"AA=="}'`)
	m.put(t, "odd", `, email, encrypted_password`, `, 'odd@example.com', '$1$salt$hash'`)
	m.put(t, "keyed", account, account3, "keyed@example.com", string(b), `{}`, `{}`)
	m.put(t, "taken", `, email`, `, 'TAKEN@example.com'`)
	m.put(t, "bad", `, email`, `, 'nobody'`)
	m.exec(t, `insert into auth.identities (user_id, provider, provider_id, identity_data, created_at, updated_at) values
		($1::uuid, 'email', $1::uuid::text, '{"email":"ann@example.com"}', '2024-01-02 03:04:05.679+00', now()),
		($1::uuid, 'github', '4711', '{"sub":"4711","email":"ann@users.example.com","email_verified":true,"user_name":"ann"}', '2024-06-01+00', now()),
		($1::uuid, 'slack_oidc', 'U1', '{"sub":"U1"}', '2024-06-02+00', now()), ($1::uuid, 'slack', 'U1', '{"sub":"U1"}', '2024-06-03+00', now()),
		($1::uuid, 'linkedin_oidc', 'L1', '{"sub":"L1"}', '2024-06-04+00', now()),
		($2, 'google', '123', '{"sub":"123","email":"goo@example.com","email_verified":true,"name":"Goo"}', '2024-01-02 03:04:05.7+00', now())`, m.ids["ann"], m.ids["google"])
	m.exec(t, `insert into auth.mfa_factors (user_id, friendly_name, factor_type, status, secret, phone, created_at, updated_at, last_challenged_at) values
		($1, 'old', 'totp', 'verified', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', null, '2024-01-01+00', now(), '2024-01-01+00'),
		($1, 'app', 'totp', 'verified', $3, null, '2024-01-02+00', now(), '2024-03-01+00'),
		($1, null, 'totp', 'unverified', 'BBBB', null, '2024-04-01+00', now(), null),
		($2, 'lost', 'phone', 'verified', null, '15550100188', '2024-01-02+00', now(), null),
		($2, 'mine', 'phone', 'verified', null, '15550100199', '2024-01-02+00', now(), '2024-03-01+00'),
		($2, 'stick', 'webauthn', 'verified', null, null, '2024-01-02+00', now(), null),
		($4, 'stick', 'webauthn', 'verified', null, null, '2024-01-02+00', now(), null)`, m.ids["tom"], m.ids["texted"], movedSecret, m.ids["keyed"])
	if status, said := m.post(t, "/v1/signup/email-password", `{"email":"taken@example.com","password":"`+movedPassword+`"}`); status != 200 {
		t.Fatalf("%d %v", status, said)
	}

	before := m.counted(t)
	report := m.run(t)
	if report.Code != exitError || m.counted(t) != before || !strings.Contains(report.Stdout, "11 would be imported: 7 with a password, 2 second factors, 1 guests, 1 deleted ones; 4 accounts") {
		t.Errorf("looking: exit code %d, %d rows became %d\n%s%s", report.Code, before, m.counted(t), report.Stdout, report.Stderr)
	}
	for name, why := range refused {
		if line := lineWith(report.Stdout, m.ids[name]); !strings.Contains(line, why) {
			t.Errorf("%s: want %q: %q", name, why, line)
		}
	}
	if said := report.Stdout + report.Stderr; strings.Contains(said, "key_id") || strings.Contains(said, string(b)) || strings.Contains(said, movedSecret) {
		t.Errorf("the report has a secret: %s", said)
	}
	for range 2 {
		if report = m.run(t, "--commit"); report.Code != exitError {
			t.Errorf("exit code %d\n%s%s", report.Code, report.Stdout, report.Stderr)
		}
	}
	if !strings.Contains(report.Stdout, "\n0 imported: ") || !strings.Contains(report.Stdout, "11 are here already") {
		t.Errorf("the second time:\n%s%s", report.Stdout, report.Stderr)
	}
	var entries, written int
	if err := m.Store.Pool().QueryRow(t.Context(), `select (select count(*) from auth.audit_entries where event = 'user.imported'), (select count(*) from auth.users where id = any($1))`,
		[]string{m.ids["sso"], m.ids["sealed"], m.ids["odd"], m.ids["keyed"], m.ids["taken"], m.ids["bad"]}).Scan(&entries, &written); err != nil || entries != 11 || written != 0 {
		t.Errorf("%d entries, %d users who were refused, %v", entries, written, err)
	}
	m.signIn(t)
}

func (m *moving) signIn(t *testing.T) {
	for name, password := range map[string]string{"ann": movedPassword, "bob": movedPassword, "fay": "user1password"} {
		body := `{"email":"` + name + `@example.com","password":"` + password + `"}`
		status, said := m.post(t, "/auth/v1/token?grant_type=password", body)
		if user, _ := said["user"].(map[string]any); status != 200 || user["id"] != m.ids[name] {
			t.Fatalf("%s at GoTrue's door: %d %v", name, status, said)
		}
		if apps := said["user"].(map[string]any)["app_metadata"].(map[string]any); apps["plan"] == "root" {
			t.Errorf("%s said of themselves what is the application's to say: %v", name, apps)
		}
		if name == "ann" {
			sees := said["user"].(map[string]any)
			got := map[string]any{}
			for _, member := range []string{"email", "created_at", "email_confirmed_at", "app_metadata", "user_metadata"} {
				got[member] = sees[member]
			}
			want := map[string]any{
				"email": "ann@example.com", "created_at": "2024-01-02T03:04:05.678901Z", "email_confirmed_at": "2024-01-03T00:00:00Z",
				"app_metadata": map[string]any{"provider": "email", "providers": []any{"email", "github", "slack", "linkedin"}, "plan": "gold", "big": 12345678901234567890.0},
				"user_metadata": map[string]any{
					"sub": m.ids["ann"], "email": "ann@example.com", "email_verified": true, "phone_verified": false, "full_name": "Ann", "avatar_url": "https://example.com/a.png",
				},
			}
			// What the user once wrote there of somebody else is theirs.
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ann (-want +got):\n%s", diff)
			}
		}
		status, said = m.post(t, "/v1/signin/email-password", body)
		if status != 200 {
			t.Fatalf("%s at Hasura Auth's door: %d %v", name, status, said)
		}
		if status, _ := m.post(t, "/auth/v1/token?grant_type=password", `{"email":"`+name+`@example.com","password":"another one"}`); status != 400 {
			t.Errorf("%s with a wrong password: %d", name, status)
		}
	}
	for name, want := range map[string]string{"banned": "user_banned", "new": "email_not_confirmed", "gone": "invalid_credentials"} {
		if _, said := m.post(t, "/auth/v1/token?grant_type=password", `{"email":"`+name+`@example.com","password":"`+movedPassword+`"}`); said["error_code"] != want {
			t.Errorf("%s: %v, want %s", name, said, want)
		}
	}
	secret, err := totp.ParseSecret(movedSecret)
	if err != nil {
		t.Fatal(err)
	}
	_, said := m.post(t, "/v1/signin/email-password", `{"email":"tom@example.com","password":"`+movedPassword+`"}`)
	mfa, _ := said["mfa"].(map[string]any)
	if said["session"] != nil || mfa == nil {
		t.Fatalf("tom needs no second factor: %v", said)
	}
	code, err := totp.At(secret, totp.Step(m.Clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	status, said := m.post(t, "/v1/signin/mfa/totp", fmt.Sprintf(`{"ticket":%q,"otp":%q}`, mfa["ticket"], code))
	if status != 200 || said["session"] == nil {
		t.Errorf("tom's code: %d %v", status, said)
	}
	// Who had a telephone there owes it here, though nobody may add one.
	if status, said := m.post(t, "/v1/signin/email-password", `{"email":"texted@example.com","password":"`+movedPassword+`"}`); status != 401 || said["error"] != "mfa-unsupported" {
		t.Errorf("the telephone of texted: %d %v", status, said)
	}
	if phone := m.value(t, `select f.phone_number || ' ' || f.name || ' ' || array_to_string(u.other_factors, ',') from auth.factors f join auth.users u on u.id = f.user_id where u.id = $1`, m.ids["texted"]); phone != "+15550100199 mine phone" {
		t.Errorf("texted has %s", phone)
	}
	m.Clock.Advance(time.Minute) // a code counts once
	m.raise(t, secret)
	var rest []string
	rows, _ := m.Store.Pool().Query(t.Context(), `select concat_ws(' ', u.phone_number, u.phone_number_verified, u.is_anonymous, u.default_role, u.disabled, u.deleted_at is not null, u.email, u.display_name, u.metadata)
		from auth.users u where id = any($1) order by 1`, []string{m.ids["phone"], m.ids["guest"], m.ids["gone"]})
	if rest, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	want := []string{"+15550100123 t f user f f +15550100123", "f f user t t ", "f t anonymous f f "}
	slices.Sort(want)
	slices.Sort(rest)
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
}

// value reads one value of the house.
func (m *moving) value(t *testing.T, sql string, args ...any) (text string) {
	t.Helper()
	if err := m.Store.Pool().QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// raise has tom prove their authenticator app at GoTrue's door.
func (m *moving) raise(t *testing.T, secret totp.Secret) {
	t.Helper()
	status, said := m.post(t, "/auth/v1/token?grant_type=password", `{"email":"tom@example.com","password":"`+movedPassword+`"}`)
	user, _ := said["user"].(map[string]any)
	factors, _ := user["factors"].([]any)
	if status != 200 || len(factors) != 1 {
		t.Fatalf("tom at GoTrue's door: %d %v", status, said)
	}
	token, path := fmt.Sprint("Bearer ", said["access_token"]), fmt.Sprint("/auth/v1/factors/", factors[0].(map[string]any)["id"])
	_, challenge := m.post(t, path+"/challenge", `{}`, "Authorization", token)
	code, err := totp.At(secret, totp.Step(m.Clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if status, said := m.post(t, path+"/verify", fmt.Sprintf(`{"challenge_id":%q,"code":%q}`, challenge["id"], code), "Authorization", token); status != 200 {
		t.Errorf("tom's code at GoTrue's door: %d %v", status, said)
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// TestMovingFromNowhere refuses databases that have no Supabase Auth, before anything is written.
func TestMovingFromNowhere(t *testing.T) {
	t.Parallel()
	m := &moving{url: testpg.Empty(t)}
	m.House = testhouse.Open(t, nil)
	for from, want := range map[string]string{m.url: "no table users of Supabase Auth", m.Database: "no table users of Supabase Auth", "postgres://:hunter2@nowhere:port": "not valid"} {
		m.url = from
		if got := m.run(t, "--commit"); got.Code != exitError || !strings.Contains(got.Stderr, want) || strings.Contains(got.Stderr, "hunter2") || got.Stdout != "" {
			t.Errorf("%s: exit code %d, %s %s", from, got.Code, got.Stdout, got.Stderr)
		}
	}
}

// TestMovingManyAndFromOlderVersions brings more than one batch from a database whose identities are those of 2022, and
// of users in whose way something is in the database, the others.
func TestMovingManyAndFromOlderVersions(t *testing.T) {
	t.Parallel()
	m := &moving{url: testpg.Empty(t)}
	var err error
	if m.from, err = pgx.Connect(t.Context(), m.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.from.Close(t.Context()) })
	m.exec(t, `create schema auth;
		create table auth.users (id uuid primary key, email text, encrypted_password text, confirmed_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb, created_at timestamptz, updated_at timestamptz);
		create table auth.identities (id text, user_id uuid, identity_data jsonb, provider text, created_at timestamptz, primary key (provider, id));
		insert into auth.users select gen_random_uuid(), 'user' || n || '@example.com', '', now(), '{}', '{}', now(), now() from generate_series(1, 1234) n;
		insert into auth.identities select 'g' || email, id, '{}', 'github', now() from auth.users;
		update auth.users set email = 'USER2@example.com' where email = 'user3@example.com'`)
	m.House = testhouse.Open(t, nil)
	got := m.run(t, "--commit")
	if got.Code != exitError || !strings.Contains(got.Stdout, "1233 imported: ") || !strings.Contains(got.Stdout, "1233 accounts at providers") || !strings.Contains(got.Stdout, "1 cannot be imported:") {
		t.Errorf("exit code %d\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
	var verified, linked int
	if err := m.Store.Pool().QueryRow(t.Context(), `select count(*) filter (where u.email_verified), count(p.id) from auth.users u left join auth.user_providers p on p.user_id = u.id`).Scan(&verified, &linked); err != nil || verified != 1233 || linked != 1233 {
		t.Errorf("%d verified, %d linked, %v", verified, linked, err)
	}
}
