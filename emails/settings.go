package emails

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// PostmarkHost is the value of AUTH_SMTP_HOST that selects Postmark's HTTP API instead of SMTP.
const PostmarkHost = "postmark"

// Settings say how mail leaves the house and where its templates come from.
type Settings struct {
	Host       string        `env:"AUTH_SMTP_HOST" doc:"Mail server to send through; the value postmark selects Postmark's HTTP API. Empty means that no mail can be sent."`
	Port       int           `env:"AUTH_SMTP_PORT" default:"587" min:"1" max:"65535" doc:"Port of the mail server."`
	User       string        `env:"AUTH_SMTP_USER" doc:"User name at the mail server. Empty means that Postern does not authenticate."`
	Pass       string        `env:"AUTH_SMTP_PASS" secret:"true" doc:"Password at the mail server, or Postmark's server token."`
	Sender     string        `env:"AUTH_SMTP_SENDER" doc:"From address of every mail: an address, or a name with the address in angle brackets."`
	Secure     bool          `env:"AUTH_SMTP_SECURE" default:"false" doc:"Speak TLS from the first byte, as on port 465."`
	TLS        string        `env:"AUTH_SMTP_TLS" default:"auto" oneof:"auto required off" doc:"STARTTLS: auto uses it when the server offers it, required refuses a server that does not, off never uses it and lets PLAIN and LOGIN send the password unencrypted."`
	AuthMethod string        `env:"AUTH_SMTP_AUTH_METHOD" default:"PLAIN" oneof:"PLAIN LOGIN CRAM-MD5" doc:"How to authenticate at the mail server."`
	Helo       string        `env:"AUTH_SMTP_HELO" default:"postern" doc:"Name that Postern gives the mail server in its greeting."`
	Timeout    time.Duration `env:"AUTH_SMTP_TIMEOUT" default:"10s" min:"1s" max:"5m" doc:"Time limit for handing over one mail, from dialling to the server's last answer."`
	Headers    ExtraHeaders  `env:"AUTH_SMTP_HEADERS" doc:"Further headers of every mail, as a JSON object of names that begin with X- or List-, each with a list of values: {\"X-Campaign\": [\"auth\"]}. $messageType in a value is the name of the mail's template. Postmark's API gets none."`
	SMTPAPI    string        `env:"AUTH_SMTP_X_SMTPAPI_HEADER" doc:"Value of the header X-SMTPAPI (SendGrid) of every mail. Empty means no such header."`

	TemplatesPath string `env:"AUTH_EMAIL_TEMPLATES_PATH" default:"/app/email-templates" doc:"Folder whose templates replace the built-in ones, as locale/template/file. Edits count at the next mail. It need not exist."`
	FetchURL      string `env:"AUTH_EMAIL_TEMPLATE_FETCH_URL" format:"url" doc:"Base URL whose templates replace all others, as locale/template/file. It is asked at every mail."`

	GoTrue GoSettings
}

// Configured reports whether mail can be sent at all.
func (s Settings) Configured() bool { return s.Host != "" && s.Sender != "" }

// Check reports settings that do not fit each other.
func (s Settings) Check(report func(env, problem string)) {
	if strings.ContainsAny(s.SMTPAPI, "\r\n\x00") {
		report("AUTH_SMTP_X_SMTPAPI_HEADER", "must be one line")
	}
	if strings.ContainsFunc(s.Helo, func(r rune) bool { return r <= ' ' || r > '~' }) {
		report("AUTH_SMTP_HELO", "must be a host name, without blanks")
	}
	if s.Host == "" {
		return
	}
	if s.Sender == "" {
		report("AUTH_SMTP_SENDER", "is needed with AUTH_SMTP_HOST: every mail must say who sends it, such as Example <auth@example.com>")
	} else if _, err := parseSender(s.Sender); err != nil {
		report("AUTH_SMTP_SENDER", `must be an address such as auth@example.com or Example <auth@example.com>`)
	}
	if s.Host == PostmarkHost && s.Pass == "" {
		report("AUTH_SMTP_PASS", "must hold Postmark's server token when AUTH_SMTP_HOST is postmark")
	}
	if s.Host != PostmarkHost && strings.ContainsAny(s.Host, ":/ ") && !strings.Contains(s.Host, "::") {
		report("AUTH_SMTP_HOST", "must be a host name or an address alone; the port belongs to AUTH_SMTP_PORT")
	}
	if s.Secure && s.TLS == "off" {
		report("AUTH_SMTP_TLS", "cannot be off when AUTH_SMTP_SECURE is true")
	}
}

// parseSender reads AUTH_SMTP_SENDER. A domain in another script becomes its ASCII form, since not
// every mail server takes it as it is.
func parseSender(s string) (*mail.Address, error) {
	a, err := mail.ParseAddress(strings.TrimSpace(s))
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	if a.Address, err = asciiDomain(a.Address); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	return a, nil
}
