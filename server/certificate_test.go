package server_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/testcert"
	"postern/server"
)

func TestTLSSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testcert.New(t).Write(t, dir)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, c := range map[string]struct {
		cert, key string
		half, bad bool
	}{
		"neither":       {"", "", false, false},
		"both":          {cert, key, false, false},
		"no key":        {cert, "", true, false},
		"no cert":       {"", key, true, false},
		"swapped":       {key, cert, false, true},
		"missing files": {cert + "x", key, false, true},
	} {
		s, problem := server.Settings{TLSCertFile: c.cert, TLSKeyFile: c.key, AddressHeader: "X-Forwarded-For"}, ""
		s.Check(func(env, what string) { problem = env + " " + what })
		if half := strings.Contains(problem, "AUTH_TLS_CERT_FILE and AUTH_TLS_KEY_FILE"); half != c.half {
			t.Errorf("%s: %s", name, problem)
		}
		got, err := server.OpenCertificate(s, slog.New(slog.DiscardHandler), time.Now)
		if (err != nil) != c.bad || (got != nil) != (s.TLS() && !c.bad) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "AUTH_TLS_CERT_FILE") || !strings.Contains(err.Error(), "AUTH_TLS_KEY_FILE")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
