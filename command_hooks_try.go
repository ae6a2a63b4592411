package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"postern/hooks"
	"postern/house"
)

// exitRefused is the exit code of a hook that says no, as it may.
const exitRefused = 3

// errRefused ends a command with exitRefused.
var errRefused = errors.New("refused")

// maxPayload is the longest question that a command puts.
const maxPayload = 1 << 20

type hooksTestCmd struct {
	Name    string            `arg:"" help:"The hook, such as custom_access_token; with --point, the file of a script."`
	Point   string            `placeholder:"NAME" help:"Try a script from a file as this hook, whatever the settings say."`
	Secret  map[string]string `placeholder:"NAME=VALUE" help:"A secret for the script from a file."`
	Payload string            `placeholder:"FILE" help:"Ask this instead of the sample; - reads the standard input."`
	JSON    bool              `name:"json" help:"Print JSON."`
}

// Help is printed with the flags.
func (hooksTestCmd) Help() string {
	return "The question travels as a server's would, signature included; nothing that comes of it is kept, and what a function in the database writes is rolled back. A receiver over HTTP cannot know that it is only tried. Exit codes: 0 it agreed, 1 it failed, 3 it refused."
}

// Run asks one receiver.
func (cmd hooksTestCmd) Run(ctx context.Context, a *app) error {
	c, report := a.load(nil)
	if cmd.Point == "" && !report.OK() {
		return a.refuse(report)
	}
	h, err := hookNamed(c, cmp.Or(cmd.Point, cmd.Name))
	switch {
	case err != nil:
		return err
	case h.Waiting:
		return stepError{fmt.Errorf("nothing asks the hook %s yet", h.Name), "'postern hooks list' lists those that are asked"}
	case cmd.Point == "" && h.Where == "":
		return stepError{fmt.Errorf("nothing says where the hook %s is", h.Name), "set " + h.Settings[0]}
	}
	payload, err := a.payload(cmd.Payload)
	if err != nil {
		return err
	}
	attendant := house.NewAttendant(c, house.Options{Now: time.Now})
	defer attendant.Close()
	tried, err := cmd.try(ctx, attendant, h, payload)
	if err != nil {
		return err
	}
	if cmd.JSON {
		err = printTriedJSON(a.stdout, tried)
	} else {
		err = printTried(a.stdout, tried)
	}
	if err != nil {
		return err
	}
	return outcomeOf(tried)
}

// try asks the receiver of the settings, or the script of a file.
func (cmd hooksTestCmd) try(ctx context.Context, attendant *house.Attendant, h house.Hook, payload []byte) (house.Tried, error) {
	if cmd.Point == "" {
		tried, err := attendant.Try(ctx, h, payload)
		if err != nil {
			err = stepError{fmt.Errorf("%s cannot be tried: %w", h.Name, err), "'postern hooks check' says what is wrong"}
		}
		return tried, err
	}
	source, err := os.ReadFile(filepath.Clean(cmd.Name))
	if err != nil {
		return house.Tried{}, stepError{fmt.Errorf("the script cannot be read: %w", err), "'postern hooks sample " + h.Name + " --language script' prints one to begin with"}
	}
	tried, err := attendant.TryScript(ctx, h, house.ScriptFile{Name: filepath.Base(cmd.Name), Source: string(source), Secrets: cmd.Secret}, payload)
	if err != nil {
		err = stepError{fmt.Errorf("%s cannot be tried: %w", cmd.Name, err), "'postern hooks list' lists the hooks"}
	}
	return tried, err
}

