package graph_test

import (
	"testing"

	"postern/internal/testhouse"
)

// world is a house in which everything has happened that operators can see.
type world struct {
	h *testhouse.House

	jane, janeToken     string // an ordinary user with everything
	chief, chiefToken   string
	reader, readerToken string
	deleted             string // the id of somebody who is gone

	// samples are values for arguments ("Query.user.id") and for members of inputs ("UserFilter.email").
	samples map[string]any
	// needsChange are the fields that show more than a reader may see.
	needsChange []string
	// shownOnce are secrets that are made for whoever asks, and shown then alone.
	shownOnce []string
	// unseen are types that no answer here has, each for a reason.
	unseen []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	settings := serviceSettings(t)
	settings["AUTH_EMAIL_PASSWORDLESS_ENABLED"], settings["AUTH_ADMIN_LINKS"] = "true", "true"
	h := open(t, settings)
	w := &world{h: h}
	w.jane, w.janeToken = signUp(t, h, "jane@example.com", "user")
	w.reader, w.readerToken = signUp(t, h, "reader@example.com", "user,auditor")
	w.chief, w.chiefToken = signUp(t, h, "chief@example.com", "user,operator")
	w.deleted, _ = signUp(t, h, "gone@example.com", "user")
	exec(t, h, `delete from auth.users where id = $1`, w.deleted)
	w.samples = map[string]any{}
	w.shownOnce = append(w.shownOnce, "ImpersonateUserPayload.accessToken")
	for _, area := range []func(testing.TB){w.users, w.audit, w.service, w.lists, w.roles} { // each area has a file of its own: world_<area>_test.go
		area(t)
	}
	return w
}
