package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// SecretNames lists the names of a script's secrets. Nobody reads their values but the script.
func (f *Scripts) SecretNames(ctx context.Context, id string, by By) ([]string, error) {
	if err := cmp.Or(by.MayRead(), asID(id)); err != nil {
		return nil, err
	}
	names, err := f.Store.ScriptSecrets(ctx, id)
	return names, known(err, id)
}

// AddSecrets gives a script new secrets, all of them or none.
func (f *Scripts) AddSecrets(ctx context.Context, id string, secrets map[string]string, by By) error {
	if err := cmp.Or(by.MayAddSecrets(), asID(id)); err != nil {
		return err
	}
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
	if err := cmp.Or(by.MayChange(), asID(id)); err != nil {
		return err
	}
	sealed, n, err := f.sealSecrets("hook-script.secrets.changed", id, secrets, by)
	if err != nil {
		return err
	}
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.ChangeScriptSecrets(ctx, id, sealed, n) }), id)
}

// SetSecrets gives a script secrets, those that it has and others, all of them or none, and gives the script
// as it is then.
func (f *Scripts) SetSecrets(ctx context.Context, id string, secrets map[string]string, by By) (s store.HookScript, err error) {
	if err := cmp.Or(by.MayAddSecrets(), f.asked(by), asID(id)); err != nil {
		return s, err
	}
	sealed, n, err := f.sealSecrets("hook-script.secrets.set", id, secrets, by)
	if err != nil {
		return s, err
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		if err := tx.SetScriptSecrets(ctx, id, sealed, MaxScriptSecrets, n); err != nil {
			return err
		}
		s, err = tx.Script(ctx, id)
		return err
	})
	return s, known(err, id)
}

// DropSecrets removes secrets of a script. A name that it does not have is no error.
func (f *Scripts) DropSecrets(ctx context.Context, id string, names []string, by By) error {
	if err := cmp.Or(by.MayDelete(), asID(id), checkSecretNames(names, 1000)); err != nil {
		return err
	}
	n := f.note("hook-script.secrets.deleted", id, by)
	n.Facts["names"] = names
	return known(f.Store.InTx(ctx, func(tx *store.DB) error { return tx.DropScriptSecrets(ctx, id, names, n) }), id)
}

// RemoveSecrets removes secrets of a script as DropSecrets does, and gives the script as it is then.
func (f *Scripts) RemoveSecrets(ctx context.Context, id string, names []string, by By) (store.HookScript, error) {
	if err := f.DropSecrets(ctx, id, names, by); err != nil {
		return store.HookScript{}, err
	}
	s, err := f.Store.Script(ctx, id)
	return s, known(err, id)
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
