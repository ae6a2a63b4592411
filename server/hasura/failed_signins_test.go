package hasura_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// failed are the entries of failed sign-ins, the oldest first: reason, method, whether somebody is named, and whether
// the try was the last for a while.
func (d doorway) failed(t *testing.T) []string {
	t.Helper()
	return value[[]string](t, d, `select coalesce(array_agg(concat_ws(' ', detail->>'reason', detail->>'method', case when user_id is null then 'nobody' else 'somebody' end,
		case when detail ? 'locks' then 'locks' end) order by id), '{}') from auth.audit_entries where event = 'signin.failed'`)
}

// enter is a sign-in by a password.
func (d doorway) enter(t *testing.T, email, password string) answer {
	t.Helper()
	return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password})
}

func TestFailedSignInsLeaveAnEntry(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p, nobody := d.person(t), newAddress()
	disable := func(yes bool) {
		t.Helper()
		d.sql(t, `update auth.users set disabled = $2 where id = $1`, p.User.ID, yes)
	}
	want := []string{}
	expect := func(more ...string) {
		t.Helper()
		want = append(want, more...)
		if diff := cmp.Diff(want, d.failed(t)); diff != "" {
			t.Fatalf("entries (-want +got):\n%s", diff)
		}
	}
	d.enter(t, p.email, rightPassword).session(t)
	expect()
	d.enter(t, p.email, "a wrong password")
	expect("invalid-credentials password somebody")
	d.enter(t, nobody, "a wrong password")
	expect("unknown password nobody")
	disable(true)
	d.enter(t, p.email, "a wrong password")
	expect("invalid-credentials password somebody")
	d.enter(t, p.email, rightPassword)
	expect("user-disabled password somebody")
	disable(false)
	unconfirmed := d.signUp(t, nil)
	d.enter(t, unconfirmed, rightPassword)
	expect("user-unverified password somebody")

	d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
	code := d.mailedCode(t, p.email, 1)
	d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": other(code)})
	expect("invalid-otp otp somebody")
	d.ask(t, "POST", typeMail, fields{"email": nobody, "otp": code}) // nobody was sent one: nothing was tried
	expect()
	d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": code}).session(t)
	expect()

	a := d.turnOn(t, p, clock)
	clock.Advance(time.Minute)
	ticket := d.halfway(t, p)
	d.second(t, ticket, a.wrong(t))
	expect("invalid-totp totp somebody")
	d.second(t, ticket, "AAAAA-AAAAA-AAAAA")
	d.second(t, ticket, a.code(t))
	if got := d.failed(t); len(got) < len(want) || !cmp.Equal(got[:len(want)], want) {
		t.Errorf("entries: %v", got)
	}

	all := value[string](t, d, `select string_agg(a::text, ' ') from auth.audit_entries a where event = 'signin.failed'`)
	for _, secret := range []string{p.email, nobody, unconfirmed, "wrong password", rightPassword, code} {
		if strings.Contains(all, secret) {
			t.Errorf("the log has %q: %s", secret, all)
		}
	}
}

// Wrong passwords leave entries up to the limit, for known and unknown addresses alike, and the last one says so.
func TestFailedSignInsFillNoLog(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "3", "AUTH_RATE_LIMIT_GLOBAL_BURST": "1000"})
	p := d.person(t)
	for i, email := range []string{p.email, newAddress()} {
		d.sql(t, `delete from auth.audit_entries`)
		for n := range 6 {
			d.knock(t, "POST", "/signin/email-password", fields{"email": email, "password": "a wrong password"}, peer(fmt.Sprintf("198.51.100.%d:%d", 50+i, 1000+n)))
		}
		of := []string{"invalid-credentials password somebody", "unknown password nobody"}[i]
		if diff := cmp.Diff([]string{of, of, of + " locks"}, d.failed(t)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	}
}

// What is kept of an address is for the operator to say, also where no query of the journal's writes it.
func TestAddressesInTheLog(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"": "198.51.100.0/24", "network": "198.51.100.0/24", "none": "", "full": "198.51.100.23"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, map[string]string{"AUTH_AUDIT_ADDRESS": setting})
			p := d.person(t)
			d.sql(t, `delete from auth.audit_entries`)
			from := peer("198.51.100.23:4711")
			d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": "a wrong password"}, from)
			s := d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": rightPassword}, from).session(t)
			d.ask(t, "POST", "/user/password", fields{"newPassword": "another right password"}, from, bearer(s.AccessToken)).ok(t)
			d.ask(t, "POST", "/signout", fields{"refreshToken": s.RefreshToken}, from).ok(t)
			got := value[[]string](t, d, `select array_agg(event || ' ' || coalesce(address_prefix, '') order by id) from auth.audit_entries`)
			var all []string
			for _, event := range []string{"signin.failed", "session.started", "password.changed", "session.ended"} {
				all = append(all, event+" "+want)
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}
