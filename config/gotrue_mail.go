package config

import "time"

// theirLimits are how often somebody may do something.
func theirLimits() []theirs {
	mine := "beside the limits of every door, which stay (AUTH_RATE_LIMIT_BRUTE_FORCE_BURST, _SIGNUPS_BURST, _EMAIL_BURST, _GLOBAL_BURST)"
	return []theirs{
		is(rateHeader, "AUTH_CLIENT_ADDRESS_HEADER", nil, "counts where one of AUTH_TRUSTED_PROXIES sends it, and is a notice where that is not set; of several addresses the last that is no proxy's counts, not the first, which a client may have written. Clients are told apart without it, too"),
		{name: "RATE_LIMIT_EMAIL_SENT", to: []part{
			{"AUTH_RATE_LIMIT_EMAIL_TOTAL_BURST", budget(true)}, {"AUTH_RATE_LIMIT_EMAIL_TOTAL_INTERVAL", budget(false)},
		}, doc: ofAll},
		{name: "RATE_LIMIT_SMS_SENT", to: []part{
			{"AUTH_RATE_LIMIT_SMS_TOTAL_BURST", budget(true)}, {"AUTH_RATE_LIMIT_SMS_TOTAL_INTERVAL", budget(false)},
		}, doc: ofAll},
		is("RATE_LIMIT_VERIFY", "AUTH_GOTRUE_RATE_LIMIT_VERIFY", rate, mine), is("RATE_LIMIT_OTP", "AUTH_GOTRUE_RATE_LIMIT_OTP", rate, mine),
		is("RATE_LIMIT_TOKEN_REFRESH", "AUTH_GOTRUE_RATE_LIMIT_TOKEN_REFRESH", rate, mine), is("RATE_LIMIT_ANONYMOUS_USERS", "AUTH_GOTRUE_RATE_LIMIT_ANONYMOUS_USERS", rate, mine),
		is("RATE_LIMIT_PASSKEY", "AUTH_GOTRUE_RATE_LIMIT_PASSKEY", rate, mine), vain("RATE_LIMIT_SSO", "there is no SAML"), vain("RATE_LIMIT_WEB3", "there is no sign-in by wallets"),
		is("RATE_LIMIT_O_AUTH_DYNAMIC_CLIENT_REGISTER", "AUTH_GOTRUE_RATE_LIMIT_OAUTH_DYNAMIC_CLIENT_REGISTER", rate, mine),
	}
}

// rateHeader is the header by which GoTrue tells clients apart.
const rateHeader = "RATE_LIMIT_HEADER"

// unproxied tells of a header that counts from nobody.
func (s *speech) unproxied() {
	name := theirPrefix + rateHeader
	if s.loader.value(name) != "" && s.loader.value("AUTH_TRUSTED_PROXIES") == "" {
		s.tell(name, meant{note: "without effect while AUTH_TRUSTED_PROXIES is not set: whoever connects could write anything there, so clients are told apart by the address that they connect from"})
	}
}

// ofAll is what becomes of a budget of all clients.
const ofAll = "of all clients together, as with GoTrue, on all replicas; each client has its own limit besides, and what operators send is not counted; none at all is an error"

