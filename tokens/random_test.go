package tokens

import (
	"regexp"
	"testing"
	"time"
)

func TestNewULID(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)
	at := time.UnixMilli(1469918176385) // the example of the specification
	first, again, later := NewULID(at), NewULID(at), NewULID(at.Add(time.Millisecond))
	if !shape.MatchString(first) || first[:10] != "01ARYZ6S41" || again[:10] != "01ARYZ6S41" {
		t.Errorf("%s and %s of one moment", first, again)
	}
	if first == again || first >= later {
		t.Errorf("%s, again %s, later %s", first, again, later)
	}
}
