package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// jobSchema is where River keeps its tables.
const jobSchema = "postern_river"

// JobSchema names the schema of River's tables, for the carriers.
func JobSchema() string { return jobSchema }

// MailSeal is the purpose that the content of a MailJob is sealed for.
const MailSeal = "mail"

// MailJob is a mail that somebody is owed. It is inserted in the transaction that causes it, so
// that it exists exactly when its cause does. Its content is sealed: it holds a link that signs
// somebody in.
type MailJob struct {
	ID     string `json:"id"` // stable over retries: it becomes the Message-ID
	Sealed []byte `json:"sealed"`
	// Whose mail it is and what it says, for the event when it is given up.
	UserID   string `json:"userId,omitempty"`
	Template string `json:"template,omitempty"`
	// When the mail is worth nothing any more, because the link in it is not; zero means never.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// Kind names the job to River.
func (MailJob) Kind() string { return "postern_mail" }

// InsertOpts leaves it to the carriers, who have a setting, how often a mail is tried: River stops
// only at the most that the setting may say.
func (MailJob) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 100} }

// SMSSeal is the purpose that the content of an SMSJob is sealed for.
const SMSSeal = "sms"

// SMSQueue is the queue of text messages: their codes live for minutes, so they don't wait behind
// mails to a server that is slow.
const SMSQueue = "sms"

// SMSJob is a text message that somebody is owed, inserted and sealed as a MailJob is.
type SMSJob struct {
	ID        string    `json:"id"` // stable over attempts
	Sealed    []byte    `json:"sealed"`
	UserID    string    `json:"userId,omitempty"`
	Template  string    `json:"template,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"` // when the code in it is worth nothing any more
}

// Kind names the job to River.
func (SMSJob) Kind() string { return "postern_sms" }

// InsertOpts leaves the attempts to the carriers, as with mails.
func (SMSJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 100, Queue: SMSQueue}
}

// HookSeal is the purpose that the content of a HookJob is sealed for.
const HookSeal = "hook"

// HookQueue is the queue of hooks that are told later: they may take long, and nothing else is to wait
// behind them.
const HookQueue = "hooks"

// HookJob is something that has happened and that hooks are owed to be told of, inserted in the
// transaction that makes it true. Its content is sealed: it is about a person.
type HookJob struct {
	ID     string `json:"id"`     // of the event, the same over attempts
	Moment string `json:"moment"` // as package hooks has its name
	Sealed []byte `json:"sealed"`
}

// Kind names the job to River.
func (HookJob) Kind() string { return "postern_hook" }

// InsertOpts has a hook tried three times.
func (HookJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 3, Queue: HookQueue}
}

// Enqueue inserts a job into the transaction. It must run in one.
func (db *DB) Enqueue(ctx context.Context, job river.JobArgs, opts *river.InsertOpts) error {
	if db.tx == nil {
		return errors.New("store: Enqueue outside a transaction")
	}
	if _, err := db.jobs.InsertTx(ctx, db.tx, job, opts); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
