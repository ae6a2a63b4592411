package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/events"
	"postern/store"
)

const (
	maxCounted = 100_000 // a list is counted no further
	maxReplay  = 10_000  // events that are sent again at once
)

// EventReceiver is somebody who gets events.
type EventReceiver struct {
	Name  string
	URL   string // without what may be secret in it
	Types []string
}

// receiver is one as the store knows it.
func (r EventReceiver) receiver() store.Receiver {
	patterns := make([]string, len(r.Types))
	for i, t := range r.Types {
		patterns[i] = events.Pattern(t)
	}
	return store.Receiver{Name: r.Name, Types: patterns}
}

func (f *Service) receivers() []store.Receiver {
	list := make([]store.Receiver, len(f.Receivers))
	for i, r := range f.Receivers {
		list[i] = r.receiver()
	}
	return list
}

// EventFilter says which events are meant. A zero field means any.
type EventFilter struct {
	UserID, Type string // a type such as user.created, or user.*
	Since, Until time.Time
}

func (w EventFilter) asked() (store.EventsAsked, error) {
	a := store.EventsAsked{UserID: w.UserID, Since: w.Since, Until: w.Until}
	if w.Type != "" {
		if problem := events.CheckFilter(w.Type); problem != "" {
			return a, auth.Invalid{Field: "type", Problem: "must be the type of an event such as user.created, or user.*"}
		}
		a.Type = events.Pattern(w.Type)
	}
	if !w.Until.IsZero() && !w.Since.Before(w.Until) {
		return a, auth.Invalid{Field: "until", Problem: "must be later than since"}
	}
	return a, nil
}

// Told is an event with what became of it at every receiver that gets it.
type Told struct {
	store.Happened
	Deliveries []store.Delivery
}

// Events lists a part of the events, the newest first.
func (f *Service) Events(ctx context.Context, w EventFilter, p Paging, by Operator) (Page[Told], error) {
	if err := by.mayRead(); err != nil {
		return Page[Told]{}, err
	}
	asked, err := w.asked()
	if err != nil {
		return Page[Told]{}, err
	}
	l, err := f.listing(p, "events", w)
	if err != nil {
		return Page[Told]{}, err
	}
	found, err := f.Store.EventSlice(ctx, asked, l.slice)
	if err != nil {
		return Page[Told]{}, err
	}
	told, err := f.told(ctx, found)
	if err != nil {
		return Page[Told]{}, err
	}
	return page(l, told, func(e Told) []string { return []string{e.At.UTC().Format(time.RFC3339Nano), e.ID} })
}

// told adds what became of events, in one statement.
func (f *Service) told(ctx context.Context, found []store.Happened) ([]Told, error) {
	ids, at := make([]string, len(found)), map[string]int{}
	all := make([]Told, len(found))
	for i, e := range found {
		ids[i], at[e.ID], all[i].Happened = e.ID, i, e
	}
	deliveries, err := f.Store.Deliveries(ctx, ids, f.receivers())
	for _, d := range deliveries {
		e := &all[at[d.EventID]]
		e.Deliveries = append(e.Deliveries, d)
	}
	return all, err
}

// EventsOfUsers lists what happened to each of several users, so many events of each at most, the newest first.
func (f *Service) EventsOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]Told, error) {
	most, err := by.mayListLong(len(userIDs), first)
	if err != nil {
		return nil, err
	}
	found, err := f.Store.EventsOfUsers(ctx, userIDs, f.receivers(), most)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]Told, len(found))
	for id, list := range found {
		for _, e := range list {
			all[id] = append(all[id], Told(e))
		}
	}
	return all, nil
}

// CountEvents tells how many events there are, and counts no further than a hundred thousand.
func (f *Service) CountEvents(ctx context.Context, w EventFilter, by Operator) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	asked, err := w.asked()
	if err != nil {
		return 0, err
	}
	return f.Store.CountEvents(ctx, asked, maxCounted)
}

// ReceiverState is a receiver with what waits for it.
type ReceiverState struct {
	EventReceiver
	store.Backlog
}

// EventReceivers lists the receivers of the settings.
func (f *Service) EventReceivers(ctx context.Context, by Operator) ([]ReceiverState, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	backlogs, err := f.Store.Backlogs(ctx, f.receivers(), maxCounted)
	if err != nil {
		return nil, err
	}
	list := make([]ReceiverState, len(f.Receivers))
	for i, r := range f.Receivers {
		list[i].EventReceiver = r
		if at := slices.IndexFunc(backlogs, func(b store.Backlog) bool { return b.Endpoint == r.Name }); at >= 0 {
			list[i].Backlog = backlogs[at]
		}
	}
	return list, nil
}

// DeadLetters lists a part of what was given up, the newest first; kind is event, mail or sms, or empty for all.
func (f *Service) DeadLetters(ctx context.Context, kind string, p Paging, by Operator) (Page[store.DeadLetter], error) {
	if err := by.mayRead(); err != nil {
		return Page[store.DeadLetter]{}, err
	}
	l, err := f.listing(p, "deadLetters", kind)
	if err != nil {
		return Page[store.DeadLetter]{}, err
	}
	found, err := f.Store.DeadLetterSlice(ctx, kind, l.slice)
	if err != nil {
		return Page[store.DeadLetter]{}, err
	}
	return page(l, found, func(d store.DeadLetter) []string { return []string{d.At.UTC().Format(time.RFC3339Nano), d.Key} })
}

