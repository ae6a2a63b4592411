package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"postern/auth"
	"postern/config"
	"postern/events"
	"postern/flow"
	"postern/store"
	"postern/tokens"
)

type eventsCmds struct {
	List   eventsListCmd   `cmd:"" help:"List events, and how far each has got."`
	Replay eventsReplayCmd `cmd:"" help:"Have events sent again."`
	Schema eventsSchemaCmd `cmd:"" help:"Print the JSON Schema of what a receiver gets for an event."`
}

// eventsAsked are the flags that list and replay have in common.
type eventsAsked struct {
	Dead     bool   `help:"Only events that were given up."`
	User     string `placeholder:"ID|EMAIL" help:"Only events of this user."`
	Type     string `placeholder:"TYPE" help:"Only events of this type, such as user.created or 'user.*'."`
	Endpoint string `placeholder:"NAME" help:"Only at this endpoint."`
	Since    string `placeholder:"AGE|TIME" help:"Only what happened since then: 90m, 24h, 2026-01-31 or 2026-01-31T12:00:00Z."`
}

// open reads the settings, connects to the database and says which events are meant, at which receivers.
func (q eventsAsked) open(ctx context.Context, a *app, now time.Time) (*store.DB, []store.Receiver, store.EventsAsked, error) {
	asked := store.EventsAsked{Dead: q.Dead}
	c, err := a.config()
	if err != nil {
		return nil, nil, asked, err
	}
	if c.Store.URL() == "" {
		return nil, nil, asked, stepError{errors.New("no database is configured"), "set POSTGRES_CONNECTION=postgres://user:password@host:5432/database"}
	}
	if q.Type != "" {
		if problem := events.CheckFilter(q.Type); problem != "" {
			return nil, nil, asked, usageError{"--type " + q.Type + " " + problem}
		}
		asked.Type = events.Pattern(q.Type)
	}
	if asked.Since, err = sinceWhen(q.Since, now); err != nil {
		return nil, nil, asked, err
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		return nil, nil, asked, err
	}
	receivers, err := q.receivers(ctx, c, db, now)
	if err == nil && q.User != "" {
		asked.UserID, err = userOfEvents(ctx, db, q.User)
	}
	if err != nil {
		db.Close()
	}
	return db, receivers, asked, err
}

// receivers are the endpoints of the settings, or the one that is meant.
func (q eventsAsked) receivers(ctx context.Context, c *config.Config, db *store.DB, now time.Time) ([]store.Receiver, error) {
	var receivers []store.Receiver
	var known []string
	for _, e := range c.Events.Parse() {
		known = append(known, e.Name)
		if q.Endpoint != "" && q.Endpoint != e.Name {
			continue
		}
		since, err := db.EnsureReceiver(ctx, e.Name, now)
		if err != nil {
			return nil, unreachable(err)
		}
		receivers = append(receivers, store.Receiver{Name: e.Name, Since: since, Types: e.Patterns()})
	}
	if q.Endpoint != "" && len(receivers) == 0 {
		return nil, stepError{fmt.Errorf("there is no endpoint %s", q.Endpoint), "take one of AUTH_EVENTS_ENDPOINTS: " + cmp.Or(strings.Join(known, ", "), "it names none")}
	}
	return receivers, nil
}

// userOfEvents is the id of a user. An id is taken as it is: events outlive users.
func userOfEvents(ctx context.Context, db *store.DB, who string) (string, error) {
	if id := strings.ToLower(who); tokens.IsUUID(id) {
		return id, nil
	}
	u, err := findUser(ctx, db, who)
	return u.ID, err
}

// sinceWhen reads an age or a time.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usageError{"--since " + text + " is neither an age such as 24h nor a time such as 2026-01-31T12:00:00Z"}
}

type eventsListCmd struct {
	eventsAsked

	Limit int  `default:"50" placeholder:"N" help:"At most so many for each endpoint."`
	JSON  bool `name:"json" help:"Print one JSON object for each line."`
}

// Run lists the newest events first.
func (cmd eventsListCmd) Run(ctx context.Context, a *app) error {
	if cmd.Limit < 1 {
		return usageError{"--limit must be 1 or more"}
	}
	db, receivers, asked, err := cmd.open(ctx, a, time.Now())
	if err != nil {
		return err
	}
	defer db.Close()
	asked.Most = cmd.Limit
	if len(receivers) == 0 && !cmd.Dead {
		receivers = []store.Receiver{{}} // what happened can be seen without a receiver
	}
	var list []store.Told
	for _, r := range receivers {
		told, err := db.ListEvents(ctx, r, asked)
		if err != nil {
			return unreachable(err)
		}
		list = append(list, told...)
	}
	slices.SortStableFunc(list, func(a, b store.Told) int { return b.At.Compare(a.At) })
	if cmd.JSON {
		return printEventsJSON(a.stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, "There are no such events.")
		return err
	}
	return printEvents(a.stdout, list)
}

