package outbound

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func guard(t *testing.T, change func(*Settings)) *Guard {
	t.Helper()
	s := Settings{AllowedPorts: []string{"80", "443"}}
	if change != nil {
		change(&s)
	}
	g, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// hostile are URLs that lead, or might lead, to where only this machine can reach.
var hostile = func() []string {
	hosts := []string{
		// this machine
		"127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0:1]",
		// in other notations
		"127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "0177.1", "00000177.0.0.1",
		"127.0.0.1.", "127.0.0.01", "127.000.000.001", "0x7F.0X0.0.0x1", "4294967295", "4294967297", "127.0.0.1%00", "1", "0", "0.0",
		"①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127｡0｡0｡1", "loc\u00adalhost", "ⓛocalhost",
		// nobody in particular
		"0.0.0.0", "0.1.2.3", "[::]", "[0:0:0:0:0:0:0:0]", "[::0]",
		// private networks
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "[fc00::1]", "[fd00::1]", "[fd12:3456:789a::1]", "[fec0::1]",
		"0xa.0.0.1", "012.0.0.1", "167772161", "10.1", "0xc0a80001", "3232235521", "192.168.1",
		// the link, and metadata
		"169.254.169.254", "169.254.0.1", "169.254.170.2", "169.254.170.23", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::a9fe:a9fe]", "[fd00:ec2::254]", "2852039166", "0xa9fea9fe",
		"0251.0376.0251.0376", "169.254.43518", "169.16689662", "0xa9.0xfe.0xa9.0xfe", "100.100.100.200", "192.0.0.192", "168.63.129.16",
		// carriers, tests, benchmarks, groups, the rest
		"100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1",
		"224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[4000::1]",
		// an address inside another
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:10.0.0.1]", "[0:0:0:0:0:ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:0.0.0.0]", "[::ffff:8.8.8.8]",
		"[::127.0.0.1]", "[::7f00:1]", "[::a9fe:a9fe]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]", "[64:ff9b::8.8.8.8]",
		"[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2002:c0a8:1::1]", "[2001:0:7f00:1::]", "[2001:0000:4136:e378:8000:63bf:3fff:fdd2]", "[2001:10::1]", "[2001:2::1]",
	}
	urls := make([]string, 0, 160)
	for _, h := range hosts {
		urls = append(urls, "http://"+h+"/latest/meta-data/")
	}
	return append(urls,
		"https://127.0.0.1/", "https://[::1]:443/", "HTTP://127.0.0.1/", "http://127.0.0.1:80/", "http:\\\\127.0.0.1/", "http:/127.0.0.1/", "http:127.0.0.1", "http:///127.0.0.1", "//127.0.0.1/", "127.0.0.1",
		"file:///etc/passwd", "file://localhost/etc/passwd", "gopher://8.8.8.8/_x", "ftp://8.8.8.8/", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "dict://8.8.8.8:11211/",
		"ldap://8.8.8.8/", "tftp://8.8.8.8/", "ws://8.8.8.8/", "jar:http://8.8.8.8!/", "netdoc:///etc/passwd", "data:text/plain,x", "javascript:alert(1)", "about:blank", "",
		"http://user:password@8.8.8.8/", "http://user@8.8.8.8/", "http://:@8.8.8.8/", "http://8.8.8.8@127.0.0.1/", "http://127.0.0.1#@8.8.8.8/", "http://8.8.8.8%40127.0.0.1/", "http://127.0.0.1\\@8.8.8.8/",
		"http://8.8.8.8:22/", "http://8.8.8.8:25/", "http://8.8.8.8:5432/", "http://8.8.8.8:6379/", "http://8.8.8.8:0/", "http://8.8.8.8:65536/", "http://8.8.8.8:-1/", "http://8.8.8.8:80:80/", "https://8.8.8.8:11211/",
		"http://", "http://?", "http://./", "http://..", "http://a..b/", "http://-/ x", "http://exa mple.com/", "http://example.com\r\nHost: x/", "http://example.com\x00/", "http://*/", "http://[::1", "http://::1/",
		"http://"+strings.Repeat("a", 64)+".example/", "http://"+strings.Repeat("a.", 140)+"example/", "http://example.com/"+strings.Repeat("a", 4096),
	)
}()

