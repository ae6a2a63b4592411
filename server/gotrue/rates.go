package gotrue

import (
	"time"

	"postern/limits"
	"postern/server"
)

// Rates are GoTrue's limits on requests of one client. They stand beside the limits of every door and can only be tighter: the zero
// Rates limit nothing.
type Rates struct{ settings Settings }

// RatesOf are those that the operator set, where requests are limited at all.
func RatesOf(s Settings, l limits.Settings) Rates {
	if !l.Enable {
		return Rates{}
	}
	return Rates{s}
}

func (r Rates) verify() server.Rate   { return rate("verify", r.settings.RateVerify, usual) }
func (r Rates) token() server.Rate    { return rate("token", r.settings.RateToken, usual) }
func (r Rates) guests() server.Rate   { return rate("guests", r.settings.RateGuests, time.Hour) }
func (r Rates) passkeys() server.Rate { return rate("passkeys", r.settings.RatePasskeys, usual) }
func (r Rates) register() server.Rate { return rate("register", r.settings.RateRegister, usual) }

// asking is for requests that may send something: each has a count of its own.
func (r Rates) asking(what string) server.Rate {
	return rate("asking:"+what, r.settings.RateOTP, usual)
}

const usual = 5 * time.Minute

// rate lets so many requests pass in any interval. Of less than one it is one in a longer interval.
func rate(bucket string, n float64, interval time.Duration) server.Rate {
	if n <= 0 {
		return server.Rate{}
	}
	burst := max(1, int(n))
	if n < 1 {
		interval = time.Duration(min(float64(interval)/n, float64(longest)))
	}
	return server.Rate{Bucket: "gotrue:" + bucket, Limit: limits.Limit{Burst: burst, Interval: interval}}
}

// longest is the longest interval there is, as for the limits of every door.
const longest = 8784 * time.Hour
