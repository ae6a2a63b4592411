package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Why a value cannot be a claim.
var (
	errNUL    = errors.New("it holds the character NUL, which Postgres has no text for")
	errUTF8   = errors.New("it holds bytes that are no text")
	errNumber = errors.New("it holds a number that is too long to write without an exponent")
)

// mostDigits is how long a number may become without its exponent.
const mostDigits = 400

// decode reads JSON and keeps the digits of numbers.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, errors.New("it is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows after the JSON")
	}
	return value, nil
}

// encode makes a value the text that Hasura casts to the type of a column: a list becomes a literal
// of a Postgres array, flat, whatever was nested in it; an object becomes its JSON text. There is no
// text for nil.
func encode(value any) (string, error) {
	var text []byte
	var err error
	switch v := value.(type) {
	case []any:
		text, err = appendItems([]byte{'{'}, v)
		text = append(text, '}')
	case map[string]any:
		text, err = appendJSON(nil, v)
	default:
		text, err = appendScalar(nil, v)
	}
	if err == nil {
		err = writable(text)
	}
	if err != nil {
		return "", err
	}
	return string(text), nil
}

func writable(text []byte) error {
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return errNUL
	case !utf8.Valid(text):
		return errUTF8
	}
	return nil
}

// appendItems writes the items of a list, with those of the lists in it in their place.
func appendItems(text []byte, list []any) ([]byte, error) {
	var err error
	for _, item := range list {
		if inner, ok := item.([]any); ok {
			if text, err = appendItems(text, inner); err != nil {
				return nil, err
			}
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		if text, err = appendItem(text, item); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// appendItem writes one item. Inside the quotes only the quote and the backslash mean something to
// Postgres; everything else stands for itself.
func appendItem(text []byte, item any) ([]byte, error) {
	var inner []byte
	var err error
	switch v := item.(type) {
	case nil:
		return append(text, "NULL"...), nil
	case string:
		inner = []byte(v)
	case map[string]any:
		inner, err = appendJSON(nil, v)
	default:
		return appendScalar(text, v)
	}
	if err != nil {
		return nil, err
	}
	text = append(text, '"')
	for _, c := range inner {
		if c == '"' || c == '\\' {
			text = append(text, '\\')
		}
		text = append(text, c)
	}
	return append(text, '"'), nil
}

// appendScalar writes text as it is, and numbers without an exponent.
func appendScalar(text []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return append(text, v...), nil
	case bool:
		return strconv.AppendBool(text, v), nil
	case json.Number:
		digits, err := plain(v.String())
		return append(text, digits...), err
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errNumber
		}
		return strconv.AppendFloat(text, v, 'f', -1, 64), nil
	case int:
		return strconv.AppendInt(text, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(text, v, 10), nil
	default:
		return nil, fmt.Errorf("it is of a kind that no claim can be (%T)", value)
	}
}

// appendJSON writes JSON with its members in order and nothing escaped that need not be.
func appendJSON(text []byte, value any) ([]byte, error) {
	var err error
	switch v := value.(type) {
	case nil:
		return append(text, "null"...), nil
	case string:
		if strings.ContainsRune(v, 0) {
			return nil, errNUL // it would become an escape here, which jsonb refuses
		}
		if text, err = jsontext.AppendQuote(text, v); err != nil {
			return nil, errUTF8
		}
		return text, nil
	case []any:
		text = append(text, '[')
		for i, item := range v {
			if i > 0 {
				text = append(text, ',')
			}
			if text, err = appendJSON(text, item); err != nil {
				return nil, err
			}
		}
		return append(text, ']'), nil
	case map[string]any:
		text = append(text, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				text = append(text, ',')
			}
			if text, err = appendJSON(text, name); err != nil {
				return nil, err
			}
			if text, err = appendJSON(append(text, ':'), v[name]); err != nil {
				return nil, err
			}
		}
		return append(text, '}'), nil
	default:
		return appendScalar(text, v)
	}
}

// plain writes a JSON number without an exponent and keeps its digits.
func plain(number string) (string, error) {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return number, nil
	}
	exponent, err := strconv.Atoi(strings.TrimPrefix(number[at+1:], "+"))
	digits, negative := strings.CutPrefix(number[:at], "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if err != nil || exponent > mostDigits || exponent < -mostDigits || len(digits) > mostDigits {
		return "", errNumber
	}
	point := len(whole) + exponent // where the point stands in all the digits
	digits = whole + fraction
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if point > len(digits) {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, fraction = strings.TrimLeft(digits[:point], "0"), strings.TrimRight(digits[point:], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && strings.Trim(whole, "0.") != "" {
		whole = "-" + whole
	}
	return whole, nil
}
