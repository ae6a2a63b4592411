package house

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"postern/hooks"
	"postern/hooks/httphook"
	"postern/tokens"
	"postern/webhooks"
)

// Exam is what a receiver of a hook is put to the test with.
type Exam struct {
	Hook   Hook
	URL    *url.URL
	Secret string // empty for a receiver whose questions are not signed
}

// Mark is what one question of an exam came to.
type Mark struct {
	What string // should be so
	Why  string // it is not; empty when it is
	Note string // what was seen
	Took time.Duration
}

// Examine asks a receiver questions as Postern asks them, and such as it must not believe. Marks come one by
// one. The error says that there was no exam.
func (a *Attendant) Examine(ctx context.Context, e Exam, mark func(Mark)) error {
	keys, err := webhooks.ParseAll(e.Secret)
	if err != nil {
		return err
	}
	x := &examiner{attendant: a, exam: e, keys: keys, mark: mark}
	if err := x.asUsual(ctx); err != nil {
		return err
	}
	x.tolerance(ctx)
	if len(keys) > 0 {
		return x.signatures(ctx)
	}
	return nil
}

// examiner is an exam under way.
type examiner struct {
	attendant *Attendant
	exam      Exam
	keys      webhooks.Keys
	mark      func(Mark)
	question  []byte // as it was asked
	id        string
}

// asUsual asks as a server would, and has the answer decoded.
func (x *examiner) asUsual(ctx context.Context) error {
	const what = "a question as Postern asks it is answered, and the answer makes sense"
	runner, err := httphook.New(httphook.Options{
		URL: x.exam.URL, Keys: x.keys, Rules: httphook.Supabase(), Client: x.attendant.receivers.client, Now: x.attendant.options.Now,
	})
	if err != nil {
		return err
	}
	tried, err := x.attendant.try(ctx, x.exam.Hook, runner, nil)
	switch {
	case err != nil:
		return err
	case len(tried.Questions) == 0 || len(tried.Outcomes) == 0:
		return errors.New("nothing was asked")
	}
	asked := tried.Questions[0]
	x.question, x.id = asked.Call.Body, asked.Call.ID
	m := Mark{What: what, Took: asked.Took}
	var no *hooks.Denied
	switch err := tried.Outcomes[0].Err; {
	case errors.As(err, &no):
		m.Note = fmt.Sprintf("it refuses the sample with status %d", no.HTTPStatus())
	case asked.Err != nil:
		m.Why = asked.Err.Error()
	case err != nil:
		m.Why = err.Error()
	default:
		m.Note = "it agrees with the sample"
	}
	x.mark(m)
	return nil
}

// tolerance asks again, and says more than a receiver knows of.
func (x *examiner) tolerance(ctx context.Context) {
	x.believes(ctx, "the same question with the same id, as after a lost answer, is answered again", x.id, x.question, x.keys)
	x.believes(ctx, "members that it does not know do not disturb it", tokens.NewUUID(), withStrangers(x.question), x.keys)
}

// signatures asks what must not be believed.
func (x *examiner) signatures(ctx context.Context) error {
	now := x.attendant.options.Now()
	other, err := freshKeys()
	if err != nil {
		return err
	}
	x.believes(ctx, "while secrets change, one right signature among several is enough", tokens.NewUUID(), x.question, append(other, x.keys...))
	id := tokens.NewUUID()
	for _, forged := range []struct {
		what    string
		headers map[string]string
		body    []byte
	}{
		{"a question that somebody else has signed is refused", other.Headers(id, now, x.question), x.question},
		{"a question without a signature is refused", webhooks.Keys(nil).Headers(id, now, x.question), x.question},
		{"a question that was changed after it was signed is refused", x.keys.Headers(id, now, x.question), withStrangers(x.question)},
		{"a question under another id than was signed is refused", renamed(x.keys.Headers(id, now, x.question)), x.question},
		{"a question that is ten minutes old is refused", x.keys.Headers(id, now.Add(-10*time.Minute), x.question), x.question},
		{"a question from ten minutes ahead is refused", x.keys.Headers(id, now.Add(10*time.Minute), x.question), x.question},
	} {
		x.doubts(ctx, forged.what, forged.headers, forged.body)
	}
	garbage := []byte(`{"not":`)
	x.doubts(ctx, "what is no JSON is refused, signed as it may be", x.keys.Headers(id, now, garbage), garbage)
	x.believes(ctx, "after all that it still answers", tokens.NewUUID(), x.question, x.keys)
	return nil
}

// believes asks what must be answered as the first question was.
func (x *examiner) believes(ctx context.Context, what, id string, body []byte, keys webhooks.Keys) {
	began := x.attendant.options.Now()
	status, err := x.post(ctx, keys.Headers(id, began, body), body)
	m := Mark{What: what, Took: x.attendant.options.Now().Sub(began)}
	switch {
	case err != nil:
		m.Why = err.Error()
	case status < 200 || status > 299:
		m.Why = fmt.Sprintf("it answers with status %d", status)
	}
	x.mark(m)
}

// doubts asks what must be refused.
func (x *examiner) doubts(ctx context.Context, what string, headers map[string]string, body []byte) {
	began := x.attendant.options.Now()
	status, err := x.post(ctx, headers, body)
	m := Mark{What: what, Took: x.attendant.options.Now().Sub(began)}
	switch {
	case err != nil:
		m.Why = err.Error()
	case status < 400:
		m.Why = fmt.Sprintf("it answers with status %d; 401 would be right", status)
	default:
		m.Note = fmt.Sprintf("status %d", status)
	}
	x.mark(m)
}

// post asks once, and gives the status of the answer.
func (x *examiner) post(ctx context.Context, headers map[string]string, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, hooks.DefaultTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, x.exam.URL.String(), bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("its address is no URL")
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := x.attendant.receivers.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return 0, hooks.TimedOut{After: hooks.DefaultTimeout}
		}
		return 0, errors.New("the connection failed")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, response.Body.Close()
}

// withStrangers adds members to a question that no receiver knows of.
func withStrangers(question []byte) []byte {
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(question))
	d.UseNumber()
	if d.Decode(&o) != nil {
		return question
	}
	for _, inner := range o {
		if inner, ok := inner.(map[string]any); ok {
			inner["a_member_of_a_later_version"] = true
		}
	}
	o["a_member_of_a_later_version"] = map[string]any{"of": []string{"any", "kind"}}
	text, err := json.Marshal(o)
	if err != nil {
		return question
	}
	return text
}

func renamed(headers map[string]string) map[string]string {
	headers[webhooks.HeaderID] = tokens.NewUUID()
	return headers
}

// freshKeys are those of somebody else.
func freshKeys() (webhooks.Keys, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	return webhooks.ParseAll("whsec_" + base64.StdEncoding.EncodeToString(secret))
}
