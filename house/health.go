package house

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postern/config"
	"postern/flow"
	"postern/store"
)

const (
	slowDatabase = 250 * time.Millisecond // from when on a database is slow
	lateWork     = 5 * time.Minute        // from when on a job is late
	lateSeal     = time.Minute            // from when on an entry of the audit log is
)

// checks are what the health of the service depends on. What they say holds no secret: why something does not
// answer is in the log.
func (h *House) checks(c *config.Config) []flow.HealthCheck {
	all := []flow.HealthCheck{
		{Kind: "postgres", Name: "database", Look: h.lookAtDatabase},
		{Kind: "hasura", Name: "engine", Look: h.lookAtEngine},
		{Kind: "claims", Name: "custom claims", Look: h.lookAtClaims},
		{Kind: "smtp", Name: "mail server", Look: h.lookAtMail},
		{Kind: "sms", Name: "gateway", Look: h.lookAtTexts},
		{Kind: "work", Name: "background work", Look: h.lookAtWork},
		{Kind: "audit", Name: "sealing of the audit log", Look: h.lookAtAudit},
	}
	t := &trials{attendant: h.attendant, stored: stored{store: h.Store, keys: h.Kit.Keys}}
	for _, k := range Hooks(c) {
		if !k.Enabled || k.Waiting || k.Origin == "" {
			continue
		}
		all = append(all, flow.HealthCheck{Kind: "hook", Name: k.Dialect + "/" + k.Name, Look: func(ctx context.Context) (string, string) { return t.look(ctx, k) }})
	}
	return all
}

// silent notes why something did not answer, which may be more than operators should read.
func (h *House) silent(ctx context.Context, what string, err error) {
	h.log.WarnContext(ctx, "health: "+what, slog.String("reason", err.Error()))
}

func (h *House) lookAtDatabase(ctx context.Context) (state, sentence string) {
	began := h.now()
	c, err := h.Store.Condition(ctx)
	took := h.now().Sub(began)
	switch {
	case err != nil:
		h.silent(ctx, "the database", err)
		return flow.HealthDown, "The database does not answer as it should."
	case c.Migration < store.LatestMigration():
		return flow.HealthDown, fmt.Sprintf("The database is at migration %d of %d.", c.Migration, store.LatestMigration())
	case took > slowDatabase:
		return flow.HealthDegraded, fmt.Sprintf("The database took %d ms. %s", took.Milliseconds(), poolWords(c))
	case c.InUse >= c.Most:
		return flow.HealthDegraded, "Every connection is in use. " + poolWords(c)
	}
	return flow.HealthOK, fmt.Sprintf("The database is at migration %d. %s", c.Migration, poolWords(c))
}

func poolWords(c store.Condition) string {
	return fmt.Sprintf("%d of %d connections are in use.", c.InUse, c.Most)
}

func (h *House) lookAtEngine(ctx context.Context) (state, sentence string) {
	if h.metadata.engine == nil {
		return flow.HealthOK, "There is no engine: HASURA_GRAPHQL_GRAPHQL_URL is not set."
	}
	if _, err := h.metadata.engine.Query(ctx, "query { __typename }", nil); err != nil {
		h.silent(ctx, "Hasura's engine", err)
		return flow.HealthDown, "The engine does not answer, or refuses us."
	}
	return flow.HealthOK, "The engine answers."
}

func (h *House) lookAtClaims(ctx context.Context) (state, sentence string) {
	switch {
	case h.Kit.Claims.None():
		return flow.HealthOK, "There are no custom claims."
	case h.Kit.Claims.Able() != nil:
		h.silent(ctx, "custom claims", h.Kit.Claims.Able())
		return flow.HealthDown, "A required claim cannot be computed, so nobody gets a token."
	case h.Kit.Claims.Ready() != nil:
		h.silent(ctx, "custom claims", h.Kit.Claims.Ready())
		return flow.HealthDegraded, "A claim that is not required cannot be computed."
	}
	return flow.HealthOK, "The source of the claims answers, and every claim can be computed."
}

func (h *House) lookAtMail(ctx context.Context) (state, sentence string) {
	m := h.Carriers.Mailer
	if !m.Configured() {
		if h.Kit.MailReady {
			return flow.HealthOK, "A hook sends mails in the place of a mail server."
		}
		return flow.HealthDegraded, "There is no mail server: AUTH_SMTP_HOST and AUTH_SMTP_SENDER are not set."
	}
	asked, err := m.Probe(ctx)
	switch {
	case err != nil:
		h.silent(ctx, "the mail server", err)
		return flow.HealthDown, "The mail server does not greet us, or refuses who we are."
	case !asked:
		return flow.HealthOK, "Mails go through the API of a service, which is asked with a mail only."
	}
	return flow.HealthOK, "The mail server greets us."
}

func (h *House) lookAtTexts(context.Context) (state, sentence string) {
	switch {
	case h.Kit.SMS.Configured():
		return flow.HealthOK, "A gateway is set up. It is asked with a message only."
	case h.Kit.SMSReady:
		return flow.HealthOK, "A hook sends text messages in the place of a gateway."
	case h.Kit.Policy.SignInBySMS:
		return flow.HealthDown, "There is no gateway, and AUTH_SMS_PASSWORDLESS_ENABLED needs one."
	}
	return flow.HealthOK, "There is no gateway, and nothing needs one."
}

func (h *House) lookAtWork(ctx context.Context) (state, sentence string) {
	now := h.now()
	all, err := h.Store.WorkOfJobs(ctx, now)
	switch {
	case err != nil:
		h.silent(ctx, "background work", err)
		return flow.HealthDown, "The queue cannot be read."
	case !h.working.Load():
		return flow.HealthDown, "The carriers of background work do not run on this server."
	}
	waiting, dead, late := 0, 0, time.Duration(0)
	swept := "never"
	for _, w := range all {
		waiting, dead = waiting+w.Waiting, dead+w.Dead
		if w.Oldest != nil {
			late = max(late, now.Sub(*w.Oldest))
		}
		if w.Kind == "postern_sweep" && w.DoneAt != nil {
			swept = now.Sub(*w.DoneAt).Round(time.Second).String() + " ago"
		}
	}
	sentence = fmt.Sprintf("%d jobs wait, the longest is due since %s; %d were given up; expired rows were last swept %s.", waiting, late.Round(time.Second), dead, swept)
	if late > lateWork {
		return flow.HealthDegraded, sentence
	}
	return flow.HealthOK, sentence
}

func (h *House) lookAtAudit(ctx context.Context) (state, sentence string) {
	c, err := h.Store.Condition(ctx)
	if err != nil {
		h.silent(ctx, "the audit log", err)
		return flow.HealthDown, "The audit log cannot be read."
	}
	if c.OldestUnsealed == nil {
		return flow.HealthOK, "Every entry is sealed."
	}
	lag := h.now().Sub(*c.OldestUnsealed)
	sentence = fmt.Sprintf("The oldest entry that is not sealed is %s old.", lag.Round(time.Second))
	if lag > lateSeal {
		return flow.HealthDegraded, sentence
	}
	return flow.HealthOK, sentence
}
