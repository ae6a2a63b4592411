// Package deliver carries what the house owes to the outside: queued mail and text messages, events, and word to hooks
// that are told later. It also sweeps what expired. Jobs are rows of River's tables, inserted in the transaction that caused
// them, so a crash at any moment loses none; a mail may go out twice when the crash comes between
// the mail server's yes and the job's end, then with the same Message-ID.
package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"postern/emails"
	"postern/hooks"
	"postern/sms"
	"postern/store"
	"postern/tokens"
)

// Settings say how the carriers work.
type Settings struct {
	Workers     int           `env:"AUTH_MAIL_WORKERS" default:"8" min:"1" max:"100" doc:"How many mails are sent at the same time."`
	Attempts    int           `env:"AUTH_MAIL_ATTEMPTS" default:"15" min:"1" max:"100" doc:"How often a mail is tried, with growing pauses (over two days with 15), before it is kept as a dead letter."`
	KeepDead    time.Duration `env:"AUTH_MAIL_DEAD_LETTERS_KEPT" default:"2160h" min:"1h" doc:"How long mails and text messages that could not be delivered are kept."`
	SMSWorkers  int           `env:"AUTH_SMS_WORKERS" default:"4" min:"1" max:"100" doc:"How many text messages are sent at the same time."`
	SMSAttempts int           `env:"AUTH_SMS_ATTEMPTS" default:"5" min:"1" max:"100" doc:"How often a text message is tried, with growing pauses and as long as its code lives, before it is kept as a dead letter."`
	EventsKept  time.Duration `env:"AUTH_EVENTS_KEPT" default:"720h" min:"1h" doc:"How long events are kept that have arrived, or that nobody gets."`
	AuditKept   time.Duration `env:"AUTH_AUDIT_KEPT" default:"0s" min:"0s" doc:"How long entries of the audit log are kept, such as 8784h for a year; whole months go, so they are kept up to a month longer. 0 means for ever."`
	SweepPeriod time.Duration `env:"AUTH_SWEEP_INTERVAL" default:"10m" min:"1s" doc:"How often expired sessions, tickets and counters are deleted."`
}

// leastAuditKept is the shortest time that the audit log is kept.
const leastAuditKept = 24 * time.Hour

// Check reports what the settings cannot mean.
func (s Settings) Check(report func(env, problem string)) {
	if s.AuditKept > 0 && s.AuditKept < leastAuditKept {
		report("AUTH_AUDIT_KEPT", "must be 24h or more, or 0 for ever")
	}
}

// Carriers take the jobs that are due and do them.
type Carriers struct {
	Settings
	Events EventSettings
	Store  *store.DB
	Hooks  *hooks.Hooks // who sends messages in the place of the mail server and the gateway, and who is told later; nil is nobody
	Mailer *emails.Mailer
	SMS    *sms.Gateway
	Keys   *tokens.Keyring
	Log    *slog.Logger
	Now    func() time.Time

	client  *river.Client[pgx.Tx]
	routes  []*route
	carried carried
}

// Start begins to work. It returns once the carriers listen for jobs; Stop ends them.
func (c *Carriers) Start(ctx context.Context) error {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &mailWorker{carriers: c}); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := river.AddWorkerSafely(workers, &smsWorker{carriers: c}); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := river.AddWorkerSafely(workers, &hookWorker{carriers: c}); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := river.AddWorkerSafely(workers, &sweepWorker{carriers: c}); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(c.Store.Pool()), &river.Config{
		Schema: store.JobSchema(),
		Logger: slog.New(quiet{c.Log.Handler()}),
		Queues: map[string]river.QueueConfig{
			river.QueueDefault: {MaxWorkers: c.Workers},
			store.SMSQueue:     {MaxWorkers: c.SMSWorkers},
			store.HookQueue:    {MaxWorkers: hookWorkers},
		},
		Workers:                     workers,
		FetchCooldown:               20 * time.Millisecond, // a mail is attempted at once
		DiscardedJobRetentionPeriod: c.KeepDead,            // after the last attempt
		CancelledJobRetentionPeriod: c.KeepDead,            // after an answer that no other attempt would change
		// A server that was killed takes its mails under way with it: another sends them soon.
		RescueStuckJobsAfter: 2 * attemptTimeout,
		ErrorHandler:         &reporter{c, map[string]int{store.MailJob{}.Kind(): c.Attempts, store.SMSJob{}.Kind(): c.SMSAttempts}},
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(c.SweepPeriod),
			func() (river.JobArgs, *river.InsertOpts) { return sweepJob{}, nil },
			&river.PeriodicJobOpts{RunOnStart: true},
		)},
	})
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	c.client = client
	// The carriers outlive the context that started them: Stop lets what is under way finish.
	ctx = context.WithoutCancel(ctx)
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	c.carried.start(ctx, c.routes, c.sealer())
	return nil
}

