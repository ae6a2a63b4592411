package graph

import (
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// schema is the graph as GraphQL describes itself.
type schema struct {
	types map[string]*ast.Definition
}

func (s *schema) add(kind ast.DefinitionKind, name, description string) *ast.Definition {
	d := &ast.Definition{Kind: kind, Name: name, Description: description}
	s.types[name] = d
	return d
}

func named(name string) *ast.Type { return ast.NamedType(name, nil) }
func must(t *ast.Type) *ast.Type {
	return &ast.Type{NamedType: t.NamedType, Elem: t.Elem, NonNull: true}
}
func list(name string) *ast.Type { return ast.ListType(must(named(name)), nil) }

func argument(name string, t *ast.Type) *ast.ArgumentDefinition {
	return &ast.ArgumentDefinition{Name: name, Type: t}
}

func fieldOf(name string, t *ast.Type, args ...*ast.ArgumentDefinition) *ast.FieldDefinition {
	return &ast.FieldDefinition{Name: name, Type: t, Arguments: args}
}

// describe makes the schema of the model.
func (m *model) describe() *schema {
	s := &schema{types: map[string]*ast.Definition{}}
	for name, what := range map[string]string{"Int": "", "Float": "", "String": "", "Boolean": ""} {
		s.add(ast.Scalar, name, what)
	}
	order := s.add(ast.Enum, "order_by", "column ordering options")
	for _, name := range slices.Sorted(maps.Keys(directions())) {
		order.EnumValues = append(order.EnumValues, &ast.EnumValueDefinition{Name: name})
	}
	query := s.add(ast.Object, "query_root", "")
	for _, name := range m.rootList {
		query.Fields = append(query.Fields, m.roots[name].describe(name))
	}
	for _, t := range m.tables {
		s.addTable(t)
	}
	for _, d := range s.types {
		slices.SortFunc(d.Fields, func(a, b *ast.FieldDefinition) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		})
	}
	return s
}

func (r *root) describe(name string) *ast.FieldDefinition {
	t := r.table
	switch r.kind {
	case rootByKey:
		f := fieldOf(name, named(t.gql))
		for _, c := range t.primary {
			f.Arguments = append(f.Arguments, argument(c.gql, must(typeOf(c.typ))))
		}
		return f
	case rootAggregate:
		return fieldOf(name, must(named(t.gql+"_aggregate")), t.arguments()...)
	default:
		return fieldOf(name, must(list(t.gql)), t.arguments()...)
	}
}

func (t *table) arguments() []*ast.ArgumentDefinition {
	return []*ast.ArgumentDefinition{
		argument("distinct_on", list(t.gql+"_select_column")), argument("limit", named("Int")), argument("offset", named("Int")),
		argument("order_by", list(t.gql+"_order_by")), argument("where", named(t.gql+"_bool_exp")),
	}
}

func (s *schema) addTable(t *table) {
	object := s.add(ast.Object, t.gql, t.comment)
	where := s.add(ast.InputObject, t.gql+"_bool_exp", "Boolean expression to filter rows from the table \""+t.String()+"\". All fields are combined with a logical 'AND'.")
	order := s.add(ast.InputObject, t.gql+"_order_by", "Ordering options when selecting data from \""+t.String()+"\".")
	columns := s.add(ast.Enum, t.gql+"_select_column", "select columns of table \""+t.String()+"\"")
	where.Fields = append(where.Fields, fieldOf("_and", list(t.gql+"_bool_exp")), fieldOf("_not", named(t.gql+"_bool_exp")), fieldOf("_or", list(t.gql+"_bool_exp")))
	for _, f := range t.list {
		if f.kind == columnField && f.column.hidden != "" {
			continue
		}
		object.Fields = append(object.Fields, f.describe())
		if f.also != "" {
			continue // further names are for what is read
		}
		switch f.kind {
		case columnField:
			columns.EnumValues = append(columns.EnumValues, &ast.EnumValueDefinition{Name: f.name, Description: "column name"})
			where.Fields = append(where.Fields, fieldOf(f.name, named(comparisonName(f.column.typ))))
			s.addScalar(f.column.typ)
			if f.column.typ.ordered {
				order.Fields = append(order.Fields, fieldOf(f.name, named("order_by")))
			}
		case aggregateField:
			order.Fields = append(order.Fields, fieldOf(f.name, named(f.rel.to.gql+"_aggregate_order_by")))
			by := s.add(ast.InputObject, f.rel.to.gql+"_aggregate_order_by", "order by aggregate values of table \""+f.rel.to.String()+"\"")
			by.Fields = append(by.Fields, fieldOf("count", named("order_by")))
		default:
			where.Fields = append(where.Fields, fieldOf(f.name, named(f.rel.to.gql+"_bool_exp")))
			if f.kind == objectField {
				order.Fields = append(order.Fields, fieldOf(f.name, named(f.rel.to.gql+"_order_by")))
			}
		}
	}
	s.addAggregate(t)
}

