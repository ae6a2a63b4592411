package graph_test

import "testing"

// audit furnishes the world with what happened: people signed up, which is in the log.
func (w *world) audit(testing.TB) {
	w.samples["Query.statistics.from"] = "2026-01-31T00:00:00Z"
	w.samples["Query.statistics.to"] = "2026-12-31T00:00:00Z"
	w.samples["AuditEntriesWhere.events"] = []string{"session.started", "user.*"}
	w.samples["AuditEntriesWhere.userId"] = w.jane
	w.samples["AuditEntriesWhere.actorId"] = w.chief
	w.samples["AuditEntriesWhere.sessionId"] = w.jane
	w.samples["AuditEntriesWhere.since"] = "2026-01-31T00:00:00Z"
	w.samples["AuditEntriesWhere.until"] = "2099-01-31T00:00:00Z"
}
