package jshook

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// usualPorts are those that a URL leaves out.
var usualPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}

// splitURL reads an address as browsers do, as far as addresses of services go, and gives its parts as
// JSON: empty when it is none.
func splitURL(text, base string, hasBase bool) string {
	u, err := parseURL(text)
	if hasBase {
		var b *url.URL
		if b, err = parseURL(base); err != nil || b.Scheme == "" {
			return ""
		}
		if u, err = parseURL(text); err == nil {
			u = b.ResolveReference(u)
		}
	}
	if err != nil || u.Scheme == "" {
		return ""
	}
	parts := map[string]any{"protocol": u.Scheme + ":", "username": "", "password": "", "hostname": "", "port": "", "opaque": false, "search": "", "hash": ""}
	usual, special := usualPorts[u.Scheme]
	if special {
		host, ok := cleanHost(u.Hostname())
		if !ok {
			return ""
		}
		port := u.Port()
		if port == usual {
			port = ""
		}
		u.Host = host
		if port != "" {
			u.Host += ":" + port
		}
		if u.Path == "" {
			u.Path = "/"
		}
		parts["hostname"], parts["port"] = host, port
	} else {
		parts["hostname"], parts["port"], parts["opaque"] = u.Hostname(), u.Port(), u.Opaque != "" || u.Host == ""
	}
	if u.User != nil {
		name, word, _ := strings.Cut(u.User.String(), ":")
		parts["username"], parts["password"] = name, word
	}
	parts["pathname"] = u.EscapedPath()
	if u.Opaque != "" {
		parts["pathname"] = u.Opaque
	}
	if u.RawQuery != "" {
		parts["search"] = "?" + u.RawQuery
	}
	if u.Fragment != "" {
		parts["hash"] = "#" + u.EscapedFragment()
	}
	u.ForceQuery = false
	parts["href"] = u.String()
	parts["origin"] = "null"
	if special {
		parts["origin"] = u.Scheme + "://" + u.Host
	}
	return encode(parts)
}

// parseURL forgives what browsers forgive: blanks around, line breaks within, backslashes.
func parseURL(text string) (*url.URL, error) {
	text = strings.Trim(text, " \t\r\n\f\x00")
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(text)
	scheme, rest, found := strings.Cut(text, ":")
	if _, special := usualPorts[strings.ToLower(scheme)]; found && special {
		path, query := rest, ""
		if at := strings.IndexAny(rest, "?#"); at >= 0 {
			path, query = rest[:at], rest[at:]
		}
		path = strings.ReplaceAll(path, `\`, "/")
		if query != "" {
			query = strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E").Replace(query)
		}
		text = scheme + "://" + strings.TrimLeft(path, "/") + query
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "" && u.Opaque == "" && u.Host != "" {
		u.Path, u.RawPath = u.JoinPath().Path, u.JoinPath().RawPath // dots and double dots
	}
	return u, nil
}

// cleanHost writes a host as it is compared.
func cleanHost(host string) (string, bool) {
	if strings.Contains(host, ":") {
		a, err := netip.ParseAddr(host)
		if err != nil || a.Zone() != "" {
			return "", false
		}
		return "[" + a.String() + "]", true
	}
	clean, err := idna.Lookup.ToASCII(strings.ToLower(host))
	if err != nil {
		clean, err = idna.New(idna.MapForLookup(), idna.StrictDomainName(false)).ToASCII(host)
	}
	return clean, err == nil && clean != "" && !strings.ContainsAny(clean, " %<>^|")
}

// encode writes JSON as JavaScript does, which does not care for HTML. What cannot be written is null.
func encode(v any) string {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "null"
	}
	return strings.TrimSuffix(text.String(), "\n")
}
