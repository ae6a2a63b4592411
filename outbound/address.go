package outbound

import "net/netip"

// home says what is not the public internet, and what errors call it. The lists are those of the
// IANA registries of special-purpose addresses, and one address that a cloud answers questions at.
var home = []struct {
	what     string
	networks []netip.Prefix
}{
	{"this machine", prefixes("127.0.0.0/8", "::1/128")},
	{"no particular machine", prefixes("0.0.0.0/8", "::/128")},
	{"a private network", prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")},
	{"the local link, where clouds keep their metadata", prefixes("169.254.0.0/16", "fe80::/10")},
	{"a carrier's private network", prefixes("100.64.0.0/10")},
	{"a cloud's own service", prefixes("168.63.129.16/32")},
	{"a group of machines", prefixes("224.0.0.0/4", "ff00::/8")},
	{"an address inside another", prefixes("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "192.88.99.0/24")},
	{"a range that is kept back", prefixes(
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48")},
}

// worldwide is all of IPv6 that is given to anybody yet.
var worldwide = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, text := range list {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// homely says what kind of address it is when it is not one of the public internet, or nothing.
func homely(a netip.Addr) string {
	if a.Zone() != "" {
		return "the local link, where clouds keep their metadata"
	}
	for _, kind := range home {
		for _, n := range kind.networks {
			if n.Contains(a) {
				return kind.what
			}
		}
	}
	if !a.Is4() && !worldwide.Contains(a) {
		return "a range that is kept back"
	}
	return ""
}
