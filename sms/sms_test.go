package sms_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakesms"
	"postern/sms"
)

const (
	phone = "+4915112345678"
	words = `482913 is your "code" \ ${to} & <b>é</b>` + "\n😀"
)

// settingsOf turns variables into settings, as far as the fake gateway has them.
func settingsOf(env map[string]string) sms.Settings {
	return sms.Settings{
		Enabled: true, Provider: env["AUTH_SMS_PROVIDER"],
		TwilioAccount: env["AUTH_SMS_TWILIO_ACCOUNT_SID"], TwilioToken: env["AUTH_SMS_TWILIO_AUTH_TOKEN"],
		TwilioService: env["AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID"], TwilioURL: env["AUTH_SMS_TWILIO_URL"],
		ModicaUser: env["AUTH_SMS_MODICA_USERNAME"], ModicaPassword: env["AUTH_SMS_MODICA_PASSWORD"], ModicaURL: env["AUTH_SMS_MODICA_URL"],
		MessageBirdKey: env["AUTH_SMS_MESSAGEBIRD_ACCESS_KEY"], MessageBirdOriginator: env["AUTH_SMS_MESSAGEBIRD_ORIGINATOR"], MessageBirdURL: env["AUTH_SMS_MESSAGEBIRD_URL"],
		TextlocalKey: env["AUTH_SMS_TEXTLOCAL_API_KEY"], TextlocalSender: env["AUTH_SMS_TEXTLOCAL_SENDER"], TextlocalURL: env["AUTH_SMS_TEXTLOCAL_URL"],
		VonageKey: env["AUTH_SMS_VONAGE_API_KEY"], VonageSecret: env["AUTH_SMS_VONAGE_API_SECRET"], VonageFrom: env["AUTH_SMS_VONAGE_FROM"], VonageURL: env["AUTH_SMS_VONAGE_URL"],
		MSG91Key: env["AUTH_SMS_MSG91_AUTH_KEY"], MSG91Sender: env["AUTH_SMS_MSG91_SENDER_ID"], MSG91URL: env["AUTH_SMS_MSG91_URL"],
		GenericURL: env["AUTH_SMS_GENERIC_URL"], GenericHeaders: env["AUTH_SMS_GENERIC_HEADERS"], GenericSecret: env["AUTH_SMS_GENERIC_SECRET"],
		GenericContentType: "application/json", GenericTimeout: 10 * time.Second,
	}
}

func open(t *testing.T, s sms.Settings) *sms.Gateway {
	t.Helper()
	g, err := sms.Open(s, sms.Options{Now: time.Now})
	if err != nil || !g.Configured() {
		t.Fatalf("configured %t, %v", g.Configured(), err)
	}
	return g
}

// gateways are those that take texts.
var gateways = map[string]func(*fakesms.Server) map[string]string{
	"twilio": (*fakesms.Server).TwilioMessaging, "modica": (*fakesms.Server).Modica, "generic": (*fakesms.Server).Generic,
	"messagebird": (*fakesms.Server).MessageBird, "textlocal": (*fakesms.Server).Textlocal, "vonage": (*fakesms.Server).Vonage, "msg91": (*fakesms.Server).MSG91,
}

func TestMessagesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, settings := range gateways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fakesms.New(t)
			g := open(t, settingsOf(settings(server)))
			if err := g.Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: words}); err != nil {
				t.Fatal(err)
			}
			got := server.Wait(t, phone, 1)[0]
			if got.Gateway != name || got.Text != words {
				t.Errorf("got %+v", got)
			}
			if agent := got.Header.Get("User-Agent"); agent != "postern" {
				t.Errorf("agent %q", agent)
			}
		})
	}
}

func TestTwilioSendsFromAServiceOrANumber(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	for sender, want := range map[string]url.Values{
		fakesms.MessagingService: {"To": {phone}, "Body": {"hello"}, "MessagingServiceSid": {fakesms.MessagingService}},
		"+15550100":              {"To": {phone}, "Body": {"hello"}, "From": {"+15550100"}},
		"Example":                {"To": {phone}, "Body": {"hello"}, "From": {"Example"}},
	} {
		s := settingsOf(server.TwilioMessaging())
		s.TwilioService = sender
		if err := open(t, s).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "hello"}); err != nil {
			t.Fatal(err)
		}
		list := server.To(phone)
		form, err := url.ParseQuery(list[len(list)-1].Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, form); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sender, diff)
		}
	}
}

