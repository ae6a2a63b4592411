package config

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// wrong says why a value cannot be taken, and what could be.
type wrong struct {
	what  string // a whole sentence without its full stop
	right string // what would be right, or empty when the sentence says it
}

// parse reads raw as the setting's type, applies its rules and puts the result into the field.
func (s *setting) parse(raw string, into reflect.Value) *wrong {
	if !s.secret {
		raw = strings.TrimSpace(raw)
	}
	if s.isText() {
		return s.parseText(raw, into)
	}
	switch {
	case into.Type() == reflect.TypeFor[time.Duration]():
		return s.parseDuration(raw, into)
	case into.Kind() == reflect.Slice:
		return s.parseList(raw, into)
	}
	switch into.Kind() {
	case reflect.String:
		return s.parseString(raw, into)
	case reflect.Bool:
		b, ok := parseBool(raw)
		if !ok {
			return s.wrong(raw, "is neither true nor false")
		}
		into.SetBool(b)
	case reflect.Int, reflect.Int64:
		return s.parseInt(raw, into)
	case reflect.Float64:
		return s.parseFloat(raw, into)
	default:
		return &wrong{what: fmt.Sprintf("it has the type %s, which settings cannot have", into.Type())}
	}
	return nil
}

// same tells whether two texts mean the same: 3600 and 1h, say.
func (s *setting) same(a, b string) bool {
	if a == b {
		return true
	}
	t := s.fields[0].Type()
	x, y := reflect.New(t).Elem(), reflect.New(t).Elem()
	return s.parse(a, x) == nil && s.parse(b, y) == nil && reflect.DeepEqual(x.Interface(), y.Interface())
}

func (s *setting) parseText(raw string, into reflect.Value) *wrong {
	fresh := reflect.New(into.Type())
	u, ok := fresh.Interface().(encoding.TextUnmarshaler)
	if !ok {
		return &wrong{what: fmt.Sprintf("it has the type %s, which cannot read itself", into.Type())}
	}
	if err := u.UnmarshalText([]byte(raw)); err != nil {
		text := strings.TrimSuffix(err.Error(), ".")
		if s.secret {
			return &wrong{what: conceal(text, raw)}
		}
		return &wrong{what: quoted(raw) + ": " + text, right: s.expected()}
	}
	into.Set(fresh.Elem())
	return nil
}

func (s *setting) parseString(raw string, into reflect.Value) *wrong {
	value, w := s.element(raw)
	if w != nil {
		return w
	}
	if w := s.within(raw, utf8.RuneCountInString(raw), "characters"); w != nil {
		return w
	}
	into.SetString(value)
	return nil
}

func (s *setting) parseList(raw string, into reflect.Value) *wrong {
	var list []string
	for _, item := range splitList(raw) {
		value, w := s.element(item)
		if w != nil {
			return w
		}
		list = append(list, value)
	}
	if w := s.within(raw, len(list), "entries"); w != nil {
		return w
	}
	into.Set(reflect.ValueOf(list).Convert(into.Type()))
	return nil
}

// within holds a count between min and max.
func (s *setting) within(raw string, n int, things string) *wrong {
	if least, err := strconv.Atoi(s.min); err == nil && n < least {
		return s.wrong(raw, fmt.Sprintf("has %d %s, fewer than %d", n, things, least))
	}
	if most, err := strconv.Atoi(s.max); err == nil && n > most {
		return s.wrong(raw, fmt.Sprintf("has %d %s, more than %d", n, things, most))
	}
	return nil
}

// element applies oneof and format to a string, or to one entry of a list. A word of oneof is
// taken in any letter case and comes out as it was declared.
func (s *setting) element(raw string) (string, *wrong) {
	if f := formats[s.format]; f.check != nil && raw != "" {
		if problem := f.check(raw); problem != "" {
			return "", s.wrong(raw, problem)
		}
	}
	if len(s.oneof) == 0 || raw == "" {
		return raw, nil
	}
	for _, word := range s.oneof {
		if strings.EqualFold(word, raw) {
			return word, nil
		}
	}
	return "", s.wrong(raw, "is not one of the words it can be")
}