// Every name leads to this machine here, numbers in disguise too, as some resolvers have it: what
// passes the look at a URL must not pass the connection.
func TestAddressesThatLeadHomeAreRefused(t *testing.T) {
	t.Parallel()
	if len(hostile) < 140 {
		t.Fatalf("only %d URLs", len(hostile))
	}
	g := guard(t, nil)
	g.resolver = nameServer(t, func(string, int) []string { return []string{"127.0.0.1"} })
	client := g.Client(Limits{Time: 10 * time.Second})
	for _, raw := range hostile {
		_, seen := g.URL(raw)
		if seen == nil && !strings.Contains(raw, "localhost.") {
			t.Errorf("%q is not seen to be wrong", raw)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
		if err != nil {
			continue // it cannot even be asked
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			t.Errorf("%q was asked", raw)
			continue
		}
		var refused *Refused
		if !errors.As(err, &refused) && raw != "" && request.URL.Host != "" {
			if len(raw) < 300 { // the very long one is asked, and has no answer here
				t.Errorf("%q is no refusal: %v", raw, err)
			}
		}
		if strings.Contains(refusal(err), "user:password") || strings.Contains(refusal(err), "meta-data") {
			t.Errorf("%q: the refusal says too much: %v", raw, refused)
		}
	}
}

func refusal(err error) string {
	var refused *Refused
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return ""
}

func TestAddressesThatAreNobodysSecret(t *testing.T) {
	t.Parallel()
	g := guard(t, nil)
	for _, raw := range []string{
		"https://example.com/", "http://example.com", "HTTPS://EXAMPLE.com:443/a?b=c#d", "https://xn--bcher-kva.example/", "https://8.8.8.8/", "http://1.1.1.1:443/", "https://[2606:4700:4700::1111]/",
		"https://a_b.example.com./", "https://1password.com/", "https://127.0.0.1.nip.io/", "https://172.32.0.1/", "https://172.15.255.255/", "https://100.128.0.1/", "https://169.253.0.1/", "https://11.0.0.1/", "https://223.255.255.254/",
		"https://[2001:4860:4860::8888]/", "https://[2a00::1]/",
	} {
		if u, err := g.URL(raw); err != nil || u == nil {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// The first answer of the name server is public, the second is not: what counts is where the
// connection goes.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inside.Close()
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	for name, answers := range map[string][][]string{
		"public, then private":    {{"8.8.8.8"}, {"127.0.0.1"}},
		"both at once":            {{"127.0.0.1", "10.0.0.1"}},
		"v4 in v6":                {{"::ffff:127.0.0.1"}},
		"another home":            {{"::1", "0.0.0.0"}},
		"through NAT64":           {{"64:ff9b::7f00:1"}},
		"to the metadata service": {{"169.254.169.254"}},
	} {
		g := guard(t, func(s *Settings) { s.AllowedPorts = []string{port} })
		var mu sync.Mutex
		asked := 0
		g.resolver = nameServer(t, func(string, int) []string {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return answers[min((asked-1)/2, len(answers)-1)] // A and AAAA are one question
		})
		// Somebody looks the name up, and finds nothing wrong with the first answer.
		first, err := g.resolver.LookupNetIP(t.Context(), "ip", "rebind.example")
		if err != nil || len(first) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		client := g.Client(Limits{Time: 5 * time.Second})
		answer, err := client.Get("http://rebind.example:" + port + "/")
		if err == nil {
			_ = answer.Body.Close()
		}
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reached.Load() {
		t.Error("somebody got in")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		outside := httptest.NewServer(http.RedirectHandler(inside.URL, status))
		client := guard(t, func(s *Settings) { s.AllowedNetworks = []string{"127.0.0.1"} }).Client(Limits{})
		answer, err := client.Post(outside.URL, "text/plain", strings.NewReader("x"))
		if err != nil || answer.StatusCode != status {
			t.Fatalf("%d: %v %v", status, answer, err)
		}
		_ = answer.Body.Close()
		outside.Close()
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

func TestNetworksMayBeExcepted(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
	}))
	defer inside.Close()
	for networks, allowed := range map[string]bool{"127.0.0.0/8": true, "127.0.0.1": true, "10.0.0.0/8": false, "::1/128": false, "": false, "0.0.0.0/0": true} {
		g := guard(t, func(s *Settings) {
			if networks != "" {
				s.AllowedNetworks = []string{"fd00::/8", networks}
			}
		})
		_, seen := g.URL(inside.URL)
		answer, err := g.Client(Limits{}).Get(inside.URL)
		if (err == nil) != allowed || (seen == nil) != allowed {
			t.Errorf("%q: %v, %v", networks, err, seen)
		}
		if err == nil {
			if text, _ := io.ReadAll(answer.Body); string(text) != "identity" {
				t.Errorf("compression %q was asked for", text)
			}
			_ = answer.Body.Close()
		}
	}
	g := guard(t, func(s *Settings) { s.AllowedNetworks = []string{"127.0.0.0/8"} })
	for _, raw := range []string{"http://[::ffff:127.0.0.1]/", "http://127.1/", "http://user:pass@127.0.0.1/", "file://127.0.0.1/", "http://10.0.0.1/"} {
		if _, err := g.URL(raw); err == nil {
			t.Errorf("%q: an excepted network opened more than itself", raw)
		}
	}
	for _, a := range []string{"[fe80::1%eth0]:80", "8.8.8.8:5432", "[::1]:80"} {
		if err := g.Address(netip.MustParseAddrPort(a)); err == nil {
			t.Errorf("%s: allowed", a)
		}
	}
	if err := (&Guard{}).Address(netip.MustParseAddrPort("8.8.8.8:443")); err == nil {
		t.Error("a guard without settings lets through")
	}
}

// Endless, huge, compressed and slow answers end.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		piece := bytes.Repeat([]byte("x"), 64<<10)
		for range 1 << 14 { // a gibibyte
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\n")
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(rw, "X-%d: x\r\n", i); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("\x1f\x8bwhatever is in here stays compressed"))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(over)
	client := guard(t, func(s *Settings) { s.AllowedNetworks = []string{"127.0.0.1"} }).Client(Limits{Time: time.Second, Body: 100_000})
	get := func(path string) (int, error) {
		answer, err := client.Get(server.URL + path)
		if err != nil {
			return 0, err
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		return len(body), err
	}
	if n, err := get("/huge"); !errors.Is(err, ErrTooLarge) || n != 100_000 {
		t.Errorf("huge: %d bytes, %v", n, err)
	}
	if _, err := get("/headers"); err == nil {
		t.Error("endless headers end well")
	}
	if n, err := get("/bomb"); err != nil || n > 100 {
		t.Errorf("compressed: %d bytes, %v", n, err)
	}
	if _, err := get("/slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		networks, ports []string
		problem         string
	}{
		{nil, nil, ""},
		{[]string{"10.0.0.0/8", "fd00::/8", "192.168.1.1", "::1"}, []string{"80", "65535"}, ""},
		{[]string{"10.0.0.0/33"}, nil, "AUTH_OUTBOUND_ALLOWED_NETWORKS"},
		{[]string{"intranet"}, nil, "AUTH_OUTBOUND_ALLOWED_NETWORKS"},
		{[]string{"::ffff:10.0.0.0/104"}, nil, "AUTH_OUTBOUND_ALLOWED_NETWORKS"},
		{[]string{"fe80::1%eth0"}, nil, "AUTH_OUTBOUND_ALLOWED_NETWORKS"},
		{nil, []string{"0"}, "AUTH_OUTBOUND_ALLOWED_PORTS"},
		{nil, []string{"65536"}, "AUTH_OUTBOUND_ALLOWED_PORTS"},
		{nil, []string{"http"}, "AUTH_OUTBOUND_ALLOWED_PORTS"},
	} {
		s := Settings{AllowedNetworks: test.networks, AllowedPorts: test.ports}
		var problems []string
		s.Check(func(env, _ string) { problems = append(problems, env) })
		if got := strings.Join(problems, " "); got != test.problem {
			t.Errorf("%v: problems with %q, want %q", s, got, test.problem)
		}
		if _, err := New(s); (err != nil) != (test.problem != "") {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// nameServer answers each question for an address with what it is told to.
func nameServer(t *testing.T, answer func(name string, family int) []string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := respond(buffer[:n], answer); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func respond(query []byte, answer func(name string, family int) []string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	family := map[dnsmessage.Type]int{dnsmessage.TypeA: 4, dnsmessage.TypeAAAA: 6}[q.Type]
	for _, text := range answer(q.Name.String(), family) {
		a := netip.MustParseAddr(text)
		head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 0}
		switch {
		case family == 4 && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case family == 6 && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// What one part of the guard lets through, the other must not have known to be wrong.
func FuzzURL(f *testing.F) {
	for _, raw := range hostile {
		f.Add(raw)
	}
	f.Add("https://example.com:8443/path?query")
	g, err := New(Settings{AllowedPorts: []string{"80", "443"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.URL(raw)
		if err != nil {
			return
		}
		if u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q passes", raw)
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || g.check(again) != nil {
			t.Errorf("%q is something else when it is written again: %q", raw, u)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			if p := a.As16(); !a.IsGlobalUnicast() || a.IsPrivate() || a.Is4In6() || a.Is4() && binary.BigEndian.Uint32(p[12:])>>24 == 127 {
				t.Errorf("%q passes", raw)
			}
		}
	})
}
