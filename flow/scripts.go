package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// What scripts are held to.
const (
	MaxScriptSecrets = 20
	maxScript        = 100 << 10
	maxScriptName    = 255
	maxDependencies  = 100
	maxSecret        = 4096
)

// Triggers lists the places at which a script may have a say, as Auth0 names them.
func Triggers() []string {
	return []string{"credentials-exchange", "post-change-password", "post-user-registration", "pre-user-registration", "send-phone-message"}
}

// Scripts is the desk for those who bring the scripts of hooks: machines and operators. A script belongs
// to nobody: who has the scope, or the right, may touch all of them.
type Scripts struct {
	Kit
	// Asked tells that scripts have a say here. Where they have none, operators bring none: one that is
	// meant to forbid something would allow it.
	Asked bool
}

// List lists scripts in the order of their creation, and tells how many there are in all.
func (f *Scripts) List(ctx context.Context, filter store.ScriptFilter, by By) ([]store.HookScript, int, error) {
	if err := by.MayRead(); err != nil {
		return nil, 0, err
	}
	return f.Store.Scripts(ctx, filter)
}

// Page lists a part of the scripts in the order of their creation.
func (f *Scripts) Page(ctx context.Context, filter store.ScriptFilter, p Paging, by By) (Page[store.HookScript], error) {
	if err := by.MayRead(); err != nil {
		return Page[store.HookScript]{}, err
	}
	if filter.Trigger != "" {
		if err := checkTrigger(filter.Trigger); err != nil {
			return Page[store.HookScript]{}, err
		}
	}
	l, err := f.listing(p, "hookScripts", filter.Trigger, filter.Enabled)
	if err != nil {
		return Page[store.HookScript]{}, err
	}
	found, err := f.Store.ScriptSlice(ctx, filter, l.slice)
	if err != nil {
		return Page[store.HookScript]{}, err
	}
	return page(l, found, func(s store.HookScript) []string { return []string{s.ID} })
}

// Count tells how many scripts there are.
func (f *Scripts) Count(ctx context.Context, filter store.ScriptFilter, by By) (int, error) {
	if err := by.MayRead(); err != nil {
		return 0, err
	}
	return f.Store.CountScripts(ctx, filter)
}

// Get finds a script.
func (f *Scripts) Get(ctx context.Context, id string, by By) (store.HookScript, error) {
	if err := cmp.Or(by.MayRead(), asID(id)); err != nil {
		return store.HookScript{}, err
	}
	s, err := f.Store.Script(ctx, id)
	return s, known(err, id)
}

// NewScript is a script to come.
type NewScript struct {
	Name, Trigger, Source string
	Dependencies          map[string]string
	Enabled               bool
}

// Create writes a script. Enabled, it takes the place of the one that had a say at its trigger.
func (f *Scripts) Create(ctx context.Context, in NewScript, by By) (store.HookScript, error) {
	if err := cmp.Or(by.MayCreate(), f.asked(by)); err != nil {
		return store.HookScript{}, err
	}
	now := f.Now()
	s := store.HookScript{
		CreatedAt: now, UpdatedAt: now,
		ID: tokens.NewULID(now), Name: in.Name, Slug: slug(in.Name), Trigger: in.Trigger, Source: in.Source, Dependencies: in.Dependencies, Enabled: in.Enabled,
	}
	err := cmp.Or(checkName(in.Name), checkTrigger(in.Trigger), checkSource(in.Source), checkDependencies(in.Dependencies))
	if err != nil {
		return s, err
	}
	n := f.note("hook-script.created", s.ID, by)
	n.Facts["name"], n.Facts["trigger"], n.Facts["enabled"] = s.Name, s.Trigger, s.Enabled
	return s, f.Store.InTx(ctx, func(tx *store.DB) error { return tx.AddScript(ctx, s, n) })
}

// ScriptChange is what becomes different in a script; nil stays as it is.
type ScriptChange struct {
	Name, Source *string
	Enabled      *bool
	Dependencies map[string]string // as a whole
}

