package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/store"
)

type auditVerifyCmd struct {
	From     int64         `placeholder:"SEAL" help:"Begin at the seal with this number and believe those before it, such as after a key was retired."`
	Includes string        `placeholder:"HEAD" help:"A head that an earlier run printed (number:hex): it must still be in the chain. Keep it where the database's owner cannot write."`
	Late     time.Duration `default:"1h" placeholder:"TIME" help:"How long after its time an entry may be sealed without a remark."`
	JSON     bool          `name:"json" help:"Print the result as one JSON object."`
}

// Help is printed with the flags.
func (auditVerifyCmd) Help() string {
	return "Ends with 0 when the log is whole and with 1 when it is not; then it names the first entry that is not as it was sealed. It ends with 1 too when nothing is broken and something is not proved: entries that were sealed long after their time, or seals that were missing when the log was restarted. It needs the server's AUTH_ENCRYPTION_KEY."
}

// witness reads a head that was printed.
func (cmd auditVerifyCmd) witness() (s store.Seal, err error) {
	if cmd.Includes == "" {
		return s, nil
	}
	wrong := usageError{"--includes " + cmd.Includes + " is no head such as 'postern audit verify' prints: number:hex"}
	no, text, found := strings.Cut(cmd.Includes, ":")
	if s.No, err = strconv.ParseInt(no, 10, 64); err != nil || !found || s.No < 1 {
		return s, wrong
	}
	if s.Seal, err = hex.DecodeString(text); err != nil || len(s.Seal) != 32 {
		return s, wrong
	}
	if cmd.From > s.No {
		return s, usageError{"--from begins behind the head of --includes"}
	}
	return s, nil
}

// Run verifies the log.
func (cmd auditVerifyCmd) Run(ctx context.Context, a *app) error {
	if cmd.From < 0 {
		return usageError{"--from must be the number of a seal"}
	}
	if cmd.Late <= 0 {
		return usageError{"--late must be a time such as 1h"}
	}
	witness, err := cmd.witness()
	if err != nil {
		return err
	}
	db, chain, err := openChain(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	begun, told := time.Now(), time.Now()
	var remarks []string
	found, err := db.VerifyChain(ctx, chain, store.Verification{From: cmd.From, Includes: witness, Late: cmd.Late, Now: begun, Remark: func(b store.Break) {
		if cmd.JSON && len(remarks) < mostRemarks {
			remarks = append(remarks, b.String())
		} else if !cmd.JSON {
			_, _ = fmt.Fprintf(a.stdout, "Remark: %s\n", b)
		}
	}, Progress: func(done, total int64) {
		if !cmd.JSON && time.Since(told) > 2*time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(a.stderr, "%d of %d seals\n", done, total)
		}
	}})
	if errors.Is(err, store.ErrChainKey) {
		return stepError{err, "give the settings that the server has, older keys in AUTH_ENCRYPTION_KEY_PREVIOUS"}
	}
	if err != nil {
		return unreachable(err)
	}
	return cmd.report(a, found, remarks, witness, time.Since(begun))
}

const mostRemarks = 1000 // that are named in one JSON object

// auditResult is what a verification found, as it is printed.
type auditResult struct {
	Whole    bool            `json:"whole"`
	Seals    int64           `json:"seals"`
	Expired  int64           `json:"expired"`
	Waiting  int64           `json:"waiting"`
	Head     string          `json:"head"`
	Problem  string          `json:"problem,omitempty"`
	Openings []store.Opening `json:"openings,omitempty"` // when the chain began and was restarted
	Doubts   []string        `json:"doubts,omitempty"`   // what is not proved for that
	Remarks  int64           `json:"remarks"`
	Remarked []string        `json:"remarked,omitempty"` // the first of them
}

