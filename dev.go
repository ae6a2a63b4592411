package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"postern/config"
	"postern/dev"
	"postern/graph"
	"postern/house"
	"postern/internal/fakeprovider"
)

type devCmd struct {
	Data string `default:".postern" type:"path" placeholder:"DIR" help:"Folder for the database, keys and mails."`
}

// Help is printed with the flags.
func (devCmd) Help() string {
	return "Settings that you give win over those that this command chooses, and every setting is a flag too: --port 4001 is AUTH_PORT=4001. With a database in POSTGRES_CONNECTION no Postgres is started."
}

// Run starts the development machine: Postgres, keys, a mail catcher and the server. It stops them
// all again, in order, when it is asked to.
func (c devCmd) Run(ctx context.Context, a *app) (err error) {
	machine, err := dev.Open(c.Data)
	if err != nil {
		return stepError{err, "choose another folder with --data DIR"}
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	machine.Warn = func(message string) { a.complain(message, "") }

	fake, err := fakeprovider.Start("127.0.0.1:0") //nolint:contextcheck // it ends by being closed
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fake.Close()) }()

	preset := devPreset(machine)
	maps.Copy(preset, devProvider(fake))
	conf, report := a.load(preset)
	if conf.Store.URL() == "" && report.OK() {
		preset["POSTGRES_CONNECTION"], err = machine.StartPostgres(ctx, a.stderr)
		if err != nil {
			return err
		}
	}
	port := strconv.Itoa(conf.Server.Port)
	here := conf.Server.Scheme() + "://localhost:" + port
	preset["AUTH_SERVER_URL"] = here + conf.Server.Prefix()
	preset["AUTH_CLIENT_URL"] = here + dev.AppPath
	conf, report = a.load(preset)
	if !report.OK() {
		return a.refuse(report)
	}
	log := newLog(a.stderr, conf)
	for _, w := range report.Warnings {
		log.WarnContext(ctx, w.String())
	}
	h, err := house.Build(ctx, conf, house.Options{
		Settings: report.Values,
		Version:  version, Development: true, Log: log, Now: time.Now, Stopping: machine.Inbox.HangUp,
		CatchSMS: machine.Inbox.Catch,
		Extra: map[string]http.Handler{
			dev.InboxPath:      machine.Inbox.Handler(dev.InboxPath, conf.Server.Port),
			dev.AppPath:        dev.App(conf.Server.Port, conf.Flow.ServerURL),
			dev.PlaygroundPath: dev.Playground(conf.Server.Port, graph.Path, conf.Engine.AdminSecret),
		},
	})
	if err != nil {
		return a.notBuilt(err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-machine.PostgresDone():
			stop(errPostgresGone)
		case <-ctx.Done():
		}
	}()
	if err := open(ctx, h, log, func(net.Addr) { c.announce(ctx, a, log, conf, here, machine) }); err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errPostgresGone) {
		return stepError{errPostgresGone, "look at " + c.Data + "/postgres for its log, and start again"}
	}
	return nil
}

var errPostgresGone = errors.New("postgres ended by itself")

// devPreset is what the development machine chooses where nobody else has.
func devPreset(m *dev.House) map[string]string {
	return map[string]string{
		"HASURA_GRAPHQL_JWT_SECRET":                 `{"type":"HS256","key":"` + m.Secrets.JWTKey + `"}`,
		"AUTH_ENCRYPTION_KEY":                       m.Secrets.EncryptionKey,
		"AUTH_API_PREFIX":                           "/v1",
		"AUTH_LISTEN_ADDRESS":                       "127.0.0.1",
		"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "http://localhost,http://localhost:*,http://127.0.0.1,http://127.0.0.1:*",
		"AUTH_LOCALE_ALLOWED_LOCALES":               "en,fr,es,de,bg,cs",
		"AUTH_EMAIL_PASSWORDLESS_ENABLED":           "true",
		"AUTH_ANONYMOUS_USERS_ENABLED":              "true",
		"AUTH_OTP_EMAIL_ENABLED":                    "true",
		"AUTH_SMS_PASSWORDLESS_ENABLED":             "true",
		"AUTH_SMS_PROVIDER":                         "dev",
		"AUTH_WEBAUTHN_ENABLED":                     "true",
		"AUTH_MFA_ENABLED":                          "true",
		"AUTH_MFA_WEBAUTHN_ENABLED":                 "true",
		"AUTH_SMTP_HOST":                            m.SMTPHost,
		"AUTH_SMTP_PORT":                            strconv.Itoa(m.SMTPPort),
		"AUTH_SMTP_SENDER":                          "Postern <postern@localhost>",
		"AUTH_RATE_LIMIT_ENABLE":                    "false",
		"AUTH_LOG_FORMAT_TEXT":                      "true",
		"AUTH_CLAIMS_SCHEMA_REFRESH":                "2s",
		"AUTH_HASURA_WEBHOOK_ENABLED":               "true",
		"HASURA_GRAPHQL_ADMIN_SECRET":               m.Secrets.AdminSecret,
	}
}

// devProvider is a sign-in provider that needs no account anywhere: /signin/provider/dev leads to a
// page on this machine, where one may be anybody.
func devProvider(fake *fakeprovider.Server) map[string]string {
	return map[string]string{
		"AUTH_PROVIDER_DEV_ENABLED":       "true",
		"AUTH_PROVIDER_DEV_ISSUER":        fake.URL + "/corp",
		"AUTH_PROVIDER_DEV_CLIENT_ID":     fakeprovider.ClientID("corp"),
		"AUTH_PROVIDER_DEV_CLIENT_SECRET": fake.Env("corp")["AUTH_PROVIDER_CORP_CLIENT_SECRET"],
	}
}

// announce prints what a person needs to go on.
func (c devCmd) announce(ctx context.Context, a *app, log *slog.Logger, conf *config.Config, here string, m *dev.House) {
	banner := dev.Banner{
		API: conf.Flow.ServerURL, Inbox: here + dev.InboxPath, Database: conf.Store.URL(),
		JWTKey: m.Secrets.JWTKey, Version: version,
	}
	if conf.Admin.Enabled {
		banner.GraphQL, banner.AdminSecret = here+dev.PlaygroundPath, conf.Engine.AdminSecret
	}
	if conf.GoTrue.Enabled {
		keys, err := projectKeys(conf.Tokens, time.Now(), tenYears)
		if err != nil {
			log.WarnContext(ctx, "there are no keys of the project", slog.String("reason", err.Error()))
		}
		banner.Project, banner.Keys = here, keys
	}
	if err := banner.Print(a.stdout); err != nil {
		log.WarnContext(ctx, "cannot print", slog.String("reason", err.Error()))
	}
}
