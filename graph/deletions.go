package graph

import (
	"context"
	"errors"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// DeletionReport counts what goes with a user.
func (q *query) DeletionReport(ctx context.Context, id string) (*wire.DeletionReport, error) {
	r, err := q.Admin.DeletionReport(ctx, operator(ctx), id)
	if errors.Is(err, auth.NotFound) {
		return nil, nil //nolint:nilnil // of a user who is not there it is null
	}
	if err != nil {
		return nil, err
	}
	return deletionReport(r), nil
}

// DeleteUser deletes a user.
func (m *mutation) DeleteUser(ctx context.Context, in wire.DeleteUserInput) (*wire.DeleteUserPayload, error) {
	deleted, err := m.Admin.DeleteUser(ctx, operator(ctx), flow.UserDeletion{ID: in.ID, Soft: in.Mode == wire.DeletionModeSoft})
	if err != nil {
		return nil, under("input", err)
	}
	return &wire.DeleteUserPayload{ID: in.ID, Mode: in.Mode, DeletedAt: deleted.At, Report: deletionReport(deleted.Report)}, nil
}

func deletionReport(r store.DeletionReport) *wire.DeletionReport {
	report := &wire.DeletionReport{
		Sessions: r.Sessions, PersonalAccessTokens: r.PersonalAccessTokens, Identities: r.Identities, Passkeys: r.Passkeys, Factors: r.Factors,
		RecoveryCodes: r.RecoveryCodes, PendingSecrets: r.PendingSecrets, Roles: r.Roles, Blocked: r.Blocked(),
	}
	for _, ref := range r.References {
		to := &wire.UserReference{Table: ref.Schema + "." + ref.Table, Columns: ref.Columns, Constraint: ref.Constraint, Action: wire.ReferenceAction(ref.Action)}
		if ref.Rows != nil {
			n := int(min(*ref.Rows, 1<<31-1)) // the most that an Int of GraphQL can say
			to.Rows = &n
		}
		report.References = append(report.References, to)
	}
	return report
}
