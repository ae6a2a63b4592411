package dev

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Guard lets only this machine's own browser and programs through. Development pages show what
// nobody else may see, and a page from anywhere can make a browser on this machine ask for them:
// so the peer must be local, the Host must be a local name with our port (a name that was bound to
// 127.0.0.1 by its owner is none), and a request made by a page must come from one of ours.
func Guard(port int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		if why := suspicious(r, port); why != "" {
			refuse(w, http.StatusForbidden, "forbidden", why)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// suspicious says what speaks against a request, or nothing.
func suspicious(r *http.Request, port int) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "Development pages are for this machine alone."
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return "Development pages are not shown through a proxy."
		}
	}
	if !isLocal(r.Host, port) {
		return "Development pages answer only to localhost, 127.0.0.1 and [::1], with the port of the server."
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" || !isLocal(u.Host, port) || origin != u.Scheme+"://"+u.Host {
			return "Development pages do not answer to pages of another origin."
		}
	}
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	if (site == "cross-site" || site == "same-site") && (mode != "navigate" || r.Method != http.MethodGet) {
		return "Development pages do not answer to pages of another origin."
	}
	return ""
}

// isLocal says whether a Host names this machine by itself, and the port.
func isLocal(host string, port int) bool {
	name, number, err := net.SplitHostPort(host)
	if err != nil {
		name, number = host, "80"
		if inner, ok := strings.CutPrefix(host, "["); ok {
			name = strings.TrimSuffix(inner, "]")
		}
	}
	if number != strconv.Itoa(port) {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.Zone() == "" && address.Unmap().IsLoopback()
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"status": status, "error": code, "message": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encode := json.NewEncoder(w)
	encode.SetEscapeHTML(false)
	_ = encode.Encode(v) // the reader may be gone
}
