package house

import (
	"context"
	"fmt"

	"postern/config"
	"postern/hooks"
	"postern/hooks/auth0"
	"postern/hooks/jshook"
	"postern/store"
	"postern/tokens"
)

func auth0Dialect(c *config.Config) Dialect {
	return Dialect{
		Name: "auth0", Title: "Auth0 Hooks", Unsigned: true,
		About:  "Scripts that were written for Auth0's Hooks come through the management API (`AUTH_MANAGEMENT_CLIENT_ID`), one with a say for each trigger. [scripts.md](scripts.md) says what they meet here. Nobody waits for `post-user-registration` and `post-change-password`, and `send-phone-message` sends only the text messages of fresh proofs.",
		Points: auth0.Points(),
		said: func(string) said {
			if !c.Management.On() {
				return said{}
			}
			return said{on: true, origin: "AUTH_MANAGEMENT_CLIENT_ID", where: "script with a say"}
		},
		runner: func(ctx context.Context, r *receivers, o Options, point string) (hooks.Runner, error) {
			return r.stored(ctx, c, o, point)
		},
		script: func(point, source string, secrets map[string]string) jshook.Script {
			p, _ := auth0.ProgramOf(auth0.Script{Name: point, Trigger: point, Source: source, Secrets: secrets})
			return callback(p)
		},
	}
}

// stored makes the way to the script that has a say at a trigger now.
func (r *receivers) stored(ctx context.Context, c *config.Config, o Options, trigger string) (hooks.Runner, error) {
	keys, _, err := tokens.NewKeyring(c.Tokens.EncryptionKey, c.Tokens.PreviousEncryptionKeys, c.Tokens.JWTSecret)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	script, enabled, err := stored{store: db, keys: keys}.script(ctx, trigger)
	if err != nil {
		return nil, fmt.Errorf("the script cannot be read: %w", err)
	}
	program, known := auth0.ProgramOf(script)
	if !enabled || !known {
		return nobody{}, nil
	}
	pool, err := r.pooled(c, o)
	if err != nil {
		return nil, err
	}
	runner, err := pool.Runner(callback(program))
	if err != nil {
		return nil, err
	}
	return &audible{runner, o.Log}, nil
}
