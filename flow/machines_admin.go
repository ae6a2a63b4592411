package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// What operators' machine clients are held to.
const (
	maxMachines      = 1000
	maxMachineName   = 255
	maxAudiences     = 20
	maxScopes        = 100
	maxMetadata      = 25
	maxMetadataField = 255
)

// Page lists a part of the machine clients.
func (f *Machines) Page(ctx context.Context, p Paging, by Operator) (Page[store.MachineClient], error) {
	if err := by.mayRead(); err != nil {
		return Page[store.MachineClient]{}, err
	}
	l, err := f.listing(p, "machineClients")
	if err != nil {
		return Page[store.MachineClient]{}, err
	}
	found, err := f.Store.MachineClientSlice(ctx, l.slice)
	if err != nil {
		return Page[store.MachineClient]{}, err
	}
	return page(l, found, func(c store.MachineClient) []string { return []string{c.ID} })
}

// Count tells how many machine clients there are.
func (f *Machines) Count(ctx context.Context, by Operator) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	return f.Store.CountMachineClients(ctx)
}

// NewMachine is a machine client to come.
type NewMachine struct {
	Name      string
	Audiences []string // empty for our own API
	Scopes    []string
	Metadata  map[string]string
}

// Create makes a machine client. Its secret is told now and never again.
func (f *Machines) Create(ctx context.Context, in NewMachine, by Operator) (c store.MachineClient, secret string, err error) {
	if err := cmp.Or(by.mayChange(), f.open()); err != nil {
		return c, "", err
	}
	now := f.Now()
	c = store.MachineClient{
		ID: strings.ToLower(tokens.NewULID(now)), Name: in.Name, Audiences: in.Audiences, Scopes: in.Scopes, Metadata: in.Metadata,
		CreatedAt: now, UpdatedAt: now,
	}
	if len(c.Audiences) == 0 {
		c.Audiences = f.audiences
	}
	if c.Scopes == nil {
		c.Scopes = []string{}
	}
	if err := cmp.Or(checkMachineName(c.Name), checkAudiences(c.Audiences), checkScopes(c.Scopes), checkMetadata(c.Metadata)); err != nil {
		return c, "", err
	}
	secret = rand.Text() + rand.Text()
	c.SecretHash = f.Keys.HashClientSecret(c.ID, secret)
	n := f.note(by, "machine-client.created", c.ID)
	n.Facts["name"], n.Facts["audiences"], n.Facts["scopes"] = c.Name, c.Audiences, c.Scopes
	err = f.Store.InTx(ctx, func(tx *store.DB) error { return tx.AddMachineClient(ctx, c, maxMachines, n) })
	return c, secret, err
}

// MachineChange is what becomes different in a machine client; nil stays as it is.
type MachineChange struct {
	Name              *string
	Audiences, Scopes []string
	Metadata          map[string]string
}

// Change changes a machine client. What it may no longer do, its tokens no longer allow.
func (f *Machines) Change(ctx context.Context, id string, in MachineChange, by Operator) (store.MachineClient, error) {
	if err := cmp.Or(by.mayChange(), asClient(id)); err != nil {
		return store.MachineClient{}, err
	}
	n := f.note(by, "machine-client.changed", id)
	var err error
	changes := []string{}
	if in.Name != nil {
		changes, n.Facts["name"], err = append(changes, "name"), *in.Name, checkMachineName(*in.Name)
	}
	if in.Audiences != nil {
		changes, n.Facts["audiences"], err = append(changes, "audiences"), in.Audiences, cmp.Or(err, checkAudiences(in.Audiences))
	}
	if in.Scopes != nil {
		changes, n.Facts["scopes"], err = append(changes, "scopes"), in.Scopes, cmp.Or(err, checkScopes(in.Scopes))
	}
	if in.Metadata != nil {
		changes, err = append(changes, "metadata"), cmp.Or(err, checkMetadata(in.Metadata))
	}
	if err == nil && len(changes) == 0 {
		err = auth.Invalid{Field: "input", Problem: "must say what is to change"}
	}
	if err != nil {
		return store.MachineClient{}, err
	}
	n.Facts["changed"] = strings.Join(changes, " ")
	return f.change(ctx, id, store.MachineClientChange{Name: in.Name, Audiences: in.Audiences, Scopes: in.Scopes, Metadata: in.Metadata}, n)
}

