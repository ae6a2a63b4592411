// Receiver of the hook custom_access_token, in Go with nothing but the standard library.
//
//	HOOK_SECRET='v1,whsec_…' PORT=3000 go run .
//
//	AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED=true
//	AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI=http://localhost:3000/
//	AUTH_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS='v1,whsec_…'
//
// It gives each token the session variable x-hasura-plan, and people of a blocked domain none.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// hasura is the claim that Hasura reads.
const hasura = "https://hasura.io/jwt/claims"

// refusal is the error object: the client gets the status and the message.
type refusal struct {
	Status  int    `json:"http_code"`
	Message string `json:"message"`
}

// answer says what a token says.
func answer(body []byte) (any, error) {
	var event struct {
		Claims map[string]any `json:"claims"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, err
	}
	email, _ := event.Claims["email"].(string)
	_, domain, _ := strings.Cut(email, "@")
	if domain == "blocked.example" {
		return map[string]any{"error": refusal{http.StatusForbidden, "Your organisation has no plan"}}, nil
	}
	plan := "free"
	if domain == "example.com" {
		plan = "staff"
	}
	variables, ok := event.Claims[hasura].(map[string]any)
	if !ok {
		return nil, errors.New("the question has no claims of Hasura")
	}
	variables["x-hasura-plan"] = plan
	return map[string]any{"claims": event.Claims}, nil
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("HOOK_SECRET"), "v1,whsec_"))
	if err != nil || len(secret) < 24 {
		log.Fatal("HOOK_SECRET is not v1,whsec_ and base64 of 24 bytes or more")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{ReadTimeout: 10 * time.Second, Handler: receiver(secret)}
	log.Fatal(server.Serve(listener))
}

// receiver answers questions that Postern has signed.
func receiver(secret []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			reply(w, http.StatusRequestEntityTooLarge, struct{}{})
			return
		}
		if err := verify(secret, r.Header, body, time.Now()); err != nil {
			reply(w, http.StatusUnauthorized, struct{}{})
			return
		}
		value, err := answer(body)
		if err != nil {
			log.Print(err)
			reply(w, http.StatusInternalServerError, struct{}{})
			return
		}
		reply(w, http.StatusOK, value)
	}
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// tolerance is how far the time of a question may be off.
const tolerance = 5 * time.Minute

// verify says why a request is not to be believed. The rules are those of Standard Webhooks: id, time and the
// exact bytes of the body are signed, a full stop between them; there may be several signatures, of which one
// must be right; and they are compared in constant time.
func verify(secret []byte, h http.Header, body []byte, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" {
		return errors.New("no id or no time")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return errors.New("too old, or from the future")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, one := range strings.Fields(h.Get("webhook-signature")) {
		version, text, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if err == nil && version == "v1" && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature is right")
}
