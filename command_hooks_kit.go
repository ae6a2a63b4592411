package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"postern/hooks"
	"postern/hooks/httphook"
	"postern/house"
)

type hooksKitCmd struct {
	URL    string `arg:"" optional:"" help:"Where the receiver is, if not where the settings say."`
	Hook   string `required:"" placeholder:"NAME" help:"The hook that it is for, such as send_sms."`
	Secret string `placeholder:"SECRET" help:"What signs the questions, if neither HOOK_SECRET nor the settings say it: v1,whsec_…"`
	JSON   bool   `name:"json" help:"Print one JSON object for each line."`
}

// Help is printed with the flags.
func (hooksKitCmd) Help() string {
	return "Asks a receiver over HTTP about somebody made up: questions as a server asks them, which it must answer, and forged, changed and old ones, which it must refuse. It cannot know that it is tested, so give it one that sends nothing. The exit code is 1 when it fails."
}

// Run puts a receiver to the test.
func (cmd hooksKitCmd) Run(ctx context.Context, a *app) error {
	c, report := a.load(nil)
	h, err := hookNamed(c, cmd.Hook)
	switch {
	case err != nil:
		return err
	case h.Waiting || !slices.Contains(h.Transports, hooks.HTTP):
		return stepError{fmt.Errorf("%s has no receivers over HTTP", h.Name), "try it with 'postern hooks test " + h.Name + "'"}
	case !h.Standard:
		return stepError{fmt.Errorf("questions of %s are not signed as Standard Webhooks has it, so there is no kit for its receivers", h.Name), "try them with 'postern hooks test " + h.Name + "'"}
	case cmd.URL == "" && (h.Transport != hooks.HTTP || !report.OK()):
		return stepError{errors.New("nothing says where the receiver is"), "give its URL: 'postern hooks kit http://localhost:3000/ --hook " + h.Name + "'"}
	}
	where, secret := h.Address()
	if cmd.URL != "" {
		where, secret = cmd.URL, cmp.Or(cmd.Secret, a.env["HOOK_SECRET"])
	}
	exam := house.Exam{Hook: h, Secret: secret}
	if exam.URL, err = httphook.ParseAddress(where, true); err != nil {
		return usageError{"the URL is no address of a receiver: " + err.Error()}
	}
	attendant := house.NewAttendant(c, house.Options{Now: time.Now})
	defer attendant.Close()
	return cmd.examine(ctx, a, attendant, exam)
}

func (cmd hooksKitCmd) examine(ctx context.Context, a *app, attendant *house.Attendant, exam house.Exam) error {
	var good, bad int
	show := func(m house.Mark) {
		if m.Why == "" {
			good++
		} else {
			bad++
		}
		if cmd.JSON {
			_ = printMarkJSON(a, m)
			return
		}
		_, _ = fmt.Fprintln(a.stdout, markLine(m))
	}
	if !cmd.JSON {
		_, _ = fmt.Fprintf(a.stdout, "%s at %s\n", exam.Hook.Name, hostOf(exam.URL))
	}
	if err := attendant.Examine(ctx, exam, show); err != nil {
		return err
	}
	if !cmd.JSON {
		_, _ = fmt.Fprintf(a.stdout, "%d of %d.\n", good, good+bad)
		if exam.Secret == "" {
			_, _ = fmt.Fprintln(a.stdout, "Nothing was signed, so forged questions were not tried: give the --secret.")
		}
	}
	if bad > 0 {
		return stepError{errors.New("the receiver does not do all that it should"), "docs/hooks.md says how one is written; 'postern hooks sample " + exam.Hook.Name + " --language js' prints one that does"}
	}
	return nil
}

func hostOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

func markLine(m house.Mark) string {
	word, more := "ok  ", m.Note
	if m.Why != "" {
		word, more = "FAIL", m.Why
	}
	line := fmt.Sprintf("  %s  %s (%.1f ms)", word, m.What, milliseconds(m.Took))
	if more != "" {
		line += ": " + more
	}
	return line
}

func printMarkJSON(a *app, m house.Mark) error {
	return json.NewEncoder(a.stdout).Encode(struct {
		What string  `json:"what"`
		OK   bool    `json:"ok"`
		Why  string  `json:"why,omitempty"`
		Note string  `json:"note,omitempty"`
		MS   float64 `json:"ms"`
	}{m.What, m.Why == "", m.Why, m.Note, milliseconds(m.Took)})
}
