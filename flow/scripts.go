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

// Scripts is the desk for machines that bring the scripts of hooks. A script belongs to nobody: who has
// the scope may touch all of them.
type Scripts struct{ Kit }

// By is who asks for a change.
type By struct {
	Machine Machine
	Client  auth.Client
}

// List lists scripts in the order of their creation, and tells how many there are in all.
func (f *Scripts) List(ctx context.Context, filter store.ScriptFilter) ([]store.HookScript, int, error) {
	return f.Store.Scripts(ctx, filter)
}

// Get finds a script.
func (f *Scripts) Get(ctx context.Context, id string) (store.HookScript, error) {
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
	s := store.HookScript{
		ID: tokens.NewULID(f.Now()), Name: in.Name, Slug: slug(in.Name), Trigger: in.Trigger, Source: in.Source, Dependencies: in.Dependencies, Enabled: in.Enabled,
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
	n := f.note("hook-script.deleted", id, by)
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.DeleteScript(ctx, id, n) }), id)
}

// SecretNames lists the names of a script's secrets. Nobody reads their values but the script.
func (f *Scripts) SecretNames(ctx context.Context, id string) ([]string, error) {
	names, err := f.Store.ScriptSecrets(ctx, id)
	return names, known(err, id)
}

// AddSecrets gives a script new secrets, all of them or none.
func (f *Scripts) AddSecrets(ctx context.Context, id string, secrets map[string]string, by By) error {
	sealed, n, err := f.sealSecrets("hook-script.secrets.added", id, secrets, by)
	if err != nil {
		return err
	}
	return known(f.Store.InTx(ctx, func(tx *store.DB) error {
		return tx.AddScriptSecrets(ctx, id, sealed, MaxScriptSecrets, n)
	}), id)
}

// ChangeSecrets gives secrets of a script other values, all of them or none.
func (f *Scripts) ChangeSecrets(ctx context.Context, id string, secrets map[string]string, by By) error {
	sealed, n, err := f.sealSecrets("hook-script.secrets.changed", id, secrets, by)
	if err != nil {
		return err
	}
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.ChangeScriptSecrets(ctx, id, sealed, n) }), id)
}

// DropSecrets removes secrets of a script. A name that it does not have is no error.
func (f *Scripts) DropSecrets(ctx context.Context, id string, names []string, by By) error {
	if err := checkSecretNames(names, 1000); err != nil {
		return err
	}
	n := f.note("hook-script.secrets.deleted", id, by)
	n.Facts["names"] = names
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.DropScriptSecrets(ctx, id, names, n) }), id)
}

func (f *Scripts) sealSecrets(event, id string, secrets map[string]string, by By) ([]store.SealedSecret, store.Note, error) {
	n := f.note(event, id, by)
	var names []string
	for name, value := range secrets {
		if len(value) > maxSecret {
			return nil, n, auth.Invalid{Field: "secrets", Problem: fmt.Sprintf("must have values of %d bytes at most", maxSecret)}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	if err := checkSecretNames(names, MaxScriptSecrets); err != nil {
		return nil, n, err
	}
	n.Facts["names"] = names
	var sealed []store.SealedSecret
	for _, name := range names {
		box, err := f.Keys.Seal(store.HookSecretSeal(id, name), []byte(secrets[name]))
		if err != nil {
			return nil, n, err
		}
		sealed = append(sealed, store.SealedSecret{Name: name, Sealed: box})
	}
	return sealed, n, nil
}

// OpenScriptSecrets opens the secrets of a script that is about to run.
func OpenScriptSecrets(keys *tokens.Keyring, s store.HookScript) (map[string]string, error) {
	secrets := make(map[string]string, len(s.Secrets))
	for name, sealed := range s.Secrets {
		plain, err := keys.Open(store.HookSecretSeal(s.ID, name), sealed)
		if err != nil {
			return nil, fmt.Errorf("the secret %s was sealed with an encryption key that is no longer known; set AUTH_ENCRYPTION_KEY_PREVIOUS", name)
		}
		secrets[name] = string(plain)
	}
	return secrets, nil
}

func (f *Scripts) note(event, id string, by By) store.Note {
	return store.Note{Event: event, Client: by.Client, Facts: map[string]any{"script": id, "client": by.Machine.ClientID}, At: f.Now()}
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

func checkSecretNames(names []string, most int) error {
	bad := len(names) == 0 || len(names) > most
	for _, name := range names {
		bad = bad || name == "" || len(name) > 128 || strings.ContainsRune(name, 0)
	}
	if bad {
		return auth.Invalid{Field: "secrets", Problem: fmt.Sprintf("must be 1 to %d, with names of 1 to 128 bytes", most)}
	}
	return nil
}