// describe is the field of an object. A further name of a relation counts as deprecated, so that
// tools offer the first one.
func (f *field) describe() *ast.FieldDefinition {
	var d *ast.FieldDefinition
	switch f.kind {
	case objectField:
		d = fieldOf(f.name, named(f.rel.to.gql))
		if f.rel.alwaysThat {
			d.Type = must(d.Type)
		}
	case listField:
		d = fieldOf(f.name, must(list(f.rel.to.gql)), f.rel.to.arguments()...)
	case aggregateField:
		d = fieldOf(f.name, must(named(f.rel.to.gql+"_aggregate")), f.rel.to.arguments()...)
	default:
		d = fieldOf(f.name, typeOf(f.column.typ))
		d.Description = f.column.comment
		if f.column.notNull {
			d.Type = must(d.Type)
		}
		if f.column.typ.isJSON() {
			d.Arguments = append(d.Arguments, argument("path", named("String")))
		}
	}
	if f.also != "" {
		d.Directives = ast.DirectiveList{{Name: "deprecated", Arguments: ast.ArgumentList{
			{Name: "reason", Value: &ast.Value{Kind: ast.StringValue, Raw: "another name of " + f.also}},
		}}}
	}
	return d
}

// addScalar adds the type of a column, and what it can be held against.
func (s *schema) addScalar(typ *scalar) {
	if s.types[typ.gql] == nil {
		s.add(ast.Scalar, typ.gql, "")
	}
	name := comparisonName(typ)
	if s.types[name] != nil {
		return
	}
	d := s.add(ast.InputObject, name, "Boolean expression to compare columns of type \""+typ.gql+"\". All fields are combined with logical 'AND'.")
	known := comparisonsOf(typ)
	for _, op := range slices.Sorted(maps.Keys(known)) {
		t := typeOf(typ)
		switch known[op].with {
		case withNull:
			t = named("Boolean")
		case withList:
			t = ast.ListType(must(t), nil)
		case withText, withPath:
			t = named("String")
		case withTexts:
			t = list("String")
		default:
		}
		d.Fields = append(d.Fields, fieldOf(op, t))
	}
}

func (s *schema) addAggregate(t *table) {
	both := s.add(ast.Object, t.gql+"_aggregate", "aggregated selection of \""+t.String()+"\"")
	both.Fields = append(both.Fields, fieldOf("aggregate", named(t.gql+"_aggregate_fields")), fieldOf("nodes", must(list(t.gql))))
	fields := s.add(ast.Object, t.gql+"_aggregate_fields", "aggregate fields of \""+t.String()+"\"")
	fields.Fields = append(fields.Fields, fieldOf("count", must(named("Int")), argument("columns", list(t.gql+"_select_column")), argument("distinct", named("Boolean"))))
	for _, function := range aggregateFunctions() {
		columns := t.columnsWith(function)
		if len(columns) == 0 {
			continue
		}
		name := t.gql + "_" + function + "_fields"
		fields.Fields = append(fields.Fields, fieldOf(function, named(name)))
		d := s.add(ast.Object, name, "aggregate "+function+" on columns")
		for _, f := range columns {
			result := named("Float")
			if function == "max" || function == "min" || function == "sum" {
				result = named(f.column.typ.gql)
			}
			d.Fields = append(d.Fields, fieldOf(f.name, result))
		}
	}
}
