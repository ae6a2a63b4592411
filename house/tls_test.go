package house_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/testcert"
	"postern/internal/testhouse"
)

// spoken is what came of asking the house over a new connection.
type spoken struct {
	status, version int
	serial          int64 // of its certificate
	err             error
}

func look(t *testing.T, url string, with *tls.Config) (s spoken) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: with, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		return spoken{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	s = spoken{status: res.StatusCode, version: res.ProtoMajor}
	if res.TLS != nil {
		s.serial = res.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	return s
}

// TestTLS speaks TLS with a house, renews the certificate under it, and breaks it.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, dir := testcert.New(t), t.TempDir()
	first := ca.Write(t, dir)
	h := testhouse.Open(t, map[string]string{"AUTH_TLS_CERT_FILE": filepath.Join(dir, "cert.pem"), "AUTH_TLS_KEY_FILE": filepath.Join(dir, "key.pem")})
	trusting := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
	serial := func() int64 {
		t.Helper()
		got := look(t, h.URL, trusting)
		if got.status != http.StatusOK || got.version != 2 {
			t.Fatalf("%+v", got)
		}
		return got.serial
	}
	if got := serial(); got != first {
		t.Errorf("certificate %d, want %d", got, first)
	}
	if got := look(t, h.URL, &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}); got.err != nil {
		t.Errorf("TLS 1.2: %v", got.err)
	}
	if got := look(t, h.URL, &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}); got.err == nil { // #nosec G402 -- it must be refused
		t.Error("TLS 1.1 is spoken")
	}
	if got := look(t, h.URL, &tls.Config{MinVersion: tls.VersionTLS12}); got.err == nil {
		t.Error("somebody who does not know the authority trusts the certificate")
	}
	if got := look(t, strings.Replace(h.URL, "https://", "http://", 1), nil); got.err == nil && got.status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", got.status)
	}

	second := ca.Write(t, dir)
	h.Clock.Advance(2 * time.Second)
	if got := serial(); got != second || second == first {
		t.Errorf("after the renewal: certificate %d, want %d", got, second)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.Clock.Advance(2 * time.Second)
		if got := serial(); got != second {
			t.Errorf("while the key is broken: certificate %d, want %d", got, second)
		}
	}
	if n := strings.Count(h.Log.String(), "cannot be used: the certificate from before stays"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(2 * time.Second)
	if got := serial(); got != second {
		t.Errorf("without a key: certificate %d, want %d", got, second)
	}
	third := ca.Write(t, dir)
	h.Clock.Advance(2 * time.Second)
	if got := serial(); got != third {
		t.Errorf("once it is whole again: certificate %d, want %d", got, third)
	}
}
