package flow

import (
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/auth"
	"postern/providers"
)

func TestCleanArrivals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ given, want providers.Profile }{
		"as it is":          {providers.Profile{ID: "1", Email: "a@example.com", EmailVerified: true, Name: "Ada", AvatarURL: "https://a.example/x.png"}, providers.Profile{ID: "1", Email: "a@example.com", EmailVerified: true, Name: "Ada", AvatarURL: "https://a.example/x.png"}},
		"no address":        {providers.Profile{ID: "1", EmailVerified: true}, providers.Profile{ID: "1"}},
		"no such address":   {providers.Profile{ID: "1", Email: "a@b@c", EmailVerified: true}, providers.Profile{ID: "1"}},
		"a long name":       {providers.Profile{ID: "1", Name: strings.Repeat("ä", 500)}, providers.Profile{ID: "1", Name: strings.Repeat("ä", 128)}},
		"lines in a name":   {providers.Profile{ID: "1", Name: " Ada\r\n\tLovelace\x00\u202e "}, providers.Profile{ID: "1", Name: "Ada Lovelace"}},
		"a picture of code": {providers.Profile{ID: "1", AvatarURL: "javascript:alert(1)"}, providers.Profile{ID: "1"}},
		"a long picture":    {providers.Profile{ID: "1", AvatarURL: "https://a.example/" + strings.Repeat("x", 2048)}, providers.Profile{ID: "1"}},
	} {
		a := arrival{profile: c.given}
		if err := a.clean(); err != nil || a.profile.ID != c.want.ID || a.profile.Email != c.want.Email || a.profile.EmailVerified != c.want.EmailVerified || a.profile.Name != c.want.Name || a.profile.AvatarURL != c.want.AvatarURL {
			t.Errorf("%s: got %+v, %v, want %+v", name, a.profile, err, c.want)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 256), "a\x00b", "a\nb", "\xff"} {
		a := arrival{profile: providers.Profile{ID: id}}
		if err := a.clean(); auth.CodeOf(err) != auth.ProviderProfile {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}

// FuzzArrivals cleans whatever a provider may say.
func FuzzArrivals(f *testing.F) {
	f.Add("1", "a@example.com", "Ada Lovelace", "https://img.example.com/a.png")
	f.Add("a\x00", "a@b@c", "\u202eAda\r\n", "javascript:alert(1)")
	f.Fuzz(func(t *testing.T, id, email, name, avatar string) {
		a := arrival{profile: providers.Profile{ID: id, Email: email, EmailVerified: true, Name: name, AvatarURL: avatar}}
		if a.clean() != nil {
			return
		}
		p := a.profile
		u, err := url.Parse(p.AvatarURL)
		switch {
		case p.ID == "" || len(p.ID) > 255 || strings.ContainsRune(p.ID, 0) || !utf8.ValidString(p.ID):
			t.Errorf("the id %q", p.ID)
		case p.Email != "" && !ValidEmail(p.Email), p.Email == "" && p.EmailVerified:
			t.Errorf("the address %q, verified %t", p.Email, p.EmailVerified)
		case utf8.RuneCountInString(p.Name) > 128 || strings.IndexFunc(p.Name, unicode.IsControl) >= 0 || !utf8.ValidString(p.Name):
			t.Errorf("the name %q", p.Name)
		case p.AvatarURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http"):
			t.Errorf("the picture %q", p.AvatarURL)
		}
	})
}
