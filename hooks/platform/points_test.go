package platform

import (
	"encoding/json"
	"go/format"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/hooks"
)

func TestPointsAreWhole(t *testing.T) {
	t.Parallel()
	for _, p := range Points(Settings{}) {
		var s openapi3.Schema
		var told any
		if err := json.Unmarshal(p.Schema(), &s); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(p.Sample(), &told); err != nil {
			t.Fatal(err)
		}
		if err := s.VisitJSON(told); err != nil {
			t.Errorf("%s: the sample does not fit its schema: %v", p.Name, err)
		}
		all := p.Starters()
		if len(all) != 2 {
			t.Errorf("%s has %d starters", p.Name, len(all))
		}
		if tidy, err := format.Source([]byte(all["go"])); err != nil || string(tidy) != all["go"] {
			t.Errorf("%s: %v\n%s", p.Name, err, all["go"])
		}
		h := hooks.New()
		if err := p.Bind(h, nil); err != nil {
			t.Fatal(err)
		}
		if bound := h.Bound(); len(bound) != 1 || bound[0].Hook != "platform/"+p.Name {
			t.Errorf("%s is bound as %v", p.Name, bound)
		}
	}
}
