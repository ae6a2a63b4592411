package hasura_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/softkey"
	"postern/internal/testhouse"
)

type draft = softkey.Draft

// claim changes a member of the client data.
func claim(name string, value any) func(*draft) {
	return func(f *draft) { f.ClientData[name] = value }
}

func flags(set, unset byte) func(*draft) {
	return func(f *draft) { f.Flags = f.Flags&^unset | set }
}

// clientDataAttacks are wrong for any answer.
func clientDataAttacks() map[string]func(*draft) {
	list := map[string]func(*draft){
		"no type":                    func(f *draft) { delete(f.ClientData, "type") },
		"type of payments":           claim("type", "payment.get"),
		"no origin":                  func(f *draft) { delete(f.ClientData, "origin") },
		"from a frame elsewhere":     claim("crossOrigin", true),
		"a top origin":               claim("topOrigin", "https://evil.example"),
		"a framed top origin":        func(f *draft) { f.ClientData["crossOrigin"], f.ClientData["topOrigin"] = true, clientURL },
		"no challenge":               func(f *draft) { delete(f.ClientData, "challenge") },
		"an empty challenge":         claim("challenge", ""),
		"a challenge of its own":     claim("challenge", softkey.Base64(bytes.Repeat([]byte{7}, 32))),
		"a short challenge":          claim("challenge", softkey.Base64(bytes.Repeat([]byte{7}, 31))),
		"a challenge that is a list": claim("challenge", []string{"x"}),
		"token binding of no kind":   claim("tokenBinding", map[string]any{"status": "made up"}),
		"no JSON":                    func(f *draft) { f.Client = func([]byte) []byte { return []byte("{") } },
		"a list":                     func(f *draft) { f.Client = func(b []byte) []byte { return []byte("[" + string(b) + "]") } },
		"two objects":                func(f *draft) { f.Client = func(b []byte) []byte { return slices.Concat(b, b) } },
		"a byte order mark":          func(f *draft) { f.Client = func(b []byte) []byte { return slices.Concat([]byte("\xef\xbb\xbf"), b) } },
		"nothing but null":           func(f *draft) { f.Client = func([]byte) []byte { return []byte("null") } },
		"a padded challenge":         func(f *draft) { f.ClientData["challenge"] = fmt.Sprint(f.ClientData["challenge"]) + "=" },
		"the wrong relying party":    func(f *draft) { f.RPID = "evil.example" },
		"the parent domain":          func(f *draft) { f.RPID = "example.com" },
		"the origin for the domain":  func(f *draft) { f.RPID = clientURL },
		"no domain":                  func(f *draft) { f.RPID = "" },
		"nobody was there":           flags(0, softkey.Present),
		"backed up, not eligible":    flags(softkey.BackedUp, softkey.BackupEligible),
		"extensions that are none":   func(f *draft) { f.Flags |= softkey.Extended },
		"garbage for extensions":     func(f *draft) { f.Flags, f.Extensions = f.Flags|softkey.Extended, []byte{0xff, 0xff} },
		"extensions untold":          func(f *draft) { f.Extensions = softkey.Map(softkey.Text("credProtect"), softkey.Int(1)) },
		"trailing bytes":             func(f *draft) { f.Trailing = []byte{0} },
		"half the data":              func(f *draft) { f.Data = func(b []byte) []byte { return b[:20] } },
		"36 bytes of data":           func(f *draft) { f.Data = func(b []byte) []byte { return b[:36] } },
	}
	for _, origin := range []string{
		"https://evil.example", "http://app.example.com", "https://evil.app.example.com", "https://app.example.com.evil.example", "https://example.com", "https://app.example.com:444", "https://app.example.com/",
		"https://APP.example.com", "https://app.example.com@evil.example", "https://x@app.example.com", "null", "", "app.example.com", "android:apk-key-hash:x", "https://app.example.com ", "https://app.example.com\x00", "https://app.example.com.",
	} {
		list["from the origin "+origin] = claim("origin", origin)
	}
	return list
}