func printEvents(out io.Writer, list []store.Told) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "AT\tEVENT\tUSER\tENDPOINT\tSTATE\tID")
	for _, e := range list {
		state := cmp.Or(e.State, "no endpoint")
		if e.Attempts > 0 {
			state += fmt.Sprintf(", %d failed (%s)", e.Attempts, e.Error)
		}
		if e.NextAt != nil {
			state += ", next " + e.NextAt.UTC().Format(time.TimeOnly)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format(time.DateTime), e.Type, e.UserID, cmp.Or(e.Endpoint, "-"), state, events.MessageID(e.ID))
	}
	return w.Flush()
}

func printEventsJSON(out io.Writer, list []store.Told) error {
	enc := json.NewEncoder(out)
	for _, e := range list {
		err := enc.Encode(struct {
			ID       string     `json:"id"`
			Type     string     `json:"type"`
			At       time.Time  `json:"timestamp"`
			UserID   string     `json:"userId"`
			Endpoint string     `json:"endpoint,omitempty"`
			State    string     `json:"state,omitempty"`
			Attempts int        `json:"failedAttempts,omitempty"`
			Error    string     `json:"error,omitempty"`
			NextAt   *time.Time `json:"nextAttempt,omitempty"`
		}{events.MessageID(e.ID), e.Type, e.At.UTC(), e.UserID, e.Endpoint, e.State, e.Attempts, e.Error, e.NextAt})
		if err != nil {
			return err
		}
	}
	return nil
}

type eventsReplayCmd struct {
	eventsAsked

	ID string `arg:"" optional:"" help:"The id of one event, as list and the header webhook-id show it."`
}

// Help is printed with the flags.
func (eventsReplayCmd) Help() string {
	return "Give an id, --dead or --since; the other flags narrow it down. A running server sends them, with the ids that they had. More than 50,000 for one endpoint are refused. The exit code is 1 when there was nothing to send."
}

// Run asks for events again.
func (cmd eventsReplayCmd) Run(ctx context.Context, a *app) error {
	id := strings.ToLower(strings.TrimPrefix(cmd.ID, "evt_"))
	switch {
	case cmd.ID == "" && !cmd.Dead && cmd.Since == "":
		return usageError{"say what to send again: an id, --dead or --since"}
	case cmd.ID != "" && !tokens.IsUUID(id):
		return usageError{cmd.ID + " is not the id of an event"}
	}
	now := time.Now()
	db, receivers, asked, err := cmd.open(ctx, a, now)
	if err != nil {
		return err
	}
	defer db.Close()
	if len(receivers) == 0 {
		return stepError{errors.New("there is no endpoint to send events to"), "name one in AUTH_EVENTS_ENDPOINTS; docs/events.md explains"}
	}
	c, err := a.config()
	if err != nil {
		return err
	}
	total := 0
	for _, r := range receivers {
		n, err := cmd.replay(ctx, replayDesk(c, db), flow.Replay{
			ID: id, Receiver: r.Name, Dead: cmd.Dead, Most: mostReplayed, Filter: flow.EventFilter{UserID: asked.UserID, Type: cmd.Type, Since: asked.Since},
		})
		if err != nil {
			return err
		}
		if total += n; n > 0 {
			_, _ = fmt.Fprintf(a.stdout, "%s gets %s again.\n", r.Name, counted(int64(n), "event"))
		}
	}
	if total == 0 {
		return stepError{errors.New("there is no such event to send again"), "look with 'postern events list'; what still waits is sent anyway"}
	}
	return nil
}

// mostReplayed is how many events one endpoint is sent again at once.
const mostReplayed = 50_000

// replayDesk is the desk that has events sent again, and notes it in the audit log.
func replayDesk(c *config.Config, db *store.DB) *flow.Service {
	f := &flow.Service{Admin: &flow.Admin{Kit: flow.Kit{Store: db, Now: time.Now}}}
	for _, e := range c.Events.Parse() {
		f.Receivers = append(f.Receivers, flow.EventReceiver{Name: e.Name, Types: e.Filters})
	}
	return f
}

// replay asks the desk as who runs the service, and tells how many events one endpoint gets.
func (eventsReplayCmd) replay(ctx context.Context, desk *flow.Service, r flow.Replay) (int, error) {
	n, err := desk.ReplayEvents(ctx, r, flow.Operator{Actor: auth.Actor{Rights: auth.AllRights}})
	var invalid auth.Invalid
	switch {
	case errors.Is(err, auth.NotFound):
		return 0, nil
	case errors.As(err, &invalid):
		return 0, usageError{"--" + invalid.Field + " " + invalid.Problem}
	case err != nil:
		return 0, unreachable(err)
	}
	return n, nil
}

func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

type eventsSchemaCmd struct {
	Type string `arg:"" help:"The event, such as user.created."`
}

// Run prints a schema.
func (cmd eventsSchemaCmd) Run(a *app) error {
	var names []string
	for _, t := range events.Types() {
		if t.Name == cmd.Type {
			_, err := fmt.Fprintf(a.stdout, "%s\n", t.Schema())
			return err
		}
		names = append(names, t.Name)
	}
	text := "there is no event " + cmd.Type
	if nearest := config.Nearest(cmd.Type, names); nearest != "" {
		text += "; did you mean " + nearest + "?"
	}
	return stepError{errors.New(text), "docs/events.md lists the events"}
}
