// Package migrations holds the SQL that makes the database: first the schema of Hasura Auth, then
// what Postern adds to it. Package store applies the files, in order and forward only.
package migrations

import "embed"

// FS holds the migrations, one file each, named NNNN_verb_noun.sql.
//
//go:embed *.sql
var FS embed.FS