// creationAttacks are wrong for new keys.
func creationAttacks(t testing.TB) map[string]func(*draft) {
	t.Helper()
	other, err := softkey.NewKey(softkey.ES256)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateMultiPrimeKey(rand.Reader, 2, 512) //nolint:staticcheck // the weakness is the point
	if err != nil {
		weak = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 511, 1), E: 65537}}
	}
	in, bs, tx := softkey.Int, softkey.Bytes, softkey.Text
	key := func(raw []byte) func(*draft) { return func(f *draft) { f.PublicKey = raw } }
	ec := func(alg, crv int64, x, y []byte) []byte {
		return softkey.Map(in(1), in(2), in(3), in(alg), in(-1), in(crv), in(-2), bs(x), in(-3), bs(y))
	}
	rs := func(n, e []byte) []byte {
		return softkey.Map(in(1), in(3), in(3), in(softkey.RS256), in(-1), bs(n), in(-2), bs(e))
	}
	object := func(f func(o []byte) []byte) func(*draft) { return func(d *draft) { d.Object = f } }
	statement := func(format string, s []byte) func(*draft) {
		return func(f *draft) { f.Format, f.Statement = format, s }
	}
	one, deep := bytes.Repeat([]byte{1}, 32), tx("end")
	for range 100 {
		deep = softkey.List(deep)
	}
	return map[string]func(*draft){
		"type of a signature":         claim("type", "webauthn.get"),
		"no key in the data":          func(f *draft) { f.PublicKey = nil },
		"no key is said to be there":  flags(0, softkey.Attested),
		"another id in the data":      func(f *draft) { f.Data = func(b []byte) []byte { b = slices.Clone(b); b[60] ^= 1; return b } },
		"an id longer than the data":  func(f *draft) { f.Data = func(b []byte) []byte { b = slices.Clone(b); b[53] = 3; return b } },
		"an id that is too long":      func(f *draft) { f.Data = func(b []byte) []byte { b = slices.Clone(b); b[53] = 255; return b } },
		"SHA-1":                       key(softkey.Map(in(1), in(3), in(3), in(-65535), in(-1), bs(bytes.Repeat([]byte{0xc1}, 256)), in(-2), bs([]byte{1, 0, 1}))),
		"secp256k1":                   key(ec(-47, 8, one, one)),
		"an algorithm of no kind":     key(ec(0, 1, one, one)),
		"a symmetric key":             key(softkey.Map(in(1), in(4), in(3), in(5), in(-1), bs(one))),
		"an algorithm of others":      key(softkey.Map(in(1), in(1), in(3), in(softkey.ES256), in(-1), in(6), in(-2), bs(one))),
		"a key that is a text":        key(tx("key")),
		"a key that is a list":        key(softkey.List(in(1), in(2))),
		"half a key":                  key(other.Public()[:40]),
		"a key with a member twice":   key(softkey.Map(in(1), in(2), in(3), in(-7), in(3), in(-7), in(-1), in(1), in(-2), bs(one), in(-3), bs(one))),
		"a huge RSA key":              key(rs(bytes.Repeat([]byte{0xc1}, 8<<10), []byte{1, 0, 1})),
		"none, with a statement":      statement("none", softkey.Map(tx("alg"), in(-7))),
		"none, with a list":           statement("none", softkey.List(in(1))),
		"a format of no kind":         statement("made-up", softkey.Map()),
		"no format":                   statement("", softkey.Map()),
		"packed without signature":    statement("packed", softkey.Map(tx("alg"), in(-7))),
		"packed with nothing":         statement("packed", softkey.Map()),
		"packed, signed by nobody":    statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), bs(one))),
		"packed with another alg":     statement("packed", softkey.Map(tx("alg"), in(-257), tx("sig"), bs(one))),
		"packed, no certificates":     statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), bs(one), tx("x5c"), softkey.List())),
		"packed, no real certificate": statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), bs(one), tx("x5c"), softkey.List(bs(one)))),
		"packed, texts for bytes":     statement("packed", softkey.Map(tx("alg"), tx("ES256"), tx("sig"), tx("x"))),
		"packed, many certificates":   statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), bs(one), tx("x5c"), softkey.List(slices.Repeat([][]byte{bs(one)}, 9)...))),
		"packed, a huge certificate":  statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), bs(one), tx("x5c"), softkey.List(bs(make([]byte, 9<<10))))),
		"packed, changed afterwards": func(f *draft) {
			f.Format, f.Signed = "packed", func(s []byte) []byte { s = slices.Clone(s); s[len(s)-1] ^= 1; return s }
		},
		"TPM with nothing":             statement("tpm", softkey.Map()),
		"FIDO U2F with nothing":        statement("fido-u2f", softkey.Map()),
		"Apple with nothing":           statement("apple", softkey.Map()),
		"Android with nothing":         statement("android-key", softkey.Map()),
		"SafetyNet with nothing":       statement("android-safetynet", softkey.Map()),
		"SafetyNet with garbage":       statement("android-safetynet", softkey.Map(tx("ver"), tx("1"), tx("response"), bs([]byte("a.b.c")))),
		"compound of nothing":          statement("compound", softkey.List()),
		"compound of many":             statement("compound", softkey.List(slices.Repeat([][]byte{softkey.Map(tx("fmt"), tx("none"), tx("attStmt"), softkey.Map())}, 9)...)),
		"a deep statement":             statement("packed", softkey.Map(tx("alg"), in(-7), tx("sig"), deep)),
		"no CBOR":                      object(func([]byte) []byte { return []byte("{}") }),
		"a list of CBOR":               object(func(o []byte) []byte { return softkey.List(o) }),
		"half the CBOR":                object(func(o []byte) []byte { return o[:len(o)/2] }),
		"two items of CBOR":            object(func(o []byte) []byte { return slices.Concat(o, o) }),
		"a tag":                        object(func(o []byte) []byte { return slices.Concat([]byte{0xc1}, o) }),
		"a map without end":            object(func(o []byte) []byte { return slices.Concat([]byte{0xbf}, o[1:], []byte{0xff}) }),
		"a map that says it is huge":   object(func([]byte) []byte { return softkey.Head(5, 1<<40) }),
		"bytes that say they are huge": object(func([]byte) []byte { return softkey.Head(2, 1<<62) }),
		"a list that says it is huge":  object(func([]byte) []byte { return softkey.Head(4, 1<<32) }),
		"deep lists":                   object(func([]byte) []byte { return append(bytes.Repeat([]byte{0x81}, 30_000), 0) }),
		"deep maps":                    object(func([]byte) []byte { return append(bytes.Repeat([]byte{0xa1, 0x00}, 15_000), 0) }),
		"a member twice":               object(func(o []byte) []byte { return slices.Concat([]byte{o[0] + 1}, o[1:], tx("fmt"), tx("none")) }),
		"weak RSA":                     key(rs(weak.N.Bytes(), []byte{1, 0, 1})),
		"weak RSA, filled up":          key(rs(append(make([]byte, 256), weak.N.Bytes()...), []byte{1, 0, 1})),
		"RSA with the exponent 1":      key(rs(bytes.Repeat([]byte{0xc1}, 256), []byte{1})),
		"RSA with no exponent":         key(rs(bytes.Repeat([]byte{0xc1}, 256), nil)),
		"a point off the curve":        key(ec(-7, 1, one, one)),
		"a point at nothing":           key(ec(-7, 1, make([]byte, 32), make([]byte, 32))),
		"half a point":                 key(softkey.Map(in(1), in(2), in(3), in(-7), in(-1), in(1), in(-2), bs(one))),
		"a point of another curve":     key(ec(-7, 3, one, one)),
		"no member of a key":           key(softkey.Map()),
	}
}

