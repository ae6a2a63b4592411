package graph

import "context"

// Statement shows what a query becomes.
func (g *Graph) Statement(ctx context.Context, query string, variables map[string]any) (sql string, values []any, err error) {
	s, err := g.state(ctx, nil)
	if err != nil {
		return "", nil, err
	}
	p, err := s.plan(query, variables)
	if err != nil {
		return "", nil, err
	}
	values, err = p.bind(variables)
	return p.sql, values, err
}

// Compile makes a statement of a query, without looking whether it was made before.
func (g *Graph) Compile(ctx context.Context, query string, variables map[string]any) error {
	s, err := g.state(ctx, nil)
	if err != nil {
		return err
	}
	_, err = s.model.compile(query, variables)
	return err
}
