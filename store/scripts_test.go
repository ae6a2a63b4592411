package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/internal/testpg"
	"postern/store"
)

func openDB(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Settings{Connection: testpg.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func script(name, trigger string, enabled bool) store.HookScript {
	return store.HookScript{ID: name + " of " + trigger, Name: name, Slug: name, Trigger: trigger, Source: "module.exports = 1", Dependencies: map[string]string{"a": "1.0.0"}, Enabled: enabled}
}

func note(event string) store.Note { return store.Note{Event: event, At: time.Now()} }

func add(t *testing.T, db *store.DB, s store.HookScript) store.HookScript {
	t.Helper()
	if err := db.InTx(t.Context(), func(tx *store.DB) error { return tx.AddScript(t.Context(), s, note("hook-script.created")) }); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScriptsOneEnabled lets many enable scripts of one trigger at once: all succeed, and one stays.
func TestScriptsOneEnabled(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	const trigger = "credentials-exchange"
	if _, err := db.EnabledScript(t.Context(), trigger); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("error %v", err)
	}
	other := add(t, db, script("other", "pre-user-registration", true))
	var ids []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		ids = append(ids, add(t, db, script(name, trigger, true)).ID)
	}
	var all sync.WaitGroup
	yes := true
	for range 3 {
		for _, id := range ids {
			all.Go(func() {
				err := db.InTx(t.Context(), func(tx *store.DB) error {
					_, err := tx.ChangeScript(t.Context(), id, store.ScriptChange{Enabled: &yes}, note("hook-script.changed"))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	list, total, err := db.Scripts(t.Context(), store.ScriptFilter{Trigger: trigger, Enabled: &yes})
	if err != nil || len(list) != 1 || total != 1 {
		t.Errorf("%d enabled of %d, error %v", len(list), total, err)
	}
	if left, err := db.EnabledScript(t.Context(), "pre-user-registration"); err != nil || left.ID != other.ID {
		t.Errorf("the script of another trigger: %v, error %v", left, err)
	}
}

func TestScriptsAreListedInPages(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	for _, name := range []string{"a", "b", "c"} {
		add(t, db, script(name, "credentials-exchange", false))
	}
	two := 2
	list, total, err := db.Scripts(t.Context(), store.ScriptFilter{Skip: 2, Most: &two})
	if err != nil || len(list) != 1 || total != 3 || list[0].Name != "c" {
		t.Errorf("%v of %d, error %v", list, total, err)
	}
	if list, total, err = db.Scripts(t.Context(), store.ScriptFilter{Skip: 9}); err != nil || len(list) != 0 || total != 3 {
		t.Errorf("%v of %d, error %v", list, total, err)
	}
}

// TestScriptSecrets adds, changes and drops secrets, each as a whole or not at all.
func TestScriptSecrets(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	s := add(t, db, script("a", "credentials-exchange", true))
	in := func(f func(tx *store.DB) error) error { return db.InTx(t.Context(), f) }
	put := func(id string, list ...store.SealedSecret) error {
		return in(func(tx *store.DB) error { return tx.AddScriptSecrets(t.Context(), id, list, 2, note("x.y")) })
	}
	change := func(list ...store.SealedSecret) error {
		return in(func(tx *store.DB) error { return tx.ChangeScriptSecrets(t.Context(), s.ID, list, note("x.y")) })
	}
	one, two, three := store.SealedSecret{Name: "ONE", Sealed: []byte{1}}, store.SealedSecret{Name: "TWO", Sealed: []byte{2}}, store.SealedSecret{Name: "THREE", Sealed: []byte{3}}
	for what, got := range map[string]struct{ err, want error }{
		"add":       {put(s.ID, one), nil},
		"add again": {put(s.ID, two, one), auth.ScriptSecretTaken},
		"too many":  {put(s.ID, two, three), auth.TooManyScriptSecrets},
		"unknown":   {change(two), auth.ScriptSecretUnknown},
		"change":    {change(store.SealedSecret{Name: "ONE", Sealed: []byte{9}}), nil},
		"no script": {put("none", one), store.ErrNotFound},
		"dropped, also": {in(func(tx *store.DB) error {
			return tx.DropScriptSecrets(t.Context(), s.ID, []string{"NONE"}, note("x.y"))
		}), nil},
	} {
		if !errors.Is(got.err, got.want) {
			t.Errorf("%s: error %v", what, got.err)
		}
	}
	found, err := db.EnabledScript(t.Context(), s.Trigger)
	if diff := cmp.Diff(map[string][]byte{"ONE": {9}}, found.Secrets); err != nil || diff != "" {
		t.Errorf("error %v, secrets (-want +got):\n%s", err, diff)
	}
	if err := in(func(tx *store.DB) error { return tx.DeleteScript(t.Context(), s.ID, note("x.y")) }); err != nil {
		t.Error(err)
	}
	if _, err := db.ScriptSecrets(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func TestScriptNamesAreUnique(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	add(t, db, script("a", "credentials-exchange", false))
	err := db.InTx(t.Context(), func(tx *store.DB) error {
		return tx.AddScript(t.Context(), script("a", "pre-user-registration", false), note("x.y"))
	})
	if !errors.Is(err, auth.ScriptNameTaken) {
		t.Errorf("error %v", err)
	}
}

// TestMachineClientFromSettings has many servers start with the settings at once, and then with others.
func TestMachineClientFromSettings(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	ensure := func(id string, hash byte) {
		t.Helper()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				c := store.MachineClient{ID: id, Name: "settings", SecretHash: []byte{hash}, Audiences: []string{"a"}, Scopes: []string{"read:hooks"}}
				err := db.InTx(t.Context(), func(tx *store.DB) error { return tx.EnsureMachineClient(t.Context(), c, note("machine-client.set")) })
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if c, err := db.MachineClient(t.Context(), id); err != nil || c.SecretHash[0] != hash {
			t.Errorf("%v, error %v", c, err)
		}
	}
	ensure("first", 1)
	ensure("first", 2)
	ensure("second", 3)
	if _, err := db.MachineClient(t.Context(), "first"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the former client is still there: %v", err)
	}
	var notes int
	if err := db.QueryRow(t.Context(), `select count(*) from auth.audit_entries where event = 'machine-client.set'`).Scan(&notes); err != nil || notes != 3 {
		t.Errorf("%d notes, error %v", notes, err)
	}
}
