package hasura

import (
	"net/url"
	"testing"
)

// FuzzCutTarget cuts addresses off queries. What is cut is the end of the query as it was; and whatever
// is encoded, or stands elsewhere, is left to be decoded as any parameter is.
func FuzzCutTarget(f *testing.F) {
	for _, seed := range []string{
		"token=a&type=signup&redirect_to=https://app.example.com/x?a=1&b=2", "token=a&type=signup&redirect_to=https%3A%2F%2Fapp.example.com",
		"redirect_to=https://a&token=b&type=c", "token=a&redirect_to=https://a&type=b", "token=a&type=b&redirect_to=https://a&redirect_to=https://b",
		"token=%zz&type=b&redirect_to=https://a", "&redirect_to=x://", "token&type&redirect_to=javascript:alert(1)", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rest, target := cutTarget(query)
		if target == "" {
			if rest != query {
				t.Fatalf("%q became %q", query, rest)
			}
			return
		}
		if rest+"&redirect_to="+target != query {
			t.Fatalf("%q fell apart into %q and %q", query, rest, target)
		}
		if q, err := url.ParseQuery(rest); err != nil || !q.Has("token") || !q.Has("type") {
			t.Fatalf("%q was cut, though %q is no link", query, rest)
		}
		if !plainAddress.MatchString(target) {
			t.Fatalf("%q was cut off as it is", target)
		}
	})
}
