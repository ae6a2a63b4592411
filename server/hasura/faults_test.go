package hasura_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/flow"
	"postern/house"
	"postern/tokens"
)

// fault hangs up on the database when one of the statements of a context is about to be sent.
type fault struct {
	left atomic.Int64 // statements before it
	hit  atomic.Bool
}

type faultKey struct{}

// faultTracer has the faults happen, to whom they are meant for alone: the house works beside.
type faultTracer struct{}

func (faultTracer) begin(ctx context.Context, conn *pgx.Conn) context.Context {
	if f, ok := ctx.Value(faultKey{}).(*fault); ok && f.left.Add(-1) == -1 {
		f.hit.Store(true)
		_ = conn.PgConn().Conn().Close()
	}
	return ctx
}

func (t faultTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return t.begin(ctx, conn)
}
func (faultTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (t faultTracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return t.begin(ctx, conn)
}
func (faultTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (faultTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// traces is all that the database has of a user, but for what a visit changes.
const traces = `select jsonb_build_object(
	'user', (select to_jsonb(u) - 'last_seen' from auth.users u where id = $1), 'roles', (select count(*) from auth.user_roles where user_id = $1),
	'sessions', (select count(*) from auth.refresh_tokens where user_id = $1), 'tickets', (select count(*) from auth.tickets where user_id = $1),
	'audited', (select count(*) from auth.audit_entries where user_id = $1), 'told', (select count(*) from auth.events where user_id = $1),
	'buried', (select count(*) from auth.deleted_users where id = $1),
	'mails', (select count(*) from postern_river.river_job where args->>'userId' = $1::text and state <> 'completed'))::text`

// TestOperatorsChangesAreWholeOrNot hangs up at every statement of every way to make, change and delete a user:
// either all of it is there, with its one entry, or nothing is, not even a mail.
func TestOperatorsChangesAreWholeOrNot(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil, func(o *house.Options) {
		o.Pool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = faultTracer{} }
	})
	d.sql(t, `insert into auth.roles (role) values ('auditor') on conflict do nothing`)
	d.sql(t, `create function keep_mails() returns trigger language plpgsql as $$ begin new.scheduled_at := now() + interval '1 hour'; new.state := 'scheduled'; return new; end $$`)
	d.sql(t, `create trigger keep_mails before insert on postern_river.river_job for each row execute function keep_mails()`) // so that none is sent while they are counted
	admin := d.admin(flow.AdminSettings{MustChange: true})
	password := rightPassword
	create := func(in flow.UserCreation) func(context.Context, string) error {
		return func(ctx context.Context, id string) error {
			in.ID, in.Email = id, id+"@example.com"
			_, err := admin.CreateUser(ctx, chief(), in)
			return err
		}
	}
	remove := func(soft bool) func(context.Context, string) error {
		return func(ctx context.Context, id string) error {
			_, err := admin.DeleteUser(ctx, chief(), flow.UserDeletion{ID: id, Soft: soft})
			return err
		}
	}
	for name, c := range map[string]struct {
		there bool // the user is there before
		does  func(ctx context.Context, id string) error
	}{
		"created":                 {false, create(flow.UserCreation{})},
		"created with a password": {false, create(flow.UserCreation{Password: &password, Roles: []string{"user", "auditor"}, RolesGiven: true})},
		"created and invited":     {false, create(flow.UserCreation{Invited: true})},
		"deleted softly":          {true, remove(true)},
		"deleted hard":            {true, remove(false)},
		"changed in every way": {true, func(ctx context.Context, id string) error {
			_, err := admin.UpdateUser(ctx, chief(), flow.UserChange{
				ID: id, Email: flow.Field[string]{Given: true, Value: "new-" + id + "@example.com"}, PhoneNumber: flow.Field[string]{Given: true, Null: true},
				Roles: flow.Field[[]string]{Given: true, Value: []string{"user", "auditor"}}, Disabled: flow.Field[bool]{Given: true, Value: true},
			})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for at := int64(0); ; at++ {
				id := tokens.NewUUID()
				if c.there {
					p := d.person(t)
					id = p.User.ID
					d.sql(t, `update auth.users set phone_number = '+44' || right(translate($1::text, 'abcdef-', ''), 10) where id = $1::uuid`, id)
				}
				before := value[string](t, d, traces, id)
				f := &fault{}
				f.left.Store(at)
				ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), faultKey{}, f), 10*time.Second)
				err := c.does(ctx, id)
				cancel()
				after := value[string](t, d, traces, id)
				if err != nil && after != before {
					t.Errorf("hung up at statement %d, and left something:\n%s\n%s", at, before, after)
				}
				if err != nil && f.hit.Load() {
					continue
				}
				if err != nil || after == before {
					t.Errorf("statement %d: %v, from %s to %s", at, err, before, after)
				}
				if n := value[int](t, d, `select count(*) from auth.audit_entries where user_id = $1 and event in ('user.created', 'user.updated', 'user.deleted') and detail->>'by' = 'operator'`, id); n != 1 {
					t.Errorf("%d entries", n)
				}
				if at < 4 {
					t.Errorf("only %d statements", at)
				}
				if !f.hit.Load() {
					return // there is no statement more
				}
			}
		})
	}
}
