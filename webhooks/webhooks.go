// Package webhooks signs and verifies requests as Standard Webhooks 1.0.0 has it. What is signed is
// the id, the time and the exact bytes of the body.
package webhooks

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far the time of a request may be from the receiver's, so that a request which
// somebody recorded is soon worth nothing.
const Tolerance = 5 * time.Minute

// A Key signs, verifies, or both. It never prints itself.
type Key struct {
	shared  []byte             // v1, HMAC with SHA-256
	private ed25519.PrivateKey // v1a; nil where only the public half is known
	public  ed25519.PublicKey
}

// Keys are those of one receiver, the newest first. While one takes the place of another both sign,
// so that the receiver may change its own at any moment.
type Keys []Key

// String conceals the key.
func (Key) String() string { return "[key]" }

// GoString conceals the key.
func (Key) GoString() string { return "[key]" }

// Parse reads one key: whsec_ and base64 of 24 to 64 bytes for a shared secret, whsk_ and base64 of
// an Ed25519 private key, whpk_ and base64 of a public one, which only verifies. Supabase's
// spellings v1,whsec_…, v1a,whsk_… and v1a,whpk_…:whsk_… (in either order) are taken as well. Errors
// repeat nothing of the key.
func Parse(text string) (Key, error) {
	version, rest, ok := strings.Cut(text, ",")
	switch {
	case !ok:
		rest, version = text, ""
	case version != "v1" && version != "v1a":
		return Key{}, errors.New("a signing secret begins with whsec_ or v1,whsec_ (or whsk_ or v1a,whsk_)")
	}
	if public, private, pair := strings.Cut(rest, ":"); pair && version == "v1a" {
		return parsePair(public, private)
	}
	prefix, encoded, _ := strings.Cut(rest, "_")
	kind := map[string]string{"whsec": "v1", "whsk": "v1a", "whpk": "v1a"}[prefix]
	if kind == "" || version != "" && version != kind {
		return Key{}, errors.New("a signing secret begins with whsec_ or v1,whsec_ (or whsk_ or v1a,whsk_)")
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return Key{}, fmt.Errorf("what follows %s_ is not base64", prefix)
	}
	switch prefix {
	case "whsec":
		return sharedKey(raw)
	case "whsk":
		return privateKey(raw)
	default:
		return publicKey(raw)
	}
}

func sharedKey(raw []byte) (Key, error) {
	if len(raw) < 24 || len(raw) > 64 {
		return Key{}, fmt.Errorf("the secret after whsec_ is %d bytes long; it must be 24 to 64 (openssl rand -base64 32 makes one)", len(raw))
	}
	return Key{shared: raw}, nil
}

// privateKey takes the seed alone, or the seed with the public key after it.
func privateKey(raw []byte) (Key, error) {
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return Key{}, fmt.Errorf("the key after whsk_ is %d bytes long; an Ed25519 private key has 32 or 64", len(raw))
	}
	private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	public := private[ed25519.SeedSize:]
	if len(raw) == ed25519.PrivateKeySize && string(public) != string(raw[ed25519.SeedSize:]) {
		return Key{}, errors.New("the two halves of the key after whsk_ do not belong together")
	}
	return Key{private: private, public: ed25519.PublicKey(public)}, nil
}

func publicKey(raw []byte) (Key, error) {
	if len(raw) != ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("the key after whpk_ is %d bytes long; an Ed25519 public key has 32", len(raw))
	}
	return Key{public: raw}, nil
}

func parsePair(public, private string) (Key, error) {
	if strings.HasPrefix(public, "whsk_") {
		public, private = private, public
	}
	if !strings.HasPrefix(public, "whpk_") || !strings.HasPrefix(private, "whsk_") {
		return Key{}, errors.New("a pair of keys is whpk_…:whsk_…")
	}
	p, err := Parse(public)
	if err != nil {
		return Key{}, err
	}
	k, err := Parse(private)
	if err == nil && !k.public.Equal(p.public) {
		return Key{}, errors.New("the keys of the pair whpk_…:whsk_… do not belong together")
	}
	return k, err
}

// ParseAll reads the keys of one receiver, separated by | or by blanks.
func ParseAll(text string) (Keys, error) {
	var keys Keys
	for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("| \t\r\n", r) }) {
		k, err := Parse(one)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Signs tells whether the key can sign, and does not only verify.
func (k Key) Signs() bool { return k.shared != nil || k.private != nil }

func (k Key) sign(content []byte) string {
	if k.shared != nil {
		return "v1," + base64.StdEncoding.EncodeToString(k.mac(content))
	}
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, content))
}

func (k Key) mac(content []byte) []byte {
	mac := hmac.New(sha256.New, k.shared)
	mac.Write(content)
	return mac.Sum(nil)
}

// Sign is the value of the header webhook-signature: one signature for each key that signs, or
// nothing when none does. The timestamp header must be Timestamp of the same time.
func (ks Keys) Sign(id string, at time.Time, body []byte) string {
	content := content(id, Timestamp(at), body)
	var signatures []string
	for _, k := range ks {
		if k.Signs() {
			signatures = append(signatures, k.sign(content))
		}
	}
	return strings.Join(signatures, " ")
}

// Headers are the three headers of a signed request. Without a key that signs there is no signature.
func (ks Keys) Headers(id string, at time.Time, body []byte) map[string]string {
	h := map[string]string{HeaderID: id, HeaderTimestamp: Timestamp(at)}
	if signature := ks.Sign(id, at, body); signature != "" {
		h[HeaderSignature] = signature
	}
	return h
}

// Timestamp is the value of the header webhook-timestamp.
func Timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func content(id, timestamp string, body []byte) []byte {
	b := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	b = append(append(b, id...), '.')
	b = append(append(b, timestamp...), '.')
	return append(b, body...)
}

// Verify says why a request is not to be believed, or nil: its headers id, timestamp and signature,
// and the bytes of its body.
func (ks Keys) Verify(id, timestamp, signature string, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("webhooks: the timestamp is not a number of seconds")
	}
	if id == "" || strings.Contains(id, ".") {
		return errors.New("webhooks: there is no usable id")
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > Tolerance || d < -Tolerance {
		return errors.New("webhooks: the timestamp is too far from now")
	}
	content := content(id, timestamp, body)
	for one := range strings.FieldsSeq(signature) {
		version, encoded, _ := strings.Cut(one, ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, k := range ks {
			if k.made(version, raw, content) {
				return nil
			}
		}
	}
	return errors.New("webhooks: no signature is right")
}

// made tells whether the signature is the key's, in constant time.
func (k Key) made(version string, signature, content []byte) bool {
	switch version {
	case "v1":
		return k.shared != nil && hmac.Equal(k.mac(content), signature)
	case "v1a":
		return k.public != nil && ed25519.Verify(k.public, content, signature)
	default:
		return false
	}
}
