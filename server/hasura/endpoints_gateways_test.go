package hasura_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"postern/internal/fakesms"
)

// Signing in by text message works the same through every gateway.
func TestSignInByTextThroughEachGateway(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(*fakesms.Server) map[string]string{
		"twilio": (*fakesms.Server).TwilioMessaging, "verify": (*fakesms.Server).TwilioVerify,
		"modica": (*fakesms.Server).Modica, "generic": (*fakesms.Server).Generic,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := fakesms.New(t)
			d := openDoor(t, settings(gateway))
			number := newNumber()
			d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
			got := gateway.Wait(t, number, 1)[0]
			if got.Gateway != name || got.Code == "" {
				t.Fatalf("got %+v", got)
			}
			d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": other(got.Code)}).refused(t, 400, "invalid-otp", "")
			d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": got.Code}).session(t)
			d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": got.Code}).refused(t, 400, "invalid-otp", "")
		})
	}
}

// While Twilio Verify does not answer, nobody gets in, and nobody's code is lost.
func TestSignInWhileVerifyIsAway(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	d := openDoor(t, gateway.TwilioVerify())
	number := newNumber()
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code := gateway.Wait(t, number, 1)[0].Code
	gateway.Fail(fakesms.Cut(), fakesms.Reply(500))
	for range 2 {
		if a := d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}); a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).session(t)

	number = newNumber()
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code = gateway.Wait(t, number, 1)[0].Code
	gateway.Expire(number)
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 400, "invalid-otp", "")
}

// A code that Twilio Verify holds lets one in, whoever else types it at the same moment elsewhere.
func TestCodeOfVerifyLetsOneIn(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	d := openDoor(t, gateway.TwilioVerify())
	replicas := []doorway{d, {d.Beside(t)}}
	number := newNumber()
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code := gateway.Wait(t, number, 1)[0].Code
	var in atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 64 {
		wg.Go(func() {
			<-start
			if replicas[i%2].ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).status == 200 {
				in.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := in.Load(); n != 1 {
		t.Errorf("%d got in with one code", n)
	}
	if n := value[int](t, d, `select count(*) from auth.refresh_tokens t join auth.users u on u.id = t.user_id where u.phone_number = $1`, number); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
