// Package schema knows what a GraphQL source offers: its types, as far as claims can read them.
package schema
