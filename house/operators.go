package house

import (
	"log/slog"
	"net/http"

	"postern/config"
	"postern/flow"
	"postern/graph"
	"postern/server"
)

// operatorsDoor gives the door for operators; nil where it is off, or nobody could open it.
func operatorsDoor(c *config.Config, front *server.Front, kit flow.Kit, log *slog.Logger) http.Handler {
	s := c.Admin
	if !s.Enabled || c.Engine.AdminSecret == "" && s.Role == "" && s.ReaderRole == "" {
		return nil
	}
	door := &graph.Door{
		Front: &server.Front{
			Log: front.Log, Now: front.Now, Limits: front.Limits, Global: front.Global, Proxies: front.Proxies, Logging: front.Logging, Timeout: front.Timeout,
			TrustsOrigin: front.TrustsOrigin, Refuse: graph.Refuse, Transient: front.Transient,
		},
		Admin: &flow.Admin{Kit: kit, Settings: s}, Scripts: &flow.Scripts{Kit: kit, Asked: c.Management.On()}, Machines: flow.NewMachines(kit, c.Management),
		Signer: kit.Signer, Secret: c.Engine.AdminSecret, Limits: c.Limits, Log: log,
	}
	return door.Handler()
}
