package store

import (
	"context"
	"strconv"
	"time"
)

// ListedMessage is a mail or a text message of a user as the queue has it.
type ListedMessage struct {
	UserID        string
	Job           int64
	Kind          string // mail or sms
	Template      string
	Sealed        string // its content in base64, which opens a door
	State         string // such as MessageQueued
	Attempts      int
	QueuedAt      time.Time
	LastAttemptAt *time.Time
	NextAttemptAt *time.Time
	EndedAt       *time.Time // when it was sent or given up
	ExpiresAt     *time.Time // when what it holds is worth nothing any more
	Error         string     // of the last attempt that failed
}

// Key is that of its DeadLetter, if it becomes one.
func (m ListedMessage) Key() string { return m.Kind + ":" + strconv.FormatInt(m.Job, 10) }

// The states of a message.
const (
	MessageQueued   = "queued"
	MessageSending  = "sending"
	MessageRetrying = "retrying" // an attempt failed, and another one follows
	MessageSent     = "sent"
	MessageDead     = "dead"
)

// MessagesOfUsers lists the mails and text messages of users.
func (db *DB) MessagesOfUsers(ctx context.Context, userIDs []string, most int) (map[string][]ListedMessage, error) {
	return ofUsers(ctx, db, func(m ListedMessage) string { return m.UserID }, messagesOfUsersSQL, userIDs, most)
}

// messagesOfUsersSQL finds the jobs of a user by the index on their arguments. Without the offset, Postgres may
// rather read all jobs from the newest on, hoping to meet enough of the user's.
const messagesOfUsersSQL = `select m.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select u.of::text as user_id, j.id as job, case j.kind when 'postern_sms' then 'sms' else 'mail' end as kind,
			coalesce(j.args ->> 'template', '') as template, coalesce(j.args ->> 'sealed', '') as sealed,
			case when j.state = 'completed' then '` + MessageSent + `' when j.state in ('cancelled', 'discarded') then '` + MessageDead + `' when j.state = 'running' then '` + MessageSending + `'
				when cardinality(j.errors) > 0 then '` + MessageRetrying + `' else '` + MessageQueued + `' end as state,
			j.attempt::int as attempts, j.created_at as queued_at, j.attempted_at as last_attempt_at,
			case when j.state in ('available', 'pending', 'retryable', 'scheduled') then j.scheduled_at end as next_attempt_at, j.finalized_at as ended_at,
			(j.args ->> 'expiresAt')::timestamptz as expires_at, left(coalesce(j.errors[array_upper(j.errors, 1)] ->> 'error', ''), 300) as error
		from (select * from postern_river.river_job j where j.args @> jsonb_build_object('userId', u.of::text) and j.kind in ('postern_mail', 'postern_sms') offset 0) j
		order by j.id desc limit $2) m
	order by m.job desc`

// ListedSecret is a one-time secret that lives, without anything that opens a door.
type ListedSecret struct {
	UserID       string
	Purpose      string
	Email        string // that it was sent to
	PhoneNumber  string // the same
	AttemptsLeft *int   // nil when nobody counts
	CreatedAt    *time.Time
	ExpiresAt    time.Time
}

// SecretsOfUsers lists one-time secrets that live; those that Hasura Auth wrote are among them while they may
// be used.
func (db *DB) SecretsOfUsers(ctx context.Context, userIDs []string, now time.Time, adopted bool, most int) (map[string][]ListedSecret, error) {
	return ofUsers(ctx, db, func(s ListedSecret) string { return s.UserID }, secretsOfUsersSQL, userIDs, now, adopted, most)
}

// secretsOfUsersSQL takes of a ticket of Hasura Auth what is in front of its secret.
const secretsOfUsersSQL = `select s.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select t.user_id::text as user_id, t.purpose, coalesce(t.email, '') as email, coalesce(t.phone_number, '') as phone_number,
			t.attempts_left::int as attempts_left, t.created_at, t.expires_at
		from auth.tickets t where t.user_id = u.of and t.expires_at > $2
		union all
		select a.id::text, p.purpose, coalesce(case p.purpose when 'emailConfirmChange' then a.new_email::text when 'mfaTotp' then '' else a.email::text end, ''), '', null, null, a.ticket_expires_at
		from auth.users a cross join lateral (select case when strpos(a.ticket, ':') > 0 then split_part(a.ticket, ':', 1) else '' end as purpose) p
		where $3::boolean and a.id = u.of and a.ticket is not null and a.ticket_expires_at > $2 and a.ticket_expires_at < 'infinity'
		order by created_at desc nulls last, purpose limit $4) s
	order by s.created_at desc nulls last, s.purpose`