// signatureAttacks are wrong for signatures.
func signatureAttacks(t testing.TB) map[string]func(*draft) {
	t.Helper()
	other, err := softkey.NewKey(softkey.ES256)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(f func(s []byte) []byte) func(*draft) { return func(d *draft) { d.Signed = f } }
	return map[string]func(*draft){
		"type of a new key":        claim("type", "webauthn.create"),
		"signed by another key":    func(f *draft) { f.Key = other },
		"a key that nobody has":    func(f *draft) { f.ID = other.ID },
		"a key with a longer name": func(f *draft) { f.ID = append(slices.Clone(f.ID), 0) },
		"the handle of another":    func(f *draft) { f.Handle = []byte(nobodysID) },
		"a handle in capitals":     func(f *draft) { f.Handle = bytes.ToUpper(f.Handle) },
		"a handle with more":       func(f *draft) { f.Handle = append(slices.Clone(f.Handle), 'x') },
		"a handle of no kind":      func(f *draft) { f.Handle = []byte("undefined") },
		"one bit of the signature": signed(func(s []byte) []byte { s = slices.Clone(s); s[len(s)-1] ^= 1; return s }),
		"half the signature":       signed(func(s []byte) []byte { return s[:len(s)/2] }),
		"a signature and more":     signed(func(s []byte) []byte { return append(slices.Clone(s), 0) }),
		"a signature of zeros":     signed(func(s []byte) []byte { return make([]byte, len(s)) }),
		"r and s are 0":            signed(func([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }),
		"a changed eligibility":    flags(0, softkey.BackupEligible|softkey.BackedUp),
		"a counter from before":    func(f *draft) { f.Counter = 4 },
		"the same counter":         func(f *draft) { f.Counter = 5 },
		"no counter any more":      func(f *draft) { f.Counter = 0 },
		"a key in the data":        func(f *draft) { f.PublicKey = other.Public() },
		"a key said to be there":   flags(softkey.Attested, 0),
		"data changed afterwards":  func(f *draft) { f.Data = func(b []byte) []byte { b = slices.Clone(b); b[0] ^= 1; return b } },
	}
}

// TestH17WebAuthn lies in every way that an authenticator, a browser or somebody between them can.
func TestH17WebAuthn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, passkeysAlone())
	key := device()
	key.Step = 1
	p := d.passkeyPerson(t, key)
	d.sql(t, `update auth.user_security_keys set counter = 5`)
	key.Keys[0].Counter = 5
	token := p.AccessToken
	rows := func() string {
		return value[string](t, d, `select concat_ws(' ', (select count(*) from auth.users), (select count(*) from auth.user_security_keys), (select count(*) from auth.refresh_tokens), (select max(counter) from auth.user_security_keys))`)
	}
	before := rows()
	cases := 0
	refused := func(t *testing.T, a answer) {
		t.Helper()
		cases++
		if no := a.refusal(t); no.Status != 400 || no.Error != "invalid-request" {
			t.Errorf("%s", a)
		}
		if now := rows(); now != before {
			t.Errorf("something was written: %s, before %s", now, before)
			before = now
		}
	}

	for _, attacks := range []map[string]func(*draft){clientDataAttacks(), creationAttacks(t)} {
		for name, attack := range attacks {
			t.Run("a new key/"+name, func(t *testing.T) {
				liar := device()
				refused(t, d.knock(t, "POST", "/user/webauthn/verify", fields{"credential": d.ask(t, "POST", "/user/webauthn/add", nil, bearer(token)).create(t, liar, attack)}, bearer(token)))
			})
		}
	}
	for _, attacks := range []map[string]func(*draft){clientDataAttacks(), signatureAttacks(t)} {
		for name, attack := range attacks {
			t.Run("a signature/"+name, func(t *testing.T) {
				for _, body := range []fields{{}, {"email": p.email}} {
					options := d.ask(t, "POST", "/signin/webauthn", body)
					refused(t, d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": options.sign(t, key, attack)}))
					key.Keys[0].Counter = 5
				}
				options := d.ask(t, "POST", "/elevate/webauthn", nil, bearer(token))
				refused(t, d.knock(t, "POST", "/elevate/webauthn/verify", fields{"credential": options.sign(t, key, attack)}, bearer(token)))
				key.Keys[0].Counter = 5
			})
		}
	}

	t.Run("a credential of another", func(t *testing.T) {
		// Registered to its owner, it cannot be registered once more, by nobody.
		challenge := d.ask(t, "POST", "/user/webauthn/add", nil, bearer(token))
		thief := device()
		stolen := challenge.create(t, thief, func(f *draft) { f.ID, f.PublicKey = key.Keys[0].ID, key.Keys[0].Public() })
		refused(t, d.knock(t, "POST", "/user/webauthn/verify", fields{"credential": stolen}, bearer(token)))
		up := d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, device(), func(f *draft) { f.ID = key.Keys[0].ID })
		refused(t, d.knock(t, "POST", "/signup/webauthn/verify", fields{"credential": up}))
	})
	t.Run("a challenge of another purpose", func(t *testing.T) {
		for _, c := range []struct{ begin, finish string }{
			{"/signin/webauthn", "/elevate/webauthn/verify"},
			{"/elevate/webauthn", "/signin/webauthn/verify"},
			{"/user/webauthn/add", "/signin/webauthn/verify"},
			{"/user/webauthn/add", "/elevate/webauthn/verify"},
		} {
			challenge, _ := d.ask(t, "POST", c.begin, nil, bearer(token)).is(t, 200, "").object(t)["challenge"].(string)
			signed, err := key.Sign(key.Keys[0], challenge)
			if err != nil {
				t.Fatal(err)
			}
			key.Keys[0].Counter = 5
			refused(t, d.knock(t, "POST", c.finish, fields{"credential": plain(t, signed)}, bearer(token)))
		}
		up := d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, device())
		refused(t, d.knock(t, "POST", "/user/webauthn/verify", fields{"credential": up}, bearer(token)))
		add := d.ask(t, "POST", "/user/webauthn/add", nil, bearer(token)).create(t, device())
		refused(t, d.knock(t, "POST", "/signup/webauthn/verify", fields{"credential": add}))
	})
	t.Run("ids that differ", func(t *testing.T) {
		good := d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)
		key.Keys[0].Counter = 5
		d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": good.with([]string{"rawId"}, softkey.Base64([]byte("other")))}).invalid(t, "credential.rawId")
		d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": good.with([]string{"id"}, softkey.Base64([]byte("other")))}).invalid(t, "credential.rawId")
		d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": good.with([]string{"type"}, "password")}).invalid(t, "credential.type")
		cases += 3
	})
	if cases < 70*2 {
		t.Errorf("only %d attacks", cases)
	}
	// After all that the key still works.
	d.passkeySignIn(t, key, p.email)
	if n := value[int](t, d, `select count(*) from auth.audit_entries where event = 'passkey.cloned' and user_id = $1`, p.User.ID); n != 3*3 {
		t.Errorf("copies of the key were told %d times", n)
	}
	if log := d.Log.String(); strings.Contains(log, "panic") {
		t.Error("something panicked")
	}
}

