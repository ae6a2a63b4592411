package store_test

import (
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/auth"
	"postern/internal/testpg"
	"postern/store"
)

// TestStatementsKnowEveryProofOfAFactor compares the words that statements look for with the one list of them.
func TestStatementsKnowEveryProofOfAFactor(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(store.IsFactorProof, -1) {
		known[m[1]] = true
		if !auth.ProvesFactor(m[1]) {
			t.Errorf("statements take %q for a proof of a second factor", m[1])
		}
	}
	for _, method := range []string{auth.ByRecoveryCode, auth.ProofOf(auth.TOTPFactor), auth.ProofOf(auth.PhoneFactor), auth.ProofOf(auth.WebAuthnFactor)} {
		if !known[method] {
			t.Errorf("statements do not know %q", method)
		}
	}
}

// TestUsersRowsSayWhichFactorsTheyHave writes factors by hand, in every way that somebody may.
func TestUsersRowsSayWhichFactorsTheyHave(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	user := "5e8f0b1d-2a37-4d0a-9c55-3f2b8c1e7a64"
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`insert into auth.users (id, locale, display_name, default_role) select $1, 'en', '', role from auth.roles limit 1`, user)
	const add = `insert into auth.factors (id, user_id, kind, status, created_at) values (gen_random_uuid(), $1, $2, $3, now())`
	for _, step := range []struct {
		sql  string
		args []any
		want string
	}{
		{add, []any{user, "totp", "active"}, ""},
		{add, []any{user, "phone", "pending"}, ""},
		{`update auth.factors set status = 'active' where user_id = $1 and kind = 'phone'`, []any{user}, "{phone}"},
		{add, []any{user, "webauthn", "active"}, "{phone,webauthn}"},
		{add, []any{user, "webauthn", "active"}, "{phone,webauthn}"},
		{`delete from auth.factors where id = (select id from auth.factors where user_id = $1 and kind = 'webauthn' limit 1)`, []any{user}, "{phone,webauthn}"},
		{`delete from auth.factors where user_id = $1 and kind = 'webauthn'`, []any{user}, "{phone}"},
		{`delete from auth.factors where user_id = $1`, []any{user}, ""},
		{add, []any{user, "phone", "active"}, "{phone}"},
	} {
		exec(step.sql, step.args...)
		var has string
		if err := conn.QueryRow(t.Context(), `select coalesce(other_factors::text, '') from auth.users where id = $1`, user).Scan(&has); err != nil {
			t.Fatal(err)
		}
		if has != step.want {
			t.Errorf("%s %v: the user's row says %q, want %q", step.sql, step.args, has, step.want)
		}
	}
	if _, err := conn.Exec(t.Context(), add, user, "phone", "active"); err == nil {
		t.Error("a user has two telephones")
	}
	if _, err := conn.Exec(t.Context(), add, user, "fingerprint", "active"); err == nil {
		t.Error("there is a factor of an unknown kind")
	}
	exec(`delete from auth.users where id = $1`, user)
}

// TestOperatorsChangeOneThingOfAFactor has an operator name a telephone while another one gives it another number.
func TestOperatorsChangeOneThingOfAFactor(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	user, factor := "5e8f0b1d-2a37-4d0a-9c55-3f2b8c1e7a64", "5b1c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59"
	for _, sql := range []string{
		`insert into auth.users (id, locale, display_name, default_role) select '` + user + `', 'en', '', role from auth.roles limit 1`,
		`insert into auth.factors (id, user_id, kind, status, name, phone_number, created_at) values ('` + factor + `', '` + user + `', 'phone', 'active', 'old', '+15550100', now())`,
	} {
		if _, err := db.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		change store.FactorChange
		want   string
	}{
		{store.FactorChange{ID: factor, Number: "+15550199"}, "old +15550199"},
		{store.FactorChange{ID: factor, Name: "hers"}, "hers +15550199"},
	} {
		if err := db.InTx(t.Context(), func(tx *store.DB) error { return tx.ChangeFactor(t.Context(), user, c.change) }); err != nil {
			t.Fatal(err)
		}
		var is string
		if err := db.Pool().QueryRow(t.Context(), `select name || ' ' || phone_number from auth.factors where id = $1`, factor).Scan(&is); err != nil || is != c.want {
			t.Errorf("%+v leaves %q, %v; want %q", c.change, is, err, c.want)
		}
	}
}
