// Package openapi holds the documents that describe the REST doors. They are written by hand and
// are the contract: the server serves them, and the tests of each door hold every request and
// every answer against them.
package openapi

import (
	_ "embed" // for the documents
)

//go:embed hasura.yaml
var hasura []byte

// Hasura is the contract of the Hasura Auth door, an OpenAPI document in YAML. The caller gets
// its own copy.
func Hasura() []byte { return append([]byte(nil), hasura...) }

//go:embed platform.yaml
var platform []byte

// Platform is the contract of the door for clients of Hasura's platform.
func Platform() []byte { return append([]byte(nil), platform...) }
