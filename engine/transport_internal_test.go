package engine

import (
	"net/http"
	"testing"
)

// TestNoProxyReadsTheSecret sets a proxy as operators do. It cannot be parallel for that.
func TestNoProxyReadsTheSecret(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.example.com:3128")
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
	for address, want := range map[string]bool{"http://hasura.example.com/v1/graphql": false, "https://hasura.example.com/v1/graphql": true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := proxyOf(r)
		if err != nil || (proxy != nil) != want {
			t.Errorf("%s goes by %v, %v", address, proxy, err)
		}
	}
}
