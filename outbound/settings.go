package outbound

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Settings say where requests may go whose address somebody other than the operator chose.
type Settings struct {
	AllowedNetworks []string `env:"AUTH_OUTBOUND_ALLOWED_NETWORKS" doc:"Networks such as 10.0.0.0/8 that requests may go to although they are private, when the address came through an API (the scripts of hooks, receivers of events) or out of a browser (AUTH_OAUTH2_PROVIDER_CIMD_ENABLED: by any stranger): those that the programs to be asked are in, and no more. All ports of them may be asked. Addresses in settings are the operator's own, and go anywhere without this."`
	AllowedPorts    []string `env:"AUTH_OUTBOUND_ALLOWED_PORTS" default:"80,443,8080,8443" doc:"Ports of public addresses that such requests may go to."`
}

// Check reports networks and ports that are none.
func (s Settings) Check(report func(env, problem string)) {
	if _, err := parseNetworks(s.AllowedNetworks); err != nil {
		report("AUTH_OUTBOUND_ALLOWED_NETWORKS", err.Error())
	}
	if _, err := parsePorts(s.AllowedPorts); err != nil {
		report("AUTH_OUTBOUND_ALLOWED_PORTS", err.Error())
	}
}

// parseNetworks reads networks and single addresses.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		text = strings.TrimSpace(text)
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			a = a.Unmap()
			networks = append(networks, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil || n.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is no network such as 10.0.0.0/8 or fd00::/8", text)
		}
		networks = append(networks, n.Masked())
	}
	return networks, nil
}

func parsePorts(list []string) ([]uint16, error) {
	ports := make([]uint16, 0, len(list))
	for _, text := range list {
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%q is no port", text)
		}
		ports = append(ports, uint16(n))
	}
	return ports, nil
}