// theirMail is how mails leave, and what they say.
func theirMail() []theirs {
	const sender = "AUTH_SMTP_SENDER"
	checks := "addresses are checked by their form alone"
	fetched := "a template is fetched when a mail needs it and its copy is old"
	rows := []theirs{
		is("SMTP_HOST", "AUTH_SMTP_HOST", nil, ""),
		{name: "SMTP_PORT", to: []part{{"AUTH_SMTP_PORT", nil}, {"AUTH_SMTP_SECURE", whenPort("465", "true")}}, doc: "465 is TLS from the first byte"},
		is("SMTP_USER", "AUTH_SMTP_USER", nil, ""),
		is("SMTP_PASS", "AUTH_SMTP_PASS", nil, ""),
		partOf("SMTP_ADMIN_EMAIL", sender, "the address"),
		partOf("SMTP_SENDER_NAME", sender, "the name"),
		is("SMTP_MAX_FREQUENCY", "AUTH_GOTRUE_MAIL_INTERVAL", between(time.Second, 24*time.Hour), "from a second to a day; beside it AUTH_EMAIL_USER_HOURLY_LIMIT counts"),
		is("SMTP_HEADERS", "AUTH_SMTP_HEADERS", nil, "names that begin with X- or List-; others are an error, since they say whom a mail goes to and what it is"),
		absent("SMTP_LOGGING_ENABLED", "mails that could not be sent are logged, without addresses"),

		is("MAILER_AUTOCONFIRM", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", not, ""),
		absent("MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", "who comes from a provider that does not vouch for their address signs in without confirming it, unless AUTH_ACCESS_CONTROL_… lists addresses or domains; where somebody has the address they are refused"),
		is("MAILER_SECURE_EMAIL_CHANGE_ENABLED", "AUTH_GOTRUE_SECURE_EMAIL_CHANGE_ENABLED", nil, "at every API; an address that nobody has confirmed is not asked"),
		is("MAILER_OTP_EXP", "AUTH_GOTRUE_MAIL_OTP_EXP", between(time.Minute, 168*time.Hour), "from a minute to a week"),
		partOf("MAILER_OTP_LENGTH", otpLength, "the longer of the two counts for both"),
		vain("MAILER_EXTERNAL_HOSTS", "links in mails lead to API_EXTERNAL_URL, whatever a request says of its host: anybody can send a request, and have a link of theirs mailed to somebody else"),
		judged("MAILER_EMAIL_BACKGROUND_SENDING", unlessOn("mails always go through a queue, from which none is lost"), "always on"),
		absent("MAILER_EMAIL_VALIDATION_EXTENDED", checks), vain("MAILER_EMAIL_VALIDATION_SERVICE_URL", checks),
		vain("MAILER_EMAIL_VALIDATION_SERVICE_HEADERS", checks), vain("MAILER_EMAIL_VALIDATION_BLOCKED_MX", checks),
		is("MAILER_TEMPLATE_MAX_SIZE", "AUTH_GOTRUE_MAIL_TEMPLATE_MAX_SIZE", nil, ""),
		is("MAILER_TEMPLATE_MAX_AGE", "AUTH_GOTRUE_MAIL_TEMPLATE_MAX_AGE", seconds, ""),
		is("MAILER_TEMPLATE_RETRY_INTERVAL", "AUTH_GOTRUE_MAIL_TEMPLATE_RETRY_INTERVAL", seconds, ""),
		absent("MAILER_TEMPLATE_RELOADING_ENABLED", fetched), vain("MAILER_TEMPLATE_RELOADING_MAX_IDLE", fetched),
	}
	for _, kind := range mailTypes {
		rows = append(
			rows,
			is("MAILER_SUBJECTS_"+kind.theirs, "AUTH_GOTRUE_MAIL_SUBJECT_"+kind.theirs, nil, ""),
			is("MAILER_TEMPLATES_"+kind.theirs, "AUTH_GOTRUE_MAIL_TEMPLATE_"+kind.theirs, nil, ""),
		)
		switch kind.theirs {
		case "INVITE", "CONFIRMATION", "RECOVERY", "EMAIL_CHANGE":
			rows = append(rows, is("MAILER_URLPATHS_"+kind.theirs, "AUTH_GOTRUE_MAIL_PATH_"+kind.theirs, nil, "unset, links lead to /verify below API_EXTERNAL_URL, whose path stays"))
		default:
			rows = append(rows, vain("MAILER_URLPATHS_"+kind.theirs, "GoTrue does not use it either"))
		}
		if kind.event != "" {
			rows = append(rows, judged("MAILER_NOTIFICATIONS_"+kind.event+"_ENABLED", unlessOn("users are always told of such a change"), "always on"))
		}
	}
	return rows
}

// mailTypes are GoTrue's words for mails.
var mailTypes = []struct {
	theirs string
	event  string // of a notice
}{
	{"INVITE", ""},
	{"CONFIRMATION", ""},
	{"RECOVERY", ""},
	{"EMAIL_CHANGE", ""},
	{"MAGIC_LINK", ""},
	{"REAUTHENTICATION", ""},
	{"PASSWORD_CHANGED_NOTIFICATION", "PASSWORD_CHANGED"},
	{"EMAIL_CHANGED_NOTIFICATION", "EMAIL_CHANGED"},
	{"PHONE_CHANGED_NOTIFICATION", "PHONE_CHANGED"},
	{"IDENTITY_LINKED_NOTIFICATION", "IDENTITY_LINKED"},
	{"IDENTITY_UNLINKED_NOTIFICATION", "IDENTITY_UNLINKED"},
	{"MFA_FACTOR_ENROLLED_NOTIFICATION", "MFA_FACTOR_ENROLLED"},
	{"MFA_FACTOR_UNENROLLED_NOTIFICATION", "MFA_FACTOR_UNENROLLED"},
}

// whenPort is a value that one port stands for.
func whenPort(port, means string) meaning {
	return func(value string) meant {
		if value == port {
			return meant{value: means}
		}
		return meant{}
	}
}

// theirSMS is how text messages leave.
func theirSMS() []theirs {
	const verify = "counts where GOTRUE_SMS_PROVIDER is twilio_verify"
	return []theirs{
		absent("SMS_AUTOCONFIRM", "a number that nobody has proved would stand in tokens, where policies read it, and whoever signed up with somebody else's would know the password of the account that its owner opens by a code; so a number is always confirmed by a code"),
		is("SMS_MAX_FREQUENCY", "AUTH_GOTRUE_SMS_INTERVAL", between(time.Second, 24*time.Hour), "from a second to a day; beside it AUTH_SMS_USER_HOURLY_LIMIT counts"),
		is("SMS_OTP_EXP", "AUTH_SMS_OTP_EXP", between(30*time.Second, time.Hour), "from half a minute to an hour; unset, it is five minutes"),
		is("SMS_OTP_LENGTH", "AUTH_SMS_OTP_LENGTH", digits, "what is not from 6 to 10 is 6, as in GoTrue"),
		is("SMS_PROVIDER", "AUTH_SMS_PROVIDER", gateway, "twilio_verify is twilio with a Verify service"),
		is("SMS_TEMPLATE", "AUTH_SMS_TEMPLATE", nil, "an error where it has no code in it"),
		is("SMS_TEST_OTP", "AUTH_SMS_TEST_OTP", nil, "told of at every start; a code that is not of 6 to 10 digits is an error, since it could be guessed"),
		is("SMS_TEST_OTP_VALID_UNTIL", "AUTH_SMS_TEST_OTP_VALID_UNTIL", nil, ""),
		partOf("SMS_TWILIO_ACCOUNT_SID", "AUTH_SMS_TWILIO_ACCOUNT_SID", ""),
		partOf("SMS_TWILIO_AUTH_TOKEN", "AUTH_SMS_TWILIO_AUTH_TOKEN", ""),
		partOf("SMS_TWILIO_MESSAGE_SERVICE_SID", "AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID", ""),
		vain("SMS_TWILIO_CONTENT_SID", "messages go by SMS alone, not by WhatsApp"),
		partOf("SMS_TWILIO_VERIFY_ACCOUNT_SID", "AUTH_SMS_TWILIO_ACCOUNT_SID", verify),
		partOf("SMS_TWILIO_VERIFY_AUTH_TOKEN", "AUTH_SMS_TWILIO_AUTH_TOKEN", verify),
		partOf("SMS_TWILIO_VERIFY_MESSAGE_SERVICE_SID", "AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID", verify),
		is("SMS_MESSAGEBIRD_ACCESS_KEY", "AUTH_SMS_MESSAGEBIRD_ACCESS_KEY", nil, ""),
		is("SMS_MESSAGEBIRD_ORIGINATOR", "AUTH_SMS_MESSAGEBIRD_ORIGINATOR", nil, ""),
		is("SMS_TEXTLOCAL_API_KEY", "AUTH_SMS_TEXTLOCAL_API_KEY", nil, ""),
		is("SMS_TEXTLOCAL_SENDER", "AUTH_SMS_TEXTLOCAL_SENDER", nil, ""),
		is("SMS_VONAGE_API_KEY", "AUTH_SMS_VONAGE_API_KEY", nil, ""),
		is("SMS_VONAGE_API_SECRET", "AUTH_SMS_VONAGE_API_SECRET", nil, ""),
		is("SMS_VONAGE_FROM", "AUTH_SMS_VONAGE_FROM", nil, ""),
		is("SMS_MSG91_AUTH_KEY", "AUTH_SMS_MSG91_AUTH_KEY", nil, ""),
		is("SMS_MSG91_SENDER_ID", "AUTH_SMS_MSG91_SENDER_ID", nil, ""),
		is("SMS_MSG91_TEMPLATE_ID", "AUTH_SMS_MSG91_TEMPLATE_ID", nil, "goes with each message; GOTRUE_SMS_TEMPLATE must say what it says"),
	}
}

// gateway is the word for one.
func gateway(value string) meant {
	if value == "twilio_verify" {
		value = "twilio"
	}
	return meant{value: value}
}

// ofTwilio is one setting of Twilio, of the two sets that GoTrue has.
func ofTwilio(name string) func(map[string]string) (string, string, error) {
	return func(said map[string]string) (string, string, error) {
		if said["SMS_PROVIDER"] == "twilio_verify" {
			return said["SMS_TWILIO_VERIFY_"+name], "", nil
		}
		return said["SMS_TWILIO_"+name], "", nil
	}
}
