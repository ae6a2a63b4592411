package dev

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestThePlaygroundIsForThisMachine: the page holds the admin secret, so nobody else gets it.
func TestThePlaygroundIsForThisMachine(t *testing.T) {
	t.Parallel()
	h := Playground(4000, "/graphql", "secret-canary")
	tests := map[string]struct {
		method, path, host, remote string
		header                     map[string]string
		status                     int
	}{
		"a browser here":          {"GET", "/dev/graphql", "localhost:4000", "127.0.0.1:50000", nil, 200},
		"another machine":         {"GET", "/dev/graphql", "localhost:4000", "192.0.2.1:50000", nil, 403},
		"another name for us":     {"GET", "/dev/graphql", "rebound.example:4000", "127.0.0.1:50000", nil, 403},
		"through a proxy":         {"GET", "/dev/graphql", "localhost:4000", "127.0.0.1:50000", map[string]string{"X-Forwarded-For": "192.0.2.1"}, 403},
		"a page of another site":  {"GET", "/dev/graphql", "localhost:4000", "127.0.0.1:50000", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403},
		"a form of another site":  {"POST", "/dev/graphql", "localhost:4000", "127.0.0.1:50000", map[string]string{"Origin": "https://evil.example"}, 403},
		"what there is not below": {"GET", "/dev/graphql/x", "localhost:4000", "127.0.0.1:50000", nil, 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
			r.Host, r.RemoteAddr = tt.host, tt.remote
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			shows := strings.Contains(w.Body.String(), "secret-canary")
			if w.Code != tt.status || shows != (tt.status == http.StatusOK) {
				t.Errorf("status %d, want %d; shows the secret: %v", w.Code, tt.status, shows)
			}
		})
	}
}
