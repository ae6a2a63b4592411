package flow

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"postern/auth"
)

// maxRedirect bounds what is worth parsing; browsers cut addresses at about this length.
const maxRedirect = 2048

// redirects is the list of places that a link may lead to.
type redirects []redirect

// redirect is one entry of the list: an origin, and a path with everything below it.
type redirect struct {
	origin, path *regexp.Regexp
	whole        bool // the path stands for the query, too, and for nothing below
}

// newRedirects compiles the list. The language of the entries is Hasura Auth's: * is any run
// without a dot or slash, ** any run, ? one character, [a-z] one of a class, {a,b} either.
func newRedirects(clientURL string, entries []string) (redirects, error) {
	var list redirects
	for _, e := range append([]string{clientURL}, entries...) {
		if e == "" {
			continue
		}
		scheme, rest, ok := strings.Cut(e, "://")
		if !ok || !schemePattern.MatchString(scheme) {
			return nil, fmt.Errorf("the entry %q must be an address with a scheme, such as https://app.example.com/welcome", e)
		}
		rest, _, _ = strings.Cut(rest, "#")
		host, tail, _ := strings.Cut(rest, "/")
		scheme, host = strings.ToLower(scheme), strings.ToLower(host)
		if host == "" {
			host = "**" // "myapp://" alone stands for the whole scheme
			if scheme == "http" || scheme == "https" {
				return nil, fmt.Errorf("the entry %q must name a host", e)
			}
		}
		if strings.Contains(host, "@") {
			return nil, fmt.Errorf("the entry %q must not hold a user name", e)
		}
		origin, err := glob(host)
		if err != nil {
			return nil, fmt.Errorf("the entry %q: %w", e, err)
		}
		tail = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(tail, "/**"), "/*"), "/")
		if tail == "**" || tail == "*" {
			tail = ""
		}
		if tail != "" {
			tail = "/" + tail
		}
		below, err := glob(tail)
		if err != nil {
			return nil, fmt.Errorf("the entry %q: %w", e, err)
		}
		list = append(list, redirect{
			origin: regexp.MustCompile(`^` + regexp.QuoteMeta(scheme) + `://` + withoutDefaultPort(scheme, origin) + `$`),
			path:   regexp.MustCompile(`^` + below + `(/.*)?$`),
		})
	}
	return list, nil
}

