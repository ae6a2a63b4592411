package providers

import (
	"net/url"
	"testing"
)

// The examples of RFC 5849 (sections 1.2 and 3.4.1.1, with the erratum about the body's order) and
// of Twitter's own page on signatures.
func TestOAuth1Vectors(t *testing.T) {
	t.Parallel()
	t.Run("RFC 5849 section 3.4.1.1", func(t *testing.T) {
		t.Parallel()
		address := parseURL(t, "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b")
		form := url.Values{"c2": {""}, "a3": {"2 q"}}
		oauth := url.Values{
			"oauth_consumer_key": {"9djdj82h48djs9d2"}, "oauth_token": {"kkk9d7dh3k39sjv7"}, "oauth_signature_method": {"HMAC-SHA1"},
			"oauth_timestamp": {"137131201"}, "oauth_nonce": {"7d8f3e4a"},
		}
		want := "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
		if got := signatureBase("post", address, form, oauth); got != want {
			t.Errorf("base string\n%s, want\n%s", got, want)
		}
	})
	t.Run("RFC 5849 section 1.2, token", func(t *testing.T) {
		t.Parallel()
		s := signer{consumerKey: "dpf43f3p2l4k3l03", consumerSecret: "kd94hf93k423kf44", token: "hh5s93j4hdidpola", tokenSecret: "hdhd0244k9j7ao03"}
		oauth := url.Values{
			"oauth_consumer_key": {"dpf43f3p2l4k3l03"}, "oauth_token": {"hh5s93j4hdidpola"}, "oauth_signature_method": {"HMAC-SHA1"},
			"oauth_timestamp": {"137131201"}, "oauth_nonce": {"walatlh"}, "oauth_verifier": {"hfdp7dh39dks9884"},
		}
		if got, want := s.signature("POST", parseURL(t, "https://photos.example.net/token"), oauth), "gKgrFCywp7rO0OXSjdot/IHF7IU="; got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
	})
	t.Run("RFC 5849 section 1.2, photo", func(t *testing.T) {
		t.Parallel()
		s := signer{consumerKey: "dpf43f3p2l4k3l03", consumerSecret: "kd94hf93k423kf44", token: "nnch734d00sl2jdk", tokenSecret: "pfkkdhi9sl3r4s00"}
		oauth := url.Values{
			"oauth_consumer_key": {"dpf43f3p2l4k3l03"}, "oauth_token": {"nnch734d00sl2jdk"}, "oauth_signature_method": {"HMAC-SHA1"},
			"oauth_timestamp": {"137131202"}, "oauth_nonce": {"chapoH"},
		}
		if got, want := s.signature("GET", parseURL(t, "http://photos.example.net/photos?file=vacation.jpg&size=original"), oauth), "MdpQcU8iPSUjWoN/UDMsK2sui9I="; got != want {
			t.Errorf("signature %s, want %s", got, want)
		}
	})
	t.Run("Twitter", func(t *testing.T) {
		t.Parallel()
		s := signer{
			consumerKey: "xvz1evFS4wEEPTGEFPHBog", consumerSecret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
			token: "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", tokenSecret: "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
		}
		got := s.headerWith("POST", parseURL(t, "https://api.twitter.com/1.1/statuses/update.json?include_entities=true"),
			url.Values{"status": {"Hello Ladies + Gentlemen, a signed OAuth request!"}}, nil, "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", "1318622958")
		want := `OAuth oauth_consumer_key="xvz1evFS4wEEPTGEFPHBog", oauth_nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1318622958", oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", oauth_version="1.0"`
		if got != want {
			t.Errorf("header\n%s, want\n%s", got, want)
		}
	})
}

func TestPercentEncoding(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Ladies + Gentlemen": "Ladies%20%2B%20Gentlemen", "An encoded string!": "An%20encoded%20string%21",
		"Dogs, Cats & Mice": "Dogs%2C%20Cats%20%26%20Mice", "☃": "%E2%98%83", "-._~": "-._~", "": "",
	} {
		if got := percent(text); got != want {
			t.Errorf("percent(%q) = %q, want %q", text, got, want)
		}
	}
}

func parseURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
