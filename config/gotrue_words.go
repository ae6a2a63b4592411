package config

import (
	"encoding/base64"
	"encoding/hex"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// is is a variable that is another name of a setting.
func is(name, setting string, as meaning, doc string) theirs {
	return theirs{name: name, to: []part{{setting, as}}, doc: doc}
}

// partOf is a variable that says one part of a setting among several.
func partOf(name, setting, doc string) theirs { return theirs{name: name, join: setting, doc: doc} }

// vain is a variable without effect.
func vain(name, why string) theirs { return theirs{name: name, doc: why} }

// absent is a switch of something that is not there: off, there is nothing to say.
func absent(name, why string) theirs { return theirs{name: name, doc: why, silent: true} }

// known is a variable with a bare name besides.
func known(bare string, t theirs) theirs {
	t.bare = bare
	return t
}

// judged is a variable without effect some values of which are wrong, or need no words.
func judged(name string, judge meaning, doc string) theirs {
	return theirs{name: name, judge: judge, doc: doc}
}

// bad says what is wrong with a value that may be repeated.
func bad(value, problem, right string) meant {
	return meant{wrong: &wrong{what: quoted(value) + " " + problem, right: right}}
}

// seconds takes a bare number for seconds, as GoTrue's oldest files have it.
func seconds(value string) meant {
	if _, err := strconv.ParseUint(value, 10, 32); err == nil {
		value += "s"
	}
	return meant{value: value}
}

// unlessZero is a number of seconds, or a duration, of which zero means the default, as GoTrue reads it.
func unlessZero(value string) meant {
	if d, problem := parseDuration(value, time.Second); problem == "" && d <= 0 {
		return meant{}
	}
	return meant{value: value}
}

// between is unlessZero held between two limits; what it must be raised or lowered to is told.
func between(least, most time.Duration) meaning {
	return func(value string) meant {
		d, problem := parseDuration(value, time.Second)
		switch {
		case problem != "":
			return bad(value, problem, "a number of seconds, or a duration such as 90s, 15m or 2h")
		case d <= 0:
			return meant{}
		case d < least:
			return meant{value: humane(least), note: "it is raised to " + humane(least) + ", the least there is"}
		case d > most:
			return meant{value: humane(most), note: "it is lowered to " + humane(most) + ", the most there is"}
		}
		return meant{value: humane(d)}
	}
}

// not is a switch that is called the other way round.
func not(value string) meant {
	on, ok := parseBool(value)
	if !ok {
		return bad(value, "is neither true nor false", "true or false")
	}
	return meant{value: strconv.FormatBool(!on)}
}

// whenOn is a value that a switch stands for; off leaves the setting as it is.
func whenOn(means string) meaning {
	return func(value string) meant {
		on, ok := parseBool(value)
		switch {
		case !ok:
			return bad(value, "is neither true nor false", "true or false")
		case on:
			return meant{value: means}
		}
		return meant{}
	}
}

// either is one of two values.
func either(on, off string) meaning {
	return func(value string) meant {
		is, ok := parseBool(value)
		switch {
		case !ok:
			return bad(value, "is neither true nor false", "true or false")
		case is:
			return meant{value: on}
		}
		return meant{value: off}
	}
}

// atLeast raises a number, as GoTrue does without a word.
func atLeast(least int) meaning {
	return func(value string) meant {
		n, err := strconv.Atoi(value)
		if err != nil {
			return bad(value, "is not a whole number", "a whole number")
		}
		return meant{value: strconv.Itoa(max(n, least))}
	}
}

// budget is how many of something may be sent: N in an hour, or N/duration. Of none there is no bucket.
func budget(burst bool) meaning {
	return func(value string) meant {
		count, interval, has := strings.Cut(value, "/")
		if !has {
			interval = "1h"
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
		d, problem := parseDuration(strings.TrimSpace(interval), time.Second)
		switch {
		case err != nil || problem != "" || !(n >= 0 && n <= 1e9):
			return bad(value, "is no number of mails or messages", "a number, which is for an hour, or a number and a duration such as 100/1h")
		case n < 1:
			return bad(value, "lets nothing out at all", "at least 1; leave the server or the gateway out to send nothing")
		}
		if burst {
			return meant{value: strconv.Itoa(int(n))}
		}
		return meant{value: humane(d)}
	}
}

// rate is how many requests one client may make. Of none there is no rate.
func rate(value string) meant {
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil || !(n >= 0 && n <= 1e6):
		return bad(value, "is no number of requests", "a number from 0.001 to 1000000")
	case n == 0:
		return bad(value, "lets nobody in", "more than 0; leave it out, and only the limits of every door count")
	}
	return meant{value: value}
}

// rotates is whether a refresh token that two parties hold ends the session. Off, it is told what that costs.
func rotates(value string) meant {
	on, ok := parseBool(value)
	switch {
	case !ok:
		return bad(value, "is neither true nor false", "true or false")
	case on:
		return meant{value: "true"}
	}
	return meant{value: "false", note: "refresh tokens rotate all the same; one that was stolen is refused once it is older, and no longer ends the session, which stays with whoever refreshed last"}
}

const (
	leastReuse = 10 * time.Second
	mostReuse  = 5 * time.Minute
)

// reuse is for how long the token before the current one gets the same answer. A shorter time than ours would end sessions that go on with
// GoTrue, where that token gets its answer however late it comes.
func reuse(value string) meant {
	d, problem := parseDuration(value, time.Second)
	switch {
	case problem != "":
		return bad(value, problem, "a number of seconds")
	case d <= leastReuse:
		return meant{}
	}
	return between(leastReuse, mostReuse)(value)
}

// digits is how long a code is, as GoTrue reads it: what is out of bounds is 6.
func digits(value string) meant {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return bad(value, "is not a whole number", "a whole number from 6 to 10")
	case n < 6 || n > 10:
		n = 6
	}
	return meant{value: strconv.Itoa(n)}
}

