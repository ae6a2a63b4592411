package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/auth"
	"postern/internal/testpg"
	"postern/store"
)

// TestNewDocumentsDoNotLockEachOtherOut keeps two clients at once, while somebody else writes to another: no transaction may have written
// before it has them all locked, or two would wait for each other.
func TestNewDocumentsDoNotLockEachOtherOut(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Settings{Connection: testpg.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	now := time.Now()
	busy, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := busy.Exec(t.Context(), `update auth.oauth_clients set name = name`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var tries atomic.Int32
	for _, id := range []string{"https://a.example.com/client.json", "https://b.example.com/client.json"} {
		all.Go(func() {
			c := store.OAuthClient{
				ID: id, RedirectURIs: []string{"https://a.example.com/cb"}, Scopes: []string{auth.ScopeOpenID}, GrantTypes: []string{auth.GrantCode},
				CreatedAt: now, FetchedAt: &now,
			}
			err := db.InTx(t.Context(), func(tx *store.DB) error {
				tries.Add(1)
				return tx.KeepOAuthDocument(t.Context(), c, 9)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for tried, waiting := 0, 0; waiting < 2; tried++ {
		err := db.QueryRow(t.Context(), `select count(*) from pg_sleep(0.01), pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil || tried == 1000 {
			t.Fatalf("%d wait: %v", waiting, err)
		}
	}
	if err := busy.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if n := tries.Load(); n != 2 {
		t.Errorf("it took %d transactions to keep 2 clients", n)
	}
}
