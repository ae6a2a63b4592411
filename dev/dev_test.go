package dev

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/localpg"
)

func TestSecretsStayTheSame(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), ".postern")
	var seen []Secrets
	for range 2 {
		h, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, h.Secrets)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := seen[0]
	if s != seen[1] {
		t.Errorf("got %+v, then %+v", s, seen[1])
	}
	if key, err := hex.DecodeString(s.EncryptionKey); err != nil || len(key) != 32 || len(s.JWTKey) != 64 || s.AdminSecret == "" || s.DatabasePassword == "" {
		t.Errorf("secrets of the wrong kind: %+v", s)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "secrets.json": 0o600, "inbox.jsonl": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf("the folder could be committed: %q, %v", text, err)
	}
}

func TestSecretsThatCannotBeReadAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.json")
	if err := os.WriteFile(path, []byte(`{"jwtKey": `), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error with the file's name", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != `{"jwtKey": ` {
		t.Errorf("the file was changed: %q, %v", text, err)
	}

	// An older file lacks a key: only that one is made.
	if err := os.WriteFile(path, []byte(`{"jwtKey": "mine", "adminSecret": "mine too"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if h.Secrets.JWTKey != "mine" || h.Secrets.AdminSecret != "mine too" || h.Secrets.EncryptionKey == "" {
		t.Errorf("got %+v", h.Secrets)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 0600", info, err)
	}
}

func TestAFolderIsOneMachine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, localpg.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if h, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	_ = h.Close()
}

func TestPostgresKeepsAddressAndDataOverRestarts(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for d := parent; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) { // the server's account must pass
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(parent, ".postern")
	var urls []string
	for _, sql := range []string{"create table kept ()", "select from kept"} {
		h, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		url, err := h.StartPostgres(t.Context(), os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(url, h.Secrets.DatabasePassword) || !strings.Contains(url, "/postern?") {
			t.Errorf("got %s", url)
		}
		urls = append(urls, url)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Error(err)
		}
		_ = conn.Close(t.Context())
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		<-h.PostgresDone()
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o067 != 0 {
			t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
		}
		// New keys, old data: what opens the data stays right.
		if err := os.Remove(filepath.Join(dir, "secrets.json")); err != nil {
			t.Fatal(err)
		}
	}
	if urls[0] != urls[1] {
		t.Errorf("the address was %s, and is %s", urls[0], urls[1])
	}
}

func TestBanner(t *testing.T) {
	t.Parallel()
	b := Banner{API: "http://localhost:4000/v1", Inbox: "http://localhost:4000/dev/inbox", Database: "postgres://x", JWTKey: "0123", Version: "1.2.3"}
	var plain strings.Builder
	if err := b.Print(&plain); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Postern 1.2.3 is up.",
		"\n  API           http://localhost:4000/v1\n  Inbox         http://localhost:4000/dev/inbox\n  Database      postgres://x\n",
		"\n  HASURA_GRAPHQL_JWT_SECRET='{\"type\":\"HS256\",\"key\":\"0123\"}'\n",
		"curl -s http://localhost:4000/v1/signup/email-password",
	} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, plain.String())
		}
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("it is coloured where there is no terminal")
	}
	if coloured := b.text("x", true); !strings.Contains(coloured, "\x1b[1;32mPostern") {
		t.Error("it is not coloured where there is one")
	}
}
