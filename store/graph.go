package store

import (
	"time"

	"postern/store/graph"
)

// GraphSettings say which tables and relationships GraphQL queries see.
type GraphSettings = graph.Settings

// Graph answers GraphQL queries about the tables of the database.
type Graph = graph.Graph

// Graph makes the tables of the database a graph. Queries read on connections of their own, outside
// of any transaction.
func (db *DB) Graph(s GraphSettings, now func() time.Time) *Graph {
	return graph.Open(db.pool, s, now)
}
