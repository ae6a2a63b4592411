package fakehasura

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// object is a JSON object of the metadata. Members that the fake does not know stay as they are.
type object = map[string]any

type metadata struct {
	version int
	root    object
	env     map[string]string // of the engine's process
}

func emptyMetadata() *metadata {
	return &metadata{version: 1, root: object{"version": json.Number("3"), "sources": []any{
		object{"name": "default", "kind": "postgres", "tables": []any{}},
	}}}
}

func (m *metadata) export() []byte {
	text, _ := json.Marshal(m.root) // it came out of JSON
	return text
}

func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// clone gives a copy for a call that may fail half way.
func (m *metadata) clone() *metadata {
	c := &metadata{version: m.version, env: m.env}
	_ = decode(m.export(), &c.root)
	return c
}

type call struct {
	Type            string          `json:"type"`
	Version         int             `json:"version"`
	Args            json.RawMessage `json:"args"`
	ResourceVersion *int            `json:"resource_version"`
}

func (e *Engine) metadataAPI(w http.ResponseWriter, r *http.Request) {
	if p := secretProblem(r); p != nil {
		reply(w, http.StatusUnauthorized, p)
		return
	}
	var c call
	if r.Method != http.MethodPost || decodeBody(r, &c) != nil {
		reply(w, http.StatusBadRequest, fail("parse-failed", "$", "the request is no call"))
		return
	}
	catalog, err := readCatalog(r.Context(), e.pool)
	if err != nil {
		reply(w, http.StatusInternalServerError, fail("postgres-error", "$", "%v", err))
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, c.Type)
	if c.ResourceVersion != nil && *c.ResourceVersion != e.metadata.version {
		reply(w, http.StatusConflict, fail("conflict", "$", "metadata resource version referenced (%d) did not match current version", *c.ResourceVersion))
		return
	}
	next := e.metadata.clone()
	answer, p := next.do(c, catalog)
	if p != nil {
		reply(w, http.StatusBadRequest, p)
		return
	}
	if !bytes.Equal(next.export(), e.metadata.export()) {
		next.version++
		e.metadata = next
	}
	reply(w, http.StatusOK, answer)
}

func decodeBody(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	return d.Decode(into)
}

// do carries out one call on a copy of the metadata.
func (m *metadata) do(c call, catalog catalog) (any, *problem) {
	switch c.Type {
	case "add_remote_schema":
		return m.addRemote(c.Args)
	case "export_metadata":
		if c.Version == 2 {
			return object{"resource_version": m.version, "metadata": m.root}, nil
		}
		return m.root, nil
	case "replace_metadata":
		return m.replace(c)
	case "reload_metadata":
		return object{"message": "success", "is_consistent": true}, nil
	case "bulk":
		return m.bulk(c.Args, catalog)
	case "bulk_keep_going":
		return m.bulkKeepGoing(c.Args, catalog)
	}
	change, known := changes[c.Type]
	if !known {
		return nil, fail("parse-failed", "$", "unknown metadata command %q for backend postgres", c.Type)
	}
	var args object
	if decode(c.Args, &args) != nil {
		return nil, fail("parse-failed", "$.args", "expected Object")
	}
	if p := m.change(args, catalog, change); p != nil {
		return nil, p
	}
	return object{"message": "success"}, nil
}

func (m *metadata) replace(c call) (any, *problem) {
	var args object
	if decode(c.Args, &args) != nil {
		return nil, fail("parse-failed", "$.args", "expected Object")
	}
	if inner, ok := args["metadata"].(object); ok {
		args = inner
	}
	if _, ok := args["sources"].([]any); !ok {
		return nil, fail("parse-failed", "$.args", "key 'sources' not found")
	}
	m.root = args
	return object{"is_consistent": true, "inconsistent_objects": []any{}}, nil
}

