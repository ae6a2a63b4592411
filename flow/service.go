package flow

import (
	"context"
	"sync"
	"time"

	"postern/claims"
	"postern/emails"
)

// Service is the desk for operators who look after the service itself. What it is made of, the roof says in
// plain values: nothing in them is secret.
type Service struct {
	*Admin
	Mailer        *emails.Mailer
	Receivers     []EventReceiver
	Configuration []ConfigValue
	HooksKnown    []HookInEffect
	// Try finds out whether a hook can be tried, or a script in its place, and gives what does: it asks the
	// receiver about somebody made up.
	Try           func(ctx context.Context, t HookTrial) (func(context.Context) (HookTried, error), error)
	Checks        []HealthCheck
	ClaimSettings claims.Settings
	ClaimSource   claims.Source
}

// ConfigValue is one setting with what is in effect. What is secret is masked.
type ConfigValue struct {
	Section, Name, Value, Default, Doc string
	Source                             string // default, environment, a file with its line, or a flag
	Secret                             bool
}

// InEffect lists the settings.
func (f *Service) InEffect(_ context.Context, by Operator) ([]ConfigValue, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	return f.Configuration, nil
}

// The states of what is checked.
const (
	HealthOK       = "OK"
	HealthDegraded = "DEGRADED" // it works, and somebody should look
	HealthDown     = "DOWN"
)

// HealthCheck looks at one thing that the service needs.
type HealthCheck struct {
	Kind, Name string
	// Look gives the state and a sentence without secrets.
	Look func(ctx context.Context) (state, sentence string)
}

// HealthFound is what a check found.
type HealthFound struct {
	Kind, Name, State, Sentence string
	Took                        time.Duration
}

// HealthReport is what all checks found.
type HealthReport struct {
	State  string // the worst
	Checks []HealthFound
}

// lookTime bounds one check.
const lookTime = 2 * time.Second

// Health looks at everything at once. No check takes longer than two seconds, whatever it looks at.
func (f *Service) Health(ctx context.Context, by Operator) (HealthReport, error) {
	if err := by.mayRead(); err != nil {
		return HealthReport{}, err
	}
	r := HealthReport{State: HealthOK, Checks: make([]HealthFound, len(f.Checks))}
	var wg sync.WaitGroup
	for i, c := range f.Checks {
		wg.Go(func() { r.Checks[i] = f.look(ctx, c) })
	}
	wg.Wait()
	worse := map[string]int{HealthOK: 0, HealthDegraded: 1, HealthDown: 2}
	for _, c := range r.Checks {
		if worse[c.State] > worse[r.State] {
			r.State = c.State
		}
	}
	return r, nil
}

// look makes one check. One that does not heed its context is left behind.
func (f *Service) look(ctx context.Context, c HealthCheck) HealthFound {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	began := f.Now()
	found := make(chan HealthFound, 1)
	go func() {
		l := HealthFound{Kind: c.Kind, Name: c.Name}
		l.State, l.Sentence = c.Look(ctx)
		found <- l
	}()
	var l HealthFound
	select {
	case l = <-found:
	case <-ctx.Done():
		l = HealthFound{Kind: c.Kind, Name: c.Name, State: HealthDown, Sentence: "There was no answer within two seconds."}
	}
	l.Took = f.Now().Sub(began)
	return l
}
