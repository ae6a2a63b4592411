package hasura_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestT43TimingOracles measures whether the time of an answer tells who has an account. It takes
// minutes and an idle machine, so it runs only when POSTERN_TIMING says how many samples of each kind
// to take: 5000 in a night, 500 for a look.
//
// Kinds are asked in random order, the slowest twentieth of each is left out, and a difference counts
// when it is both certain (Welch's t over 4.5) and large enough to be used (over 0.2 ms).
func TestT43TimingOracles(t *testing.T) {
	samples, err := strconv.Atoi(os.Getenv("POSTERN_TIMING"))
	if err != nil {
		t.Skip("POSTERN_TIMING does not say how many samples to take")
	}
	d := openDoor(t, map[string]string{
		"AUTH_PASSWORD_ARGON2_MEMORY": "", "AUTH_PASSWORD_ARGON2_ITERATIONS": "", "AUTH_EMAIL_USER_HOURLY_LIMIT": "1000000",
		"AUTH_SMS_USER_HOURLY_LIMIT": "1000000", "AUTH_DISABLE_AUTO_SIGNUP": "true",
	})
	emails := map[string]string{"unknown": newAddress()}
	numbers := map[string]string{"unknown": newNumber()}
	for kind, set := range map[string]string{
		"known": "disabled = false", "disabled": "disabled = true", "unverified": "email_verified = false", "hashless": "password_hash = null", "of Hasura Auth": "locale = 'en'",
	} {
		p := d.person(t)
		d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
		emails[kind], numbers[kind] = p.email, newNumber()
		d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, p.User.ID, numbers[kind])
	}
	d.sql(t, `update auth.users set password_hash = $2 where email = $1`, emails["of Hasura Auth"], bcryptOf(t, rightPassword))
	d.waitUntilReady(t)

	locked := false
	measure := func(path string, body func(kind string) fields, status int) {
		t.Helper()
		kinds := slices.Sorted(maps.Keys(emails))
		times := map[string][]float64{}
		for i := range samples + 10 {
			rand.Shuffle(len(kinds), func(a, b int) { kinds[a], kinds[b] = kinds[b], kinds[a] })
			if i%5 == 0 { // codes live and may be tried, however long this takes
				if !locked {
					d.sql(t, `delete from auth.security_counters`)
				}
				d.sql(t, `update auth.tickets set attempts_left = 5, expires_at = now() + interval '1 hour' where purpose in ('email-code', 'sms-code')`)
			}
			for _, kind := range kinds {
				began := time.Now()
				a := d.ask(t, "POST", path, body(kind))
				took := time.Since(began)
				if a.status != status {
					t.Fatalf("%s: %s", kind, a)
				}
				if i >= 10 {
					times[kind] = append(times[kind], took.Seconds()*1000)
				}
			}
		}
		for _, kind := range kinds {
			slices.Sort(times[kind])
			times[kind] = times[kind][:len(times[kind])*19/20]
		}
		for i, a := range kinds {
			mean, _ := moments(times[a])
			t.Logf("%s %-15s %.3f ms", path, a, mean)
			for _, b := range kinds[i+1:] {
				if welch, difference := compare(times[a], times[b]); math.Abs(welch) > 4.5 && math.Abs(difference) > 0.2 {
					t.Errorf("%s tells %s from %s: %.3f ms apart, t = %.1f", path, a, b, difference, welch)
				}
			}
		}
	}
	password := func(kind string) fields { return fields{"email": emails[kind], "password": "wrong password"} }
	email := func(kind string) fields { return fields{"email": emails[kind]} }
	number := func(kind string) fields { return fields{"phoneNumber": numbers[kind]} }
	typed := func(body func(string) fields) func(string) fields {
		return func(kind string) fields { return body(kind).with([]string{"otp"}, "12345") } // a digit short: never right
	}
	measure("/signin/email-password", password, 401)
	measure("/user/password/reset", email, 200)
	measure(askMail, email, 200)
	measure(typeMail, typed(email), 400)
	measure(askText, number, 200)
	measure(typeText, typed(number), 400)
	locked = true
	for _, email := range emails {
		d.sql(t, `insert into auth.security_counters (key, count, window_ends_at) values ('password:account:' || lower($1), 100, now() + interval '1 day')
			on conflict (key) do update set count = 100, window_ends_at = now() + interval '1 day'`, email)
	}
	measure("/signin/email-password", password, 429)

	// The same when no more codes may be typed.
	block := func(account string) {
		d.sql(t, `insert into auth.security_counters (key, count, window_ends_at) values ('code:typed:' || $1::text, 100, now() + interval '1 day')
			on conflict (key) do update set count = 100, window_ends_at = now() + interval '1 day'`, account)
	}
	block("email:" + emails["unknown"])
	block("phone:" + numbers["unknown"])
	for kind, email := range emails {
		if kind != "unknown" {
			block(value[string](t, d, `select id::text from auth.users where email = $1`, email))
		}
	}
	measure(typeMail, typed(email), 429)
	measure(askText, number, 429)
	measure(typeText, typed(number), 429)
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

// compare gives Welch's t and the difference of the means.
func compare(a, b []float64) (welch, difference float64) {
	meanA, varianceA := moments(a)
	meanB, varianceB := moments(b)
	difference = meanA - meanB
	return difference / math.Sqrt(varianceA/float64(len(a))+varianceB/float64(len(b))), difference
}

// TestTheTimingTestFindsADifference feeds the judge what it must find and what it must not.
func TestTheTimingTestFindsADifference(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- noise
	noise := func(mean float64) []float64 {
		x := make([]float64, 1000)
		for i := range x {
			x[i] = mean + source.NormFloat64()
		}
		return x
	}
	base := noise(20)
	if welch, difference := compare(base, noise(20.5)); math.Abs(welch) <= 4.5 || math.Abs(difference) <= 0.2 {
		t.Errorf("half a millisecond is not found: t = %.1f, %.3f", welch, difference)
	}
	if welch, difference := compare(base, noise(20)); math.Abs(welch) > 4.5 && math.Abs(difference) > 0.2 {
		t.Errorf("nothing is found: t = %.1f, %.3f", welch, difference)
	}
}
