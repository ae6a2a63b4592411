// Package limits says how often somebody may do something. It holds the settings of every limit
// and counts what is only a matter of volume, in memory: each process counts for itself.
//
// What guards a secret (attempts at a code, at a password) is counted in Postgres, by package
// store, so that more replicas do not mean more attempts.
package limits

import "time"

// Settings are the limits an operator may set. Each allows so many requests (burst) in any
// interval.
type Settings struct {
	Enable             bool          `env:"AUTH_RATE_LIMIT_ENABLE" default:"true" doc:"Whether requests are limited at all."`
	GlobalBurst        int           `env:"AUTH_RATE_LIMIT_GLOBAL_BURST" default:"100" min:"1" doc:"Requests of any kind that one client may make in the interval."`
	GlobalInterval     time.Duration `env:"AUTH_RATE_LIMIT_GLOBAL_INTERVAL" default:"1m" min:"1s" max:"8784h" doc:"Interval of the limit on requests of any kind."`
	EmailBurst         int           `env:"AUTH_RATE_LIMIT_EMAIL_BURST" default:"10" min:"1" doc:"Requests that send an e-mail, in the interval."`
	EmailInterval      time.Duration `env:"AUTH_RATE_LIMIT_EMAIL_INTERVAL" default:"1h" min:"1s" max:"8784h" doc:"Interval of the limit on e-mails."`
	EmailIsGlobal      bool          `env:"AUTH_RATE_LIMIT_EMAIL_IS_GLOBAL" default:"false" doc:"Whether all clients share the limit on e-mails instead of having one each."`
	EmailTotalBurst    int           `env:"AUTH_RATE_LIMIT_EMAIL_TOTAL_BURST" default:"0" min:"0" max:"1000000000" doc:"Requests of all clients together that send an e-mail, on all replicas: so many at once, and as many more in each interval, evenly. 0 means that each client's limit is the only one. What operators send is not counted."`
	EmailTotalInterval time.Duration `env:"AUTH_RATE_LIMIT_EMAIL_TOTAL_INTERVAL" default:"1h" min:"1s" max:"8784h" doc:"Interval of the limit on the e-mails of all clients."`
	SMSTotalBurst      int           `env:"AUTH_RATE_LIMIT_SMS_TOTAL_BURST" default:"0" min:"0" max:"1000000000" doc:"The same for requests that send an SMS."`
	SMSTotalInterval   time.Duration `env:"AUTH_RATE_LIMIT_SMS_TOTAL_INTERVAL" default:"1h" min:"1s" max:"8784h" doc:"Interval of the limit on the SMS of all clients."`
	SMSBurst           int           `env:"AUTH_RATE_LIMIT_SMS_BURST" default:"10" min:"1" doc:"Requests of one client that send an SMS, in the interval."`
	SMSInterval        time.Duration `env:"AUTH_RATE_LIMIT_SMS_INTERVAL" default:"1h" min:"1s" max:"8784h" doc:"Interval of the limit on SMS."`
	BruteForceBurst    int           `env:"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST" default:"10" min:"1" doc:"Attempts of one client at a secret (password, code, link), in the interval."`
	BruteForceInterval time.Duration `env:"AUTH_RATE_LIMIT_BRUTE_FORCE_INTERVAL" default:"5m" min:"1s" max:"8784h" doc:"Interval of the limit on attempts at a secret."`
	SignupsBurst       int           `env:"AUTH_RATE_LIMIT_SIGNUPS_BURST" default:"10" min:"1" doc:"Sign-ups of one client in the interval."`
	SignupsInterval    time.Duration `env:"AUTH_RATE_LIMIT_SIGNUPS_INTERVAL" default:"5m" min:"1s" max:"8784h" doc:"Interval of the limit on sign-ups."`
	OAuthBurst         int           `env:"AUTH_RATE_LIMIT_OAUTH2_SERVER_BURST" default:"100" min:"1" doc:"Requests to the OAuth server from one address in the interval: of clients for tokens, and of browsers that they send."`
	OAuthInterval      time.Duration `env:"AUTH_RATE_LIMIT_OAUTH2_SERVER_INTERVAL" default:"5m" min:"1s" max:"8784h" doc:"Interval of the limit on requests to the OAuth server."`
	ManagementBurst    int           `env:"AUTH_RATE_LIMIT_MANAGEMENT_BURST" default:"600" min:"1" doc:"Requests that one machine client may make to the management API in the interval."`
	ManagementInterval time.Duration `env:"AUTH_RATE_LIMIT_MANAGEMENT_INTERVAL" default:"1m" min:"1s" max:"8784h" doc:"Interval of the limit on the management API."`
}

// Limit allows Burst takes in any Interval. The zero Limit allows everything.
type Limit struct {
	Burst    int
	Interval time.Duration
}

// Unlimited tells whether the limit lets everything pass.
func (l Limit) Unlimited() bool { return l.Burst <= 0 || l.Interval <= 0 }

// Global limits requests of any kind.
func (s Settings) Global() Limit { return s.limit(s.GlobalBurst, s.GlobalInterval) }

// Email limits requests that send an e-mail.
func (s Settings) Email() Limit { return s.limit(s.EmailBurst, s.EmailInterval) }

// EmailTotal limits the e-mails of all clients together.
func (s Settings) EmailTotal() Limit { return s.limit(s.EmailTotalBurst, s.EmailTotalInterval) }

// SMSTotal limits the SMS of all clients together.
func (s Settings) SMSTotal() Limit { return s.limit(s.SMSTotalBurst, s.SMSTotalInterval) }

// SMS limits requests that send an SMS.
func (s Settings) SMS() Limit { return s.limit(s.SMSBurst, s.SMSInterval) }

// BruteForce limits attempts at a secret.
func (s Settings) BruteForce() Limit { return s.limit(s.BruteForceBurst, s.BruteForceInterval) }

// Entries limits the entries of the audit log that one client may cause by wrong secrets: as many as attempts,
// and no more where attempts are not limited.
func (s Settings) Entries() Limit {
	return Limit{Burst: s.BruteForceBurst, Interval: s.BruteForceInterval}
}

// Management limits requests of machine clients to the management API.
func (s Settings) Management() Limit { return s.limit(s.ManagementBurst, s.ManagementInterval) }

// OAuth limits requests to the OAuth server.
func (s Settings) OAuth() Limit { return s.limit(s.OAuthBurst, s.OAuthInterval) }

// Signups limits sign-ups.
func (s Settings) Signups() Limit { return s.limit(s.SignupsBurst, s.SignupsInterval) }

func (s Settings) limit(burst int, interval time.Duration) Limit {
	if !s.Enable {
		return Limit{}
	}
	return Limit{Burst: burst, Interval: interval}
}
