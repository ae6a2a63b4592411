package schema

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// Introspection asks for what Decode reads.
const Introspection = `query PosternSchema { __schema { queryType { name } types { kind name fields(includeDeprecated: true) { name isDeprecated args { name defaultValue type { kind } } type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }`

// How large a schema may be.
const (
	mostBytes  = 64 << 20
	mostTypes  = 50_000
	mostFields = 1_000_000
)

// typeRef is a type with what is wrapped around it.
type typeRef struct {
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	OfType *typeRef `json:"ofType"`
}

type wireArg struct {
	Name         string   `json:"name"`
	DefaultValue *string  `json:"defaultValue"`
	Type         *typeRef `json:"type"`
}

type wireField struct {
	Name         string    `json:"name"`
	IsDeprecated bool      `json:"isDeprecated"`
	Args         []wireArg `json:"args"`
	Type         *typeRef  `json:"type"`
}

type wireType struct {
	Kind   string      `json:"kind"`
	Name   string      `json:"name"`
	Fields []wireField `json:"fields"`
}

type wireSchema struct {
	QueryType *struct {
		Name string `json:"name"`
	} `json:"queryType"`
	Types []wireType `json:"types"`
}

// wire is an answer to Introspection, or to the larger queries of other tools: the content of "data",
// or all of it, as files have it.
type wire struct {
	Schema *wireSchema `json:"__schema"`
	Data   *struct {
		Schema *wireSchema `json:"__schema"`
	} `json:"data"`
}

// Decode reads the answer to an introspection query.
func Decode(answer []byte) (*Schema, error) {
	if len(answer) > mostBytes {
		return nil, fmt.Errorf("the schema is longer than %d MiB", mostBytes>>20)
	}
	var w wire
	if err := json.Unmarshal(answer, &w); err != nil {
		return nil, errors.New("the answer to the introspection query is not one: it is no JSON of that shape")
	}
	if w.Schema == nil && w.Data != nil {
		w.Schema = w.Data.Schema
	}
	if w.Schema == nil {
		return nil, errors.New("the answer to the introspection query has no __schema; introspection may be turned off at the source")
	}
	return w.Schema.compact()
}

// compact keeps what can be reached from a user.
func (w *wireSchema) compact() (*Schema, error) {
	if len(w.Types) > mostTypes {
		return nil, fmt.Errorf("the schema has more than %d types", mostTypes)
	}
	byName := make(map[string]*wireType, len(w.Types))
	fields := 0
	for i := range w.Types {
		byName[w.Types[i].Name] = &w.Types[i]
		fields += len(w.Types[i].Fields)
	}
	if fields > mostFields {
		return nil, fmt.Errorf("the schema has more than %d fields", mostFields)
	}
	root := "query_root"
	if w.QueryType != nil {
		root = w.QueryType.Name
	}
	query := byName[root]
	if query == nil {
		return nil, errors.New("the schema has no queries")
	}
	user, err := userField(query)
	if err != nil {
		return nil, err
	}
	r := reader{wire: byName, schema: &Schema{types: map[string]*Type{}}}
	f := r.field(*user)
	if f == nil || f.List || f.Type.Kind != Object {
		return nil, errors.New(`the query "user" does not give one object; the table auth.users must be tracked so that user(id:) gives one user`)
	}
	r.schema.user = f.Type
	for len(r.waiting) > 0 {
		next := r.waiting[len(r.waiting)-1]
		r.waiting = r.waiting[:len(r.waiting)-1]
		r.fill(next)
	}
	return r.schema, nil
}

// userField finds the query for one user by id.
func userField(query *wireType) (*wireField, error) {
	for i := range query.Fields {
		f := &query.Fields[i]
		if f.Name != "user" {
			continue
		}
		for _, arg := range f.Args {
			if arg.Name == "id" {
				return f, nil
			}
		}
		return nil, errors.New(`the query "user" takes no id; the table auth.users must be tracked so that user(id:) gives one user`)
	}
	return nil, errors.New(`the source has no query "user"; the table auth.users must be tracked, with "user" for its root field of one row`)
}

// reader makes types of what the source said.
type reader struct {
	wire    map[string]*wireType
	schema  *Schema
	waiting []*Type // objects whose fields are still to be read
}

// typeOf gives the type of a name; its fields come later.
func (r *reader) typeOf(kind, name string) *Type {
	if kind == "ENUM" {
		name = enum
	}
	if t := r.schema.types[name]; t != nil {
		return t
	}
	t := &Type{Name: name}
	switch kind {
	case "OBJECT":
		t.Kind = Object
		t.Fields = map[string]*Field{}
		r.waiting = append(r.waiting, t)
	case "INTERFACE", "UNION":
		t.Kind = Abstract
	}
	r.schema.types[name] = t
	return t
}

// fill reads the fields of an object.
func (r *reader) fill(t *Type) {
	from := r.wire[t.Name]
	if from == nil {
		return
	}
	for _, f := range from.Fields {
		if field := r.field(f); field != nil {
			t.Fields[f.Name] = field
		}
	}
}

// field reads one field, or gives nil where it makes no sense.
func (r *reader) field(w wireField) *Field {
	f := &Field{Name: w.Name, Nullable: w.Type == nil || w.Type.Kind != "NON_NULL", Deprecated: w.IsDeprecated}
	ref := w.Type
	for ref != nil && (ref.Kind == "NON_NULL" || ref.Kind == "LIST") {
		f.List = f.List || ref.Kind == "LIST"
		ref = ref.OfType
	}
	if ref == nil || ref.Name == "" || !isName(w.Name) {
		return nil
	}
	f.Type = r.typeOf(ref.Kind, ref.Name)
	for _, arg := range w.Args {
		if f.Args == nil {
			f.Args = make(map[string]bool, len(w.Args))
		}
		f.Args[arg.Name] = arg.DefaultValue == nil && arg.Type != nil && arg.Type.Kind == "NON_NULL"
	}
	return f
}

// isName tells whether GraphQL can have a field of that name.
func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// IsName tells whether GraphQL can have a field of that name.
func IsName(s string) bool { return isName(s) }