// hexKey writes a key of 256 bits as Postern has it.
func hexKey(value string) meant {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
	if err != nil || len(key) != 32 {
		return meant{wrong: &wrong{what: "the value is no key of 256 bits in base64url", right: "43 letters, as GoTrue has it"}}
	}
	return meant{value: hex.EncodeToString(key)}
}

// hexKeys is the same for a list of id:key.
func hexKeys(value string) meant {
	var keys []string
	for _, pair := range splitList(value) {
		_, key, _ := strings.Cut(pair, ":")
		m := hexKey(strings.TrimSpace(key))
		if m.wrong != nil {
			return m
		}
		keys = append(keys, m.value)
	}
	return meant{value: strings.Join(keys, ",")}
}

// only takes one value and refuses the others with a reason.
func only(why string, allowed ...string) meaning {
	return func(value string) meant {
		for _, a := range allowed {
			if strings.EqualFold(a, value) {
				return meant{}
			}
		}
		return bad(value, why, enumerate(allowed, "or"))
	}
}

// unless says something of every value but those that mean what is done anyway.
func unless(note string, usual ...string) meaning {
	return func(value string) meant {
		for _, u := range usual {
			if strings.EqualFold(u, value) {
				return meant{}
			}
		}
		return meant{note: note}
	}
}

// unlessOn says something of a switch that is off where it could only be on.
func unlessOn(note string) meaning {
	return func(value string) meant {
		if on, ok := parseBool(value); ok && on {
			return meant{}
		}
		return meant{note: note}
	}
}

// logLevel is whether debug lines are written.
func logLevel(value string) meant {
	switch strings.ToLower(value) {
	case "debug", "trace":
		return meant{value: "true"}
	case "info":
		return meant{}
	case "panic", "fatal", "error", "warn", "warning":
		return meant{note: "the log begins at info here; what is less than that level is written too"}
	}
	return bad(value, "is no level", "panic, fatal, error, warn, info or debug")
}

// timeLimit is how long a request may take; there is always a limit.
func timeLimit(value string) meant {
	d, problem := parseDuration(value, time.Second)
	if problem == "" && d <= 0 {
		return meant{note: "0 means no limit to GoTrue; here there is one, AUTH_REQUEST_TIMEOUT, which stays as it is"}
	}
	return seconds(value)
}

// sender writes a From address.
func sender(address, name string) string {
	if address == "" {
		return ""
	}
	return (&mail.Address{Name: name, Address: address}).String()
}