func (m *metadata) bulk(args json.RawMessage, catalog catalog) (any, *problem) {
	var calls []call
	if decode(args, &calls) != nil {
		return nil, fail("parse-failed", "$.args", "expected Array")
	}
	answers := []any{}
	for _, c := range calls {
		answer, p := m.do(c, catalog)
		if p != nil {
			return nil, p
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func (m *metadata) bulkKeepGoing(args json.RawMessage, catalog catalog) (any, *problem) {
	var calls []call
	if decode(args, &calls) != nil {
		return nil, fail("parse-failed", "$.args", "expected Array")
	}
	answers := []any{}
	for _, c := range calls {
		next := m.clone()
		answer, p := next.do(c, catalog)
		if p != nil {
			answers = append(answers, p)
			continue
		}
		m.root = next.root
		answers = append(answers, answer)
	}
	return answers, nil
}

// changer changes the entry of a table. For pg_track_table the entry is empty.
type changer struct {
	tracks bool
	do     func(c *changing) *problem
}

// changing is what a changer works on.
type changing struct {
	source, entry, args object
	table               table // of the database
	catalog             catalog
}

var changes = map[string]changer{
	"pg_track_table":                {true, (*changing).track},
	"pg_untrack_table":              {false, (*changing).untrack},
	"pg_set_table_customization":    {false, (*changing).customise},
	"pg_create_object_relationship": {false, func(c *changing) *problem { return c.relate("object_relationships") }},
	"pg_create_array_relationship":  {false, func(c *changing) *problem { return c.relate("array_relationships") }},
	"pg_create_select_permission":   {false, func(c *changing) *problem { return c.permit("select_permissions") }},
	"pg_create_delete_permission":   {false, func(c *changing) *problem { return c.permit("delete_permissions") }},
	"pg_create_insert_permission":   {false, func(c *changing) *problem { return c.permit("insert_permissions") }},
	"pg_create_update_permission":   {false, func(c *changing) *problem { return c.permit("update_permissions") }},
}

func (m *metadata) change(args object, catalog catalog, change changer) *problem {
	sourceName, _ := args["source"].(string)
	if sourceName == "" {
		sourceName = "default"
	}
	source := m.source(sourceName)
	if source == nil {
		return fail("not-exists", "$.args", "source with name %q does not exist", sourceName)
	}
	ref, ok := refOf(args["table"])
	if !ok {
		return fail("parse-failed", "$.args.table", "key 'table' not found")
	}
	c := &changing{source: source, args: args, catalog: catalog, entry: entryOf(source, ref)}
	c.table, ok = catalog[ref]
	switch {
	case change.tracks && c.entry != nil:
		return fail("already-tracked", "$.args", "view/table already tracked: %q", ref)
	case change.tracks && !ok:
		return fail("not-exists", "$.args", "no such table/view exists in source: %q", ref)
	case !change.tracks && c.entry == nil:
		return fail("not-exists", "$.args", "table %q is not tracked in source: %q", ref, sourceName)
	}
	return change.do(c)
}

func (m *metadata) source(name string) object {
	sources, _ := m.root["sources"].([]any)
	for _, s := range sources {
		if source, ok := s.(object); ok && source["name"] == name {
			return source
		}
	}
	return nil
}

// entryOf finds the entry of a table, or nil.
func entryOf(source object, ref ref) object {
	for _, t := range list(source, "tables") {
		if entry, ok := t.(object); ok {
			if found, ok := refOf(entry["table"]); ok && found == ref {
				return entry
			}
		}
	}
	return nil
}

func list(o object, key string) []any {
	l, _ := o[key].([]any)
	return l
}

func (c *changing) track() *problem {
	entry := object{"table": object{"schema": c.table.ref.schema, "name": c.table.ref.name}}
	if configuration, ok := c.args["configuration"].(object); ok && len(configuration) > 0 {
		if p := c.columnsExist(configuration); p != nil {
			return p
		}
		entry["configuration"] = configuration
	}
	tables := append(list(c.source, "tables"), entry)
	slices.SortStableFunc(tables, func(a, b any) int { // as the engine exports them
		ra, _ := refOf(a.(object)["table"])
		rb, _ := refOf(b.(object)["table"])
		return strings.Compare(ra.String(), rb.String())
	})
	c.source["tables"] = tables
	return nil
}

func (c *changing) untrack() *problem {
	c.source["tables"] = slices.DeleteFunc(list(c.source, "tables"), func(t any) bool {
		found, _ := refOf(t.(object)["table"])
		return found == c.table.ref
	})
	return nil
}

func (c *changing) customise() *problem {
	configuration, _ := c.args["configuration"].(object)
	if p := c.columnsExist(configuration); p != nil {
		return p
	}
	c.entry["configuration"] = configuration
	return nil
}

// columnsExist checks that only columns of the table get names.
func (c *changing) columnsExist(configuration object) *problem {
	for _, member := range []string{"custom_column_names", "column_config"} {
		names, _ := configuration[member].(object)
		for column := range names {
			if !c.table.has(column) {
				return fail("not-exists", "$.args.configuration."+member, "the following columns do not exist in table %q: %s", c.table.ref, column)
			}
		}
	}
	return nil
}

func (c *changing) relate(kind string) *problem {
	name, _ := c.args["name"].(string)
	using, ok := c.args["using"].(object)
	if name == "" || !ok {
		return fail("parse-failed", "$.args", "a relationship needs name and using")
	}
	if c.taken(name) {
		return fail("already-exists", "$.args", "field with name %q already exists in table %q", name, c.table.ref)
	}
	if p := c.related(kind, using); p != nil {
		return p
	}
	relation := object{"name": name, "using": normal(using)}
	if comment, ok := c.args["comment"].(string); ok {
		relation["comment"] = comment
	}
	c.entry[kind] = append(list(c.entry, kind), relation)
	return nil
}

// related checks that the foreign key of a relationship exists, and that the other table is tracked.
func (c *changing) related(kind string, using object) *problem {
	relation, p := resolve(c.table, kind, using, c.catalog)
	if p != nil {
		return p
	}
	if entryOf(c.source, relation.table) == nil {
		return fail("constraint-error", "$.args", "table %q is not tracked", relation.table)
	}
	return nil
}

// normal writes a foreign key of one column as the engine exports it: as a text.
func normal(using object) object {
	one := func(v any) any {
		if l, ok := v.([]any); ok && len(l) == 1 {
			return l[0]
		}
		return v
	}
	out := object{}
	for key, v := range using {
		out[key] = one(v)
		if remote, ok := v.(object); ok && key == "foreign_key_constraint_on" {
			if columns, ok := remote["columns"].([]any); ok && len(columns) == 1 {
				out[key] = object{"table": remote["table"], "column": columns[0]}
			}
		}
	}
	return out
}

// taken tells whether a field of that name is there already.
func (c *changing) taken(name string) bool {
	for _, kind := range []string{"object_relationships", "array_relationships", "computed_fields", "remote_relationships"} {
		for _, r := range list(c.entry, kind) {
			if r.(object)["name"] == name {
				return true
			}
		}
	}
	for _, column := range c.table.columns {
		if columnName(c.entry, column.name) == name {
			return true
		}
	}
	return false
}

func (c *changing) permit(kind string) *problem {
	role, _ := c.args["role"].(string)
	permission, ok := c.args["permission"].(object)
	if role == "" || !ok {
		return fail("parse-failed", "$.args", "a permission needs role and permission")
	}
	for _, p := range list(c.entry, kind) {
		if p.(object)["role"] == role {
			return fail("already-exists", "$.args", "%s permission already defined on table %q with role %q", strings.TrimSuffix(kind, "_permissions"), c.table.ref, role)
		}
	}
	columns, _ := permission["columns"].([]any)
	for _, column := range columns {
		if name, _ := column.(string); !c.table.has(name) {
			return fail("not-exists", "$.args.permission.columns", "column %q does not exist", name)
		}
	}
	c.entry[kind] = append(list(c.entry, kind), object{"role": role, "permission": permission})
	return nil
}

// refOf reads the name of a table, which stands alone for those of schema public.
func refOf(v any) (ref, bool) {
	switch v := v.(type) {
	case string:
		return ref{"public", v}, v != ""
	case object:
		name, _ := v["name"].(string)
		schema, ok := v["schema"].(string)
		if !ok {
			schema = "public"
		}
		return ref{schema, name}, name != ""
	}
	return ref{}, false
}