// payload reads a question.
func (a *app) payload(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	in := a.stdin
	if file != "-" {
		f, err := os.Open(filepath.Clean(file))
		if err != nil {
			return nil, stepError{fmt.Errorf("the payload cannot be read: %w", err), "'postern hooks sample NAME' prints one to begin with"}
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxPayload:
		return nil, fmt.Errorf("the payload is longer than %d bytes", maxPayload)
	case !json.Valid(text):
		return nil, stepError{errors.New("the payload is no JSON"), "'postern hooks sample NAME' prints one to begin with"}
	}
	return text, nil
}

// outcomeOf is what a trial comes to, as an exit code.
func outcomeOf(t house.Tried) error {
	for _, o := range t.Outcomes {
		var no *hooks.Denied
		switch {
		case errors.As(o.Err, &no):
			return errRefused
		case o.Err != nil:
			return errSaid
		}
	}
	for _, q := range t.Questions { // what is carried on from is a failure all the same
		if q.Err != nil {
			return errSaid
		}
	}
	return nil
}

func printTried(out io.Writer, t house.Tried) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s\n", t.Hook.Name, t.Hook.Where)
	for _, q := range t.Questions {
		signed := ""
		if t.Hook.Transport == hooks.HTTP {
			signed = ", not signed"
			if t.Hook.Signed {
				signed = ", signed"
			}
		}
		fmt.Fprintf(&b, "  question  %d bytes%s, id %s\n", len(q.Call.Body), signed, q.Call.ID)
		fmt.Fprintf(&b, "  answer    %s, after %.1f ms\n", answerOf(q), milliseconds(q.Took))
		for _, line := range q.Answer.Console {
			fmt.Fprintf(&b, "  console   %s\n", line)
		}
	}
	for _, o := range t.Outcomes {
		fmt.Fprintf(&b, "  %s\n", o.Moment)
		for _, line := range wordsOf(o) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func answerOf(q house.Asked) string {
	switch {
	case q.Err != nil:
		return q.Err.Error()
	case len(q.Answer.Body) == 0:
		return fmt.Sprintf("%d without a body", q.Answer.Status)
	}
	return fmt.Sprintf("%d, %d bytes of %s", q.Answer.Status, len(q.Answer.Body), cmp.Or(q.Answer.ContentType, "no type"))
}

// wordsOf says what became of an event.
func wordsOf(o hooks.Rehearsed) []string {
	var no *hooks.Denied
	var failed *hooks.Failed
	switch {
	case errors.As(o.Err, &no):
		text := fmt.Sprintf("refuses with status %d: %s", no.HTTPStatus(), cmp.Or(no.Words(), string(no.Body), "(no message)"))
		if no.EndSessions {
			text += "; ends all sessions of the user"
		}
		return []string{text}
	case errors.As(o.Err, &failed):
		return []string{"fails, and what was asked about is refused: " + failed.Err.Error()}
	case o.Err != nil:
		return []string{"fails: " + o.Err.Error()}
	case len(o.Effects) == 0:
		return []string{"agrees, and changes nothing"}
	}
	return o.Effects
}

func printTriedJSON(out io.Writer, t house.Tried) error {
	type question struct {
		ID      string          `json:"id"`
		Body    json.RawMessage `json:"body"`
		Status  int             `json:"status,omitempty"`
		Answer  string          `json:"answer,omitempty"`
		Error   string          `json:"error,omitempty"`
		Console []string        `json:"console,omitempty"`
		MS      float64         `json:"ms"`
	}
	type outcome struct {
		Moment  string   `json:"moment"`
		Result  string   `json:"result"`
		Status  int      `json:"status,omitempty"`
		Message string   `json:"message,omitempty"`
		Effects []string `json:"effects,omitempty"`
	}
	said := struct {
		Hook      string     `json:"hook"`
		Dialect   string     `json:"dialect"`
		Where     string     `json:"where"`
		Questions []question `json:"questions"`
		Outcomes  []outcome  `json:"outcomes"`
	}{Hook: t.Hook.Name, Dialect: t.Hook.Dialect, Where: t.Hook.Where}
	for _, q := range t.Questions {
		one := question{ID: q.Call.ID, Body: q.Call.Body, Status: q.Answer.Status, Answer: string(q.Answer.Body), Console: q.Answer.Console, MS: milliseconds(q.Took)}
		if q.Err != nil {
			one.Error = q.Err.Error()
		}
		said.Questions = append(said.Questions, one)
	}
	for _, o := range t.Outcomes {
		one := outcome{Moment: o.Moment, Result: "agreed", Effects: o.Effects}
		var no *hooks.Denied
		var failed *hooks.Failed
		switch {
		case errors.As(o.Err, &no):
			one.Result, one.Status, one.Message = "refused", no.HTTPStatus(), no.Words()
		case errors.As(o.Err, &failed):
			one.Result, one.Message = "failed", failed.Err.Error()
		case o.Err != nil:
			one.Result, one.Message = "failed", o.Err.Error()
		}
		said.Outcomes = append(said.Outcomes, one)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(said)
}
