package hasura

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// Hasura's GraphQL engine asks here, in webhook mode, whose each request is that it gets. All of them come
// from its address, so they are not limited by it.
func (d *Door) webhookRoutes() []route {
	return []route{
		{method: "GET", path: "/hasura/webhook", handle: d.askedByGet, unlimited: true},
		{method: "POST", path: "/hasura/webhook", handle: d.askedByPost, unlimited: true},
	}
}

const (
	mostBefore  = 256 << 10 // bytes of a body that the client's headers must be in; the engine takes 50 KiB of them, and writes them first
	mostIgnored = 64 << 20  // bytes after them, which are read and dropped
)

// forwarded are the headers of the client that count.
type forwarded struct{ authorization, role []string }

// add keeps a header, if it is one of them. Whoever sends one twice, in whatever case, is refused later.
func (f *forwarded) add(name, value string) {
	switch {
	case strings.EqualFold(name, "Authorization"):
		f.authorization = append(f.authorization, value)
	case strings.EqualFold(name, "X-Hasura-Role"):
		f.role = append(f.role, value)
	}
}

func (f forwarded) request() (flow.Request, error) {
	var in flow.Request
	var err error
	if len(f.authorization) > 0 {
		if in.Credential, err = server.Bearer(f.authorization); err != nil {
			return in, err
		}
	}
	switch {
	case len(f.role) == 0:
		return in, nil
	case len(f.role) > 1:
		return in, fmt.Errorf("%w: %d x-hasura-role headers", auth.RoleNotAllowed, len(f.role))
	case f.role[0] == "":
		return in, fmt.Errorf("%w: an empty x-hasura-role header", auth.RoleNotAllowed)
	}
	in.Role = f.role[0]
	return in, nil
}

// askedByGet answers the engine that hands on the client's headers as they are.
func (d *Door) askedByGet(w http.ResponseWriter, r *http.Request) error {
	return d.identify(w, r, forwarded{r.Header.Values("Authorization"), r.Header.Values("X-Hasura-Role")})
}

// askedByPost answers the engine that sends the client's headers in its body. Its own headers say nothing of
// the client.
func (d *Door) askedByPost(w http.ResponseWriter, r *http.Request) error {
	f, err := readForwarded(io.LimitReader(r.Body, mostBefore))
	if err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, r.Body, mostIgnored) // an engine that is still sending reads no answer
	return d.identify(w, r, f)
}

// readForwarded reads the member headers of the engine's body. What the client asks of the engine is
// skipped: it may be long, and it decides nothing.
func readForwarded(body io.Reader) (f forwarded, err error) {
	// Whether a name is given twice below the members that count is nobody's business here, and finding
	// out would take memory.
	dec := jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := opens(dec, "body"); err != nil {
		return f, err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return f, broken()
		}
		if name.String() == "headers" {
			return readHeaders(dec)
		}
		if err := dec.SkipValue(); err != nil {
			return f, broken()
		}
	}
	return f, auth.Invalid{Field: "headers", Problem: "must be there, within the first 256 KiB of a JSON object"}
}

// readHeaders reads an object of strings.
func readHeaders(dec *jsontext.Decoder) (f forwarded, err error) {
	if err := opens(dec, "headers"); err != nil {
		return f, err
	}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return f, broken()
		}
		name := token.String()
		if dec.PeekKind() != '"' {
			return f, auth.Invalid{Field: "headers", Problem: "must hold strings"}
		}
		if token, err = dec.ReadToken(); err != nil {
			return f, broken()
		}
		f.add(name, token.String())
	}
	return f, nil
}

func opens(dec *jsontext.Decoder, field string) error {
	token, err := dec.ReadToken()
	if err != nil {
		return broken()
	}
	if token.Kind() != '{' {
		return auth.Invalid{Field: field, Problem: "must be a JSON object"}
	}
	return nil
}

func broken() error {
	return auth.Invalid{Field: "body", Problem: "must be valid JSON with the member headers within its first 256 KiB"}
}

// identify answers whose a request is. To the engine 401 means no, and everything else but 200 that
// something is wrong with us.
func (d *Door) identify(w http.ResponseWriter, r *http.Request, f forwarded) error {
	in, err := f.request()
	var identity *flow.Identity
	if err == nil {
		identity, err = d.Engine.Identify(r.Context(), in)
	}
	if err != nil {
		return d.deny(w, err)
	}
	server.Hush(w) // there is one for every request to the engine
	now := d.Front.Now()
	header := w.Header()
	header.Add("Vary", "Authorization, X-Hasura-Role")
	header["Cache-Control"] = []string{"private, max-age=" + strconv.Itoa(seconds(identity.Fresh, identity.Ends, now))}
	return server.Raw(w, http.StatusOK, variablesOf(identity, now))
}

// deny says no with the reason in the body, which the engine writes to its log. It is not for the client:
// the engine tells that only that it was refused.
func (d *Door) deny(w http.ResponseWriter, err error) error {
	code := auth.CodeOf(err)
	switch code {
	case auth.Unauthorized, auth.InvalidPAT, auth.RoleNotAllowed, auth.UserDisabled, auth.UserBanned, auth.UserUnverified, auth.UserAnonymous, auth.EmailNotAllowed, auth.ClaimMissing:
	default:
		return err
	}
	server.Note(w, err)
	w.Header().Set("WWW-Authenticate", "Bearer")
	no := refusals[code]
	return server.JSON(w, http.StatusUnauthorized, body{http.StatusUnauthorized, no.id, no.message})
}

// seconds is how long from now something holds that ends at the first of two times, of which a zero one
// never comes.
func seconds(a, b, now time.Time) int {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		a = b
	}
	return max(0, int(a.Sub(now)/time.Second))
}

// variablesOf writes the session variables as a JSON object of strings. Cache-Control and Expires are
// members of it, not headers, since there the engine looks for them: they end a websocket, and in Hasura
// Cloud and Enterprise Edition an answer in its cache. It takes the first, which needs no clock that agrees
// with ours.
func variablesOf(i *flow.Identity, now time.Time) []byte {
	out := make([]byte, 0, 512)
	out = append(out, '{')
	member := func(name, value string) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = quote(append(quote(out, name), ':'), value)
	}
	for _, v := range i.Variables {
		member(v.Name, v.Value)
	}
	if end := i.ConnectionEnds(now); !end.IsZero() {
		member("Cache-Control", "max-age="+strconv.Itoa(seconds(end, time.Time{}, now)))
		member("Expires", end.UTC().Format(http.TimeFormat))
	}
	return append(out, '}', '\n')
}

// quote writes a string of JSON. What is not UTF-8 in it becomes U+FFFD.
func quote(out []byte, s string) []byte {
	if quoted, err := jsontext.AppendQuote(out, s); err == nil {
		return quoted
	}
	quoted, _ := jsontext.AppendQuote(out, strings.ToValidUTF8(s, "�")) // valid now
	return quoted
}
