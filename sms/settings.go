package sms

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The gateways.
const (
	Twilio  = "twilio"
	Modica  = "modica"
	Generic = "generic"
	Dev     = "dev"
)

// Settings say how text messages leave the house.
type Settings struct {
	Enabled  bool   `env:"AUTH_SMS_PASSWORDLESS_ENABLED" default:"false" doc:"Let users sign in by a code in a text message."`
	Provider string `env:"AUTH_SMS_PROVIDER" default:"twilio" oneof:"twilio modica messagebird textlocal vonage msg91 generic dev" doc:"Gateway for text messages. dev sends nothing: it logs that there was a message, without its text. The settings of the others are looked at only where text messages are on."`

	Template string `env:"AUTH_SMS_TEMPLATE" doc:"What a text message with a code says, at every API and in every language, in the place of the template signin-passwordless-sms: a text in Go's language of templates with {{ .Code }} in it. A Twilio Verify service has words of its own."`

	TwilioAccount string `env:"AUTH_SMS_TWILIO_ACCOUNT_SID" doc:"Account at Twilio; begins with AC."`
	TwilioToken   string `env:"AUTH_SMS_TWILIO_AUTH_TOKEN" secret:"true" doc:"Auth token of the account at Twilio."`
	TwilioService string `env:"AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID" doc:"What Twilio sends through: a messaging service (MG…), a number (+…) or a sender's name; or a Verify service (VA…), and then Twilio makes, words, sends and checks the codes."`
	TwilioURL     string `env:"AUTH_SMS_TWILIO_URL" format:"url" doc:"Address to ask instead of Twilio's own, such as that of a stand-in for tests or of a proxy. Empty means Twilio."`

	ModicaUser     string `env:"AUTH_SMS_MODICA_USERNAME" doc:"Application name at Modica's Mobile Gateway."`
	ModicaPassword string `env:"AUTH_SMS_MODICA_PASSWORD" secret:"true" doc:"Password of the application at Modica's Mobile Gateway."`
	ModicaURL      string `env:"AUTH_SMS_MODICA_URL" format:"url" doc:"Address to ask instead of https://api.modicagroup.com/rest/sms/v2, such as that of a stand-in for tests."`

	MessageBirdKey        string `env:"AUTH_SMS_MESSAGEBIRD_ACCESS_KEY" secret:"true" doc:"Access key at MessageBird."`
	MessageBirdOriginator string `env:"AUTH_SMS_MESSAGEBIRD_ORIGINATOR" doc:"Number or name that MessageBird sends from."`
	MessageBirdURL        string `env:"AUTH_SMS_MESSAGEBIRD_URL" format:"url" doc:"Address to ask instead of https://rest.messagebird.com, such as that of a stand-in for tests."`
	TextlocalKey          string `env:"AUTH_SMS_TEXTLOCAL_API_KEY" secret:"true" doc:"API key at Textlocal."`
	TextlocalSender       string `env:"AUTH_SMS_TEXTLOCAL_SENDER" doc:"Name that Textlocal sends from."`
	TextlocalURL          string `env:"AUTH_SMS_TEXTLOCAL_URL" format:"url" doc:"Address to ask instead of https://api.textlocal.in, such as that of a stand-in for tests."`
	VonageKey             string `env:"AUTH_SMS_VONAGE_API_KEY" doc:"API key at Vonage."`
	VonageSecret          string `env:"AUTH_SMS_VONAGE_API_SECRET" secret:"true" doc:"API secret at Vonage."`
	VonageFrom            string `env:"AUTH_SMS_VONAGE_FROM" doc:"Number or name that Vonage sends from."`
	VonageURL             string `env:"AUTH_SMS_VONAGE_URL" format:"url" doc:"Address to ask instead of https://rest.nexmo.com, such as that of a stand-in for tests."`
	MSG91Key              string `env:"AUTH_SMS_MSG91_AUTH_KEY" secret:"true" doc:"Auth key at MSG91."`
	MSG91Sender           string `env:"AUTH_SMS_MSG91_SENDER_ID" doc:"Name that MSG91 sends from."`
	MSG91Template         string `env:"AUTH_SMS_MSG91_TEMPLATE_ID" doc:"Id of the template that is registered for the messages (DLT_TE_ID), which MSG91 passes on to carriers in India with each. AUTH_SMS_TEMPLATE must say what that says."`
	MSG91URL              string `env:"AUTH_SMS_MSG91_URL" format:"url" doc:"Address to ask instead of https://api.msg91.com, such as that of a stand-in for tests."`

	GenericURL         string        `env:"AUTH_SMS_GENERIC_URL" format:"url" secret:"true" doc:"Where the gateway generic posts to. Counts as a secret, since some gateways have a key in it."`
	GenericContentType string        `env:"AUTH_SMS_GENERIC_CONTENT_TYPE" default:"application/json" doc:"Media type of the body that is posted. With application/x-www-form-urlencoded the template is a flat JSON object, whose members become the fields."`
	GenericHeaders     string        `env:"AUTH_SMS_GENERIC_HEADERS" secret:"true" doc:"Further headers of the request, as a JSON object such as {\"Authorization\": \"Bearer …\"}."`
	GenericTimeout     time.Duration `env:"AUTH_SMS_GENERIC_TIMEOUT" default:"10s" min:"1s" max:"1m" doc:"Time limit for handing over one message."`
	GenericBody        string        `env:"AUTH_SMS_GENERIC_BODY_TEMPLATE" doc:"Body that is posted, with ${to} for the number and ${body} for the text; in JSON, forms and XML the values are escaped. Empty means the JSON object {\"to\": \"${to}\", \"body\": \"${body}\"}."`
	GenericSecret      string        `env:"AUTH_SMS_GENERIC_SECRET" secret:"true" doc:"Signs each request as Standard Webhooks has it: whsec_ and base64. Several, separated by blanks, all sign. Empty means no signature."`

	DevOutputDir string `env:"AUTH_SMS_DEV_OUTPUT_DIR" doc:"Folder where the gateway dev writes the newest text for each number, as +number.txt. Empty means nowhere."`
}