// Stop takes no new jobs and events, waits for those under way until the context ends, and then cuts
// them off; they are tried again later, by this server or another.
func (c *Carriers) Stop(ctx context.Context) error {
	if c.client == nil {
		return nil
	}
	c.carried.stop(ctx)
	err := c.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return c.client.StopAndCancel(context.WithoutCancel(ctx))
	}
	return err
}

// mailWorker sends one mail.
type mailWorker struct {
	river.WorkerDefaults[store.MailJob]
	carriers *Carriers
}

// Work sends the mail, or says whether it is worth another try.
func (w *mailWorker) Work(ctx context.Context, job *river.Job[store.MailJob]) error {
	c := w.carriers
	if end := job.Args.ExpiresAt; !end.IsZero() && !c.Now().Before(end) {
		return c.giveUp(ctx, job.JobRow, errors.New("deliver: the link in the mail has expired"))
	}
	m, err := c.unseal(store.MailSeal, job.Args.Sealed)
	if err != nil {
		return c.giveUp(ctx, job.JobRow, err)
	}
	if c.Hooks != nil && c.Hooks.MailDue.Bound() {
		return c.handMail(ctx, job, m)
	}
	if !c.Mailer.Configured() {
		return errors.New("deliver: no mail server is configured (AUTH_SMTP_HOST, AUTH_SMTP_SENDER)")
	}
	rendered, err := c.Mailer.Send(ctx, m)
	c.warn(ctx, m.Template, rendered)
	if err != nil && emails.IsPermanent(err) {
		return c.giveUp(ctx, job.JobRow, err)
	}
	return err
}

// unseal opens the content of a job. A failure is final.
func (c *Carriers) unseal(purpose string, sealed []byte) (emails.Message, error) {
	var m emails.Message
	plain, err := c.Keys.Open(purpose, sealed)
	if err != nil {
		return m, errors.New("deliver: the message was sealed with an encryption key that is no longer known; set AUTH_ENCRYPTION_KEY_PREVIOUS")
	}
	if err := json.Unmarshal(plain, &m); err != nil {
		return m, fmt.Errorf("deliver: %w", err)
	}
	return m, nil
}

// warn tells what was not right with a template, though the message could be sent.
func (c *Carriers) warn(ctx context.Context, template string, rendered emails.Rendered) {
	for _, warning := range rendered.Warnings {
		c.Log.WarnContext(ctx, "mail template", slog.String("template", template), slog.String("reason", warning.Error()))
	}
}

// giveUp makes a dead letter of a job that no other attempt would help, and says so.
func (c *Carriers) giveUp(ctx context.Context, job *rivertype.JobRow, err error) error {
	logFailure(ctx, c.Log, job, slog.LevelError, "job given up, kept as a dead letter", err)
	c.tellOfLoss(ctx, job)
	return river.JobCancel(err)
}

// tellOfLoss makes an event of a message that its user will never get. Why, is in the log and in the
// queue: the words of a mail server may hold an address.
func (c *Carriers) tellOfLoss(ctx context.Context, job *rivertype.JobRow) {
	kinds := map[string][2]string{store.MailJob{}.Kind(): {"mail.failed", "mailId"}, store.SMSJob{}.Kind(): {"sms.failed", "messageId"}}
	var args struct{ ID, UserID, Template string }
	kind, told := kinds[job.Kind]
	if err := json.Unmarshal(job.EncodedArgs, &args); !told || err != nil || args.UserID == "" {
		return
	}
	err := c.Store.Tell(ctx, store.Entry{
		Event: kind[0], UserID: args.UserID, At: c.Now(),
		Detail: map[string]any{kind[1]: args.ID, "template": args.Template},
	})
	if err != nil {
		c.Log.WarnContext(ctx, "that a message was given up could not be told", slog.String("reason", err.Error()))
	}
}

