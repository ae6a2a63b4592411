package hasura

import (
	"testing"

	"postern/auth"
)

func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	for _, code := range auth.Codes() {
		no, ok := refusals[code]
		if !ok {
			t.Errorf("%s has no words", code)
		}
		if no.status < 400 || no.status > 599 || no.id == "" || no.message == "" {
			t.Errorf("%s: %+v", code, no)
		}
	}
	if len(refusals) != len(auth.Codes()) {
		t.Errorf("there are words for %d codes, and %d codes", len(refusals), len(auth.Codes()))
	}
}

func TestConcealedErrors(t *testing.T) {
	t.Parallel()
	open, concealed := Settings{}, Settings{ConcealErrors: true}
	for code, no := range refusals {
		if got := open.word(code); got != no {
			t.Errorf("%s: got %+v", code, got)
		}
		want := no
		if no.sensitive {
			want = refusals[auth.BadRequest]
		}
		if got := concealed.word(code); got != want {
			t.Errorf("concealed %s: got %+v", code, got)
		}
	}
	if got := (Settings{ConflictError: "user-already-exists"}).word(auth.EmailTaken).id; got != "user-already-exists" {
		t.Errorf("got %s", got)
	}
}
