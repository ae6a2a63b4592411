package house_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/config"
	"postern/house"
	"postern/internal/testpg"
)

// TestPrefixMustLeaveRoomForManagement refuses to hang the users' door where the management API is.
func TestPrefixMustLeaveRoomForManagement(t *testing.T) {
	t.Parallel()
	database := testpg.New(t)
	for prefix, fits := range map[string]bool{"": true, "/v1": true, "/api": true, "/api/v1": true, "/oauth": false, "/api/v2": false, "/api/v2/x": false} {
		c, report := config.Load(config.Source{Env: map[string]string{
			"POSTGRES_CONNECTION": database, "HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + strings.Repeat("k3y-", 10) + `"}`, "AUTH_API_PREFIX": prefix,
			"AUTH_MANAGEMENT_CLIENT_ID": "deployer", "AUTH_MANAGEMENT_CLIENT_SECRET": "bf3c1a0e5d9247f68ab1c04e7d3952f6",
		}})
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		h, err := house.Build(t.Context(), c, house.Options{Version: "test", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_ = h.Close(t.Context())
		}
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "AUTH_API_PREFIX") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}