// TestH17AcrossAccounts lets somebody answer with their own key where another was asked.
func TestH17AcrossAccounts(t *testing.T) {
	t.Parallel()
	d := openDoor(t, passkeysAlone())
	mine, theirs := device(), device()
	me, victim := d.passkeyPerson(t, mine), d.passkeyPerson(t, theirs)
	sign := func(challenge any, change ...func(*draft)) fields {
		signed, err := mine.Sign(mine.Keys[0], fmt.Sprint(challenge), change...)
		if err != nil {
			t.Fatal(err)
		}
		return plain(t, signed)
	}
	no := func(a answer) { t.Helper(); a.refused(t, 400, "invalid-request", "The request payload is incorrect") }

	challenge := d.ask(t, "POST", "/signin/webauthn", fields{"email": victim.email}).object(t)["challenge"]
	no(d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": sign(challenge), "email": victim.email}))
	challenge = d.ask(t, "POST", "/signin/webauthn", nil).object(t)["challenge"]
	no(d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": sign(challenge, func(f *draft) { f.Handle = []byte(victim.User.ID) })}))
	challenge = d.ask(t, "POST", "/signin/webauthn", nil).object(t)["challenge"]
	no(d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": sign(challenge, func(f *draft) { f.ID = theirs.Keys[0].ID; f.Handle = nil })}))
	challenge = d.ask(t, "POST", "/elevate/webauthn", nil, bearer(victim.AccessToken)).object(t)["challenge"]
	no(d.ask(t, "POST", "/elevate/webauthn/verify", fields{"credential": sign(challenge)}, bearer(victim.AccessToken)))
	challenge = d.ask(t, "POST", "/elevate/webauthn", nil, bearer(victim.AccessToken)).object(t)["challenge"]
	no(d.ask(t, "POST", "/elevate/webauthn/verify", fields{"credential": sign(challenge)}, bearer(me.AccessToken)))
	// A key that was asked for by one is not added to another.
	credential := d.ask(t, "POST", "/user/webauthn/add", nil, bearer(me.AccessToken)).create(t, device())
	no(d.ask(t, "POST", "/user/webauthn/verify", fields{"credential": credential}, bearer(victim.AccessToken)))
	if n := value[int](t, d, `select count(*) from auth.user_security_keys`); n != 2 {
		t.Errorf("%d keys", n)
	}
	// What was signed for one's own sign-in is one's own session, whatever address is sent along.
	s := d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": d.ask(t, "POST", "/signin/webauthn", nil).sign(t, mine), "email": victim.email}).session(t)
	if s.User.ID != me.User.ID {
		t.Errorf("signed in as %s", s.User.ID)
	}
}

// TestT09PasskeyAnswersWorkOnce lets a crowd come with one answer, half of it at another replica.
func TestT09PasskeyAnswersWorkOnce(t *testing.T) {
	t.Parallel()
	w := openTwins(t, map[string]string{"AUTH_WEBAUTHN_ENABLED": "true"})
	a := doorway{w.a}
	replicas := []*testhouse.House{w.a, w.b}
	race := func(t *testing.T, path string, body fields, header ...string) (won reply) {
		t.Helper()
		answers, err := parallel(crowdSize, func(i int) (reply, error) {
			return send(t.Context(), replicas[i%2], "POST", path, body, elsewhere(i), header...)
		})
		if err != nil {
			t.Fatal(err)
		}
		winners := 0
		for _, r := range answers {
			switch {
			case r.status == 200:
				winners, won = winners+1, r
			case r.status != 400 || r.refusal != "invalid-request":
				t.Errorf("%s", r)
			}
		}
		if winners != 1 {
			t.Fatalf("%s: %d of %d had it", path, winners, crowdSize)
		}
		return won
	}
	for name, key := range map[string]*softkey.Device{"that counts": securityKey(), "that does not": device()} {
		t.Run("a key "+name, func(t *testing.T) {
			credential := a.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, key)
			s := race(t, "/signup/webauthn/verify", fields{"credential": credential}).session
			race(t, "/signin/webauthn/verify", fields{"credential": a.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)})
			race(t, "/elevate/webauthn/verify", fields{"credential": a.ask(t, "POST", "/elevate/webauthn", nil, bearer(s.AccessToken)).sign(t, key)}, "Authorization", "Bearer "+s.AccessToken)
			race(t, "/user/webauthn/verify", fields{"credential": a.ask(t, "POST", "/user/webauthn/add", nil, bearer(s.AccessToken)).create(t, device())}, "Authorization", "Bearer "+s.AccessToken)
			// The key was added from the session, so the other two of the user ended.
			if n := value[int](t, a, `select count(*) from auth.refresh_tokens where user_id = $1`, s.User.ID); n != 1 {
				t.Errorf("%d sessions", n)
			}
			if n := value[int](t, a, `select count(*) from auth.user_security_keys where user_id = $1`, s.User.ID); n != 2 {
				t.Errorf("%d keys", n)
			}
		})
	}

	// A crowd with many answers of one key, in any order: the counter never goes back.
	key := securityKey()
	a.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": a.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, key)}).session(t)
	bodies := make([]fields, 16)
	for i := range bodies {
		bodies[i] = fields{"credential": a.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)}
	}
	answers, err := parallel(len(bodies), func(i int) (reply, error) {
		return send(t.Context(), replicas[i%2], "POST", "/signin/webauthn/verify", bodies[len(bodies)-1-i], elsewhere(i))
	})
	if err != nil {
		t.Fatal(err)
	}
	in := 0
	for _, r := range answers {
		if r.status == 200 {
			in++
		} else if r.status != 400 {
			t.Errorf("%s", r)
		}
	}
	if n := value[int64](t, a, `select counter from auth.user_security_keys where credential_id = $1`, softkey.Base64(key.Keys[0].ID)); in == 0 || n == 0 || n > 16 {
		t.Errorf("%d got in, the counter is %d", in, n)
	}
}