// A text may say whatever it likes: it stays in its place.
func TestGenericBodies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ contentType, template, want string }{
		"default": {"application/json", "", `{"to": "+4915112345678", "body": "482913 is your \"code\" \\ ${to} & <b>é</b>\n😀"}`},
		"JSON":    {"application/vnd.example+json; charset=utf-8", `{"messages":[{"recipient":"${to}","text":"Hi! ${ body }","cost":1}]}`, `{"messages":[{"recipient":"+4915112345678","text":"Hi! 482913 is your \"code\" \\ ${to} & <b>é</b>\n😀","cost":1}]}`},
		"form":    {"application/x-www-form-urlencoded", `{"phone":"${to}","text":"${body}","flash":false,"class":12345678901234567890}`, "class=12345678901234567890&flash=false&phone=%2B4915112345678&text=482913+is+your+%22code%22+%5C+%24%7Bto%7D+%26+%3Cb%3E%C3%A9%3C%2Fb%3E%0A%F0%9F%98%80"},
		"XML":     {"text/xml", `<sms to="${to}">${body}</sms>`, `<sms to="+4915112345678">482913 is your &#34;code&#34; \ ${to} &amp; &lt;b&gt;é&lt;/b&gt;&#xA;😀</sms>`},
		"text":    {"text/plain", "${to}\n${body}", phone + "\n" + words},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fakesms.New(t)
			s := settingsOf(server.Generic())
			s.GenericContentType, s.GenericBody = test.contentType, test.template
			if err := open(t, s).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: words}); err != nil {
				t.Fatal(err)
			}
			got := server.Messages()[0]
			if got.Body != test.want || got.Header.Get("Content-Type") != test.contentType {
				t.Errorf("%s\ngot  %s\nwant %s", got.Header.Get("Content-Type"), got.Body, test.want)
			}
			if test.contentType == "application/x-www-form-urlencoded" {
				if form, err := url.ParseQuery(got.Body); err != nil || form.Get("text") != words {
					t.Errorf("the form says %q, %v", form.Get("text"), err)
				}
			}
		})
	}
}

