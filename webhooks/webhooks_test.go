package webhooks_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/webhooks"
)

var at = time.Unix(1614265330, 0)

// The example of the specification's libraries.
func TestSignsAsTheSpecificationDoes(t *testing.T) {
	t.Parallel()
	keys, err := webhooks.ParseAll("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := keys.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func seed(b byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(b), 32)))[:32])
}

func public(b byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(b), 32)))[32:])
}

func TestEachOfSeveralKeysVerifies(t *testing.T) {
	t.Parallel()
	secret := func(b string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(b, 24)))
	}
	keys, err := webhooks.ParseAll("whsec_" + secret("a") + "|v1,whsec_" + secret("b") + " v1a,whpk_" + public('c') + ":whsk_" + seed('c'))
	if err != nil || len(keys) != 3 {
		t.Fatal(len(keys), err)
	}
	body := []byte("body")
	h := keys.Headers("msg_1", at, body)
	if n := len(strings.Fields(h[webhooks.HeaderSignature])); n != 3 {
		t.Fatalf("%d signatures", n)
	}
	for _, held := range []string{"whsec_" + secret("a"), "whsec_" + secret("b"), "whpk_" + public('c')} {
		receiver, err := webhooks.ParseAll(held)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(id string, body []byte, now time.Time) error {
			return receiver.Verify(id, h[webhooks.HeaderTimestamp], h[webhooks.HeaderSignature], body, now)
		}
		if err := verify("msg_1", body, at.Add(4*time.Minute)); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"another id":   verify("msg_2", body, at),
			"another body": verify("msg_1", []byte("bodx"), at),
			"too late":     verify("msg_1", body, at.Add(6*time.Minute)),
			"too early":    verify("msg_1", body, at.Add(-6*time.Minute)),
		} {
			if err == nil {
				t.Errorf("%s: believed", name)
			}
		}
	}
	stranger, err := webhooks.ParseAll("whsec_" + secret("z") + " whpk_" + public('z'))
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Verify("msg_1", h[webhooks.HeaderTimestamp], h[webhooks.HeaderSignature], body, at); err == nil {
		t.Error("believed with other keys")
	}
	if text := fmt.Sprintf("%v %+v %#v %s", keys, keys[0], keys, stranger); strings.Contains(text, secret("a")) || strings.Contains(text, "97") {
		t.Errorf("a key prints itself: %s", text)
	}
}

func TestRefusesWhatIsNoKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"secret", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", "v2,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1a,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"v1,whsk_" + seed('a'), "whsk_c2hvcnQ=", "whpk_c2hvcnQ=", "v1a,whpk_" + public('a') + ":whsk_" + seed('b'), "v1a,whsk_" + seed('a') + ":whpk_" + public('b'), "v1a,whsk_" + seed('a') + ":whsk_" + seed('a'), "",
		"whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 64)), "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)),
	} {
		_, err := webhooks.Parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		if _, rest, _ := strings.Cut(text, "_"); len(rest) > 6 && strings.Contains(err.Error(), rest) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg", "1614265330", "v1,AAAA v1a,BBBB", []byte("x"))
	f.Fuzz(func(t *testing.T, key, id, timestamp, signature string, body []byte) {
		keys, err := webhooks.ParseAll(key)
		if err != nil {
			return
		}
		if keys.Verify(id, timestamp, signature, body, at) == nil && !strings.Contains(signature, ",") {
			t.Error("believed without a signature")
		}
		if h := keys.Headers("msg", at, body); h[webhooks.HeaderSignature] != "" {
			if err := keys.Verify("msg", h[webhooks.HeaderTimestamp], h[webhooks.HeaderSignature], body, at); err != nil {
				t.Error(err)
			}
		}
	})
}

// Standard Webhooks names the private half first, Supabase the public one.
func TestPairsComeInEitherOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"v1a,whsk_" + seed('a') + ":whpk_" + public('a'), "v1a,whpk_" + public('a') + ":whsk_" + seed('a')} {
		k, err := webhooks.Parse(text)
		if err != nil || !k.Signs() {
			t.Errorf("%q: %v", text[:9], err)
		}
	}
}
