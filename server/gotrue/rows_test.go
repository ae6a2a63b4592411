package gotrue_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/tokens"
)

// rows is a table with policies, as an application with row-level security has it, and the role that its API reads it as.
type rows struct {
	conn *pgx.Conn
	role string
}

// guarded makes a table in which everybody has a note, and those who have a role in the token's words see a second.
func guarded(t testing.TB, d door, users ...string) rows {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Database)
	if err != nil {
		t.Fatal(err)
	}
	role := pgx.Identifier{"rows_" + tokens.NewUUID()}.Sanitize()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := conn.Exec(ctx, "reset role; drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
		_ = conn.Close(ctx)
	})
	if _, err := conn.Exec(t.Context(), `
		create role `+role+` nologin;
		create table public.notes (owner uuid, mail text, body text);
		alter table public.notes enable row level security;
		create policy own on public.notes using (owner = auth.uid());
		create policy by_mail on public.notes using (mail = auth.email() and auth.role() = 'authenticated' and auth.jwt() ->> 'aal' = 'aal1');
		grant select on public.notes to `+role); err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if _, err := conn.Exec(t.Context(), `insert into public.notes values ($1::text::uuid, null, 'of ' || $1), (null, (select email from auth.users where id = $1::text::uuid), 'to ' || $1)`, u); err != nil {
			t.Fatal(err)
		}
	}
	return rows{conn, role}
}

// seen lists what a request sees whose settings are these.
func (r rows) seen(t testing.TB, settings map[string]string) string {
	t.Helper()
	var all []string
	err := pgx.BeginFunc(t.Context(), r.conn, func(tx pgx.Tx) error {
		for name, value := range settings {
			if _, err := tx.Exec(t.Context(), `select set_config($1, $2, true)`, name, value); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(t.Context(), "set local role "+r.role); err != nil {
			return err
		}
		got, _ := tx.Query(t.Context(), `select body from public.notes order by body`)
		var err error
		all, err = pgx.CollectRows(got, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

// claimsIn are those of a token, as PostgREST gives them to the database.
func claimsIn(t testing.TB, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRowLevelSecurityAnswersToTokensOfEitherDoor has Postgres judge by the claims of real tokens.
func TestRowLevelSecurityAnswersToTokensOfEitherDoor(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	ann, bob := newAddress(), newAddress()
	session, other := d.confirmed(t, ann), d.confirmed(t, bob)
	annID, bobID := session["user"].(map[string]any)["id"].(string), other["user"].(map[string]any)["id"].(string)
	r := guarded(t, d, annID, bobID)
	byHasura := d.byHasura(t, "POST", "/signin/email-password", credentials(ann, password)).said(t)["session"].(map[string]any)["accessToken"].(string)

	for name, test := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"a token of this door":         {map[string]string{"request.jwt.claims": claimsIn(t, session["access_token"].(string))}, "of " + annID + ", to " + annID},
		"of somebody else":             {map[string]string{"request.jwt.claims": claimsIn(t, other["access_token"].(string))}, "of " + bobID + ", to " + bobID},
		"a token of Hasura Auth's":     {map[string]string{"request.jwt.claims": claimsIn(t, byHasura)}, "of " + annID},
		"a key of the project":         {map[string]string{"request.jwt.claims": `{"iss":"postern","role":"anon","exp":1}`}, ""},
		"nothing":                      {nil, ""},
		"settings left empty":          {map[string]string{"request.jwt.claims": "", "request.jwt.claim.sub": "", "request.jwt.claim": ""}, ""},
		"claims as they used to be":    {map[string]string{"request.jwt.claim.sub": annID, "request.jwt.claims": ""}, "of " + annID},
		"a claim that is null":         {map[string]string{"request.jwt.claims": `{"sub":null,"email":null,"role":"authenticated","aal":"aal1"}`}, ""},
		"an address, and another role": {map[string]string{"request.jwt.claims": `{"email":"` + ann + `","role":"anon","aal":"aal1"}`}, ""},
	} {
		if got := r.seen(t, test.settings); got != test.want {
			t.Errorf("%s: sees %q, want %q", name, got, test.want)
		}
	}
}
