package house

import (
	"cmp"
	"context"
	"log/slog"

	"postern/config"
	"postern/flow"
	"postern/hooks/supabase"
	"postern/sms"
)

// openSMS opens the gateway for text messages, and warns when there is none though it is wanted, or
// one that sends nothing.
func openSMS(ctx context.Context, c *config.Config, o Options) (*sms.Gateway, error) {
	caught := func(m sms.Message) {
		o.Log.InfoContext(ctx, "text message caught and not sent: AUTH_SMS_PROVIDER is dev", slog.String("id", m.ID), slog.String("to", sms.Masked(m.To)))
		if o.CatchSMS != nil {
			o.CatchSMS(m.To, m.Text)
		}
	}
	gateway, err := sms.Open(c.SMS, sms.Options{Now: o.Now, Caught: caught})
	if err != nil {
		return nil, err
	}
	switch {
	case !c.SMS.Enabled, isOn(c, supabase.SendSMS):
	case !gateway.Configured():
		o.Log.WarnContext(ctx, "no gateway for text messages: AUTH_SMS_PASSWORDLESS_ENABLED is true, but AUTH_SMS_TWILIO_ACCOUNT_SID and the other settings of a gateway are not set, so whatever needs a text message answers sms-not-configured")
	case c.SMS.Provider == sms.Dev && !o.Development && o.CatchSMS == nil && c.SMS.DevOutputDir == "":
		o.Log.WarnContext(ctx, "AUTH_SMS_PROVIDER is dev: text messages are sent to nobody, and their codes are shown nowhere")
	case c.SMS.Provider == sms.Dev && !o.Development && c.SMS.DevOutputDir != "":
		o.Log.WarnContext(ctx, "AUTH_SMS_PROVIDER is dev: text messages are sent to nobody; their codes are written to "+c.SMS.DevOutputDir)
	}
	return gateway, nil
}

// warnOfTestCodes tells of numbers that anybody signs in by who knows their code.
func warnOfTestCodes(ctx context.Context, p *flow.Policy, o Options) {
	if n := p.TestNumbers(o.Now()); n > 0 && p.SignInBySMS {
		o.Log.WarnContext(ctx, "AUTH_SMS_TEST_OTP gives telephone numbers fixed codes: whoever knows one signs in as the user of the number, and nothing is sent; leave it out where real users are",
			slog.Int("numbers", n), slog.String("until", cmp.Or(p.TestCodesUntil, "for ever")))
	}
}
