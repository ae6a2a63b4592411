package jsonata

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/claims/jsonata/gnata"
)

// EvaluateAlone runs an expression on JSON with all of JSONata: no fields are looked for in it, so
// what Parse refuses is allowed too. The result is JSON, or empty for no value. Empty data is none.
func EvaluateAlone(ctx context.Context, expression string, data []byte) ([]byte, error) {
	program, err := gnata.Compile(expression)
	if err != nil {
		return nil, err
	}
	var document any
	if len(bytes.TrimSpace(data)) > 0 {
		if document, err = gnata.DecodeJSON(data); err != nil {
			return nil, errors.New("the data is no JSON")
		}
	}
	value, err := program.Eval(ctx, aloneLimits, document, nil)
	if err != nil || value == nil {
		return nil, err
	}
	return encode(value)
}

// aloneLimits are for somebody who waits for the one result: what no computer could do is still refused.
var aloneLimits = gnata.Limits{Time: 10 * time.Second, Steps: 1 << 30, Bytes: 1 << 30, Text: 1 << 28, Nested: 20_000, Depth: 10_000, Range: 10_000_000}

// encode writes a value without the escapes that only HTML needs.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("the result is no JSON: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