// CountDeadLetters tells how many there are.
func (f *Service) CountDeadLetters(ctx context.Context, kind string, by Operator) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	return f.Store.CountDeadLetters(ctx, kind)
}

// Replay says which events are to be sent again, and to whom.
type Replay struct {
	ID       string // one event; empty for the filter's
	Receiver string // empty for all who get them
	Filter   EventFilter
	Dead     bool // only those that were given up
	Most     int  // refused when there are more; 0 is ten thousand
}

// ReplayEvents has events sent again, with the ids that they had, and tells how many.
func (f *Service) ReplayEvents(ctx context.Context, r Replay, by Operator) (int, error) {
	if err := by.mayChange(); err != nil {
		return 0, err
	}
	asked, err := r.Filter.asked()
	if err != nil {
		return 0, err
	}
	if r.ID == "" && !r.Dead && r.Filter.Since.IsZero() {
		return 0, auth.Invalid{Field: "since", Problem: "must say from when on events are sent again"}
	}
	asked.ID, asked.Dead = r.ID, r.Dead
	var to []store.Receiver
	for _, e := range f.Receivers {
		if r.Receiver == "" || r.Receiver == e.Name {
			to = append(to, e.receiver())
		}
	}
	if len(to) == 0 {
		return 0, auth.Invalid{Field: "receiver", Problem: "must be one of AUTH_EVENTS_ENDPOINTS"}
	}
	return f.replay(ctx, r, asked, to, by)
}

func (f *Service) replay(ctx context.Context, r Replay, asked store.EventsAsked, to []store.Receiver, by Operator) (int, error) {
	now, most := f.Now(), cmp.Or(r.Most, maxReplay)
	for i, e := range to {
		since, err := f.Store.EnsureReceiver(ctx, e.Name, now)
		if err != nil {
			return 0, err
		}
		to[i].Since = since
	}
	var total int64
	err := f.Store.InTx(ctx, func(tx *store.DB) error {
		total = 0
		for _, e := range to {
			if asked.Most = most - int(total); asked.Most <= 0 {
				asked.Most = -1 // only counted
			}
			n, err := tx.Replay(ctx, e, asked, now)
			if err != nil {
				return err
			}
			total += n
		}
		if total > int64(most) {
			return auth.Invalid{Field: "since", Problem: fmt.Sprintf("must not cover more than %d events, of which there are %d or more: send fewer at once", most, total)}
		}
		if total == 0 {
			return fmt.Errorf("%w: no event to send again", auth.NotFound)
		}
		facts := map[string]any{"count": total, "receivers": len(to)}
		for name, value := range map[string]string{"event": r.ID, "receiver": r.Receiver, "user": r.Filter.UserID, "type": r.Filter.Type} {
			if value != "" {
				facts[name] = value
			}
		}
		return tx.AddNote(ctx, f.note(by, "events.replayed", facts))
	})
	return int(total), err
}

// RetryMessage has a mail or a text message that was given up tried once more.
func (f *Service) RetryMessage(ctx context.Context, key string, by Operator) (store.DeadLetter, error) {
	return f.withLetter(ctx, key, "dead-letter.retried", by, func(tx *store.DB, d store.DeadLetter, n store.Note) error {
		if d.Kind == "event" {
			return auth.Invalid{Field: "id", Problem: "must be that of a mail or a text message; replayEvent sends events again"}
		}
		id, err := jobOf(d.Key)
		if err != nil {
			return err
		}
		err = tx.RetryJob(ctx, id, f.Now(), n)
		if errors.Is(err, store.ErrChanged) {
			return auth.Invalid{Field: "id", Problem: "must be that of a message that is still good: what this one holds has expired, so have the user ask for another"}
		}
		return err
	})
}

// Discard forgets a dead letter.
func (f *Service) Discard(ctx context.Context, key string, by Operator) (store.DeadLetter, error) {
	return f.withLetter(ctx, key, "dead-letter.discarded", by, func(tx *store.DB, d store.DeadLetter, n store.Note) error {
		if d.Kind == "event" {
			return tx.DropEventLetter(ctx, d.ItemID, d.Endpoint, n)
		}
		id, err := jobOf(d.Key)
		return cmp.Or(err, tx.DropJob(ctx, id, f.Now(), n))
	})
}

// withLetter does something with a dead letter, in one transaction with its note.
func (f *Service) withLetter(ctx context.Context, key, event string, by Operator, do func(tx *store.DB, d store.DeadLetter, n store.Note) error) (d store.DeadLetter, err error) {
	if err := by.mayChange(); err != nil {
		return d, err
	}
	if !idShape.MatchString(key) {
		return d, fmt.Errorf("%w: dead letter", auth.NotFound)
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		if d, err = tx.FindDeadLetter(ctx, key); err != nil {
			return err
		}
		facts := map[string]any{"kind": d.Kind, "item": d.ItemID}
		if d.UserID != "" {
			facts["user"] = d.UserID
		}
		return do(tx, d, f.note(by, event, facts))
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: dead letter", auth.NotFound)
	}
	return d, err
}

// jobOf is the number of a message's job.
func jobOf(key string) (int64, error) {
	_, number, _ := strings.Cut(key, ":")
	return strconv.ParseInt(number, 10, 64)
}