// Configured reports whether there is a gateway that a message could go through.
func (s Settings) Configured() bool {
	nothing := s.Provider == "" || s.Provider == Twilio && s.TwilioAccount == "" && s.TwilioToken == "" && s.TwilioService == ""
	whole := true
	s.problems(func(string, string) { whole = false })
	return !nothing && whole
}

// Check reports what the chosen gateway lacks, where text messages are on. That no gateway is chosen
// at all is no mistake: what needs one is then refused.
func (s Settings) Check(report func(env, problem string)) {
	if _, err := parseWords(s.Template); err != nil {
		report("AUTH_SMS_TEMPLATE", err.Error())
	}
	if s.Enabled {
		s.problems(report)
	}
}

// problems reports what keeps the chosen gateway from working.
func (s Settings) problems(report func(env, problem string)) {
	switch s.Provider {
	case Twilio:
		s.twilioProblems(report)
	case Modica:
		missing(report, "AUTH_SMS_MODICA_USERNAME", s.ModicaUser, "AUTH_SMS_PROVIDER=modica")
		missing(report, "AUTH_SMS_MODICA_PASSWORD", s.ModicaPassword, "AUTH_SMS_PROVIDER=modica")
		carriesPassword(report, "AUTH_SMS_MODICA_URL", s.ModicaURL)
	case Generic:
		s.genericProblems(report)
	}
	if r, ok := rowOf(s.Provider); ok {
		needs := r.needs(s)
		for _, env := range slices.Sorted(maps.Keys(needs)) {
			missing(report, env, needs[env], "AUTH_SMS_PROVIDER="+r.name)
		}
		carriesPassword(report, "AUTH_SMS_"+strings.ToUpper(r.name)+"_URL", r.address(s))
	}
}

func (s Settings) twilioProblems(report func(env, problem string)) {
	if s.TwilioAccount == "" && s.TwilioToken == "" && s.TwilioService == "" {
		return // twilio is the default, so perhaps nobody chose it
	}
	missing(report, "AUTH_SMS_TWILIO_ACCOUNT_SID", s.TwilioAccount, "the other settings of Twilio")
	missing(report, "AUTH_SMS_TWILIO_AUTH_TOKEN", s.TwilioToken, "the other settings of Twilio")
	missing(report, "AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID", s.TwilioService, "the other settings of Twilio")
	for prefix, is := range map[string]string{"VA": "a Verify service", "MG": "a messaging service", "SK": "an API key"} {
		if hasSID(s.TwilioAccount, prefix) {
			report("AUTH_SMS_TWILIO_ACCOUNT_SID", "is "+is+"; an account begins with AC, and a service belongs in AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID")
		}
	}
	if v := s.TwilioService; v != "" && !s.usesVerify() && !isMessagingService(v) && !isSender(v) {
		report("AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID", "must be a service (MG… or VA…), a number such as +15550100 or a sender's name of at most 11 letters and digits")
	}
	carriesPassword(report, "AUTH_SMS_TWILIO_URL", s.TwilioURL)
}

func (s Settings) genericProblems(report func(env, problem string)) {
	missing(report, "AUTH_SMS_GENERIC_URL", s.GenericURL, "AUTH_SMS_PROVIDER=generic")
	if _, err := syntaxOf(s.GenericContentType); err != nil {
		report("AUTH_SMS_GENERIC_CONTENT_TYPE", err.Error())
	} else if _, err := s.bodyTemplate(); err != nil {
		report("AUTH_SMS_GENERIC_BODY_TEMPLATE", err.Error())
	}
	if _, err := parseHeaders(s.GenericHeaders, s.GenericSecret != ""); err != nil {
		report("AUTH_SMS_GENERIC_HEADERS", err.Error())
	}
	if _, err := parseSecrets(s.GenericSecret); err != nil {
		report("AUTH_SMS_GENERIC_SECRET", err.Error())
	}
}

// bodyTemplate is the template of the generic gateway, made ready.
func (s Settings) bodyTemplate() (*bodyTemplate, error) {
	form, err := syntaxOf(s.GenericContentType)
	if err != nil {
		return nil, err
	}
	text := s.GenericBody
	if text == "" && (form == asJSON || form == asForm) {
		text = defaultBody
	}
	return parseBody(text, form)
}

func missing(report func(env, problem string), env, value, beside string) {
	if value == "" {
		report(env, "is not set, and is needed with "+beside)
	}
}

// carriesPassword refuses an address at which a password would be readable on its way.
func carriesPassword(report func(env, problem string), env, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return
	}
	report(env, "must begin with https, but on this machine, since a password goes there")
}

// usesVerify reports whether Twilio is to make the codes. The service says so, not the account.
func (s Settings) usesVerify() bool { return hasSID(s.TwilioService, "VA") }

func isMessagingService(s string) bool { return hasSID(s, "MG") }

// longestSender is the most letters of a sender's name; whatever is longer and has the right prefix
// is one of Twilio's ids.
const longestSender = 11

func hasSID(s, prefix string) bool { return len(s) > longestSender && strings.HasPrefix(s, prefix) }

// isSender tells whether Twilio can show the text as the sender: a number, a short number or a name.
func isSender(s string) bool {
	if ValidNumber(s) {
		return true
	}
	return s != "" && len(s) <= longestSender && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(" &+_-", r)
	})
}
