package httphook

import (
	"net/http"
	"time"
)

// Rules say what counts as an answer, and when a question is put again. Those that users of other
// services know are below; a dialect may change one to its needs.
type Rules struct {
	Tries  int           // at most; none is one
	Budget time.Duration // for all tries and pauses
	PerTry time.Duration // for one; 0 is what is left of the budget

	// Good tells the statuses that come with an answer; nil is any that begins with 2.
	Good func(status int) bool
	// Again tells the other statuses after which the question is put again; nil is none. It is put again after
	// what Retry-After says, if the header is there, and not at all when that would be too late.
	Again func(status int, retryAfter bool) bool
	// UnreachableAgain puts the question again, after the pause, when a connection failed.
	UnreachableAgain bool
	Pause            time.Duration
	// SlowAgain puts the question again when one try took too long.
	SlowAgain bool

	// JSON has every answer with a status other than 204 say that it is JSON, and be it.
	JSON bool
	// MaxAnswer is the most bytes of an answer; 0 is 200 KiB.
	MaxAnswer int
}

// maxAnswer is how much of an answer Supabase Auth takes.
const maxAnswer = 200 << 10

// Supabase are the rules of Supabase's hooks, with one difference: what Retry-After says is waited for.
func Supabase() Rules {
	return Rules{
		Tries: 3, Budget: 5 * time.Second,
		Good: func(status int) bool {
			return status == http.StatusOK || status == http.StatusAccepted || status == http.StatusNoContent
		},
		Again: func(status int, retryAfter bool) bool {
			return retryAfter && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable)
		},
		UnreachableAgain: true, Pause: 2 * time.Second,
		JSON: true, MaxAnswer: maxAnswer,
	}
}

// Legacy are the rules of GoTrue's webhooks of old: any other status than these, and a try that took
// too long, lead to another try at once; a connection that fails does not.
func Legacy() Rules {
	return Rules{
		Tries: 3, Budget: 15 * time.Second, PerTry: 5 * time.Second,
		Good: func(status int) bool {
			return status == http.StatusOK || status == http.StatusAccepted || status == http.StatusNoContent
		},
		Again:     func(int, bool) bool { return true },
		SlowAgain: true, MaxAnswer: maxAnswer,
	}
}

// Plain are the rules of a plain webhook: one try, and any status that begins with 2.
func Plain() Rules { return Rules{Tries: 1, Budget: 5 * time.Second, MaxAnswer: maxAnswer} }

// Platform are the rules of the webhooks of Hasura's platform: one try, since the question has a one-time secret
// in it, nothing is signed, and a status that begins with 4 comes with an answer, too.
func Platform() Rules {
	return Rules{
		Tries:     1,
		Good:      func(status int) bool { return status >= 200 && status <= 299 || status >= 400 && status <= 499 },
		MaxAnswer: 64 << 10,
	}
}

// good tells the statuses that come with an answer.
func (r Rules) good(status int) bool {
	if r.Good == nil {
		return status >= 200 && status <= 299
	}
	return r.Good(status)
}
