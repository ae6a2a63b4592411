package pghook

import "time"

// Settings say how functions in the database are asked.
type Settings struct {
	Connection     string        `env:"AUTH_HOOKS_POSTGRES_CONNECTION" format:"postgres-url" secret:"true" doc:"Database connection that functions of hooks (pg-functions://…) are called over, as a URL or a key=value string. With a role of its own there, a hook can do no more than that role may. Empty means the server's own database and role."`
	Role           string        `env:"AUTH_HOOKS_POSTGRES_ROLE" max:"63" doc:"Role to call functions of hooks as, which the role of the connection must be a member of. It keeps honest functions within its rights; one that sets the role back has those of the connection."`
	MaxConnections int           `env:"AUTH_HOOKS_POSTGRES_MAX_CONNECTIONS" default:"4" min:"1" max:"1000" doc:"Most connections a process opens for functions of hooks. They are not those of requests, so slow functions hold up only each other."`
	Timeout        time.Duration `env:"AUTH_HOOKS_POSTGRES_TIMEOUT" default:"2s" min:"50ms" max:"20s" doc:"How long a function of a hook may take; the database stops it then."`
}
