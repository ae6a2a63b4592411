package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

type auditVerifyCmd struct {
	From     int64  `placeholder:"SEAL" help:"Begin at the seal with this number and believe those before it, such as after a key was retired."`
	Includes string `placeholder:"HEAD" help:"A head that an earlier run printed (number:hex): it must still be in the chain. Keep it where the database's owner cannot write."`
	JSON     bool   `name:"json" help:"Print the result as one JSON object."`
}

// Help is printed with the flags.
func (auditVerifyCmd) Help() string {
	return "Ends with 0 when the log is whole and with 1 when it is not; then it names the first entry that is not as it was sealed. It needs the server's AUTH_ENCRYPTION_KEY."
}

// witness reads a head that was printed.
func (cmd auditVerifyCmd) witness() (s store.Seal, err error) {
	if cmd.Includes == "" {
		return s, nil
	}
	wrong := usageError{"--includes " + cmd.Includes + " is no head such as 'postern audit verify' prints: number:hex"}
	no, text, found := strings.Cut(cmd.Includes, ":")
	if s.No, err = strconv.ParseInt(no, 10, 64); err != nil || !found || s.No < 1 {
		return s, wrong
	}
	if s.Seal, err = hex.DecodeString(text); err != nil || len(s.Seal) != 32 {
		return s, wrong
	}
	if cmd.From > s.No {
		return s, usageError{"--from begins behind the head of --includes"}
	}
	return s, nil
}

// Run verifies the log.
func (cmd auditVerifyCmd) Run(ctx context.Context, a *app) error {
	if cmd.From < 0 {
		return usageError{"--from must be the number of a seal"}
	}
	witness, err := cmd.witness()
	if err != nil {
		return err
	}
	db, chain, err := openChain(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	begun, told := time.Now(), time.Now()
	found, err := db.VerifyChain(ctx, chain, store.Verification{From: cmd.From, Includes: witness, Progress: func(done, total int64) {
		if !cmd.JSON && time.Since(told) > 2*time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(a.stderr, "%d of %d seals\n", done, total)
		}
	}})
	if errors.Is(err, store.ErrChainKey) {
		return stepError{err, "give the settings that the server has, older keys in AUTH_ENCRYPTION_KEY_PREVIOUS"}
	}
	if err != nil {
		return unreachable(err)
	}
	return cmd.report(a, found, witness, time.Since(begun))
}

// auditResult is what a verification found, as it is printed.
type auditResult struct {
	Whole   bool   `json:"whole"`
	Seals   int64  `json:"seals"`
	Expired int64  `json:"expired"`
	Waiting int64  `json:"waiting"`
	Head    string `json:"head"`
	Problem string `json:"problem,omitempty"`
}

func (cmd auditVerifyCmd) report(a *app, found store.Verified, witness store.Seal, took time.Duration) error {
	r := auditResult{Seals: found.Seals, Expired: found.Expired, Waiting: found.Waiting, Head: headText(found.Head)}
	switch {
	case found.Broken != nil:
		r.Problem = found.Broken.String()
	case witness.No > 0 && witness.No < found.Oldest:
		r.Problem = fmt.Sprintf("the seal %d of --includes went with entries whose time to be kept was over: give a later one", witness.No)
	case witness.No > 0 && !found.Included:
		r.Problem = fmt.Sprintf("the seal %d of --includes is not in the chain: it was put back to an earlier state, or made anew", witness.No)
	}
	r.Whole = r.Problem == ""
	if cmd.JSON {
		if err := json.NewEncoder(a.stdout).Encode(r); err != nil {
			return err
		}
	} else {
		text := fmt.Sprintf("The audit log is whole: %d seals verified in %s, %d entries wait to be sealed.\nHead: %s\n",
			r.Seals, took.Round(time.Millisecond), r.Waiting, r.Head)
		if !r.Whole {
			text = "The audit log is broken. The first that is not as it was sealed is\n  " + r.Problem + "\n"
		}
		if _, err := fmt.Fprint(a.stdout, text); err != nil {
			return err
		}
	}
	if !r.Whole {
		return errSaid
	}
	return nil
}

func headText(s store.Seal) string { return fmt.Sprintf("%d:%x", s.No, s.Seal) }

type auditRestartCmd struct {
	Yes bool `required:"" help:"Yes, the break was looked into."`
}

// Help is printed with the flags.
func (auditRestartCmd) Help() string {
	return "Servers seal nothing more once the end of the log is not as they left it, so that the damage is not covered up. This makes what is there the end. What is broken stays broken, a note in the log tells of it, and 'postern audit verify --from' begins behind it."
}

// Run has the chain go on.
func (auditRestartCmd) Run(ctx context.Context, a *app) error {
	db, chain, err := openChain(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := db.RestartChain(ctx, chain, store.Note{At: time.Now()})
	if err != nil {
		return unreachable(err)
	}
	kept := "none may be missing"
	if !r.KeptSince.IsZero() {
		kept = "those from before " + r.KeptSince.UTC().Format(time.RFC3339) + " may be missing"
	}
	proved := "was the sealer's own"
	if !r.Proved {
		proved = "was not the sealer's, so what it said of retention is not kept"
	}
	_, err = fmt.Fprintf(a.stdout, "The head %s; it named seal %d as the last.\nSigned: head %s, anchor %s, of entries %s.\n"+
		"Entries are sealed again behind seal %d. Restart the servers, and verify with --from %d.\n",
		proved, r.Was, headText(r.Last), headText(r.Anchor), kept, r.Last.No, r.Last.No+1)
	return err
}
