package dev

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// T-48: development servers check Host and Origin and talk to this machine alone.
func TestT48DevelopmentPagesAnswerThisMachineAlone(t *testing.T) {
	t.Parallel()
	const port = 4000
	guarded := Guard(port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	for _, test := range []struct {
		name, method, peer, host string
		header                   http.Header
		want                     int
	}{
		{"curl on this machine", "GET", "127.0.0.1:5000", "localhost:4000", nil, 200},
		{"by address", "GET", "127.0.0.1:5000", "127.0.0.1:4000", nil, 200},
		{"by the other address", "GET", "[::1]:5000", "[::1]:4000", nil, 200},
		{"IPv4 on an IPv6 socket", "GET", "[::ffff:127.0.0.1]:5000", "LOCALHOST:4000", nil, 200},
		{"our own page", "DELETE", "127.0.0.1:5000", "localhost:4000", h("Origin", "http://localhost:4000", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"), 200},
		{"a link on another page", "GET", "127.0.0.1:5000", "localhost:4000", h("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"), 200},
		{"typed into the browser", "GET", "127.0.0.1:5000", "localhost:4000", h("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), 200},

		{"another machine", "GET", "192.0.2.7:5000", "localhost:4000", nil, 403},
		{"a neighbour on the network", "GET", "192.168.1.7:5000", "192.168.1.2:4000", nil, 403},
		{"no peer", "GET", "", "localhost:4000", nil, 403},
		{"a name bound to this machine by its owner", "GET", "127.0.0.1:5000", "evil.example:4000", nil, 403},
		{"such a name that looks like ours", "GET", "127.0.0.1:5000", "localhost.evil.example:4000", nil, 403},
		{"such a name that looks like an address", "GET", "127.0.0.1:5000", "127.0.0.1.evil.example:4000", nil, 403},
		{"such a name with our trailing dot", "GET", "127.0.0.1:5000", "localhost.:4000", nil, 403},
		{"the address of all interfaces", "GET", "127.0.0.1:5000", "0.0.0.0:4000", nil, 403},
		{"another port", "GET", "127.0.0.1:5000", "localhost:4001", nil, 403},
		{"no port", "GET", "127.0.0.1:5000", "localhost", nil, 403},
		{"no host", "GET", "127.0.0.1:5000", "", nil, 403},
		{"a user in the host", "GET", "127.0.0.1:5000", "localhost:4000@evil.example:4000", nil, 403},
		{"a page of another origin", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", "https://evil.example"), 403},
		{"an application on another port", "DELETE", "127.0.0.1:5000", "localhost:4000", h("Origin", "http://localhost:3000"), 403},
		{"the same with https", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", "https://localhost:4000"), 403},
		{"a page without an origin", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", "null"), 403},
		{"an empty origin", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", ""), 403},
		{"two origins", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", "http://localhost:4000", "Origin", "https://evil.example"), 403},
		{"an origin with our name in its user part", "GET", "127.0.0.1:5000", "localhost:4000", h("Origin", "http://localhost:4000@evil.example"), 403},
		{"a picture on another page", "GET", "127.0.0.1:5000", "localhost:4000", h("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), 403},
		{"a script of an application here", "GET", "127.0.0.1:5000", "localhost:4000", h("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"), 403},
		{"a form of another page", "POST", "127.0.0.1:5000", "localhost:4000", h("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"), 403},
		{"a tunnel", "GET", "127.0.0.1:5000", "localhost:4000", h("X-Forwarded-For", "203.0.113.9"), 403},
		{"a proxy", "GET", "127.0.0.1:5000", "localhost:4000", h("Forwarded", "for=203.0.113.9"), 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), test.method, "/dev/inbox", http.NoBody)
			r.RemoteAddr, r.Host = test.peer, test.host
			for name, values := range test.header {
				r.Header[name] = values
			}
			w := httptest.NewRecorder()
			guarded.ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("got %d, want %d", w.Code, test.want)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("headers: %v", w.Header())
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("another origin may read it")
			}
		})
	}
}