func (cmd auditVerifyCmd) report(a *app, found store.Verified, remarks []string, witness store.Seal, took time.Duration) error {
	r := auditResult{
		Seals: found.Seals, Expired: found.Expired, Waiting: found.Waiting, Head: headText(found.Head), Openings: found.Openings, Remarks: found.Remarks, Remarked: remarks,
	}
	switch {
	case found.Broken != nil:
		r.Problem = found.Broken.String()
	case witness.No > 0 && witness.No < found.Oldest:
		r.Problem = fmt.Sprintf("the seal %d of --includes went with entries whose time to be kept was over: give a later one", witness.No)
	case witness.No > 0 && !found.Included:
		r.Problem = fmt.Sprintf("the seal %d of --includes is not in the chain: it was put back to an earlier state, or made anew", witness.No)
	}
	for _, o := range found.Doubts(cmd.From) {
		r.Doubts = append(r.Doubts, o.String())
	}
	r.Whole = r.Problem == "" && r.Remarks == 0 && len(r.Doubts) == 0
	err := cmd.print(a, r, took)
	if err == nil && !r.Whole {
		return errSaid
	}
	return err
}

func (cmd auditVerifyCmd) print(a *app, r auditResult, took time.Duration) error {
	if cmd.JSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	var text strings.Builder
	for _, o := range r.Openings {
		believed := ""
		if o.Doubtful() && o.Through < cmd.From {
			believed = " (believed, by --from)"
		}
		fmt.Fprintf(&text, "The log was %s%s.\n", o, believed)
	}
	switch {
	case r.Problem != "":
		fmt.Fprintf(&text, "The audit log is broken. The first that is not as it was sealed is\n  %s\n", r.Problem)
	case r.Whole:
		fmt.Fprintf(&text, "The audit log is whole: %d seals verified in %s, %d entries wait to be sealed.\n", r.Seals, took.Round(time.Millisecond), r.Waiting)
	default:
		fmt.Fprintf(&text, "The audit log is as it was sealed, and not all of it is proved: %d remarks, %d doubts; %d seals verified in %s, %d entries wait to be sealed.\n",
			r.Remarks, len(r.Doubts), r.Seals, took.Round(time.Millisecond), r.Waiting)
	}
	if r.Problem == "" {
		fmt.Fprintf(&text, "Head: %s\n", r.Head)
	}
	_, err := fmt.Fprint(a.stdout, text.String())
	return err
}

func headText(s store.Seal) string { return fmt.Sprintf("%d:%x", s.No, s.Seal) }

type auditRestartCmd struct {
	Yes bool `required:"" help:"Yes, the break was looked into."`
}

// Help is printed with the flags.
func (auditRestartCmd) Help() string {
	return "Servers seal nothing more once the end of the log is not as they left it, so that the damage is not covered up. This makes what is there the end. What is broken stays broken, the log keeps for ever that it was restarted and what was missing, and 'postern audit verify --from' begins behind it."
}

// Run has the chain go on.
func (auditRestartCmd) Run(ctx context.Context, a *app) error {
	db, chain, err := openChain(ctx, a)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := db.RestartChain(ctx, chain, store.Note{At: time.Now()})
	if errors.Is(err, store.ErrNotBegun) || errors.Is(err, store.ErrChainBroken) {
		return err
	}
	if err != nil {
		return unreachable(err)
	}
	kept := "none may be missing"
	if !r.KeptSince.IsZero() {
		kept = "those from before " + r.KeptSince.UTC().Format(time.RFC3339) + " may be missing"
	}
	proved := "was the sealer's own"
	if !r.Proved {
		proved = "was not the sealer's, so what it said of retention and of earlier restarts is not kept"
	}
	_, err = fmt.Fprintf(a.stdout, "The head %s; it named seal %d as the last, and the last there is %d.\nThe log was %s.\n"+
		"Signed: head %s, anchor %s, of entries %s; %d entries have no seal.\n"+
		"Restart the servers. 'postern audit verify' tells of this from now on; with --from %d it believes what was before.\n",
		proved, r.Was.No, r.Behind.No, r.Opening, headText(r.Last), headText(r.Anchor), kept, r.Unsealed, r.Through+1)
	return err
}
