package config

import "time"

// theirFactors are second factors and passkeys.
func theirFactors() []theirs {
	const mostFactors = "a user has one authenticator app and one telephone at most and, with security keys, ten factors"
	return []theirs{
		is("MFA_TOTP_ENROLL_ENABLED", "AUTH_MFA_ENABLED", nil, "enrolling and verifying are turned on together"),
		judged("MFA_TOTP_VERIFY_ENABLED", unlessOn("who has a second factor is always asked for it"), "always on"),
		is("MFA_PHONE_ENROLL_ENABLED", "AUTH_MFA_PHONE_ENABLED", nil, "enrolling and verifying are turned on together"),
		absent("MFA_PHONE_VERIFY_ENABLED", "who has a telephone as a second factor is always asked for it"),
		partOf("MFA_PHONE_OTP_LENGTH", otpLength, "the longer of the two counts for both"),
		vain("MFA_PHONE_TEMPLATE", "codes of second factors have the words of codes to sign in by: the template signin-passwordless-sms"),
		is("MFA_PHONE_MAX_FREQUENCY", "AUTH_MFA_PHONE_MAX_FREQUENCY", nil, ""),
		is("MFA_WEB_AUTHN_ENROLL_ENABLED", "AUTH_MFA_WEBAUTHN_ENABLED", nil, "enrolling and verifying are turned on together"),
		judged("MFA_WEB_AUTHN_VERIFY_ENABLED", unlessOn("who has a second factor is always asked for it"), "always on"),
		vain("MFA_CHALLENGE_EXPIRY_DURATION", "a challenge is good for five minutes"),
		vain("MFA_FACTOR_EXPIRY_DURATION", "a factor that nobody has verified is no factor, and forgotten after an hour"),
		vain("MFA_RATE_LIMIT_CHALLENGE_AND_VERIFY", "wrong codes are counted for each user (AUTH_OTP_USER_FAILURE_LIMIT), and requests for each client"),
		vain("MFA_MAX_ENROLLED_FACTORS", mostFactors), vain("MFA_MAX_VERIFIED_FACTORS", mostFactors),
		vain("MAX_VERIFIED_FACTORS", "GoTrue never read it"),
		known("RP_ID", is("WEBAUTHN_RP_ID", "AUTH_WEBAUTHN_RP_ID", nil, "")),
		is("WEBAUTHN_RP_DISPLAY_NAME", "AUTH_WEBAUTHN_RP_NAME", nil, ""),
		is("WEBAUTHN_RP_ORIGINS", "AUTH_WEBAUTHN_RP_ORIGINS", nil, ""),
		is("WEBAUTHN_CHALLENGE_EXPIRY_DURATION", "AUTH_WEBAUTHN_ATTESTATION_TIMEOUT", between(5*time.Second, time.Hour), "from five seconds to an hour"),
		is("PASSKEY_ENABLED", "AUTH_WEBAUTHN_ENABLED", nil, ""),
		is("PASSKEY_MAX_PASSKEYS_PER_USER", "AUTH_WEBAUTHN_USER_LIMIT", nil, "from 1 to 100"),
	}
}

// theirRest is what is left: what Postern does not do, and what nobody does any more.
func theirRest() []theirs {
	saml, lines := "there is no SAML", "the log is lines of JSON on the standard error, or of text (AUTH_LOG_FORMAT_TEXT)"
	profile, traces, reload := "there is no profiler", "there are no traces and no metrics", "settings are read at start"
	linking := "identities are linked by verified addresses alone"
	return []theirs{
		absent("SAML_ENABLED", saml), vain("SAML_PRIVATE_KEY", saml), vain("SAML_PRIVATE_KEY_NEXT", saml), absent("SAML_ALLOW_ENCRYPTED_ASSERTIONS", saml),
		vain("SAML_RELAY_STATE_VALIDITY_PERIOD", saml), vain("SAML_EXTERNAL_URL", saml), vain("SAML_RATE_LIMIT_ASSERTION", saml),

		is("OAUTH_SERVER_ENABLED", "AUTH_OAUTH2_PROVIDER_ENABLED", nil, ""),
		is("OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION", "AUTH_GOTRUE_OAUTH_DYNAMIC_REGISTRATION", nil, ""),
		is("OAUTH_SERVER_AUTHORIZATION_PATH", "AUTH_GOTRUE_OAUTH_AUTHORIZATION_PATH", nil, ""),
		is("OAUTH_SERVER_AUTHORIZATION_TTL", "AUTH_GOTRUE_OAUTH_AUTHORIZATION_TTL", between(time.Minute, time.Hour), "from a minute to an hour"),
		is("OAUTH_SERVER_DEFAULT_SCOPE", "AUTH_GOTRUE_OAUTH_DEFAULT_SCOPE", nil, ""),

		known("LOG_LEVEL", is("LOG_LEVEL", "AUTH_DEBUG", logLevel, "debug turns it on; what is above info does not make the log shorter")),
		vain("LOG_FILE", lines), absent("LOG_DISABLE_COLORS", lines), absent("LOG_QUOTE_EMPTY_FIELDS", lines), vain("LOG_TSFORMAT", lines), vain("LOG_FIELDS", lines),
		judged("LOG_SQL", unless("without effect: statements are not logged, since they hold secrets", "none"), "statements are not logged"),
		absent("PROFILER_ENABLED", profile), vain("PROFILER_HOST", profile), vain("PROFILER_PORT", profile),
		absent("TRACING_ENABLED", traces), vain("TRACING_EXPORTER", traces), vain("TRACING_SERVICE_NAME", traces), vain("TRACING_HOST", traces),
		vain("TRACING_PORT", traces), vain("TRACING_TAGS", traces), absent("METRICS_ENABLED", traces), vain("METRICS_EXPORTER", traces),
		known("OTEL_EXPORTER_OTLP_PROTOCOL", vain("METRICS_OTEL_EXPORTER_OTLP_PROTOCOL", traces)),
		known("OTEL_EXPORTER_PROMETHEUS_HOST", vain("METRICS_OTEL_EXPORTER_PROMETHEUS_HOST", traces)),
		known("OTEL_EXPORTER_PROMETHEUS_PORT", vain("METRICS_OTEL_EXPORTER_PROMETHEUS_PORT", traces)),

		absent("RELOADING_NOTIFY_ENABLED", reload), absent("RELOADING_POLLERENABLED", reload), vain("RELOADING_POLLER_INTERVAL", reload),
		absent("RELOADING_SIGNAL_ENABLED", reload), vain("RELOADING_SIGNAL_NUMBER", reload), vain("RELOADING_GRACE_PERIOD_INTERVAL", reload),

		vain("EXPERIMENTAL_PROVIDER_LINKING_DOMAINS", linking), vain("EXPERIMENTAL_PROVIDERS_WITH_OWN_LINKING_DOMAIN", linking),
		absent("EXPERIMENTAL_CURSOR_PAGINATION_ENABLED", "lists have pages with numbers"),
		absent("EXPERIMENTAL_SCIM_ENABLED", "there is no SCIM"),
		absent("EXPERIMENTAL_CREATE_EMAIL_IDENTITY_ON_PASSWORD_SET_ENABLED", "who has an address has an identity of it"),

		vain("COOKIE_KEY", "GoTrue dropped its cookies"), vain("COOKIE_DOMAIN", "GoTrue dropped its cookies"), vain("COOKIE_DURATION", "GoTrue dropped its cookies"),
		vain("SESSION_KEY", "GoTrue never read it"),
	}
}
