package hasura_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/auth"
	"postern/flow"
	"postern/house"
	"postern/store"
	"postern/tokens"
)

// TestPasswordChangeThatWaitedForTheOwnersResetComesTooLate lets a change by a session wait for the
// user's row while a reset that ends the session commits.
func TestPasswordChangeThatWaitedForTheOwnersResetComesTooLate(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	entry := store.Entry{Event: "password.changed", UserID: p.User.ID, At: d.Clock.Now()}
	late := make(chan error, 1)
	err := d.Store.InTx(t.Context(), func(owner *store.DB) error {
		if err := owner.SetPassword(t.Context(), p.User.ID, "the owner's", "", "none", entry); err != nil {
			return err
		}
		go func() {
			late <- d.Store.InTx(t.Context(), func(thief *store.DB) error {
				return thief.SetPassword(t.Context(), p.User.ID, "the thief's", p.RefreshTokenID, "none", entry)
			})
		}()
		waitForLock(t, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-late; !errors.Is(err, store.ErrChanged) {
		t.Errorf("the late change: %v", err)
	}
	if got := value[string](t, d, `select password_hash from auth.users where id = $1`, p.User.ID); got != "the owner's" {
		t.Errorf("the password is %s", got)
	}
}

// waitForLock returns once somebody waits for a lock in the house's database.
func waitForLock(t *testing.T, d doorway) {
	t.Helper()
	for range 1000 {
		var waiting bool
		err := d.Store.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') from pg_sleep(0.01)`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting {
			return
		}
	}
	t.Fatal("nobody waits for a lock")
}

// hangUp ends a request once the server has looked the user up, which is what a client does that
// closes its side of the connection while its guess is hashed.
type hangUp struct{}

func (*hangUp) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*hangUp) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*hangUp) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (*hangUp) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (h *hangUp) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	if cancel, ok := ctx.Value(h).(context.CancelFunc); ok { // work in the background has none
		cancel()
	}
}

// soon is the context of a client who hangs up with the first batch.
func (h *hangUp) soon(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	return context.WithValue(ctx, h, cancel), cancel
}

func TestWrongPasswordIsCountedWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	h := &hangUp{}
	d := openDoor(t, unverified(), func(o *house.Options) {
		o.Pool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = h }
	})
	p := d.person(t)
	d.waitUntilReady(t)
	desk := flow.SignIn{Kit: d.Kit}
	const guesses = 5
	for range guesses {
		ctx, cancel := h.soon(t)
		if _, err := desk.WithPassword(ctx, flow.PasswordSignIn{Email: p.email, Password: "a wrong guess"}); err == nil {
			t.Error("a wrong password signed in")
		}
		cancel()
	}
	if n := value[int](t, d, `select coalesce(max(count), 0) from auth.security_counters where key = $1`, "password:account:"+strings.ToLower(p.email)); n != guesses {
		t.Errorf("counted %d of %d guesses", n, guesses)
	}
	ctx, cancel := h.soon(t)
	defer cancel()
	if _, err := desk.WithPassword(ctx, flow.PasswordSignIn{Email: p.email, Password: p.password}); err == nil || auth.CodeOf(err) != auth.Internal {
		t.Errorf("who hung up is told %v", err)
	}
}

func TestHashOfAnUnknownKindIsRefusedLikeAWrongPassword(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	d.sql(t, `update auth.users set password_hash = '$scrypt$ln=17,r=8,p=1$c2FsdA$aGFzaA' where id = $1`, p.User.ID)
	d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).refused(t, 401, "invalid-email-password", "")
	if n := value[int](t, d, `select count from auth.security_counters where key = $1`, "password:account:"+strings.ToLower(p.email)); n != 1 {
		t.Errorf("counted %d failures", n)
	}
}

func TestAccessTokenEndsWithItsSession(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	for what, end := range map[string]string{
		"expired":    `update auth.refresh_tokens set expires_at = now() - interval '1 minute' where id = $1`,
		"must end":   `update auth.refresh_tokens set ends_at = now() - interval '1 minute' where id = $1`,
		"signed out": `delete from auth.refresh_tokens where id = $1`,
	} {
		p := d.person(t)
		d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
		d.sql(t, end, p.RefreshTokenID)
		if a := d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)); a.status != 401 {
			t.Errorf("%s: %s", what, a)
		}
	}
}

func TestH22RefusedRedirectIsNotWrittenToTheLog(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	canary := tokens.NewUUID()
	for _, to := range []string{"https://evil.example/x?token=" + canary, "nonsense" + canary, "https://" + canary + ".example"} {
		d.knock(t, "POST", "/user/password/reset", fields{"email": "x@example.com", "options": fields{"redirectTo": to + strings.Repeat("a", 5000)}}).refused(t, 400, "redirectTo-not-allowed", "")
	}
	if strings.Contains(d.Log.String(), canary) || strings.Contains(d.Log.String(), strings.Repeat("a", 200)) {
		t.Error("the log has what was refused")
	}
}

func TestMetadataHasASize(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": fields{"metadata": fields{"x": strings.Repeat("a", 30<<10)}}}).session(t)
	d.knock(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": fields{"metadata": fields{"x": strings.Repeat("a", 33<<10)}}}).invalid(t, "options.metadata")
}