func TestWeakness02ChallengesAreShared(t *testing.T) {
	t.Parallel()
	w := openTwins(t, map[string]string{"AUTH_WEBAUTHN_ENABLED": "true"})
	answers, err := parallel(128, func(i int) (reply, error) {
		return send(t.Context(), []*testhouse.House{w.a, w.b}[i%2], "POST", "/signin/webauthn", nil, elsewhere(i))
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range answers {
		var o struct{ Challenge string }
		if err := json.Unmarshal([]byte(r.body), &o); err != nil || r.status != 200 || seen[o.Challenge] {
			t.Fatalf("%s", r)
		}
		seen[o.Challenge] = true
	}
	// What begins at one replica ends at the other.
	a, b, key := doorway{w.a}, doorway{w.b}, device()
	credential := a.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, key)
	b.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).session(t)
	a.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": b.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)}).session(t)
}

func TestWeakness03AssertionsAreNotReplayable(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	key := device()
	p := d.passkeyPerson(t, key)
	for path, token := range map[string]string{"/signin/webauthn": "", "/elevate/webauthn": p.AccessToken} {
		var more []with
		if token != "" {
			more = append(more, bearer(token))
		}
		body := fields{"credential": d.ask(t, "POST", path, nil, more...).sign(t, key)}
		d.ask(t, "POST", path+"/verify", body, more...).session(t)
		for range 3 {
			d.ask(t, "POST", path+"/verify", body, more...).refused(t, 400, "invalid-request", "")
		}
		// One that was refused is used up, too.
		options := d.ask(t, "POST", path, nil, more...)
		bad, good := options.sign(t, key, claim("origin", "https://evil.example")), options.sign(t, key)
		d.ask(t, "POST", path+"/verify", fields{"credential": bad}, more...).refused(t, 400, "invalid-request", "")
		d.ask(t, "POST", path+"/verify", fields{"credential": good}, more...).refused(t, 400, "invalid-request", "")
	}
}

