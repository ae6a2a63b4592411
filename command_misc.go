package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"
)

type versionCmd struct{}

// Run says which program this is and what built it.
func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintf(a.stdout, "postern %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

type healthcheckCmd struct {
	URL     string        `help:"What to ask, if not this machine's own server."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Run asks GET /healthz. It ends well if the answer is 200.
func (c healthcheckCmd) Run(ctx context.Context, a *app) error {
	url := c.URL
	if url == "" {
		conf, err := a.config()
		if err != nil {
			return err
		}
		url = conf.Server.Scheme() + "://" + net.JoinHostPort(reachable(conf.Server.Host), strconv.Itoa(conf.Server.Port)) + "/healthz"
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError{err.Error()}
	}
	transport := &http.Transport{Proxy: nil}
	if c.URL == "" {
		// The certificate is for the server's public name, and who signed it may be known to its clients
		// alone. Nothing secret is asked or told here.
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} // #nosec G402 -- for the reason above
	}
	client := &http.Client{Transport: transport}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %s", url, res.Status)
	}
	_, err = fmt.Fprintln(a.stdout, "healthy")
	return err
}

// reachable turns an address to listen on into one to call.
func reachable(host string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}