var (
	schemePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$`)
	hostPattern   = regexp.MustCompile(`^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::(0|[1-9][0-9]{0,4}))?$`)
	number        = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)
	dotSegment    = strings.NewReplacer("%2e", ".", "%2E", ".")
)

// defaultPorts are those of the schemes that browsers read in their own way.
var defaultPorts = map[string]string{"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21"}

// withoutDefaultPort drops a port that the scheme implies, as browsers do.
func withoutDefaultPort(scheme, host string) string {
	return strings.TrimSuffix(host, defaultPorts[scheme])
}

// readAlike tells whether a browser reads a host, in lower case, as it stands there. Not so: a port
// with a zero in front, 127.1 and 0x7f000001 and other ways to write 127.0.0.1, an IPv6 address
// that is not in its shortest form, a Punycode label of nothing.
func readAlike(scheme, host string) bool {
	parts := hostPattern.FindStringSubmatch(host)
	if parts == nil {
		return false
	}
	name, port := parts[1], parts[2]
	if n, err := strconv.Atoi(port); err == nil && n > 65535 {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && address.Is6() && "["+address.String()+"]" == name
	}
	if defaultPorts[scheme] == "" {
		return true // to browsers it is only text
	}
	if number.MatchString(name[strings.LastIndexByte(name, '.')+1:]) {
		address, err := netip.ParseAddr(name)
		return err == nil && address.Is4()
	}
	if !strings.Contains(name, "xn--") {
		return true
	}
	again, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(false), idna.StrictDomainName(false)).ToASCII(name)
	return err == nil && again == name
}

// parseAddress normalises an address the way a browser will read it and refuses whatever browsers and
// this parser might read differently: control characters, blanks, backslashes, user names, hosts
// that are not plain ASCII names, characters in the path that must be percent-encoded.
func parseAddress(raw string) (u *url.URL, origin string, err error) {
	if len(raw) > maxRedirect {
		return nil, "", errors.New("too long")
	}
	for _, r := range raw {
		if r <= ' ' || r == '\\' || r == 0x7f || r > 0x7e {
			return nil, "", errors.New("a character that must be percent-encoded")
		}
	}
	u, err = url.Parse(raw)
	if err != nil {
		return nil, "", errors.New("not an address")
	}
	if u.Scheme == "" || u.Host == "" || u.Opaque != "" || u.User != nil {
		return nil, "", errors.New("not an address with a scheme and a host, and no user name")
	}
	authority, path := raw[len(u.Scheme)+len("://"):], ""
	if end := strings.IndexAny(authority, "?#"); end >= 0 {
		authority = authority[:end]
	}
	if end := strings.IndexByte(authority, '/'); end >= 0 {
		authority, path = authority[:end], authority[end:]
	}
	if strings.Contains(authority, "%") {
		return nil, "", errors.New("a host with percent-encoding")
	}
	if u.EscapedPath() != path { // it would be decoded and encoded anew, and %2f become a slash
		return nil, "", errors.New("a path with a character that must be percent-encoded")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Host = strings.ToLower(u.Host)
	if !readAlike(u.Scheme, u.Host) {
		return nil, "", errors.New("a host that is not a plain name")
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "file", "blob", "about":
		return nil, "", errors.New("a scheme that runs or reads something")
	}
	u.Host = withoutDefaultPort(u.Scheme, u.Host)
	return u, u.Scheme + "://" + u.Host, nil
}

// resolvedPath is the path after its dot segments are resolved, %2e read as a dot and empty segments
// kept apart, as the WHATWG URL standard has it.
func resolvedPath(u *url.URL) string {
	p := u.EscapedPath()
	if p == "" {
		return ""
	}
	var kept []string
	segments := strings.Split(p[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch dotSegment.Replace(s) {
		case ".":
			s = ""
			if !last {
				continue
			}
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			s = ""
			if !last {
				continue
			}
		}
		kept = append(kept, s)
	}
	return "/" + strings.Join(kept, "/")
}

// allows tells whether the list has a place for the address.
func (l redirects) allows(raw string) bool {
	u, origin, err := parseAddress(raw)
	if err != nil {
		return false
	}
	p := resolvedPath(u)
	whole := p
	if u.RawQuery != "" || u.ForceQuery {
		whole += "?" + u.RawQuery
	}
	for _, r := range l {
		if r.origin.MatchString(origin) && (r.whole && r.path.MatchString(whole) || !r.whole && r.path.MatchString(p)) {
			return true
		}
	}
	return false
}

// Redirect gives the address that a link leads to: the one asked for, if it is allowed, or the
// application's own.
func (p *Policy) Redirect(asked string) (string, error) {
	if asked == "" {
		return p.ClientURL, nil
	}
	if asked == p.ClientURL || p.redirects.allows(asked) {
		return asked, nil
	}
	return "", fmt.Errorf("%w: %s", auth.RedirectNotAllowed, originOf(asked))
}

// originOf is what the log is told of an address: not its path, which may hold secrets, and not more
// than one line has room for.
func originOf(raw string) string {
	if _, origin, err := parseAddress(raw); err == nil && len(origin) <= 100 {
		return origin
	}
	return "an address that is none"
}

// glob translates a pattern to a regular expression without anchors.
func glob(pattern string) (string, error) {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(`.*`)
			i++
		case c == '*':
			b.WriteString(`[^./]*`)
		case c == '?':
			b.WriteString(`[^./]`)
		case c == '{':
			depth++
			b.WriteString(`(?:`)
		case c == '}' && depth > 0:
			depth--
			b.WriteString(`)`)
		case c == ',' && depth > 0:
			b.WriteString(`|`)
		case c == '[' && !strings.HasPrefix(pattern, "["): // a host that begins with [ is an IPv6 address
			end := strings.IndexByte(pattern[i:], ']')
			if end < 2 {
				return "", errors.New("a [ without its ]")
			}
			class := pattern[i+1 : i+end]
			if class[0] == '!' {
				class = "^./" + class[1:]
			}
			b.WriteString("[" + strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(class) + "]")
			i += end
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if depth > 0 {
		return "", errors.New("a { without its }")
	}
	if _, err := regexp.Compile(b.String()); err != nil {
		return "", errors.New("not a pattern that can be read")
	}
	return b.String(), nil
}

// TrustsOrigin tells whether a web origin belongs to the application: to its own address or to one
// of the allowed redirects.
func (p *Policy) TrustsOrigin(origin string) bool {
	for _, r := range p.redirects {
		if r.origin.MatchString(origin) {
			return true
		}
	}
	return false
}
