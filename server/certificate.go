package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is the pair of files that the server speaks TLS by. When they are renewed it takes the new
// ones, without a restart; while the new ones are broken it keeps the old. It is safe for concurrent use.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [2]stamp  // of the files, when they were read last
	looked time.Time // at the files
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// OpenCertificate reads the files that the settings name; nil when they name none.
func OpenCertificate(s Settings, log *slog.Logger, now func() time.Time) (*Certificate, error) {
	if !s.TLS() {
		return nil, nil
	}
	c := &Certificate{certFile: s.TLSCertFile, keyFile: s.TLSKeyFile, log: log, now: now}
	c.looked = now()
	if err := c.read(c.stamps()); err != nil {
		return nil, fmt.Errorf("AUTH_TLS_CERT_FILE and AUTH_TLS_KEY_FILE: %w", err)
	}
	return c, nil
}

// Config is how the server speaks TLS.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// current is the pair as the files have it.
func (c *Certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if since := now.Sub(c.looked); since >= 0 && since < lookEvery {
		return c.pair
	}
	c.looked = now
	stamps := c.stamps()
	if stamps == c.seen {
		return c.pair
	}
	if err := c.read(stamps); err != nil {
		c.log.Warn("the files of AUTH_TLS_CERT_FILE and AUTH_TLS_KEY_FILE have changed and cannot be used: the certificate from before stays", slog.String("reason", err.Error()))
	} else {
		c.log.Info("the renewed certificate is in use")
	}
	return c.pair
}

func (c *Certificate) stamps() (s [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// read takes the pair from the files. What cannot be used is not tried again before it changes.
func (c *Certificate) read(seen [2]stamp) error {
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}
