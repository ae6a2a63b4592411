package hasura_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"postern/house"
)

// BenchmarkWebhook answers from memory, through the whole server without a socket.
func BenchmarkWebhook(b *testing.B) {
	d := openDoor(b, unverified(), func(o *house.Options) { o.Log = slog.New(slog.DiscardHandler) })
	p := d.person(b)
	_, pat := d.createPAT(b, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	for name, token := range map[string]string{"access token": p.AccessToken, "personal access token": pat} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1"+hookPath, nil)
					r.Header.Set("Authorization", "Bearer "+token)
					w := httptest.NewRecorder()
					d.Handler.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Errorf("%d %s", w.Code, w.Body)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
