package providers_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakeprovider"
	"postern/providers"
)

// trusting lists the providers whose answers have a flag for the address that we believe. Of all
// others no address ever counts as verified, whatever else they send.
var trusting = map[string]bool{
	"apple": true, "azure": true, "azuread": true, "bitbucket": true, "corp": true, "discord": true, "entraid": true,
	"github": true, "google": true, "kakao": true, "keycloak": true, "linkedin": true, "slack": true,
}

// addressless lists the providers that know no addresses.
var addressless = map[string]bool{"snapchat": true, "strava": true}

// withIDToken lists the providers whose sign-in rests on an id token.
var withIDToken = map[string]bool{
	"apple": true, "azure": true, "azuread": true, "corp": true, "entraid": true, "google": true, "keycloak": true, "slack": true,
}

// everyName lists all providers of the table, and the issuer that the operator named.
var everyName = knownNames()

func knownNames() []string {
	table, err := providers.Open(providers.Settings{}, nil, time.Now)
	if err != nil {
		return nil
	}
	return append(table.Known(), "corp")
}

// A row of the table without a fixture is a provider that nothing here tries.
func TestEveryProviderHasAFixture(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	if diff := cmp.Diff(slices.Sorted(slices.Values(everyName)), fake.Names()); diff != "" {
		t.Errorf("providers of the table and fixtures of internal/fakeprovider (-table +fixtures):\n%s", diff)
	}
}

func TestSignInAtEveryProvider(t *testing.T) {
	t.Parallel()
	for _, name := range everyName {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			p := find(t, open(t, fake, fake.Env(name)), name)
			c, back := visit(t, fake, p, start)
			if posts := back.Form != nil; posts != (name == "apple") {
				t.Errorf("posts back: %v", posts)
			}
			if got := back.Values().Get("state"); got != start.State {
				t.Errorf("state %q came back, want %q", got, start.State)
			}
			got, tokens, err := p.Finish(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(got.Raw) || !strings.Contains(string(got.Raw), "1001") || strings.Contains(string(got.Raw), "the-nonce") {
				t.Errorf("raw profile %s", got.Raw)
			}
			got.Raw = nil
			want := providers.Profile{ID: "1001", Email: "ada@example.com", EmailVerified: trusting[name], Name: "Ada Lovelace", AvatarURL: "https://img.example.com/ada.png"}
			if addressless[name] {
				want.Email = ""
			}
			switch name {
			case "apple", "azure", "azuread", "entraid", "fly", "windowslive", "workos":
				want.AvatarURL = ""
			case "discord":
				want.AvatarURL = "https://cdn.discordapp.com/avatars/1001/a_abc.gif"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("profile (-want +got):\n%s", diff)
			}
			if name == "twitter" {
				if tokens != (providers.Tokens{}) {
					t.Errorf("tokens %+v, want none", tokens)
				}
				return
			}
			if !strings.HasPrefix(tokens.Access, "access-") || !strings.HasPrefix(tokens.Refresh, "refresh-") || time.Until(tokens.ExpiresAt) < 59*time.Minute {
				t.Errorf("tokens %+v", tokens)
			}
			if _, _, err := p.Finish(t.Context(), c); !errors.Is(err, providers.ErrExchange) {
				t.Errorf("the same code again: %v, want ErrExchange", err)
			}
		})
	}
}

// flags are the ways to say that an address is verified. One of them counts.
var flags = []struct {
	name  string
	value any
	true  bool
}{
	{"verified", true, true},
	{"unverified", false, false},
	{"missing", fakeprovider.Missing, false},
	{"string true", "true", false},
	{"string false", "false", false},
	{"other string", "yes", false},
	{"one", 1, false},
	{"zero", 0, false},
	{"null", nil, false},
	{"list", []any{true}, false},
	{"object", map[string]any{"value": true}, false},
}

func TestT01OnlyTheProvidersOwnWordMakesAnAddressVerified(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(v any) bool { _, isBool := v.(bool); return isBool })
}

func TestT02FlagsOfAWrongTypeAreFalse(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(v any) bool { _, isBool := v.(bool); return !isBool && v != fakeprovider.Missing })
}

func TestWeakness10ProviderAddressesAreNotVerifiedForBeingThere(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(v any) bool { return v == fakeprovider.Missing })
}