// attemptTimeout bounds one attempt to send a mail.
const attemptTimeout = time.Minute

// Timeout bounds one attempt.
func (w *mailWorker) Timeout(*river.Job[store.MailJob]) time.Duration { return attemptTimeout }

// NextRetry waits as pause says.
func (w *mailWorker) NextRetry(job *river.Job[store.MailJob]) time.Time {
	return w.carriers.Now().Add(pause(job.Attempt))
}

// pause after an attempt is 1 s, 4 s, 16 s, 1 min, 4 min … up to 8 hours: a greylisting server is
// asked again soon, a broken one is not pestered.
func pause(attempt int) time.Duration {
	const longest = 8 * time.Hour
	if n := attempt - 1; n < 8 {
		return min(longest, time.Second<<(2*n))
	}
	return longest
}

// sweepJob deletes what expired.
type sweepJob struct{}

// Kind names the job to River.
func (sweepJob) Kind() string { return "postern_sweep" }

// InsertOpts makes one sweep serve all replicas.
func (sweepJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStateRetryable,
	}}}
}

type sweepWorker struct {
	river.WorkerDefaults[sweepJob]
	carriers *Carriers
}

// Work sweeps once.
func (w *sweepWorker) Work(ctx context.Context, _ *river.Job[sweepJob]) error {
	now := w.carriers.Now()
	swept, err := w.carriers.Store.Sweep(ctx, now, now.Add(-w.carriers.EventsKept), now.Add(-w.carriers.Events.DeadKept))
	if swept > 0 {
		w.carriers.Log.DebugContext(ctx, "swept expired rows", slog.Int64("rows", swept))
	}
	return errors.Join(err, w.carriers.sweepAudit(ctx, now))
}

// reporter tells the log of every failed attempt, and loudly of the last.
type reporter struct {
	carriers *Carriers
	attempts map[string]int // that a job is given, by kind; those of an earlier start are held to it too
}

// last reports whether the attempt that failed was the job's last.
func (r *reporter) last(job *rivertype.JobRow) bool {
	if most, set := r.attempts[job.Kind]; set && job.Attempt >= most {
		return true
	}
	return job.Attempt >= job.MaxAttempts
}

// HandleError logs a failed attempt, and ends the job after the last.
func (r *reporter) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	if r.last(job) {
		_ = r.carriers.giveUp(ctx, job, err) // the result below ends the job
	} else {
		logFailure(ctx, r.carriers.Log, job, slog.LevelWarn, "job failed, will be tried again", err)
	}
	return &river.ErrorHandlerResult{SetCancelled: r.last(job)}
}

func logFailure(ctx context.Context, log *slog.Logger, job *rivertype.JobRow, level slog.Level, message string, err error) {
	log.Log(ctx, level, message, slog.String("job", job.Kind), slog.Int64("id", job.ID),
		slog.Int("attempt", job.Attempt), slog.String("reason", err.Error()))
}

// HandlePanic logs a panic of a worker; the job is tried again, up to the last attempt.
func (r *reporter) HandlePanic(ctx context.Context, job *rivertype.JobRow, panicked any, trace string) *river.ErrorHandlerResult {
	r.carriers.Log.ErrorContext(ctx, "job panicked", slog.String("job", job.Kind), slog.Int64("id", job.ID),
		slog.Any("panic", panicked), slog.String("trace", trace))
	return &river.ErrorHandlerResult{SetCancelled: r.last(job)}
}

// quiet keeps River's own chatter below warnings out of the log, and what it says of being stopped.
type quiet struct{ slog.Handler }

// Enabled lets warnings and errors through.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// Handle drops errors that say no more than that the server is closing.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	closing := false
	r.Attrs(func(a slog.Attr) bool {
		closing = closing || a.Key == "error" && strings.Contains(a.Value.String(), context.Canceled.Error())
		return !closing
	})
	if closing {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs stays quiet.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup stays quiet.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
