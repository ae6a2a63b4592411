package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// call is one call of the metadata API.
type call struct {
	Type    string `json:"type"`
	Version int    `json:"version,omitempty"`
	Args    any    `json:"args"`
}

// A Refusal is the metadata API saying no.
type Refusal struct{ Code, Text string }

// Error says what the engine said.
func (r *Refusal) Error() string { return "hasura: the engine says " + r.Text + " (" + r.Code + ")" }

// there tells that what should be made is there already.
func (r *Refusal) there() bool { return r.Code == "already-tracked" || r.Code == "already-exists" }

// errNoMetadataAPI says that the address is not known.
var errNoMetadataAPI = errors.New("hasura: the address of the metadata API is not known, since HASURA_GRAPHQL_GRAPHQL_URL does not hold " + graphqlPath + "; set AUTH_HASURA_METADATA_URL")

// ask calls the metadata API. The error is a *Failure or a *Refusal.
func (e *Engine) ask(ctx context.Context, c call) ([]byte, error) {
	if e.metadata == "" {
		return nil, errNoMetadataAPI
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("hasura: %w", err)
	}
	ctx, cancel := context.WithTimeout(withLimit(ctx, maxMetadata), e.settings.MetadataTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.metadata, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("hasura: AUTH_HASURA_METADATA_URL is no address")
	}
	request.Header.Set("Content-Type", "application/json; charset=UTF-8")
	answer, err := e.http.Do(request)
	if err != nil {
		return nil, e.explain(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body) // the guard has read it already
	if err != nil {
		return nil, e.guard.down(ctx, err)
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	var refused struct{ Code, Error string }
	if json.Unmarshal(text, &refused) != nil || refused.Code == "" {
		return nil, e.guard.refuse("its metadata API answers with status %d", answer.StatusCode)
	}
	if refused.Code == "access-denied" {
		return nil, e.guard.refuse("%s", e.guard.refusedSecret())
	}
	return nil, &Refusal{cut(refused.Code, e.settings.AdminSecret), cut(refused.Error, e.settings.AdminSecret)}
}

// source is what the metadata of the engine says about our database, as far as it matters here.
type source struct {
	Name          string
	Kind          string
	Tables        []tracked
	Customization struct {
		RootFields map[string]any `json:"root_fields"`
		TypeNames  map[string]any `json:"type_names"`
		Naming     string         `json:"naming_convention"`
	}
}

// tracked is a table that the engine knows.
type tracked struct {
	Table         json.RawMessage
	Configuration struct {
		CustomName  string                     `json:"custom_name"`
		RootFields  map[string]json.RawMessage `json:"custom_root_fields"`
		ColumnNames map[string]string          `json:"custom_column_names"`
		Columns     map[string]struct {
			CustomName string `json:"custom_name"`
		} `json:"column_config"`
	}
	Objects  []related `json:"object_relationships"`
	Arrays   []related `json:"array_relationships"`
	Computed []related `json:"computed_fields"`
	Remote   []related `json:"remote_relationships"`
	Insert   []granted `json:"insert_permissions"`
	Select   []granted `json:"select_permissions"`
	Update   []granted `json:"update_permissions"`
	Delete   []granted `json:"delete_permissions"`
}

type granted struct{ Role string }

// related is a relationship, or something else whose name is taken.
type related struct {
	Name  string
	Using struct {
		Key    json.RawMessage `json:"foreign_key_constraint_on"`
		Manual *struct {
			Table   json.RawMessage   `json:"remote_table"`
			Columns map[string]string `json:"column_mapping"`
		} `json:"manual_configuration"`
	}
}

// export reads the metadata and picks our source.
func (e *Engine) export(ctx context.Context) (*source, error) {
	text, err := e.ask(ctx, call{Type: "export_metadata", Version: 2, Args: struct{}{}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Metadata *struct{ Sources []source }
		Sources  []source        // of engines that have one form of answer only
		Tables   json.RawMessage // of Hasura 1
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, e.guard.refuse("its metadata cannot be read")
	}
	sources := answer.Sources
	switch {
	case answer.Metadata != nil:
		sources = answer.Metadata.Sources
	case answer.Tables != nil:
		return nil, errors.New("hasura: the engine is of version 1, whose metadata has another form; version 2 is needed, or AUTH_HASURA_METADATA=off")
	}
	names := []string{}
	for _, s := range sources {
		if s.Name == e.settings.Source {
			if prefix(s.Kind) == "" {
				return nil, fmt.Errorf("hasura: the source %q is of kind %s, which is not Postgres", s.Name, cut(s.Kind, ""))
			}
			return &s, nil
		}
		names = append(names, cut(s.Name, ""))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("hasura: the engine has no database yet; AUTH_HASURA_SOURCE says %q", e.settings.Source)
	}
	return nil, fmt.Errorf("hasura: the engine has no database called %q but %s; AUTH_HASURA_SOURCE says which is ours", e.settings.Source, strings.Join(names, ", "))
}

// prefix begins the commands for a kind of source.
func prefix(kind string) string {
	switch kind {
	case "postgres", "":
		return "pg_"
	case "citus", "cockroach":
		return kind + "_"
	}
	return ""
}

// find gives the entry of a table of schema auth, or nil.
func (s *source) find(table string) *tracked {
	for i, t := range s.Tables {
		if isTable(t.Table, table) {
			return &s.Tables[i]
		}
	}
	return nil
}

func isTable(ref json.RawMessage, table string) bool {
	var is struct{ Schema, Name string }
	return json.Unmarshal(ref, &is) == nil && is.Schema == schema && is.Name == table
}

// columnName is the name that a column has in queries.
func (t *tracked) columnName(column string) string {
	if name := t.Configuration.Columns[column].CustomName; name != "" {
		return name
	}
	if name := t.Configuration.ColumnNames[column]; name != "" {
		return name
	}
	return column
}

// rootFields are the names of the root fields in effect.
func (t *tracked) rootFields(table string) map[string]string {
	base := t.Configuration.CustomName
	if base == "" {
		base = schema + "_" + table
	}
	fields := map[string]string{
		"select": base, "select_by_pk": base + "_by_pk", "select_aggregate": base + "_aggregate",
		"insert": "insert_" + base, "insert_one": "insert_" + base + "_one",
		"update": "update_" + base, "update_by_pk": "update_" + base + "_by_pk",
		"delete": "delete_" + base, "delete_by_pk": "delete_" + base + "_by_pk",
	}
	for field, raw := range t.Configuration.RootFields {
		var name string
		var long struct{ Name string }
		switch {
		case json.Unmarshal(raw, &name) == nil && name != "":
			fields[field] = name
		case json.Unmarshal(raw, &long) == nil && long.Name != "":
			fields[field] = long.Name
		}
	}
	return fields
}

// taken finds whatever has that name, and says whether it is an array relationship.
func (t *tracked) taken(name string) (r *related, many bool) {
	for _, list := range [][]related{t.Objects, t.Arrays, t.Computed, t.Remote} {
		i := slices.IndexFunc(list, func(r related) bool { return r.Name == name })
		if i >= 0 {
			return &list[i], len(t.Arrays) > 0 && &list[0] == &t.Arrays[0]
		}
	}
	return nil, false
}

// is tells whether a relationship leads where ours does.
func (r *related) is(ours relationship, many bool) bool {
	table, column := ours.far()
	if many != (table != "") {
		return false
	}
	if m := r.Using.Manual; m != nil {
		if table == "" {
			_, same := m.Columns[column]
			return same && len(m.Columns) == 1
		}
		for _, theirs := range m.Columns {
			return len(m.Columns) == 1 && theirs == column && isTable(m.Table, table)
		}
		return false
	}
	if table == "" {
		return slices.Equal(names(r.Using.Key), []string{column})
	}
	var far struct {
		Table   json.RawMessage
		Column  json.RawMessage
		Columns json.RawMessage
	}
	if json.Unmarshal(r.Using.Key, &far) != nil {
		return false
	}
	columns := append(names(far.Column), names(far.Columns)...)
	return isTable(far.Table, table) && slices.Equal(columns, []string{column})
}

// names reads one name or a list of them.
func names(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		if one == "" {
			return nil
		}
		return []string{one}
	}
	var several []string
	_ = json.Unmarshal(raw, &several) // whatever else it is, it names no column
	return several
}

// has tells whether a role has any permission on the table.
func (t *tracked) has(role string) bool {
	return slices.ContainsFunc(slices.Concat(t.Insert, t.Select, t.Update, t.Delete), func(g granted) bool { return g.Role == role })
}
