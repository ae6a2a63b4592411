package emails

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestPreviewShowsEveryMail(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := (&Renderer{}).Preview(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if to := os.Getenv("PREVIEW"); to != "" {
		if err := os.WriteFile(to, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range Templates() {
		for _, l := range []string{"bg", "cs", "de", "en", "es", "fr"} {
			if !strings.Contains(page.String(), `<article id="`+name+"-"+l+`">`) {
				t.Errorf("%s in %s is missing", name, l)
			}
		}
	}
	if strings.Contains(page.String(), `class="bad"`) {
		t.Error("the page reports a problem")
	}
	if strings.Contains(page.String(), "ZgotmplZ") {
		t.Error("the page has a value that html/template refused")
	}
}
