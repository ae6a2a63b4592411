// Proxy stands between real clients and a running server and holds their traffic to the OpenAPI
// document of the Hasura Auth door. It is part of `make conformance`.
//
//	proxy 127.0.0.1:4001 http://127.0.0.1:4000 /v1
//
// What is not as documented is printed at once. At the end it prints what was exercised, and exits
// with 1 if anything was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"postern/docs/openapi"
	"postern/internal/contract"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

// printer is where the contract's failures go.
type printer struct {
	out   io.Writer
	count atomic.Int64
}

// Helper is for tests only.
func (*printer) Helper() {}

// Errorf prints a failure and counts it.
func (p *printer) Errorf(format string, args ...any) {
	p.count.Add(1)
	fmt.Fprintf(p.out, format+"\n", args...)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("wants the address to listen on, the server and the prefix of its API, not %q", args)
	}
	target, err := url.Parse(args[1])
	if err != nil {
		return err
	}
	c, err := contract.Load(openapi.Hasura(), args[2])
	if err != nil {
		return err
	}
	problems := &printer{out: out}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: between(c.For(problems), target, args[2]), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	fmt.Fprint(out, c.String())
	for _, m := range c.Missing() {
		fmt.Fprintln(out, "not exercised:", m)
	}
	if n := problems.count.Load(); n > 0 {
		return fmt.Errorf("%d answers or requests were not as documented", n)
	}
	return nil
}

// between passes everything on as it is, and watches what is below the prefix.
func between(c *contract.Contract, target *url.URL, prefix string) http.Handler {
	var dialers sync.Map // address of a client → its *httputil.ReverseProxy
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		p, ok := dialers.Load(host)
		if !ok {
			p, _ = dialers.LoadOrStore(host, reverse(c, target, prefix, host))
		}
		p.(*httputil.ReverseProxy).ServeHTTP(w, r)
	})
}

// reverse is the way of one client. It dials from the address that the client has, so that the
// server still sees who is who: every address of 127.0.0.0/8 is ours to use.
func reverse(c *contract.Contract, target *url.URL, prefix, client string) *httputil.ReverseProxy {
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
	direct := &http.Transport{DisableCompression: true, DialContext: dialer.DialContext, MaxIdleConnsPerHost: 32}
	watched := c.Watch(direct)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header = r.In.Header.Clone() // forwarded headers too: the server is to judge them
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, prefix+"/") {
				return watched.RoundTrip(r)
			}
			return direct.RoundTrip(r)
		}),
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