func TestWeakness04CountersAreCompared(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	key := securityKey()
	p := d.passkeyPerson(t, key)
	d.passkeySignIn(t, key, p.email)
	copied := *key.Keys[0]
	clone := securityKey()
	clone.Keys = []*softkey.Key{&copied}
	d.passkeySignIn(t, key, p.email)
	credential := d.ask(t, "POST", "/signin/webauthn", fields{"email": p.email}).sign(t, clone)
	d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential}).refused(t, 400, "invalid-request", "")
	detail := value[map[string]any](t, d, `select detail from auth.audit_entries where event = 'passkey.cloned' and user_id = $1`, p.User.ID)
	if detail["stored"] != 3.0 || detail["told"] != 3.0 {
		t.Errorf("the audit log has %v", detail)
	}
	if n := value[int](t, d, `select count(*) from auth.events where type = 'passkey.cloned' and user_id = $1`, p.User.ID); n != 1 {
		t.Errorf("told %d times", n)
	}
	d.passkeySignIn(t, key, p.email) // the owner's goes on
}

func TestWeakness05UserHandles(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	text := func(h []byte) string { return string(h) }
	for name, c := range map[string]struct {
		keep func(id string) []byte
		give func(h []byte) string
	}{
		"UTF-8, as SimpleWebAuthn up to 9 does": {func(id string) []byte { return []byte(id) }, text},
		"base64url, as SimpleWebAuthn from 10 on does": {
			func(id string) []byte { b, _ := base64.RawURLEncoding.DecodeString(id); return b },
			softkey.Base64,
		},
		"the base64url of UTF-8, as browsers do": {func(id string) []byte { return []byte(id) }, softkey.Base64},
		"none":                                   {func(string) []byte { return nil }, text},
		"an empty one":                           {func(string) []byte { return []byte{} }, text},
	} {
		key := device()
		key.Handle, key.Return = c.keep, c.give
		p := d.passkeyPerson(t, key)
		d.passkeySignIn(t, key, "")
		d.passkeySignIn(t, key, p.email)
		if name == "none" {
			credential := d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)
			d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential.with([]string{"response", "userHandle"}, nil)}).session(t)
		}
	}
}

