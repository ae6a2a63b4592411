package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"postern/auth"
)

// metadata is what hooks want a user's metadata to be.
type metadata struct {
	patch   map[string]any
	replace bool
}

const (
	maxMetadata  = 64 << 10 // bytes of a user's metadata that hooks may make it
	maxPatchKeys = 1000
)

var errTooMuch = errors.New("the metadata is longer than allowed")

// protected are the top-level keys that are ours.
var protected = map[string]bool{"provider": true, "providers": true}

// MergeMetadata puts the members of patch into the user's metadata, each in the place of the one of its
// name.
func (m *metadata) MergeMetadata(patch map[string]any) error {
	if len(patch) > maxPatchKeys {
		return fmt.Errorf("%d members of metadata are more than %d", len(patch), maxPatchKeys)
	}
	merged := make(map[string]any, len(m.patch)+len(patch))
	maps.Copy(merged, m.patch)
	for key, value := range patch {
		if !protected[key] {
			merged[key] = value
		}
	}
	if text, err := json.Marshal(merged); err != nil || len(text) > maxMetadata {
		return errors.Join(errTooMuch, err)
	}
	m.patch = merged
	return nil
}

// ReplaceMetadata puts an object in the place of the user's metadata.
func (m *metadata) ReplaceMetadata(object map[string]any) error {
	fresh := metadata{replace: true}
	if err := fresh.MergeMetadata(object); err != nil {
		return err
	}
	*m = fresh
	return nil
}

// Metadata is what the user's metadata becomes, and whether that is another than before.
func (m *metadata) Metadata(before json.RawMessage) (after json.RawMessage, changed bool, err error) {
	if !m.replace && len(m.patch) == 0 {
		return before, false, nil
	}
	all := object(before)
	if all == nil {
		all = map[string]any{} // not an object: nothing that could be merged into
	}
	if m.replace {
		maps.DeleteFunc(all, func(key string, _ any) bool { return !protected[key] })
	}
	maps.Copy(all, m.patch)
	after, err = json.Marshal(all)
	if err == nil && len(after) > maxMetadata {
		err = errTooMuch
	}
	return after, true, err
}

// of is a user with the metadata that hooks want them to have.
func (m *metadata) of(u auth.User) auth.User {
	if after, changed, err := m.Metadata(u.Metadata); err == nil && changed {
		u.Metadata = after
	}
	return u
}

// Current is the user as the hooks asked before want them to be.
func (e UserCreating) Current() auth.User { return e.of(e.User) }

// Current is the user as the hooks asked before want them to be.
func (e UserConfirmed) Current() auth.User { return e.of(e.User) }

// Current is the user as the hooks asked before want them to be.
func (e UserModified) Current() auth.User { return e.of(e.User) }

// Current is the user as the hooks asked before want them to be.
func (e SessionOpening) Current() auth.User { return e.of(e.User) }
