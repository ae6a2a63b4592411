package hasura_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/fakesms"
	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/internal/testpg"
)

// members is a table of the application: a trigger gives every user a row, with the organisation that
// the column's default says.
const members = `
	create table public.members (
		user_id uuid primary key references auth.users on delete cascade, organisation text default 'first'
	);
	create function public.join_members() returns trigger language plpgsql security definer set search_path = '' as $$
	begin
		insert into public.members (user_id) values (new.id);
		return new;
	end $$;
	create trigger join_members after insert on auth.users for each row execute function public.join_members()`

// openClaimed opens a house whose tokens must say which organisation their user is in.
func openClaimed(t testing.TB, clock *stillClock) doorway {
	t.Helper()
	database := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), members); err != nil {
		t.Fatal(err)
	}
	like := &testhouse.House{Database: database, Mail: testmail.New(t), Phones: &fakesms.Phones{}, Env: everyWayIn(unverified(
		"AUTH_JWT_CUSTOM_CLAIMS", `{"organisation": {"path": "member.organisation", "required": true}, "verified": "emailVerified", "guest": "isAnonymous", "mail": "email"}`,
		"AUTH_CLAIMS_TIMEOUT", "30s", "AUTH_LINK_CONFIRMATION", "off",
	))}
	return doorway{like.Beside(t, stopped(clock), through(vouching))}
}

// Everybody's organisation is missing, or nobody can say what it is, or it is another one.
func (d doorway) loseOrganisations(t testing.TB) {
	t.Helper()
	d.sql(t, `alter table public.members alter column organisation drop default`)
	d.sql(t, `update public.members set organisation = null`)
}

func (d doorway) breakOrganisations(t testing.TB) {
	t.Helper()
	d.sql(t, `alter table public.members rename column organisation to organization`)
}

func (d doorway) mendOrganisations(t testing.TB, clock *stillClock, name string) {
	t.Helper()
	d.sql(t, `alter table public.members rename column organization to organisation`)
	d.sql(t, `alter table public.members alter column organisation set default '`+name+`'`)
	d.sql(t, `update public.members set organisation = $1`, name)
	clock.Advance(10e9) // a source that fails is left alone for a while
	d.waitUntilReady(t)
}

// noToken checks that an answer refuses for want of a claim, plainly or in a redirect.
func (a answer) noToken(t testing.TB, status int, id string) {
	t.Helper()
	if a.status == 200 {
		t.Fatalf("%s: somebody came in without a claim that is required", a)
	}
	if a.header.Get("Location") != "" {
		a.redirectsWith(t, a.status, clientURL, id)
		return
	}
	a.refused(t, status, id, "")
	if retry := a.header.Get("Retry-After"); (status == 503) != (retry != "") {
		t.Errorf("%s: Retry-After is %q", a, retry)
	}
}
