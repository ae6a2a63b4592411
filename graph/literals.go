package graph

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"

	"postern/auth"
)

// literal refuses an object where the schema has a text, a number or a word of a list. The validator lets
// it pass, and what decodes it then would call it an error of ours.
func literal(schema *ast.Schema, doc *ast.QueryDocument) error {
	var wrong error
	events := &core.Events{}
	events.OnValue(func(_ *core.Walker, v *ast.Value) {
		if v.Kind != ast.ObjectValue || v.Definition == nil || v.ExpectedType == nil {
			return
		}
		if v.Definition.Kind == ast.Enum || v.Definition.Kind == ast.Scalar && v.Definition.BuiltIn {
			wrong = auth.Invalid{Field: "query", Problem: "has an object where a value of type " + v.ExpectedType.Name() + " must be"}
		}
	})
	core.Walk(schema, doc, events)
	return wrong
}
