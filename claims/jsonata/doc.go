// Package jsonata is the language that custom claims are written in. An expression is parsed once, can
// say which fields of the user it reads, and is evaluated in bounded time and space.
//
// Two parsers see each expression: blues' jparse has a syntax tree that Fields can walk, gnata evaluates.
// What only one of them understands is refused, so that nothing is evaluated whose fields are not known.
package jsonata