func (s *setting) parseInt(raw string, into reflect.Value) *wrong {
	n, err := strconv.ParseInt(raw, 10, into.Type().Bits())
	switch {
	case errors.Is(err, strconv.ErrRange):
		return s.wrong(raw, "is too large a number")
	case err != nil:
		return s.wrong(raw, "is not a whole number")
	}
	if least, err := strconv.ParseInt(s.min, 10, 64); err == nil && n < least {
		return s.wrong(raw, "is less than "+s.min)
	}
	if most, err := strconv.ParseInt(s.max, 10, 64); err == nil && n > most {
		return s.wrong(raw, "is more than "+s.max)
	}
	into.SetInt(n)
	return nil
}

func (s *setting) parseFloat(raw string, into reflect.Value) *wrong {
	n, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return s.wrong(raw, "is not a number")
	}
	if least, err := strconv.ParseFloat(s.min, 64); err == nil && n < least {
		return s.wrong(raw, "is less than "+s.min)
	}
	if most, err := strconv.ParseFloat(s.max, 64); err == nil && n > most {
		return s.wrong(raw, "is more than "+s.max)
	}
	into.SetFloat(n)
	return nil
}

func (s *setting) parseDuration(raw string, into reflect.Value) *wrong {
	d, problem := parseDuration(raw, s.unit)
	if problem != "" {
		return s.wrong(raw, problem)
	}
	least := time.Duration(0)
	if d2, problem := parseDuration(s.min, s.unit); problem == "" {
		least = d2
	}
	if d < least {
		return s.wrong(raw, "is less than "+humane(least))
	}
	if most, problem := parseDuration(s.max, s.unit); problem == "" && d > most {
		return s.wrong(raw, "is more than "+humane(most))
	}
	into.SetInt(int64(d))
	return nil
}

// wrong says what is wrong with a value, which it repeats unless the value is a secret.
func (s *setting) wrong(raw, problem string) *wrong {
	value := "the value"
	if !s.secret {
		value = quoted(raw)
	}
	return &wrong{what: value + " " + problem, right: s.expected()}
}

// expected says in words what the setting takes.
func (s *setting) expected() string {
	t := s.fields[0].Type()
	switch {
	case len(s.oneof) > 0 && t.Kind() == reflect.Slice:
		return "a list, separated by commas, of " + enumerate(s.oneof, "and")
	case len(s.oneof) > 0:
		return enumerate(s.oneof, "or")
	case s.format != "" && t.Kind() == reflect.Slice:
		return "a list, separated by commas, of " + formats[s.format].plural
	case s.format != "":
		return formats[s.format].expected
	case s.isText():
		return ""
	case t == reflect.TypeFor[time.Duration]():
		return s.expectedDuration()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number" + s.limits("")
	case reflect.Float64:
		return "a number" + s.limits("")
	case reflect.Slice:
		return "a list, separated by commas"
	default:
		return "text" + s.limits(" characters")
	}
}

func (s *setting) expectedDuration() string {
	bound := func(tag string) string {
		d, problem := parseDuration(tag, s.unit)
		if problem != "" || d == 0 {
			return "" // less than nothing is never taken
		}
		return humane(d)
	}
	limits := span(bound(s.min), bound(s.max), "")
	if limits != "" {
		limits = ";" + strings.Replace(limits, " of at", " at", 1)
	}
	if s.unit == 0 {
		return "a duration such as 90s, 15m or 2h" + limits
	}
	return "a number of " + unitWords[s.unitTag] + ", or a duration such as 90s, 15m or 2h" + limits
}

var unitWords = map[string]string{
	"ns": "nanoseconds", "ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours",
}

func (s *setting) limits(things string) string { return span(s.min, s.max, things) }

