package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"postern/config"
	"postern/events"
	"postern/store"
	"postern/tokens"
)

type auditCmds struct {
	List    auditListCmd    `cmd:"" help:"Print entries of the audit log, the newest first, one JSON object for each line."`
	Verify  auditVerifyCmd  `cmd:"" help:"Check that no entry of the audit log was changed, taken away or put in since it was sealed."`
	Restart auditRestartCmd `cmd:"" help:"Have entries sealed again after the end of the log was found broken."`
}

// openAudit reads the settings and connects to the database.
func openAudit(ctx context.Context, a *app) (*config.Config, *store.DB, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	if c.Store.URL() == "" {
		return nil, nil, stepError{errors.New("no database is configured"), "set POSTGRES_CONNECTION=postgres://user:password@host:5432/database"}
	}
	db, err := store.Open(ctx, c.Store)
	return c, db, err
}

// openChain is openAudit with the keys that the log is sealed with.
func openChain(ctx context.Context, a *app) (*store.DB, *store.Chain, error) {
	c, db, err := openAudit(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	keys, _, err := tokens.NewKeyring(c.Tokens.EncryptionKey, c.Tokens.PreviousEncryptionKeys, c.Tokens.JWTSecret)
	if err != nil {
		db.Close()
		return nil, nil, stepError{err, "give the settings that the server has: the log is sealed with a key of AUTH_ENCRYPTION_KEY"}
	}
	return db, store.NewChain(keys.ChainKeys()), nil
}

type auditListCmd struct {
	User  string `placeholder:"ID|EMAIL" help:"Only entries about this user."`
	Actor string `placeholder:"ID" help:"Only what this user did to others."`
	Event string `placeholder:"EVENT" help:"Only entries of this event, such as signin.failed or 'session.*'."`
	Since string `placeholder:"AGE|TIME" help:"Only what happened since then: 90m, 24h, 2026-01-31 or 2026-01-31T12:00:00Z."`
	Until string `placeholder:"AGE|TIME" help:"Only what happened before then."`
	Limit int    `default:"50" placeholder:"N" help:"At most so many; 0 means all."`
}

// asked says which entries are meant.
func (cmd auditListCmd) asked(ctx context.Context, db *store.DB, now time.Time) (q store.AuditAsked, err error) {
	if q.Since, err = sinceWhen(cmd.Since, now); err != nil {
		return q, err
	}
	if q.Until, err = sinceWhen(cmd.Until, now); err != nil {
		return q, usageError{strings.Replace(err.Error(), "--since", "--until", 1)}
	}
	if cmd.Event != "" {
		if q.Events = events.Matching(cmd.Event); len(q.Events) == 0 {
			return q, usageError{"--event " + cmd.Event + " is no event of the audit log; docs/audit.md lists them"}
		}
	}
	if cmd.Actor != "" {
		if q.ActorID = strings.ToLower(cmd.Actor); !tokens.IsUUID(q.ActorID) {
			return q, usageError{"--actor " + cmd.Actor + " is not the id of a user"}
		}
	}
	if cmd.User != "" {
		q.UserID, err = userOfEvents(ctx, db, cmd.User)
	}
	return q, err
}

// listStep is how many entries are read at once.
const listStep = 1000

// Run prints the entries.
func (cmd auditListCmd) Run(ctx context.Context, a *app) error {
	if cmd.Limit < 0 {
		return usageError{"--limit must be 0 or more"}
	}
	_, db, err := openAudit(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	q, err := cmd.asked(ctx, db, time.Now())
	if err != nil {
		return err
	}
	left := cmd.Limit
	s := store.Slice{Most: listStep}
	for {
		if cmd.Limit > 0 {
			s.Most = min(listStep, left)
		}
		list, err := db.ListAudit(ctx, q, s)
		if err != nil {
			return unreachable(err)
		}
		more := len(list) > s.Most
		if more {
			list = list[:s.Most]
		}
		if err := printAudit(a, list); err != nil {
			return err
		}
		left -= len(list)
		if !more || cmd.Limit > 0 && left == 0 {
			return nil
		}
		s.After = list[len(list)-1].Key()
	}
}

// auditLine is an entry as it is printed.
type auditLine struct {
	ID        int64           `json:"id"`
	At        time.Time       `json:"at"`
	Event     string          `json:"event"`
	UserID    string          `json:"userId,omitempty"`
	ActorID   string          `json:"actorId,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Address   string          `json:"address,omitempty"`
	UserAgent string          `json:"userAgent,omitempty"`
	Detail    json.RawMessage `json:"detail,omitempty"`
	Seal      int64           `json:"seal,omitempty"`
}

func printAudit(a *app, list []store.AuditEntry) error {
	out := json.NewEncoder(a.stdout)
	out.SetEscapeHTML(false)
	for _, e := range list {
		line := auditLine{e.ID, e.At.UTC(), e.Event, e.UserID, e.ActorID, e.SessionID, e.AddressPrefix, e.UserAgent, e.Detail, e.SealNo}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
