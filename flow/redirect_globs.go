package flow

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// newGlobs compiles an allow-list in GoTrue's language, in which an entry matches all of an address, its query included: what lies below
// needs /** at the end. A wildcard in the host stays there, so that **.example.com does not match what has that in its path.
func newGlobs(entries []string) (redirects, error) {
	var list redirects
	for _, e := range entries {
		if e == "" {
			continue
		}
		scheme, rest, ok := strings.Cut(e, "://")
		if !ok || !schemePattern.MatchString(scheme) {
			return nil, fmt.Errorf("the entry %q must be an address with a scheme, such as https://app.example.com/**", e)
		}
		host, tail := rest, ""
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			host, tail = rest[:slash], rest[slash:]
		}
		scheme, host = strings.ToLower(scheme), strings.ToLower(host)
		if rest == "**" {
			tail = "**" // everything of the scheme
		}
		switch {
		case host == "":
			return nil, fmt.Errorf("the entry %q must name a host, or have ** in its place", e)
		case strings.ContainsAny(host, "@"):
			return nil, fmt.Errorf("the entry %q must not hold a user name", e)
		case strings.Contains(e, "#"):
			return nil, fmt.Errorf("the entry %q must not hold a fragment, which is not compared", e)
		}
		origin, err := glob(withoutDefaultPort(scheme, host))
		path, err2 := glob(tail)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("the entry %q: %w", e, err)
		}
		list = append(list, redirect{
			origin: regexp.MustCompile(`^` + regexp.QuoteMeta(scheme) + `://(?:` + origin + `)$`),
			path:   regexp.MustCompile(`^(?:` + path + `)$`),
			whole:  true,
		})
	}
	return list, nil
}

// CheckGlobs tells what is wrong with an allow-list in GoTrue's language.
func CheckGlobs(entries []string) error {
	_, err := newGlobs(entries)
	return err
}

// AllowGlobs has links lead, too, to where an allow-list in GoTrue's language says.
func (p *Policy) AllowGlobs(entries []string) error {
	list, err := newGlobs(entries)
	p.redirects = append(p.redirects[:len(p.redirects):len(p.redirects)], list...)
	return err
}
