package httphook

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// local are the hosts that Supabase's hooks may be asked at without TLS.
var local = []string{"localhost", "127.0.0.1", "::1", "host.docker.internal"}

// ParseAddress reads the address of somebody to be asked. Without TLS it must be on this machine,
// unless the operator says otherwise. The error repeats nothing of the address: it may have a password in it.
func ParseAddress(text string, withoutTLS bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is no URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it does not begin with https://")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("it names no host")
	case u.Scheme == "http" && !withoutTLS && !slices.Contains(local, strings.ToLower(u.Hostname())):
		return nil, errors.New("it must begin with https://; http:// is for " + strings.Join(local[:len(local)-1], ", ") + " and " + local[len(local)-1])
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
