package dev

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Banner is what a person reads when the machine is up.
type Banner struct {
	API         string // "http://localhost:4000/v1"
	Inbox       string // "http://localhost:4000/dev/inbox"
	GraphQL     string // "http://localhost:4000/dev/graphql"; empty means it is not shown
	Database    string // URL
	JWTKey      string // for Hasura
	AdminSecret string // empty means it is not shown
	Version     string // empty means it is not shown
	Project     string // address for clients of Supabase; empty means that there is no door for them
	Keys        string // of that project, a line each
}

// HasuraSetting is the variable that lets Hasura accept our tokens, as one writes it in a shell.
func HasuraSetting(jwtKey string) (string, error) {
	text, err := json.Marshal(struct {
		Type string `json:"type"`
		Key  string `json:"key"`
	}{"HS256", jwtKey})
	if err != nil {
		return "", err
	}
	return "HASURA_GRAPHQL_JWT_SECRET='" + strings.ReplaceAll(string(text), "'", `'\''`) + "'", nil
}

// Print writes the banner, in colour where the writer is a terminal and NO_COLOR is not set.
func (b Banner) Print(w io.Writer) error {
	setting, err := HasuraSetting(b.JWTKey)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, b.text(setting, coloured(w)))
	return err
}

func coloured(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func (b Banner) text(setting string, colour bool) string {
	paint := func(code, s string) string {
		if !colour {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	const bold, dim, green, cyan = "1", "2", "1;32", "36"

	var out strings.Builder
	name := "Postern"
	if b.Version != "" {
		name += " " + b.Version
	}
	fmt.Fprintf(&out, "\n  %s %s\n\n", paint(green, name+" is up."), paint(dim, "Ctrl-C stops it."))
	for _, row := range []struct{ name, value string }{
		{"API", b.API}, {"Inbox", b.Inbox}, {"GraphQL", b.GraphQL}, {"Database", b.Database}, {"Admin secret", b.AdminSecret},
	} {
		if row.value != "" {
			fmt.Fprintf(&out, "  %s %s\n", paint(bold, fmt.Sprintf("%-13s", row.name)), paint(cyan, row.value))
		}
	}
	fmt.Fprintf(&out, "\n  %s\n  %s\n", paint(dim, "Give this to Hasura, and it accepts the tokens:"), setting)
	if b.Project != "" {
		fmt.Fprintf(&out, "\n  %s\n  SUPABASE_URL=%s\n", paint(dim, "Give this to supabase-js. Who has the second key may do everything with users:"), b.Project)
		for line := range strings.Lines(b.Keys) {
			out.WriteString("  " + line)
		}
	}
	fmt.Fprintf(&out, "\n  %s\n", paint(dim, "A first user, whose mail is then in the inbox:"))
	fmt.Fprintf(&out, "  curl -s %s/signup/email-password -H 'Content-Type: application/json' \\\n", b.API)
	out.WriteString("    -d '{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}'\n\n")
	return out.String()
}