// span words a pair of limits, either of which may be missing.
func span(least, most, things string) string {
	switch {
	case least != "" && most != "":
		return " from " + least + " to " + most + things
	case least != "":
		return " of at least " + least + things
	case most != "":
		return " of at most " + most + things
	default:
		return ""
	}
}

// parseBool takes what Go takes, and true, false, yes, no, on and off in any letter case.
func parseBool(raw string) (value, ok bool) {
	if b, err := strconv.ParseBool(raw); err == nil {
		return b, true
	}
	switch strings.ToLower(raw) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	default:
		return false, false
	}
}

// splitList splits at commas, trims the entries and drops the empty ones.
func splitList(raw string) []string {
	var list []string
	for item := range strings.SplitSeq(raw, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// parseDuration reads a bare number as so many units, anything else as Go writes durations. It
// returns what is wrong, or nothing.
func parseDuration(raw string, unit time.Duration) (time.Duration, string) {
	n, err := strconv.ParseInt(raw, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, "is too long a time"
	case err == nil && n == 0:
		return 0, ""
	case err == nil && unit == 0:
		return 0, "has no unit"
	case err == nil:
		d := time.Duration(n) * unit
		if d/unit != time.Duration(n) {
			return 0, "is too long a time"
		}
		return d, ""
	}
	d, err := time.ParseDuration(raw)
	if err != nil {
		return 0, "is not a duration"
	}
	return d, ""
}

// humane writes a duration without the zeros that Go appends: 15m, not 15m0s.
func humane(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// format is a named rule for strings.
type format struct {
	expected string // what one value must be
	plural   string // the same for the entries of a list
	check    func(string) string
}

// formats are the words a format tag may use.
var formats = map[string]format{
	"url":          {"an absolute URL such as https://example.com", "absolute URLs", checkURL},
	"postgres-url": {"a connection such as postgres://user:password@host:5432/database", "connections", checkPostgres},
	"email":        {"an e-mail address such as someone@example.com, with or without a name before it", "e-mail addresses", checkEmail},
}

func checkURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme == "" || u.Host == "" && u.Opaque == "":
		return "is not an absolute URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is a URL, but neither http nor https"
	case u.Host == "":
		return "has no host"
	default:
		return ""
	}
}

func checkPostgres(raw string) string {
	if before, _, ok := strings.Cut(raw, "="); ok && !strings.Contains(before, "://") {
		return "" // host=… user=…
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "is not a URL (a password inside it must be percent-encoded)"
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return "does not begin with postgres://"
	default:
		return ""
	}
}

func checkEmail(raw string) string {
	if _, err := mail.ParseAddress(raw); err != nil {
		return "is not an e-mail address"
	}
	return ""
}

// quoted repeats a value in a message: shortened, and without a password that a URL may carry.
func quoted(raw string) string {
	const most = 48
	if strings.Contains(raw, "://") && strings.Contains(raw, "@") {
		u, err := url.Parse(raw)
		if err != nil || u.User == nil || strings.Contains(u.Path, "@") {
			return "the value (a URL that may hold a password)"
		}
		raw = u.Redacted()
	}
	if runes := []rune(raw); len(runes) > most {
		raw = string(runes[:most]) + "…"
	}
	return strconv.Quote(raw)
}

// conceal takes a secret out of a message about it: the whole value, and where the value is a JSON
// object, its members that are keys or secrets.
func conceal(message, secret string) string {
	const mask = "••••"
	hide := func(part string) {
		if len(part) >= 4 {
			message = strings.ReplaceAll(message, part, mask)
			message = strings.ReplaceAll(message, strings.Trim(strconv.Quote(part), `"`), mask)
		}
	}
	hide(secret)
	hide(strings.TrimSpace(secret))
	var members map[string]any
	if json.Unmarshal([]byte(secret), &members) == nil {
		for name, member := range members {
			text, ok := member.(string)
			if ok && (strings.Contains(name, "key") || strings.Contains(name, "secret")) {
				hide(text)
			}
		}
	}
	return message
}

// enumerate joins words as a sentence does: a, b or c.
func enumerate(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
