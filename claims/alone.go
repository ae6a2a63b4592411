package claims

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/claims/jsonata"
)

// Evaluate runs an expression alone on JSON, with all of JSONata and whatever its data is: what a claim
// may read, and how long it may take, does not count. The result is JSON, or empty for no value.
func Evaluate(ctx context.Context, expression string, data []byte) ([]byte, error) {
	return jsonata.EvaluateAlone(ctx, expression, data)
}

// Setting is the name of the variable that the problem is in.
func (p Problem) Setting() string { return p.setting }

// Inspect tries the claims of the settings on the schema of a source, whatever else is wrong with them:
// where Open refuses what it can see, this says all there is to say. An error means that the source
// could not be asked.
func Inspect(ctx context.Context, s Settings, source Source, now func() time.Time) (Report, error) {
	return newMapper(s, source, now).Check(ctx)
}

// SchemaFile is a source that knows its schema, from the answer to an introspection query, and nothing
// else: it is for Inspect.
type SchemaFile []byte

// Query gives the schema, whatever is asked.
func (f SchemaFile) Query(context.Context, string, map[string]any) (json.RawMessage, error) {
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(f, &answer); err != nil {
		return nil, fmt.Errorf("the schema is no JSON: %w", err)
	}
	if answer.Data != nil {
		return answer.Data, nil
	}
	return json.RawMessage(f), nil
}
