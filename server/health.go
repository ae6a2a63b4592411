package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"postern/auth"
)

// Health answers what machines ask of a server: whether it lives, whether it is ready for traffic,
// which version it is and which keys it signs with.
type Health struct {
	Version string
	JWKS    []byte
	OpenAPI []byte
	// Ready tells why the server is not ready to take traffic, or nil.
	Ready func(ctx context.Context) error
}

// Live answers as long as the process can answer at all. It asks nobody else: a database that is
// away is no reason to restart the server.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) error {
	return JSON(w, http.StatusOK, "OK")
}

// LiveStatus answers the same in the words of Hasura Auth's route outside the prefix.
func (h *Health) LiveStatus(w http.ResponseWriter, _ *http.Request) error {
	return JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// Readiness answers whether requests should be sent here.
func (h *Health) Readiness(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", auth.TooSoon{Code: auth.NotReady, RetryAfter: time.Second}, err)
	}
	return JSON(w, http.StatusOK, "OK")
}

// ServeVersion tells the version.
func (h *Health) ServeVersion(w http.ResponseWriter, _ *http.Request) error {
	return JSON(w, http.StatusOK, map[string]string{"version": h.Version})
}

// Keys gives the public keys (RFC 7517). Hasura keeps them for as long as Cache-Control says.
func (h *Health) Keys(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	return Raw(w, http.StatusOK, h.JWKS)
}

// Document gives the OpenAPI document of the door.
func (h *Health) Document(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, err := w.Write(h.OpenAPI)
	return err
}
