// Package templates holds the built-in mails and text messages, as
// <locale>/<template>/{subject.txt,body.html,body.txt}. Package emails reads them.
//
// The files are made from layout.html, layout.txt and words/<locale>.json: change those, then run
//
//	go test ./templates -update
//
// A test holds the files to them. An operator may copy any folder and change it by hand.
package templates

import "embed"

// FS has a folder per locale.
//
//go:embed bg cs de en es fr
var FS embed.FS
