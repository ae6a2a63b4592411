// Package softkey is an authenticator and the browser before it, in software, for tests: it answers
// WebAuthn's questions as a phone, a laptop or a security key does, and, where a test says so, as an
// attacker would.
package softkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
)

// The kinds of signatures, as COSE numbers them.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
)

// The flags of authenticator data.
const (
	Present        = 0x01
	Verified       = 0x04
	BackupEligible = 0x08
	BackedUp       = 0x10
	Attested       = 0x40
	Extended       = 0x80
)

// Device is an authenticator that a person holds, in a browser at one origin.
type Device struct {
	Origin      string
	Algorithm   int    // of new keys
	Attestation string // "none" or "packed" (signed by the new key itself)
	AAGUID      [16]byte
	Flags       byte                       // of every answer
	Step        uint32                     // by how much the counter grows with each signature; 0 never counts
	Handle      func(userID string) []byte // the bytes that a client library makes of user.id
	Return      func(handle []byte) string // the text that it makes of them again
	Keys        []*Key
}

// Key is a key pair in a device.
type Key struct {
	ID      []byte
	RPID    string
	Handle  []byte // nil in a key that keeps no user
	Counter uint32

	algorithm int
	private   crypto.Signer
}

// New makes a device whose person is verified, as a phone's is, at an origin.
func New(origin string) *Device {
	return &Device{
		Origin: origin, Algorithm: ES256, Attestation: "none", Flags: Present | Verified | BackupEligible | BackedUp,
		Handle: func(id string) []byte { return []byte(id) }, Return: func(handle []byte) string { return string(handle) },
	}
}

// CreationOptions are the parts of a server's wish for a key that the device looks at.
type CreationOptions struct {
	RP struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
	Challenge          string       `json:"challenge"`
	PubKeyCredParams   []parameter  `json:"pubKeyCredParams"`
	ExcludeCredentials []descriptor `json:"excludeCredentials"`
}

// RequestOptions are the parts of a server's wish for a signature that the device looks at.
type RequestOptions struct {
	Challenge        string       `json:"challenge"`
	RPID             string       `json:"rpId"`
	AllowCredentials []descriptor `json:"allowCredentials"`
}

type parameter struct {
	Alg int `json:"alg"`
}

type descriptor struct {
	ID string `json:"id"`
}

// Draft is an answer before it is signed. A test that attacks changes it.
type Draft struct {
	ClientData map[string]any
	RPID       string
	Flags      byte
	Counter    uint32
	Key        *Key
	ID         []byte // of the credential
	Handle     []byte
	PublicKey  []byte // COSE, in new keys
	Format     string
	Statement  []byte                         // CBOR; nil for what the format wants
	Extensions []byte                         // CBOR, behind the rest of the authenticator data
	Trailing   []byte                         // behind everything
	Client     func(clientData []byte) []byte // the JSON, before it is signed
	Data       func(authData []byte) []byte   // the authenticator data, before it is signed
	Signed     func(signature []byte) []byte
	Object     func(attestationObject []byte) []byte
}

// Answer is a credential as clients send it, in JSON.
type Answer map[string]any

// Response is the inner part.
func (a Answer) Response() map[string]any {
	inner, _ := a["response"].(map[string]any)
	return inner
}

// ErrNoKey says that the device has no key that the server takes.
var ErrNoKey = errors.New("softkey: no key here fits")

// Create makes a key. The options may be the server's JSON or a CreationOptions.
func (d *Device) Create(options any, change ...func(*Draft)) (Answer, error) {
	var o CreationOptions
	if err := read(options, &o); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(o.PubKeyCredParams, func(p parameter) bool { return p.Alg == d.Algorithm }) {
		return nil, ErrNoKey
	}
	for _, k := range d.Keys {
		if slices.ContainsFunc(o.ExcludeCredentials, func(x descriptor) bool { return x.ID == Base64(k.ID) }) {
			return nil, errors.New("softkey: registered already")
		}
	}
	key, err := NewKey(d.Algorithm)
	if err != nil {
		return nil, err
	}
	key.RPID, key.Handle = o.RP.ID, d.Handle(o.User.ID)
	draft := d.draft("webauthn.create", o.Challenge, key)
	draft.Flags |= Attested
	draft.PublicKey, draft.Format = key.Public(), d.Attestation
	for _, c := range change {
		c(&draft)
	}
	clientData, err := draft.clientData()
	if err != nil {
		return nil, err
	}
	authData := draft.authData(d.AAGUID)
	statement := draft.Statement
	if statement == nil {
		statement = Map()
		if draft.Format == "packed" {
			signature, err := draft.sign(authData, clientData)
			if err != nil {
				return nil, err
			}
			statement = Map(Text("alg"), Int(int64(key.algorithm)), Text("sig"), Bytes(signature))
		}
	}
	object := Map(Text("fmt"), Text(draft.Format), Text("attStmt"), statement, Text("authData"), Bytes(authData))
	if draft.Object != nil {
		object = draft.Object(object)
	}
	d.Keys = append(d.Keys, key)
	return Answer{
		"id": Base64(draft.ID), "rawId": Base64(draft.ID), "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
		"response": map[string]any{
			"clientDataJSON": Base64(clientData), "attestationObject": Base64(object), "transports": []string{"internal", "hybrid"},
			"authenticatorData": Base64(authData), "publicKey": Base64(draft.PublicKey), "publicKeyAlgorithm": d.Algorithm,
		},
	}, nil
}

