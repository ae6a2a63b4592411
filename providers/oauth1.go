package providers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 5849 has HMAC-SHA1, and Twitter no other
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signer signs requests by OAuth 1.0a (RFC 5849) with HMAC-SHA1.
type signer struct {
	consumerKey, consumerSecret string
	token, tokenSecret          string // of the person, once there are
}

// header is the Authorization header of a request. extra are the protocol's parameters for this
// request alone, such as oauth_callback; form are those of its body.
func (s signer) header(method string, address *url.URL, form url.Values, extra map[string]string, now time.Time) string {
	return s.headerWith(method, address, form, extra, rand.Text(), strconv.FormatInt(now.Unix(), 10))
}

func (s signer) headerWith(method string, address *url.URL, form url.Values, extra map[string]string, nonce, timestamp string) string {
	params := map[string]string{
		"oauth_consumer_key": s.consumerKey, "oauth_nonce": nonce, "oauth_signature_method": "HMAC-SHA1",
		"oauth_timestamp": timestamp, "oauth_version": "1.0",
	}
	if s.token != "" {
		params["oauth_token"] = s.token
	}
	for name, value := range extra {
		params[name] = value
	}
	all := url.Values{}
	for name, value := range params {
		all.Set(name, value)
	}
	params["oauth_signature"] = s.signature(method, address, all, form)
	var list []string
	for name, value := range params {
		list = append(list, fmt.Sprintf(`%s="%s"`, percent(name), percent(value)))
	}
	slices.Sort(list)
	return "OAuth " + strings.Join(list, ", ")
}

// signature is that of a request with all its parameters.
func (s signer) signature(method string, address *url.URL, more ...url.Values) string {
	mac := hmac.New(sha1.New, []byte(percent(s.consumerSecret)+"&"+percent(s.tokenSecret)))
	mac.Write([]byte(signatureBase(method, address, more...)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signatureBase is what is signed (section 3.4.1).
func signatureBase(method string, address *url.URL, more ...url.Values) string {
	type pair struct{ name, value string }
	var pairs []pair
	for _, values := range append([]url.Values{address.Query()}, more...) {
		for name, list := range values {
			for _, value := range list {
				pairs = append(pairs, pair{percent(name), percent(value)})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	joined := make([]string, len(pairs))
	for i, p := range pairs {
		joined[i] = p.name + "=" + p.value
	}
	host := strings.ToLower(address.Host)
	if address.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	base := strings.ToLower(address.Scheme) + "://" + host + address.EscapedPath()
	return strings.ToUpper(method) + "&" + percent(base) + "&" + percent(strings.Join(joined, "&"))
}

// percent encodes as section 3.6 wants it: all but letters, digits and -._~ in capital hexadecimals.
func percent(text string) string {
	const hexadecimals = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexadecimals[c>>4])
		b.WriteByte(hexadecimals[c&15])
	}
	return b.String()
}