// Change changes a script and gives it as it is then. Enabled, it takes the place of the one that had a
// say at its trigger.
func (f *Scripts) Change(ctx context.Context, id string, in ScriptChange, by By) (s store.HookScript, err error) {
	if err := cmp.Or(by.MayChange(), asID(id)); err != nil {
		return s, err
	}
	if in.Enabled != nil && *in.Enabled {
		if err := f.asked(by); err != nil {
			return s, err
		}
	}
	c := store.ScriptChange{Name: in.Name, Source: in.Source, Enabled: in.Enabled, Dependencies: in.Dependencies}
	n := f.note("hook-script.changed", id, by)
	changes := []string{}
	if in.Name != nil {
		text := slug(*in.Name)
		c.Slug, changes, n.Facts["name"] = &text, append(changes, "name"), *in.Name
		err = checkName(*in.Name)
	}
	if in.Source != nil {
		changes, err = append(changes, "script"), cmp.Or(err, checkSource(*in.Source))
	}
	if in.Enabled != nil {
		changes, n.Facts["enabled"] = append(changes, "enabled"), *in.Enabled
	}
	if in.Dependencies != nil {
		changes, err = append(changes, "dependencies"), cmp.Or(err, checkDependencies(in.Dependencies))
	}
	if err != nil {
		return s, err
	}
	n.Facts["changed"] = strings.Join(changes, " ")
	err = f.Store.InTx(ctx, func(tx *store.DB) (err error) {
		s, err = tx.ChangeScript(ctx, id, c, n)
		return err
	})
	return s, known(err, id)
}

// Delete removes a script and its secrets.
func (f *Scripts) Delete(ctx context.Context, id string, by By) error {
	if err := cmp.Or(by.MayDelete(), asID(id)); err != nil {
		return err
	}
	n := f.note("hook-script.deleted", id, by)
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.DeleteScript(ctx, id, n) }), id)
}

func (f *Scripts) note(event, id string, by By) store.Note {
	n := store.Note{Event: event, Client: by.Client, Facts: map[string]any{"script": id}, At: f.Now()}
	if by.Machine == nil {
		n.ActorID, n.By = by.Operator.UserID, byOperator
	} else {
		n.Facts["client"] = by.Machine.ClientID
	}
	return n
}

// idShape is what the ids of scripts, machine clients and dead letters may look like: anything else is the id of
// nothing, and is not asked for.
var idShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~:-]{0,199}$`)

// asID refuses what cannot be the id of a script.
func asID(id string) error {
	if !idShape.MatchString(id) {
		return fmt.Errorf("%w: no id", auth.ScriptUnknown)
	}
	return nil
}

// known turns a script that is not there into its refusal.
func known(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %s", auth.ScriptUnknown, id)
	}
	return err
}

// slug is a name as names are compared: two that differ in letter case, or in blanks and hyphens, are one
// to the tools that bring scripts.
func slug(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

var scriptName = regexp.MustCompile(`^[a-zA-Z0-9]([ \-a-zA-Z0-9]*[a-zA-Z0-9])?$`)

func checkName(s string) error {
	if !scriptName.MatchString(s) || len(s) > maxScriptName {
		return auth.Invalid{Field: "name", Problem: "must match " + scriptName.String() + fmt.Sprintf(" and have at most %d characters", maxScriptName)}
	}
	return nil
}

func checkTrigger(s string) error {
	if !slices.Contains(Triggers(), s) {
		return auth.Invalid{Field: "triggerId", Problem: "must be one of " + strings.Join(Triggers(), ", ")}
	}
	return nil
}

// checkSource does not look whether it is JavaScript: what is wrong with it is told when it runs.
func checkSource(s string) error {
	if s == "" || len(s) > maxScript || strings.ContainsRune(s, 0) {
		return auth.Invalid{Field: "script", Problem: fmt.Sprintf("must have 1 to %d bytes, and no NUL", maxScript)}
	}
	return nil
}

func checkDependencies(m map[string]string) error {
	bad := len(m) > maxDependencies
	for name, version := range m {
		bad = bad || name == "" || len(name) > 214 || len(version) > 214 || strings.ContainsRune(name+version, 0)
	}
	if bad {
		return auth.Invalid{Field: "dependencies", Problem: fmt.Sprintf("must be an object of at most %d names of npm packages with their versions", maxDependencies)}
	}
	return nil
}