// Get signs with the first key that the server takes. Without a list of keys the device offers those
// that it keeps for the domain.
func (d *Device) Get(options any, change ...func(*Draft)) (Answer, error) {
	var o RequestOptions
	if err := read(options, &o); err != nil {
		return nil, err
	}
	for _, k := range slices.Backward(d.Keys) {
		if k.RPID == o.RPID && (len(o.AllowCredentials) == 0 ||
			slices.ContainsFunc(o.AllowCredentials, func(x descriptor) bool { return x.ID == Base64(k.ID) })) {
			return d.Sign(k, o.Challenge, change...)
		}
	}
	return nil, ErrNoKey
}

// Sign signs a challenge with one of the device's keys, whatever the server asked for.
func (d *Device) Sign(key *Key, challenge string, change ...func(*Draft)) (Answer, error) {
	key.Counter += d.Step
	draft := d.draft("webauthn.get", challenge, key)
	for _, c := range change {
		c(&draft)
	}
	clientData, err := draft.clientData()
	if err != nil {
		return nil, err
	}
	authData := draft.authData(d.AAGUID)
	signature, err := draft.sign(authData, clientData)
	if err != nil {
		return nil, err
	}
	response := map[string]any{"clientDataJSON": Base64(clientData), "authenticatorData": Base64(authData), "signature": Base64(signature)}
	if draft.Handle != nil {
		response["userHandle"] = d.Return(draft.Handle)
	}
	return Answer{
		"id": Base64(draft.ID), "rawId": Base64(draft.ID), "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{}, "response": response,
	}, nil
}

func (d *Device) draft(kind, challenge string, key *Key) Draft {
	return Draft{
		ClientData: map[string]any{"type": kind, "challenge": challenge, "origin": d.Origin, "crossOrigin": false},
		RPID:       key.RPID, Flags: d.Flags, Counter: key.Counter, Key: key, ID: key.ID, Handle: key.Handle,
	}
}

// clientData writes the client data.
func (f *Draft) clientData() ([]byte, error) {
	raw, err := json.Marshal(f.ClientData)
	if f.Client != nil {
		raw = f.Client(raw)
	}
	return raw, err
}

// authData puts the authenticator data together.
func (f *Draft) authData(aaguid [16]byte) []byte {
	domain := sha256.Sum256([]byte(f.RPID))
	out := append(domain[:], f.Flags)
	out = binary.BigEndian.AppendUint32(out, f.Counter)
	if f.PublicKey != nil {
		out = append(out, aaguid[:]...)
		out = binary.BigEndian.AppendUint16(out, uint16(len(f.ID))) // #nosec G115 -- as long as a test makes it
		out = append(append(out, f.ID...), f.PublicKey...)
	}
	out = append(append(out, f.Extensions...), f.Trailing...)
	if f.Data != nil {
		out = f.Data(out)
	}
	return out
}

func (f *Draft) sign(authData, clientData []byte) ([]byte, error) {
	hash := sha256.Sum256(clientData)
	signature, err := f.Key.sign(append(slices.Clone(authData), hash[:]...))
	if f.Signed != nil {
		signature = f.Signed(signature)
	}
	return signature, err
}

// NewKey makes a key pair that belongs to nobody yet.
func NewKey(algorithm int) (*Key, error) {
	k := &Key{ID: make([]byte, 20), algorithm: algorithm}
	_, _ = rand.Read(k.ID)
	var err error
	switch algorithm {
	case EdDSA:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return k, err
}

func (k *Key) sign(data []byte) ([]byte, error) {
	if k.algorithm == EdDSA {
		return k.private.Sign(rand.Reader, data, crypto.Hash(0))
	}
	hash := sha256.Sum256(data)
	return k.private.Sign(rand.Reader, hash[:], crypto.SHA256)
}

// Public is the public half as a COSE_Key.
func (k *Key) Public() []byte {
	switch pub := k.private.Public().(type) {
	case ed25519.PublicKey:
		return Map(Int(1), Int(1), Int(3), Int(EdDSA), Int(-1), Int(6), Int(-2), Bytes(pub))
	case *rsa.PublicKey:
		return Map(Int(1), Int(3), Int(3), Int(RS256), Int(-1), Bytes(pub.N.Bytes()), Int(-2), Bytes([]byte{1, 0, 1}))
	case *ecdsa.PublicKey:
		point, err := pub.Bytes()
		if err != nil {
			return nil
		}
		return Map(Int(1), Int(2), Int(3), Int(ES256), Int(-1), Int(1), Int(-2), Bytes(point[1:33]), Int(-3), Bytes(point[33:]))
	}
	return nil
}

// Base64 is base64url without padding.
func Base64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func read(options, into any) error {
	raw, ok := options.(string)
	if !ok {
		b, err := json.Marshal(options)
		if err != nil {
			return err
		}
		raw = string(b)
	}
	return json.Unmarshal([]byte(raw), into)
}
