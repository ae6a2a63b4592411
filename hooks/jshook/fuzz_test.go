package jshook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzURL(f *testing.F) {
	f.Add("https://a.b/c?d#e", "")
	f.Add(`..\x`, "http://[::1]:80/a/")
	f.Fuzz(func(t *testing.T, text, base string) {
		if parts := splitURL(text, base, base != ""); parts != "" && !json.Valid([]byte(parts)) {
			t.Errorf("%q", parts)
		}
	})
}

func FuzzPackageName(f *testing.F) {
	f.Add("@a/b@1.2.3/c")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, name string) {
		clean, ok := withoutVersion(name)
		if ok && (strings.Contains(clean, "..") && strings.Contains("/"+clean+"/", "/../") || strings.HasPrefix(clean, "/") || strings.Contains(clean, `\`)) {
			t.Errorf("%q became %q", name, clean)
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Fuzz(func(_ *testing.T, frame []byte) {
		var r report
		_ = readFrame(bufio.NewReader(bytes.NewReader(frame)), 1<<16, &r)
		_ = sourceLines(frame)
	})
}