// eachFlag tries some of the flags at each provider.
func eachFlag(t *testing.T, some func(value any) bool) {
	t.Helper()
	for _, name := range everyName {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			p := find(t, open(t, fake, fake.Env(name)), name)
			for _, f := range flags {
				if !some(f.value) {
					continue
				}
				fake.Be(fakeprovider.Person{ID: "7", Email: "eve@example.com", Name: "Eve", Verified: f.value})
				got, _, err := signIn(t, fake, p)
				if err != nil {
					t.Fatalf("%s: %v: a strange flag is no reason to refuse", f.name, err)
				}
				want := f.true && trusting[name] || name == "apple" && f.name == "string true"
				if got.EmailVerified != want {
					t.Errorf("%s: verified %v, want %v", f.name, got.EmailVerified, want)
				}
				if !addressless[name] && got.Email != "eve@example.com" {
					t.Errorf("%s: address %q", f.name, got.Email)
				}
			}
		})
	}
}

// What a provider must not get away with sending as a profile.
func TestT01MalformedProfiles(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 300)
	tests := []struct {
		name    string
		person  fakeprovider.Person
		refused bool
		want    providers.Profile // of its parts that are asked about
	}{
		{"no id", fakeprovider.Person{ID: fakeprovider.Missing, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"null id", fakeprovider.Person{ID: nil, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"empty id", fakeprovider.Person{ID: "", Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"blank id", fakeprovider.Person{ID: "  ", Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"zero id", fakeprovider.Person{ID: 0, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"broken id", fakeprovider.Person{ID: 1.5, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"true as id", fakeprovider.Person{ID: true, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"list as id", fakeprovider.Person{ID: []any{"1"}, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"huge id", fakeprovider.Person{ID: huge, Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"id with a line break", fakeprovider.Person{ID: "1\n2", Email: "a@example.com", Verified: true}, true, providers.Profile{}},
		{"number as id", fakeprovider.Person{ID: 12345678901234567, Email: "a@example.com"}, false, providers.Profile{ID: "12345678901234567", Email: "a@example.com"}},
		{"no address", fakeprovider.Person{ID: "1", Verified: true}, false, providers.Profile{ID: "1"}},
		{"huge address", fakeprovider.Person{ID: "1", Email: huge + "@example.com", Verified: true}, false, providers.Profile{ID: "1"}},
		{"address that is none", fakeprovider.Person{ID: "1", Email: "nobody", Verified: true}, false, providers.Profile{ID: "1"}},
		{"address with a line break", fakeprovider.Person{ID: "1", Email: "a@example.com\r\nBcc: b@example.com", Verified: true}, false, providers.Profile{ID: "1"}},
		{"bad picture", fakeprovider.Person{ID: "1", Avatar: "javascript:alert(1)"}, false, providers.Profile{ID: "1"}},
		{"huge name", fakeprovider.Person{ID: "1", Name: strings.Repeat("ä", 3000)}, false, providers.Profile{ID: "1", Name: strings.Repeat("ä", 127)}},
		{"name with control characters", fakeprovider.Person{ID: "1", Name: "A\x00d\x1ba\r\nX"}, false, providers.Profile{ID: "1", Name: "A d a X"}},
	}
	for _, name := range everyName {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			p := find(t, open(t, fake, fake.Env(name)), name)
			for _, tt := range tests {
				fake.Be(tt.person)
				got, tokens, err := signIn(t, fake, p)
				if _, number := tt.person.ID.(int); number && err != nil && withIDToken[name] {
					continue // the subject of an id token is a string, and nothing else
				}
				if (err != nil) != tt.refused || tt.refused && !errors.Is(err, providers.ErrProfile) {
					t.Errorf("%s: error %v, refused should be %v", tt.name, err, tt.refused)
					continue
				}
				if tt.refused {
					if got.ID != "" || tokens != (providers.Tokens{}) {
						t.Errorf("%s: refused, and yet %+v %+v", tt.name, got, tokens)
					}
					continue
				}
				if got.ID != tt.want.ID || got.Name != tt.want.Name && name != "discord" && tt.want.Name != "" {
					t.Errorf("%s: id %q name %q, want %q and %q", tt.name, got.ID, got.Name, tt.want.ID, tt.want.Name)
				}
				if want := tt.want.Email; !addressless[name] && got.Email != want {
					other := map[string]string{"github": "second@example.com", "bitbucket": "second@example.com"}[name]
					if want != "" || got.Email != other || tt.person.Email != "" {
						t.Errorf("%s: address %q, want %q", tt.name, got.Email, want)
					}
				}
				if got.Email == "" && got.EmailVerified {
					t.Errorf("%s: no address, and it is verified", tt.name)
				}
				if got.AvatarURL != "" && !strings.HasPrefix(got.AvatarURL, "https://") {
					t.Errorf("%s: picture %q", tt.name, got.AvatarURL)
				}
			}
		})
	}
}

// Endpoints that answer anything but what they should.
func TestProvidersThatMisbehave(t *testing.T) {
	t.Parallel()
	secret := "s3cret-of-the-answer"
	tests := []struct {
		name   string
		role   fakeprovider.Role
		answer fakeprovider.Answer
		want   error
	}{
		{"token: not JSON", fakeprovider.Token, fakeprovider.Answer{Body: secret}, providers.ErrExchange},
		{"token: empty", fakeprovider.Token, fakeprovider.Answer{Body: `{}`}, providers.ErrExchange},
		{"token: 500", fakeprovider.Token, fakeprovider.Answer{Status: 500, Body: secret}, providers.ErrExchange},
		{"token: refused", fakeprovider.Token, fakeprovider.Answer{Status: 400, Body: `{"error":"invalid_grant","error_description":"` + secret + `"}`}, providers.ErrExchange},
		{"token: a secret as error code", fakeprovider.Token, fakeprovider.Answer{Status: 400, Body: `{"error":"` + secret + ` !"}`}, providers.ErrExchange},
		{"token: redirect", fakeprovider.Token, fakeprovider.Answer{Status: 307, Header: map[string][]string{"Location": {"/elsewhere?" + secret}}}, providers.ErrExchange},
		{"token: huge", fakeprovider.Token, fakeprovider.Answer{Body: `{"access_token":"` + strings.Repeat("a", 2<<20) + `"}`}, providers.ErrExchange},
		{"profile: not JSON", fakeprovider.Userinfo, fakeprovider.Answer{Body: "<html>" + secret}, providers.ErrProfile},
		{"profile: empty", fakeprovider.Userinfo, fakeprovider.Answer{}, providers.ErrProfile},
		{"profile: a list", fakeprovider.Userinfo, fakeprovider.Answer{Body: `[{"id":"1"}]`}, providers.ErrProfile},
		{"profile: null", fakeprovider.Userinfo, fakeprovider.Answer{Body: `null`}, providers.ErrProfile},
		{"profile: two", fakeprovider.Userinfo, fakeprovider.Answer{Body: `{"id":"1"}{"id":"2"}`}, providers.ErrProfile},
		{"profile: 401", fakeprovider.Userinfo, fakeprovider.Answer{Status: 401, Body: secret}, providers.ErrProfile},
		{"profile: 500", fakeprovider.Userinfo, fakeprovider.Answer{Status: 500, Body: secret}, providers.ErrProfile},
		{"profile: redirect", fakeprovider.Userinfo, fakeprovider.Answer{Status: 302, Header: map[string][]string{"Location": {"http://169.254.169.254/"}}}, providers.ErrProfile},
		{"profile: huge", fakeprovider.Userinfo, fakeprovider.Answer{Body: `{"id":"` + strings.Repeat("1", 2<<20) + `"}`}, providers.ErrProfile},
		{"addresses: 500", fakeprovider.Emails, fakeprovider.Answer{Status: 500, Body: secret}, providers.ErrProfile},
		{"addresses: not JSON", fakeprovider.Emails, fakeprovider.Answer{Body: secret}, providers.ErrProfile},
		{"keys: 500", fakeprovider.Keys, fakeprovider.Answer{Status: 500, Body: secret}, providers.ErrProfile},
		{"keys: huge", fakeprovider.Keys, fakeprovider.Answer{Body: `{"keys":[` + strings.Repeat(`{"kty":"oct"},`, 200000) + `{}]}`}, providers.ErrProfile},
	}
	uses := func(t *testing.T, fake *fakeprovider.Server, name string, role fakeprovider.Role) bool {
		t.Helper()
		before := fake.Seen(role)
		_, _, err := signIn(t, fake, find(t, open(t, fake, fake.Env(name)), name))
		return err == nil && fake.Seen(role) > before
	}
	for _, name := range everyName {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			for _, tt := range tests {
				if !uses(t, fake, name, tt.role) {
					continue
				}
				p := find(t, open(t, fake, fake.Env(name)), name)
				c, _ := visit(t, fake, p, start)
				fake.Answer(tt.role, tt.answer)
				got, _, err := p.Finish(t.Context(), c)
				fake.Recover(tt.role)
				if !errors.Is(err, tt.want) || got.ID != "" {
					t.Errorf("%s: %+v, %v, want %v", tt.name, got, err, tt.want)
				}
				if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), c.Values.Get("code")) && c.Values.Has("code")) {
					t.Errorf("%s: a secret is in the error: %v", tt.name, err)
				}
			}
		})
	}
}

// What is kept of a profile goes into a jsonb column, which does not take everything.
func TestProfilesCanBeStored(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("github")), "github")
	for name, more := range map[string]string{
		"character 0":       `"x":"a\u0000b","y\u0000":1`,
		"boundless number":  `"x":1e400000`,
		"boxes":             `"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"a large profile":   `"x":"` + strings.Repeat("x", 100<<10) + `"`,
		"half a character":  `"x":"\ud800"`,
		"a member repeated": `"x":1,"x":2`,
	} {
		fake.Answer(fakeprovider.Userinfo, fakeprovider.Answer{Body: `{"id":1001,` + more + `}`})
		got, _, err := signIn(t, fake, p)
		if err != nil || got.ID != "1001" || !json.Valid(got.Raw) || len(got.Raw) > 64<<10 ||
			strings.Contains(string(got.Raw), `\u0000`) || strings.Contains(string(got.Raw), "e400000") || strings.Contains(string(got.Raw), strings.Repeat("[", 40)) {
			t.Errorf("%s: %.200s, %v", name, got.Raw, err)
		}
	}
	fake.Recover(fakeprovider.Userinfo)
	c, _ := visit(t, fake, p, start)
	fake.Answer(fakeprovider.Token, fakeprovider.Answer{Body: `{"access_token":"` + strings.Repeat("a", 40<<10) + `"}`})
	if _, _, err := p.Finish(t.Context(), c); !errors.Is(err, providers.ErrExchange) {
		t.Errorf("an endless token: %v, want ErrExchange", err)
	}
}

// The addresses of GitHub may be out of reach; then the one of the profile is all there is, and
// says nothing.
func TestGitHubWithoutItsAddresses(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("github")), "github")
	for _, status := range []int{403, 404} {
		fake.Answer(fakeprovider.Emails, fakeprovider.Answer{Status: status, Body: `{"message":"Not Found"}`})
		got, _, err := signIn(t, fake, p)
		if err != nil || got.Email != "public@example.com" || got.EmailVerified {
			t.Errorf("%d: %+v, %v, want the public address, not verified", status, got, err)
		}
	}
}

// Nobody's word but the primary address's own counts for it.
func TestWeakness10ThePrimaryAddressIsTaken(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"github", "bitbucket"} {
		fake := fakeprovider.New(t)
		p := find(t, open(t, fake, fake.Env(name)), name)
		fake.Be(fakeprovider.Person{ID: "1", Email: "mine@example.com", Verified: false})
		got, _, err := signIn(t, fake, p)
		if err != nil || got.Email != "mine@example.com" || got.EmailVerified {
			t.Errorf("%s: %+v, %v: want the primary address, not verified, though another one is", name, got, err)
		}
	}
}

func TestMicrosoftsFlagIsAboutTheVeryAddress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"azuread", "entraid"} {
		fake := fakeprovider.New(t)
		p := find(t, open(t, fake, fake.Env(name)), name)
		fake.Be(fakeprovider.Person{ID: "1", Email: "mine@example.com", Verified: true, Claims: map[string]any{"email": "other@example.com"}})
		got, _, err := signIn(t, fake, p)
		if err != nil || got.Email != "mine@example.com" || got.EmailVerified {
			t.Errorf("%s: %+v, %v: want it not verified: the flag was about another address", name, got, err)
		}
		fake.Be(fakeprovider.Person{ID: "1", Verified: true, Claims: map[string]any{"email": nil}})
		if got, _, err = signIn(t, fake, p); err != nil || got.Email != "" {
			t.Errorf("%s: %+v, %v: want no address: a user principal name is none", name, got, err)
		}
	}
}

func TestPersonsWhoSayNo(t *testing.T) {
	t.Parallel()
	for _, name := range everyName {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			p := find(t, open(t, fake, fake.Env(name)), name)
			fake.Be(fakeprovider.Person{ID: "1", Deny: true})
			_, _, err := signIn(t, fake, p)
			var refused *providers.Refused
			if !errors.As(err, &refused) || refused.Code != "access_denied" {
				t.Errorf("error %v, want the refusal access_denied", err)
			}
			if fake.Seen(fakeprovider.Token) != 0 {
				t.Error("tokens were asked for all the same")
			}
		})
	}
}
