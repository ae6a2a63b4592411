package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/flow"
	"postern/store"
	"postern/tokens"
)

type importCmds struct {
	Supabase importSupabaseCmd `cmd:"" help:"Bring users from the database of a Supabase Auth, with their passwords and ids. Without --commit it only says what would happen."`
}

type importSupabaseCmd struct {
	From   string `required:"" placeholder:"DATABASE_URL" help:"The database to read, such as postgres://postgres@db.example.supabase.co:5432/postgres. Leave the password out and set PGPASSWORD: others on the machine see command lines."`
	Schema string `default:"auth" placeholder:"NAME" help:"Schema that the users are in there (DB_NAMESPACE)."`
	Commit bool   `help:"Write the users."`
}

// importStep is how many users are written at once.
const importStep = 500

// Help is printed with the flags.
func (importSupabaseCmd) Help() string {
	return "The other database is only read, as it was at one moment. Users who are here already stay as they are, so it can be run again. docs/dialects/gotrue-import.md has the steps."
}

// Run looks at every user, and writes them with --commit.
func (cmd importSupabaseCmd) Run(ctx context.Context, a *app) error {
	c, db, err := openAudit(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, derived, err := tokens.NewKeyring(c.Tokens.EncryptionKey, c.Tokens.PreviousEncryptionKeys, c.Tokens.JWTSecret)
	if err != nil {
		return stepError{err, "give the settings that the server has: secrets of authenticator apps are sealed with AUTH_ENCRYPTION_KEY"}
	}
	if derived {
		a.complain("AUTH_ENCRYPTION_KEY is not set, so the secrets of authenticator apps are sealed with a key that comes from HASURA_GRAPHQL_JWT_SECRET, and hang on it", "")
	}
	f := flow.NewImport(db, keys, c.Flow, time.Now)
	if err := f.Ready(ctx, cmd.Commit); err != nil {
		return stepError{err, "run 'postern migrate' first, if this is a new database"}
	}
	from, err := store.OpenSupabase(ctx, cmd.From, cmd.Schema)
	if err != nil {
		return stepError{err, "look at --from, and whether that database answers to this role"}
	}
	defer from.Close(ctx)
	report, err := cmd.bring(ctx, a, f, from)
	if err != nil {
		if cmd.Commit && report.New > 0 {
			return stepError{fmt.Errorf("it broke off after %d users: %w", report.New, err), "run it again: it goes on where it stopped"}
		}
		return err
	}
	if err := cmd.tell(a.stdout, report); err != nil {
		return err
	}
	if len(report.Refused) > 0 {
		return errSaid
	}
	return nil
}

// bring goes through all users.
func (cmd importSupabaseCmd) bring(ctx context.Context, a *app, f *flow.Import, from *store.Supabase) (report flow.ImportReport, err error) {
	all, err := from.Count(ctx)
	if err != nil {
		return report, err
	}
	for after, told := "", time.Now(); ; {
		users, err := from.Users(ctx, after, importStep)
		if err != nil || len(users) == 0 {
			return report, err
		}
		after = users[len(users)-1].ID
		if err := f.Supabase(ctx, users, cmd.Commit, &report); err != nil {
			return report, err
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(a.stderr, "%d of %d users\n", report.Users, all)
		}
	}
}

// mostTold is how many users are named for one reason of the report that needs no action.
const mostTold = 100

func (cmd importSupabaseCmd) tell(w io.Writer, r flow.ImportReport) error {
	verb := "would be imported"
	if cmd.Commit {
		verb = "imported"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d users there.\n", r.Users)
	fmt.Fprintf(&b, "%d %s: %d with a password, %d second factors, %d guests, %d deleted ones; %d accounts at providers.\n",
		r.New, verb, r.Passwords, r.Factors, r.Guests, r.Deleted, r.Identities)
	if r.Here > 0 {
		fmt.Fprintf(&b, "%d are here already, and stay as they are.\n", r.Here)
	}
	list := func(title string, notes []flow.ImportNote, most int) {
		if len(notes) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%d %s:\n", len(notes), title)
		for i, n := range notes {
			if most > 0 && i == most {
				fmt.Fprintf(&b, "  and %d more\n", len(notes)-most)
				break
			}
			fmt.Fprintf(&b, "  %s %s: %s\n", n.ID, oneLine(n.Email), oneLine(n.Text))
		}
	}
	list("cannot be imported", r.Refused, 0)
	list("notes", r.Notes, mostTold)
	b.WriteString("\nSessions, links and codes in mails that are on their way, passkeys and SAML do not move: everybody signs in again.\n")
	if !cmd.Commit {
		b.WriteString("Nothing was written. The same with --commit writes.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine keeps what another system says from writing lines of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
