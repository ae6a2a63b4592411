package jshook

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // scripts talk to services that still want it
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// hashes are those that scripts may make.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// host is the one function through which a machine reaches out. Only driver.js and web.js have it.
func (m *machine) host(args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("nothing asked")
	}
	a := arguments(args[1:])
	switch args[0] {
	case "say":
		m.console.say(a.text(0))
		return m.console.full, nil
	case "now":
		return m.now(), nil
	case "full":
		return m.large(), nil
	case "done":
		m.done(a.yes(0), a.text(1))
	case "fetch":
		return nil, m.fetch(int(a.number(0)), a.text(1))
	default:
		return pure(args[0], a)
	}
	return nil, nil //nolint:nilnil // undefined
}

// pure are the functions that only compute.
func pure(name any, a arguments) (any, error) {
	switch name {
	case "random":
		b := make([]byte, min(max(int(a.number(0)), 0), 1<<16))
		_, err := rand.Read(b)
		return base64.StdEncoding.EncodeToString(b), err
	case "uuid":
		id, err := uuid.NewRandom()
		return id.String(), err
	case "hashes":
		return hashes[a.text(0)] != nil, nil
	case "hash":
		return digest(a.text(0), a.text(1), a.text(2), a.yes(3))
	case "utf8":
		b, err := base64.StdEncoding.DecodeString(a.text(0))
		return strings.ToValidUTF8(string(b), "\uFFFD"), err
	case "unescape":
		return looseUnescape(a.text(0)), nil
	case "url":
		return splitURL(a.text(0), a.text(1), a.yes(2)), nil
	}
	return nil, fmt.Errorf("nothing is called %v", name)
}

// done notes the answer, the first one.
func (m *machine) done(ok bool, text string) {
	switch {
	case m.result != nil:
	case ok && len(text) > maxAnswer:
		m.result = &outcome{End: endSize}
	case ok:
		m.result = &outcome{End: endAnswer, Body: text}
	case strings.HasSuffix(text, `"empty":true}`), strings.Contains(text, "out of memory"):
		m.result = &outcome{End: endMemory, Body: text, Retire: true}
	default:
		m.result = &outcome{End: endError, Body: text}
	}
}

// fetch sends a request on its way. The answer comes in between two turns.
func (m *machine) fetch(id int, text string) error {
	request := fetchRequest{}
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		return errors.New("fetch: a request that makes no sense")
	}
	request.ID = id
	m.fetches++
	return m.ask(request)
}

// arguments are what JavaScript passed.
type arguments []any

func (a arguments) text(i int) string {
	if i < len(a) {
		if s, ok := a[i].(string); ok {
			return s
		}
	}
	return ""
}

func (a arguments) yes(i int) bool {
	if i < len(a) {
		if b, ok := a[i].(bool); ok {
			return b
		}
	}
	return false
}

func (a arguments) number(i int) float64 {
	if i < len(a) {
		n, _ := number(a[i])
		return n
	}
	return 0
}

// digest hashes data, with a key when it is keyed. All is base64.
func digest(how, data64, key64 string, keyed bool) (string, error) {
	data, err := base64.StdEncoding.DecodeString(data64)
	if err != nil {
		return "", err
	}
	key, err := base64.StdEncoding.DecodeString(key64)
	if err != nil {
		return "", err
	}
	start := hashes[how]
	if start == nil {
		return "", errors.New("no such digest")
	}
	h := start()
	if keyed {
		h = hmac.New(start, key)
	}
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// looseUnescape turns %xx into bytes where they are right and leaves the rest.
func looseUnescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if part, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(part)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