func TestWeakness34PasskeysUnderAPrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/v1", "/user/webauthn/add"} {
		h := testhouse.Open(t, map[string]string{
			"AUTH_API_PREFIX": prefix, "AUTH_REQUIRE_ELEVATED_CLAIM": "required", "AUTH_WEBAUTHN_ENABLED": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
		})
		s := newcomer(t, h)
		key := device()
		add := func() reply {
			return must(t, h, "POST", "/user/webauthn/add", nil, home(), "Authorization", "Bearer "+s.AccessToken)
		}
		made, err := key.Create(add().body)
		if err != nil {
			t.Fatal(err)
		}
		if r := must(t, h, "POST", "/user/webauthn/verify", fields{"credential": made}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 200 {
			t.Errorf("below %s the first key: %s", prefix, r)
		}
		if r := add(); r.status != 403 || r.refusal != "elevated-claim-required" {
			t.Errorf("below %s the second key: %s", prefix, r)
		}
		// The exemption is for adding keys, not for what lies beside it.
		if r := must(t, h, "POST", "/user/email/change", fields{"newEmail": newAddress()}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 403 {
			t.Errorf("below %s: %s", prefix, r)
		}
	}
}

func TestWeakness38TheTimeoutCounts(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, unverified("AUTH_WEBAUTHN_ATTESTATION_TIMEOUT", "20000"), stopped(clock))
	key := device()
	p := d.passkeyPerson(t, key)
	for _, begin := range []string{"/signup/webauthn", "/signin/webauthn", "/elevate/webauthn", "/user/webauthn/add"} {
		var body any
		if begin == "/signup/webauthn" {
			body = fields{"email": newAddress()}
		}
		for _, c := range []struct {
			wait   time.Duration
			status int
		}{{19 * time.Second, 200}, {20 * time.Second, 400}} {
			options := d.ask(t, "POST", begin, body, bearer(p.AccessToken))
			if ms := options.is(t, 200, "").object(t)["timeout"]; ms != 20000.0 {
				t.Fatalf("%s says %v", begin, ms)
			}
			var credential fields
			if strings.HasPrefix(begin, "/sign") && strings.Contains(begin, "up") || strings.HasSuffix(begin, "add") {
				credential = options.create(t, device())
			} else {
				credential = options.sign(t, key)
			}
			clock.Advance(c.wait)
			if a := d.ask(t, "POST", strings.TrimSuffix(begin, "/add")+"/verify", fields{"credential": credential}, bearer(p.AccessToken)); a.status != c.status {
				t.Errorf("after %s: %s", c.wait, a)
			}
		}
	}
	clock.Advance(time.Hour)
	if _, err := d.Store.Sweep(t.Context(), clock.Now(), clock.Now(), clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, d, `select count(*) from auth.tickets`); n != 0 {
		t.Errorf("%d challenges are left", n)
	}
}

