package graph

import "slices"

// types turns the types of Postgres into those of the graph, with the names that Hasura gives them.
type types struct {
	byOID map[uint32]catalogType
	made  map[uint32]*scalar
}

func newTypes(list []catalogType) types {
	t := types{map[uint32]catalogType{}, map[uint32]*scalar{}}
	for _, one := range list {
		t.byOID[one.OID] = one
	}
	return t
}

// of is the scalar of a type. A domain is what it is based on.
func (t types) of(oid uint32) *scalar {
	if s := t.made[oid]; s != nil {
		return s
	}
	c, ok := t.byOID[oid]
	for range 16 { // domains of domains
		if !ok || c.Kind != "d" {
			break
		}
		c, ok = t.byOID[c.Base]
	}
	s := &scalar{gql: "String", cast: "pg_catalog.text", builtin: true}
	t.made[oid] = s
	if !ok {
		return s
	}
	s.cast = quote(c.Schema) + "." + quote(c.Name)
	s.builtin = c.Schema == "pg_catalog"
	s.ordered = c.Ordered
	if c.Element != 0 {
		s.element = t.of(c.Element)
		s.gql = s.element.gql
		s.ordered = s.element.ordered
		return s
	}
	s.gql = scalarName(c)
	switch c.Kind {
	case "e", "r", "m":
		s.ordered = true
	}
	if c.Name == "varchar" && s.builtin {
		s.ordered = true // by way of text
	}
	return s
}

// scalarName is Hasura's name for a type.
func scalarName(c catalogType) string {
	if c.Schema == "pg_catalog" {
		switch c.Name {
		case "int4":
			return "Int"
		case "int2":
			return "smallint"
		case "int8":
			return "bigint"
		case "float4":
			return "Float"
		case "bool":
			return "Boolean"
		case "text", "varchar":
			return "String"
		case "char":
			return "bpchar"
		}
	}
	name := c.Name
	if c.Kind == "c" {
		name += "_scalar"
	}
	if slices.Contains(standardTypes(), name) { // none of GraphQL's
		return name + "_scalar"
	}
	if !isName(name) {
		return "String"
	}
	return name
}
