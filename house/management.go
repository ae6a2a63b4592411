package house

import (
	"context"
	"fmt"
	"net/http"

	"postern/config"
	"postern/flow"
	"postern/server"
	"postern/server/auth0"
)

// management gives the door for machines that bring the scripts of hooks; nil where it is off.
func management(ctx context.Context, c *config.Config, front *server.Front, kit flow.Kit) (http.Handler, error) {
	if !c.Management.On() {
		return nil, nil
	}
	if prefix := c.Server.Prefix(); auth0.Hides(prefix) {
		return nil, fmt.Errorf("AUTH_API_PREFIX is %s, where the management API lies (%s and %s); choose another, or leave AUTH_MANAGEMENT_CLIENT_ID out", prefix, auth0.TokenPath, auth0.API)
	}
	machines := flow.NewMachines(kit, c.Management)
	if err := machines.Ensure(ctx); err != nil {
		return nil, err
	}
	front = front.Beside(auth0.Refuse)
	front.Closed = true
	door := &auth0.Door{Front: front, Machines: machines, Scripts: &flow.Scripts{Kit: kit, Asked: true}, Limits: c.Limits}
	return door.Routes(), nil
}
