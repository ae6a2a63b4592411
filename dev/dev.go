// Package dev is the zero-setup machine: what a person needs around the service to try it and to
// build on it. It keeps keys in a folder, brings its own Postgres, and catches every mail and
// every SMS in an inbox page. Nothing of it is for production.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/localpg"
)

// databaseName is the one database of the machine.
const databaseName = "postern"

// House is the development machine of one folder. Only one process has it open at a time.
type House struct {
	Dir     string  // where everything is kept
	Secrets Secrets // made at the first start, the same ever after
	Inbox   *Inbox  // what was caught

	// SMTPHost and SMTPPort are where mails are caught. Any account and password will do.
	SMTPHost string
	SMTPPort int

	// Warn is told what the person at the terminal should know; nil means nobody is.
	Warn func(message string)

	lock     io.Closer
	smtp     *catcher
	postgres *localpg.Server
}

// Open makes or opens the folder, reads or makes the secrets and starts to catch mail.
func Open(dir string) (_ *House, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lock, err := localpg.Lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	h := &House{Dir: dir, lock: lock}
	defer func() {
		if err != nil {
			_ = h.Close() // the first error says more
		}
	}()
	if err := hideFromGit(dir); err != nil {
		return nil, err
	}
	if h.Secrets, err = openSecrets(filepath.Join(dir, "secrets.json")); err != nil {
		return nil, err
	}
	if h.Inbox, err = OpenInbox(filepath.Join(dir, "inbox.jsonl")); err != nil {
		return nil, err
	}
	if h.smtp, err = catchMail(ctx, h.Inbox); err != nil {
		return nil, err
	}
	h.SMTPHost, h.SMTPPort = h.smtp.address()
	return h, nil
}

// hideFromGit keeps the folder, and the keys in it, out of every commit.
func hideFromGit(dir string) error {
	path := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte("*\n"), 0o600)
}

// StartPostgres starts the machine's own server, downloading one if none is installed, and
// returns the URL of its database. Progress is told about a download; nil is nobody.
func (h *House) StartPostgres(ctx context.Context, progress io.Writer) (databaseURL string, err error) {
	if h.postgres != nil {
		return h.postgres.URL(databaseName), nil
	}
	s, err := localpg.Start(ctx, localpg.Config{
		Search:   localpg.Search{Download: true, Progress: progress},
		Dir:      filepath.Join(h.Dir, "postgres"),
		Through:  []string{h.Dir},
		Password: h.Secrets.DatabasePassword,
		Warn:     h.Warn,
	})
	if err != nil {
		return "", err
	}
	h.postgres = s
	if h.Secrets.DatabasePassword != s.Password { // the secrets were made anew, the data was not
		h.Secrets.DatabasePassword = s.Password
		if err := writeSecrets(filepath.Join(h.Dir, "secrets.json"), h.Secrets); err != nil {
			return "", err
		}
	}
	if err := createDatabase(ctx, s.URL("postgres")); err != nil {
		return "", fmt.Errorf("create the database: %w", err)
	}
	return s.URL(databaseName), nil
}

// PostgresDone is closed when the machine's own server has ended, for whatever reason. It is nil,
// and so never ready, when none was started.
func (h *House) PostgresDone() <-chan struct{} {
	if h.postgres == nil {
		return nil
	}
	return h.postgres.Done()
}

func createDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // the server closes it too
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", databaseName).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "create database "+databaseName)
	return err
}

// Close stops catching mail and then the machine's own Postgres, and gives the folder free. Close
// the service first.
func (h *House) Close() error {
	var failed []error
	if h.smtp != nil {
		failed = append(failed, h.smtp.close())
	}
	if h.Inbox != nil {
		failed = append(failed, h.Inbox.Close())
	}
	if h.postgres != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		failed = append(failed, h.postgres.Stop(ctx))
	}
	return errors.Join(append(failed, h.lock.Close())...)
}
