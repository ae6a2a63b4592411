package server

import (
	"cmp"
	"net/http"
)

// cors answers preflights and says which origins may read the answers. It tells whether the request
// is answered.
func (f *Front) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	h.Add("Vary", "Origin, Access-Control-Request-Method") // a cache must not give an answer without these headers to a browser
	if origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", cmp.Or(f.Exposed, "X-Request-Id, Retry-After"))
		if f.TrustsOrigin != nil && f.TrustsOrigin(origin) {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	if r.Method != http.MethodOptions {
		return false
	}
	if origin != "" {
		h.Set("Access-Control-Allow-Methods", cmp.Or(f.Methods, "POST, GET, DELETE"))
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", "86400")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
