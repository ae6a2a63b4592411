package house

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"postern/config"
	"postern/emails"
	"postern/flow"
	"postern/hooks"
	"postern/hooks/auth0"
	"postern/hooks/jshook"
	"postern/store"
	"postern/tokens"
)

// stored is where scripts are that came through the management API.
type stored struct {
	store  *store.DB
	keys   *tokens.Keyring
	mailer *emails.Mailer // renders what text messages say
}

// bindScripts has the scripts of the management API asked at their moments, where there is such an API.
func (r *receivers) bindScripts(ctx context.Context, c *config.Config, o Options, h *hooks.Hooks, s stored) error {
	if !c.Management.On() {
		return s.warnOfSilence(ctx, o.Log)
	}
	pool, err := r.pooled(c, o)
	if err != nil {
		return err
	}
	err = auth0.Bind(h, auth0.Options{
		Source: s.script, Text: s.text, Tenant: tenant(c.Flow.ServerURL), Timeout: c.Hooks.Scripts.Timeout,
		Run: func(p auth0.Program) (hooks.Runner, error) {
			runner, err := pool.Runner(callback(p))
			if err != nil {
				return nil, err
			}
			return &audible{runner, o.Log.With(slog.String("script", p.Name))}, nil
		},
	})
	if err != nil {
		return fmt.Errorf("AUTH_MANAGEMENT_CLIENT_ID: %w", err)
	}
	return nil
}

// warnOfSilence tells of scripts that are switched on, but asked by nobody. Another server on the same database may
// ask them, so what a script forbids would be allowed here.
func (s stored) warnOfSilence(ctx context.Context, log *slog.Logger) error {
	enabled := true
	silent, _, err := s.store.Scripts(ctx, store.ScriptFilter{Enabled: &enabled})
	if err != nil {
		return err
	}
	for _, script := range silent {
		log.WarnContext(ctx, "a script of a hook is enabled, but this server asks none: AUTH_MANAGEMENT_CLIENT_ID is not set",
			slog.String("script", script.Name), slog.String("trigger", script.Trigger))
	}
	return nil
}

// callback is a program as the pool takes it.
func callback(p auth0.Program) jshook.Script {
	return jshook.Script{
		Source: p.Source, Prelude: p.Prelude, Convention: jshook.Callback, Member: p.Member, Linger: p.Linger, Args: p.Args, Secrets: p.Secrets,
	}
}

// tenant is whom scripts take us for.
func tenant(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return "postern"
	}
	return u.Hostname()
}

// script reads the script that has a say at a trigger now. Nothing is kept of it, so that all servers obey
// a change at once.
func (s stored) script(ctx context.Context, trigger string) (auth0.Script, bool, error) {
	found, err := s.store.EnabledScript(ctx, trigger)
	if errors.Is(err, store.ErrNotFound) {
		return auth0.Script{}, false, nil
	}
	if err != nil {
		return auth0.Script{}, false, err
	}
	secrets, err := flow.OpenScriptSecrets(s.keys, found)
	return auth0.Script{
		ID: found.ID, Name: found.Name, Trigger: found.Trigger, Source: found.Source, Dependencies: found.Dependencies, Secrets: secrets,
	}, err == nil, err
}

// text is what a text message says, in the words of its template.
func (s stored) text(ctx context.Context, e hooks.SMSDue) (string, error) {
	rendered, err := s.mailer.Renderer.Render(ctx, emails.Message{
		ID: e.ID, To: e.Phone, Template: emails.SignInSMS, Locale: e.User.Locale,
		Variables: map[string]string{
			"code": e.Code.Reveal(), "displayName": e.User.DisplayName, "email": e.User.Email, "locale": e.User.Locale,
		},
	})
	return strings.TrimSpace(rendered.Text), err
}
