// Package templates holds the built-in mails and text messages, as
// <locale>/<template>/{subject.txt,body.html,body.txt}. Package emails reads them.
package templates

import "embed"

// FS has a folder per locale.
//
//go:embed en
var FS embed.FS
