package passkeys

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// Settings say for whom passkeys are made and where they may be used.
type Settings struct {
	RPID    string        `env:"AUTH_WEBAUTHN_RP_ID" doc:"Domain that passkeys belong to: the application's own or a parent of it. Passkeys made for one are not offered for another. Empty means the host of AUTH_CLIENT_URL."`
	RPName  string        `env:"AUTH_WEBAUTHN_RP_NAME" doc:"Name of the application, as browsers show it while a passkey is made. Empty means the domain."`
	Origins []string      `env:"AUTH_WEBAUTHN_RP_ORIGINS" doc:"Origins where passkeys may be used, such as https://app.example.com, or android:apk-key-hash:… for an Android application. AUTH_CLIENT_URL is added."`
	Timeout time.Duration `env:"AUTH_WEBAUTHN_ATTESTATION_TIMEOUT" default:"60000" gotrue:"300000" unit:"ms" min:"5s" max:"1h" doc:"How long a person may take to answer their browser's question for a passkey: a challenge is good for as long."`
}

// Check reports what cannot be used.
func (s Settings) Check(report func(env, problem string)) {
	if s.RPID != "" {
		if err := checkRPID(s.RPID); err != nil {
			report("AUTH_WEBAUTHN_RP_ID", err.Error())
		}
	}
	for _, o := range s.Origins {
		if _, err := originOf(o); err != nil {
			report("AUTH_WEBAUTHN_RP_ORIGINS", err.Error())
		}
	}
}

// checkRPID refuses what no browser takes for a relying party.
func checkRPID(id string) error {
	if err := protocol.ValidateRPID(id); err != nil || strings.ContainsAny(id, "/:@ ") {
		return errors.New("must be a domain, such as example.com or localhost: no scheme, no port, no address of digits")
	}
	return nil
}

// originOf reduces an address to its origin, in the form in which browsers write it. Whatever else
// is there (an Android application) stays as it is.
func originOf(address string) (string, error) {
	wrong := fmt.Errorf("must hold origins, such as https://app.example.com, not %q", address)
	if protocol.IsOpaqueOrigin(address) {
		if protocol.IsKnownOpaqueOrigin(address) {
			return address, nil
		}
		return "", wrong
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return "", wrong
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && (scheme != "https" || port != "443") && (scheme != "http" || port != "80") {
		host += ":" + port
	}
	return scheme + "://" + host, nil
}
