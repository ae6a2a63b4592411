package flow

import (
	"context"

	"postern/auth"
	"postern/store"
)

// NoteRefused leaves an entry in the audit log of somebody who showed a wrong admin secret at a door. Nothing of what they
// showed is in it, and it is left even when they have hung up. How often one may, the door counts: nobody fills the log
// faster than they may guess.
func (f *Admin) NoteRefused(ctx context.Context, door string, c auth.Client) error {
	return f.noteStranger(ctx, store.Note{Event: "operator.refused", Client: c, Facts: map[string]any{"door": door}})
}

// noteStranger leaves a note of what somebody did who is nobody here.
func (k *Kit) noteStranger(ctx context.Context, n store.Note) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTime)
	defer cancel()
	n.At = k.Now()
	return k.Store.AddNote(ctx, n)
}