// Rotate gives a machine client another secret, which is told now and never again. Tokens that were got
// with the former one end.
func (f *Machines) Rotate(ctx context.Context, id string, by Operator) (c store.MachineClient, secret string, err error) {
	if err := cmp.Or(by.mayChange(), f.open(), asClient(id)); err != nil {
		return c, "", err
	}
	secret = rand.Text() + rand.Text()
	change := store.MachineClientChange{SecretHash: f.Keys.HashClientSecret(id, secret)}
	if c, err = f.change(ctx, id, change, f.note(by, "machine-client.secret-rotated", id)); err != nil {
		return c, "", err
	}
	return c, secret, nil
}

// Delete removes a machine client. Its tokens end.
func (f *Machines) Delete(ctx context.Context, id string, by Operator) error {
	if err := cmp.Or(by.mayChange(), asClient(id)); err != nil {
		return err
	}
	n := f.note(by, "machine-client.deleted", id)
	err := f.Store.InTx(ctx, func(tx *store.DB) error { return tx.DeleteMachineClient(ctx, id, n) })
	return f.refused(ctx, id, err)
}

// asClient refuses what cannot be the id of a machine client.
func asClient(id string) error {
	if !idShape.MatchString(id) {
		return fmt.Errorf("%w: no machine client", auth.NotFound)
	}
	return nil
}

func (f *Machines) change(ctx context.Context, id string, change store.MachineClientChange, n store.Note) (c store.MachineClient, err error) {
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		c, err = tx.ChangeMachineClient(ctx, id, change, n)
		return err
	})
	return c, f.refused(ctx, id, err)
}

// refused says why a machine client could not be changed: there is none, or it is that of the settings.
func (f *Machines) refused(ctx context.Context, id string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	c, err := f.Store.MachineClient(ctx, id)
	switch {
	case err == nil && c.FromSettings:
		return auth.Invalid{Field: "id", Problem: "must not be the client of AUTH_MANAGEMENT_CLIENT_ID, which the settings alone change"}
	case err == nil || errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: machine client %s", auth.NotFound, id)
	}
	return err
}

// open refuses secrets that would open nothing.
func (f *Machines) open() error {
	if f.Settings.On() {
		return nil
	}
	return fmt.Errorf("%w: there is no management API without AUTH_MANAGEMENT_CLIENT_ID", auth.EndpointDisabled)
}

func (f *Machines) note(by Operator, event, id string) store.Note {
	return store.Note{Event: event, ActorID: by.UserID, By: byOperator, Client: by.Client, Facts: map[string]any{"client": id}, At: f.Now()}
}

func checkMachineName(s string) error {
	if s == "" || utf8.RuneCountInString(s) > maxMachineName || strings.ContainsFunc(s, isControl) {
		return auth.Invalid{Field: "name", Problem: fmt.Sprintf("must have 1 to %d characters on one line", maxMachineName)}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

func checkAudiences(list []string) error {
	bad := len(list) == 0 || len(list) > maxAudiences
	for i, a := range list {
		u, err := url.Parse(a)
		bad = bad || err != nil || u.Scheme == "" || u.User != nil || len(a) > 500 || strings.ContainsFunc(a, isControl) || slices.Contains(list[:i], a)
	}
	if bad {
		return auth.Invalid{Field: "audiences", Problem: fmt.Sprintf("must be 1 to %d different addresses such as https://auth.example.com/api/v2/", maxAudiences)}
	}
	return nil
}

func checkScopes(list []string) error {
	bad := len(list) > maxScopes
	for i, s := range list {
		bad = bad || !scopeShape.MatchString(s) || slices.Contains(list[:i], s)
	}
	if bad {
		return auth.Invalid{Field: "scopes", Problem: fmt.Sprintf("must be at most %d different scopes such as %s, without blanks", maxScopes, ReadHooks)}
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	bad := len(m) > maxMetadata
	for name, value := range m {
		bad = bad || name == "" || len(name) > maxMetadataField || len(value) > maxMetadataField || strings.ContainsRune(name+value, 0)
	}
	if bad {
		return auth.Invalid{Field: "metadata", Problem: fmt.Sprintf("must be an object of at most %d texts, names and texts of at most %d bytes", maxMetadata, maxMetadataField)}
	}
	return nil
}