// While one secret replaces another, both sign.
func TestEachSecretSigns(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	g, err := sms.Open(sms.Settings{
		Provider: sms.Generic, GenericURL: server.URL, GenericContentType: "text/plain", GenericTimeout: time.Second,
		GenericBody:   `{"${body}": ${to}}`,
		GenericSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw " + fakesms.WebhookSecret,
	}, sms.Options{Now: func() time.Time { return time.Unix(1614265330, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Send(t.Context(), sms.Message{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", To: "+2432232314", Text: "test"}); err != nil {
		t.Fatal(err)
	}
	signatures := strings.Fields(got.Get("Webhook-Signature"))
	if got.Get("Webhook-Id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" || got.Get("Webhook-Timestamp") != "1614265330" || len(signatures) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestVerifyMakesAndChecksTheCode(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	g := open(t, settingsOf(server.TwilioVerify()))
	if !g.HoldsCodes() {
		t.Fatal("the gateway does not hold codes")
	}
	check := func(number, code string, want bool) {
		t.Helper()
		if got, err := g.CheckCode(t.Context(), number, code); got != want || err != nil {
			t.Errorf("code %q: %t, want %t; %v", code, got, want, err)
		}
	}
	check(phone, "123456", false) // nobody asked for one
	if err := g.StartCode(t.Context(), phone, "de"); err != nil {
		t.Fatal(err)
	}
	if err := g.StartCode(t.Context(), phone, "bg"); err != nil { // which Twilio does not speak
		t.Fatal(err)
	}
	got := server.Wait(t, phone, 2)
	if got[0].Code == "" || got[0].Code != got[1].Code || !strings.Contains(got[0].Body, "Locale=de") || strings.Contains(got[1].Body, "Locale") {
		t.Errorf("got %+v", got)
	}
	wrong := "000000"
	if got[0].Code == wrong {
		wrong = "000001"
	}
	check(phone, wrong, false)
	check("+4915187654321", got[0].Code, false)
	check(phone, got[0].Code, true)
	check(phone, got[0].Code, false) // it is right once
	if err := g.Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "hello"}); !sms.IsPermanent(err) {
		t.Errorf("a text of ours: %v", err)
	}
}

func TestVerifyEndsGuessing(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	g := open(t, settingsOf(server.TwilioVerify()))
	if err := g.StartCode(t.Context(), phone, ""); err != nil {
		t.Fatal(err)
	}
	code := server.Wait(t, phone, 1)[0].Code
	for i := range 5 {
		if right, err := g.CheckCode(t.Context(), phone, fmt.Sprintf("%s%d", code, i)); right || err != nil {
			t.Errorf("guess %d: %t, %v", i, right, err)
		}
	}
	if right, err := g.CheckCode(t.Context(), phone, code); right || err != nil {
		t.Errorf("after five guesses: %t, %v", right, err)
	}
	before := len(server.Requests())
	for _, none := range []string{"", "123", "12345678901", "12a456", "１２３４５６", "123456\n", strings.Repeat("1", 1<<20)} {
		if right, err := g.CheckCode(t.Context(), phone, none); right || err != nil {
			t.Errorf("%.20q: %t, %v", none, right, err)
		}
	}
	if n := len(server.Requests()) - before; n != 0 {
		t.Errorf("Twilio was asked %d times about what cannot be a code", n)
	}
}

// An answer that does not come is no wrong code: the person may try again.
func TestVerifyThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakesms.Fault{
		"cut": fakesms.Cut(), "broken": fakesms.Reply(http.StatusInternalServerError), "wrong token": fakesms.Refuse(http.StatusUnauthorized, 20003),
		"no JSON": fakesms.Reply(http.StatusOK),
	} {
		server := fakesms.New(t)
		g := open(t, settingsOf(server.TwilioVerify()))
		server.FailAlways(fault)
		if right, err := g.CheckCode(t.Context(), phone, "123456"); right || err == nil || sms.IsPermanent(err) {
			t.Errorf("%s: %t, %v", name, right, err)
		}
	}
}

func TestWhatIsWorthAnotherAttempt(t *testing.T) {
	t.Parallel()
	status := func(code int) fakesms.Fault { return fakesms.Reply(code) }
	for name, test := range map[string]struct {
		fault     fakesms.Fault
		permanent bool
		says      string
	}{
		"500":            {status(500), false, "500"},
		"503":            {status(503), false, "503"},
		"429":            {status(429), false, "429"},
		"401":            {status(401), false, "401"},
		"403":            {status(403), false, "403"},
		"404":            {status(404), false, "404"},
		"408":            {status(408), false, "408"},
		"400":            {status(400), true, "400"},
		"413":            {status(413), true, "413"},
		"422":            {status(422), true, "422"},
		"302":            {fakesms.Reply(302), false, "redirect"},
		"cut":            {fakesms.Cut(), false, "without an answer"},
		"an endless one": {fakesms.Huge(), false, "500"},
	} {
		for gateway, settings := range gateways {
			t.Run(gateway+" "+name, func(t *testing.T) {
				t.Parallel()
				server := fakesms.New(t)
				server.FailAlways(test.fault)
				err := open(t, settingsOf(settings(server))).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "482913"})
				if err == nil || sms.IsPermanent(err) != test.permanent || !strings.Contains(err.Error(), test.says) {
					t.Errorf("permanent %t, want %t: %v", sms.IsPermanent(err), test.permanent, err)
				}
				if len(server.Messages()) != 0 {
					t.Error("the message was taken")
				}
			})
		}
	}
}

// Twilio's own numbers decide, whatever the status.
func TestTwilioNumbersOfMistakes(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	g := open(t, settingsOf(server.TwilioMessaging()))
	for number, code := range map[string]int{"+15005550001": 21211, "+15005550002": 21612, "+15005550003": 21408, "+15005550004": 21610, "+15005550009": 21614} {
		err := g.Send(t.Context(), sms.Message{ID: "m1", To: number, Text: "482913"})
		var e *sms.SendError
		if !errors.As(err, &e) || !e.Permanent || e.Code != code || e.Status != 400 {
			t.Errorf("%s: %+v", number, err)
		}
	}
	for _, test := range []struct {
		status, code int
		permanent    bool
	}{{429, 20429, false}, {401, 20003, false}, {429, 60203, true}, {403, 60410, true}, {503, 20503, false}} {
		server.Fail(fakesms.Refuse(test.status, test.code))
		err := g.Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "482913"})
		if sms.IsPermanent(err) != test.permanent || !strings.Contains(err.Error(), strconv.Itoa(test.code)) {
			t.Errorf("%d: permanent %t, want %t: %v", test.code, sms.IsPermanent(err), test.permanent, err)
		}
	}
}

// Whoever answers must not be able to send the message, or a credential, to somebody else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	thief := fakesms.New(t)
	for name, settings := range gateways {
		server := fakesms.New(t)
		server.FailAlways(fakesms.Redirect(thief.URL + "/gateway"))
		err := open(t, settingsOf(settings(server))).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "482913"})
		if err == nil || sms.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := thief.Requests(); len(got) != 0 {
		t.Errorf("the thief got %v", got)
	}
}

func TestGatewayThatIsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	server.FailAlways(fakesms.Silent())
	s := settingsOf(server.Generic())
	s.GenericTimeout = 50 * time.Millisecond
	err := open(t, s).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "482913"})
	if err == nil || sms.IsPermanent(err) || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, settings := range gateways {
		if err := open(t, settingsOf(settings(server))).Send(ctx, sms.Message{ID: "m1", To: phone, Text: "482913"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, when the caller gives up: %v", name, err)
		}
	}
}

// No error has a code, a credential, a number or the address of the gateway in it: errors go to the
// log and into the queue.
func TestErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("482913 s3cret\r\n\r\n"))
			_ = c.Close()
		}
	}()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	server := fakesms.New(t)
	bases := map[string]string{
		"garbage": "http://user:s3cret@" + garbage.Addr().String(), "closed": "http://user:s3cret@" + closed.Addr().String(),
		"no such host": "http://user:s3cret@s3cret.invalid", "refuses": server.URL,
	}
	server.FailAlways(fakesms.Refuse(http.StatusBadRequest, 21211))
	for name, base := range bases {
		for _, s := range []sms.Settings{
			{Provider: sms.Generic, GenericURL: base + "/?apikey=s3cret", GenericContentType: "application/json", GenericHeaders: `{"X-Key":"s3cret"}`, GenericTimeout: time.Second},
			{Provider: sms.Twilio, TwilioURL: strings.Replace(base, "s3cret.invalid", "localhost:1", 1), TwilioAccount: fakesms.Account, TwilioToken: "s3cret", TwilioService: "+15550100"},
			{Provider: sms.Modica, ModicaURL: strings.Replace(base, "s3cret.invalid", "localhost:1", 1), ModicaUser: "u", ModicaPassword: "s3cret"},
		} {
			err := open(t, s).Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "482913"})
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			said := strings.ReplaceAll(err.Error(), "s3cret.invalid", "") // the host may be named
			for _, secret := range []string{"482913", "s3cret", phone, "apikey"} {
				if strings.Contains(said, secret) {
					t.Errorf("%s, %s: %s is in %q", s.Provider, name, secret, said)
				}
			}
		}
	}
}

func TestMessagesThatNobodySends(t *testing.T) {
	t.Parallel()
	server := fakesms.New(t)
	for name, settings := range gateways {
		g := open(t, settingsOf(settings(server)))
		for _, m := range []sms.Message{
			{To: "", Text: "x"},
			{To: "15550100", Text: "x"},
			{To: "+1 555 0100", Text: "x"},
			{To: "+15550100\r\nX: y", Text: "x"},
			{To: phone},
			{To: phone, Text: strings.Repeat("x", 1601)},
			{To: phone, Text: "\xff"},
		} {
			if err := g.Send(t.Context(), m); !sms.IsPermanent(err) {
				t.Errorf("%s, %q: %v", name, m.To, err)
			}
		}
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	var none *sms.Gateway
	if none.Configured() || none.HoldsCodes() {
		t.Error("no gateway counts as one")
	}
	if err := none.Send(t.Context(), sms.Message{To: phone, Text: "x"}); err == nil || sms.IsPermanent(err) {
		t.Errorf("no gateway: %v", err)
	}
	if _, err := none.CheckCode(t.Context(), phone, "123456"); err == nil {
		t.Error("no gateway knows codes")
	}
}

func TestDevWritesFilesWhenItIsToldWhere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sms")
	var caught []sms.Message
	g, err := sms.Open(sms.Settings{Provider: sms.Dev, DevOutputDir: dir}, sms.Options{Caught: func(m sms.Message) { caught = append(caught, m) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first 111111", "second 222222"} {
		if err := g.Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, phone+".txt"))
	if err != nil || string(got) != "second 222222\n" || len(caught) != 2 {
		t.Errorf("%q, %d caught, %v", got, len(caught), err)
	}
	if info, err := os.Stat(filepath.Join(dir, phone+".txt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := g.Send(t.Context(), sms.Message{ID: "m1", To: "+1/../../x1234", Text: "x"}); !sms.IsPermanent(err) {
		t.Errorf("a path for a number: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	silent, err := sms.Open(sms.Settings{Provider: sms.Dev}, sms.Options{})
	if err != nil || silent.Send(t.Context(), sms.Message{ID: "m1", To: phone, Text: "x"}) != nil {
		t.Errorf("without a folder: %v", err)
	}
}
