package house

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/pghook"
)

// Attendant looks after hooks without a server: it checks, tries and grants.
type Attendant struct {
	config    *config.Config
	options   Options
	dialects  []Dialect
	receivers *receivers
	making    sync.Mutex // of ways to receivers: what they share is opened once
}

// NewAttendant makes an attendant of the hooks of the settings. Somebody closes it.
func NewAttendant(c *config.Config, o Options) *Attendant {
	defaults(&c.Flow, c.Server)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Attendant{
		config: c, options: o, dialects: Dialects(c),
		receivers: &receivers{client: httphook.NewClient()},
	}
}

// Close leaves the receivers.
func (a *Attendant) Close() { a.receivers.close() }

// runner makes the way to the receiver of a hook.
func (a *Attendant) runner(ctx context.Context, h Hook) (hooks.Runner, error) {
	a.making.Lock()
	defer a.making.Unlock()
	for _, d := range a.dialects {
		if d.Name == h.Dialect {
			return d.runner(ctx, a.receivers, a.options, h.Name)
		}
	}
	return nil, errors.New("there is no such dialect")
}

// HookProblem is something that is wrong with a hook.
type HookProblem struct {
	Setting string // that says where the hook is
	Hook    string
	What    string
	Fatal   bool // it will not work
}

// Check looks at every hook that is switched on, without firing any.
func (a *Attendant) Check(ctx context.Context) (looked int, problems []HookProblem) {
	for _, h := range Hooks(a.config) {
		if !h.Enabled || h.Waiting || h.Origin == "" {
			continue // which the check of the settings has told
		}
		looked++
		say := func(fatal bool, what string) {
			problems = append(problems, HookProblem{Setting: h.Origin, Hook: h.Name, What: what, Fatal: fatal})
		}
		runner, err := a.runner(ctx, h)
		if err != nil {
			say(true, err.Error())
			continue
		}
		for _, what := range examine(ctx, runner) {
			say(true, what)
		}
		if h.Transport == hooks.HTTP && !h.Signed && !h.Unsigned {
			say(false, "has no secret, so its receiver cannot tell our questions from those of others")
		}
	}
	return looked, problems
}

// examine says why a receiver could not be asked.
func examine(ctx context.Context, runner hooks.Runner) []string {
	ctx, cancel := context.WithTimeout(ctx, hooks.DefaultTimeout)
	defer cancel()
	switch r := runner.(type) {
	case *httphook.Runner:
		if err := reach(ctx, r.URL); err != nil {
			return []string{fmt.Sprintf("%s cannot be reached: %v", r.Host(), err)}
		}
	case *pghook.Runner:
		problems, err := r.Check(ctx)
		if err != nil {
			return []string{r.String() + " could not be looked at: " + err.Error()}
		}
		return problems
	case interface {
		Check(ctx context.Context) error
	}:
		if err := r.Check(ctx); err != nil {
			return []string{"the script cannot work: " + err.Error()}
		}
	}
	return nil
}

// reach opens a connection to an address, or to the proxy on the way to it, and asks nothing.
func reach(ctx context.Context, u *url.URL) error {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		return errors.New("the proxy of the environment has no valid address")
	}
	if proxy != nil {
		u = proxy
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostPort(u))
	if err != nil {
		return plain(err)
	}
	defer func() { _ = conn.Close() }()
	if u.Scheme != "https" {
		return nil
	}
	return plain(tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}).HandshakeContext(ctx))
}

// plain leaves the words "dial tcp" and the like out of an error.
func plain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