func TestWeakness39SignUpOptionsAreMerged(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_LOCALE_ALLOWED_LOCALES", "en,fr,de"))
	first := fields{"displayName": "First", "locale": "fr", "metadata": fields{"n": 1}, "allowedRoles": []any{"me"}, "defaultRole": "me"}
	for name, c := range map[string]struct {
		second fields
		want   string
	}{
		"nothing is said again":    {nil, `First fr {"n": 1} me {me}`},
		"everything is said again": {fields{"displayName": "Second", "locale": "de", "metadata": fields{"n": 2}, "allowedRoles": []any{"me", "user"}, "defaultRole": "user"}, `Second de {"n": 2} user {me,user}`},
		"the name alone":           {fields{"displayName": "Second"}, `Second fr {"n": 1} me {me}`},
		"as hasura-auth-js does":   {fields{"displayName": "First", "nickname": "key", "metadata": fields{"n": 1}}, `First fr {"n": 1} me {me}`},
	} {
		body := fields{"credential": d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress(), "options": first}).create(t, device())}
		if c.second != nil {
			body["options"] = c.second
		}
		s := d.ask(t, "POST", "/signup/webauthn/verify", body).session(t)
		if got := value[string](t, d, `select concat_ws(' ', display_name, locale, metadata::text, default_role, (select array_agg(role order by role) from auth.user_roles where user_id = u.id)::text) from auth.users u where id = $1`, s.User.ID); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	// What is said last is checked like what is said first.
	for id, options := range map[string]fields{"role-not-allowed": {"allowedRoles": []any{"admin"}}, "default-role-must-be-in-allowed-roles": {"defaultRole": "user"}, "redirectTo-not-allowed": {"redirectTo": "https://evil.example"}} {
		credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress(), "options": first}).create(t, device())
		d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential, "options": options}).refused(t, 400, id, "")
	}
}

func TestWeakness40ARepeatedSignUp(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	email := newAddress()
	begin := func(key *softkey.Device) fields {
		return fields{"credential": d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)}
	}
	first, second := begin(device()), begin(device())
	d.ask(t, "POST", "/signup/webauthn/verify", first).session(t)
	before := d.state(t)
	d.ask(t, "POST", "/signup/webauthn/verify", first).refused(t, 400, "invalid-request", "")
	d.sameState(t, before, "the same answer again")
	d.ask(t, "POST", "/signup/webauthn/verify", second).refused(t, 409, "email-already-in-use", "")
	d.ask(t, "POST", "/signup/webauthn/verify", begin(device())).refused(t, 409, "email-already-in-use", "")
	if n := value[int](t, d, `select count(*) from auth.user_security_keys`); n != 1 {
		t.Errorf("%d keys", n)
	}
}

// TestWeakness50StrayMembers sends what clients and browsers write beside what is needed.
func TestWeakness50StrayMembers(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	for name, change := range map[string]func(c fields) fields{
		"nothing more": func(c fields) fields {
			return c.without([]string{"clientExtensionResults"}).without([]string{"authenticatorAttachment"})
		},
		"nulls": func(c fields) fields {
			return c.with([]string{"authenticatorAttachment"}, nil).with([]string{"clientExtensionResults"}, nil).with([]string{"response", "transports"}, nil).with([]string{"response", "publicKey"}, nil).with([]string{"response", "publicKeyAlgorithm"}, nil)
		},
		"extensions": func(c fields) fields {
			return c.with([]string{"clientExtensionResults"}, fields{"appid": true, "credProps": fields{"rk": nil}, "prf": fields{"enabled": true, "results": fields{"first": "x"}}})
		},
		"members to come": func(c fields) fields {
			return c.with([]string{"added", "later"}, 1).with([]string{"response", "more"}, []any{nil, fields{"a": nil}})
		},
		"an attachment to come": func(c fields) fields { return c.with([]string{"authenticatorAttachment"}, "implant") },
		"padding": func(c fields) fields {
			id, _ := c["id"].(string)
			return c.with([]string{"rawId"}, id+"=")
		},
	} {
		key, email := device(), newAddress()
		made := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
		a := d.knock(t, "POST", "/signup/webauthn/verify", fields{"credential": change(made)})
		if a.status != 200 {
			t.Errorf("%s: %s", name, a)
			continue
		}
		credential := change(d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key))
		for _, name := range []string{"transports", "publicKey", "publicKeyAlgorithm"} {
			credential = credential.without([]string{"response", name})
		}
		if a := d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": credential}); a.status != 200 {
			t.Errorf("%s: %s", name, a)
		}
	}
}
