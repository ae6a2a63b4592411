package dev

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Secrets are the keys of one development machine.
type Secrets struct {
	JWTKey           string `json:"jwtKey"`           // 64 characters, for HS256
	AdminSecret      string `json:"adminSecret"`      // opens what operators may do
	EncryptionKey    string `json:"encryptionKey"`    // 64 hexadecimal digits
	DatabasePassword string `json:"databasePassword"` // of the account postgres
}

// openSecrets reads the file and adds what is missing in it. A file that cannot be read is left
// alone: other keys would make every session and every encrypted value worthless.
func openSecrets(path string) (Secrets, error) {
	var s Secrets
	text, err := os.ReadFile(path) // #nosec G304 -- in the folder we were given
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return Secrets{}, err
	default:
		if err := json.Unmarshal(text, &s); err != nil {
			return Secrets{}, fmt.Errorf("%s cannot be read; repair it, or remove it to get new keys: %w", path, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return Secrets{}, err
		}
	}
	before := s
	for _, key := range []*string{&s.JWTKey, &s.EncryptionKey} {
		if *key == "" {
			*key = randomHex(32)
		}
	}
	for _, key := range []*string{&s.AdminSecret, &s.DatabasePassword} {
		if *key == "" {
			*key = randomHex(16)
		}
	}
	if s == before {
		return s, nil
	}
	return s, writeSecrets(path, s)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails: without randomness the program ends
	return hex.EncodeToString(b)
}

// writeSecrets replaces the file in one step, so that no interruption can lose the keys.
func writeSecrets(path string, s Secrets) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "secrets-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it may be renamed already
	}
	return err
}
