package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readAs reads a text as a file of a name.
func readAs(name, text string) (map[string]any, error) {
	return hooksFile(name, func(string) ([]byte, error) { return []byte(text), nil })
}

// What one file says is the same in TOML and in YAML.
func TestHooksFilesSayTheSame(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"auth":               map[string]any{"hook": map[string]any{"send_sms": map[string]any{"enabled": true, "uri": "env(SMS)"}}},
		"authorizationHooks": map[string]any{"preLoginHook": "http://login.default"},
		"defaultProviders":   map[string]any{"email": map[string]any{"enabled": "true", "defaultRoles": []any{"shopper"}}},
	}
	files := map[string]string{
		"hooks.toml": "[auth.hook.send_sms]\nenabled = true\nuri = 'env(SMS)'\n[authorizationHooks]\npreLoginHook = 'http://login.default'\n[defaultProviders.email]\nenabled='true'\ndefaultRoles=['shopper']",
		"AUTH.YAML":  "auth:\n  hook:\n    send_sms: &sms\n      enabled: true\n      uri: env(SMS)\nauthorizationHooks:\n  preLoginHook: http://login.default\ndefaultProviders:\n  email:\n    enabled: \"true\"\n    defaultRoles: [shopper]\n",
		"a/b.yml":    "\ufeff{auth: {hook: {send_sms: {enabled: true, uri: 'env(SMS)'}}}, authorizationHooks: {preLoginHook: 'http://login.default'}, defaultProviders: {email: {enabled: 'true', defaultRoles: [shopper]}}}",
	}
	for name, text := range files {
		got, err := readAs(name, text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, nothing := range []string{"", "\n# nothing\n", "---\n", "null"} {
		if got, err := readAs("x.yaml", nothing); err != nil || len(got) > 0 {
			t.Errorf("%q: %v, %v", nothing, got, err)
		}
	}
}

// laughs is a bomb: n lines, each of which stands for nine times the one before.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 hunter2\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}

func TestHooksFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"a bomb of aliases":     {laughs(9), "stands for more than 10000 values"},
		"a bomb of merged keys": {strings.ReplaceAll(laughs(9), "[", "{<<: [") + "", "is no YAML"},
		"depth in brackets":     {strings.Repeat("[", 60_000), "nested deeper than 32"},
		"depth in braces":       {strings.Repeat("{a: ", 15_000), "nested deeper than 32"},
		"depth in one line":     {strings.Repeat("- ", 30_000) + "a", "nested deeper than 32"},
		"depth in lines":        {deepLines(), "deeper ones than 32"},
		"anchors of anchors":    {strings.Repeat("&a ", 20_000) + "a", "nested deeper than 32"},
		"too long":              {"a: " + strings.Repeat("x", 64<<10), "longer than 64 KiB"},
		"two documents":         {"a: 1\n---\na: 2\n", "more than one document"},
		"no mapping":            {"- hunter2", "no mapping"},
		"a key twice":           {"a: 1\na: hunter2\n", "line 2 is no YAML"},
		"broken":                {"a: 'hunter2", "is no YAML"},
		"no such anchor":        {"a: *hunter2", "is no YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := readAs("x.yaml", tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	if _, err := readAs("x.yaml", laughs(2)); err != nil {
		t.Errorf("a few aliases: %v", err)
	}
	if _, err := hooksFile("x.yaml", func(string) ([]byte, error) { return nil, errors.New("hunter2") }); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("not there: %v", err)
	}
}

// deepLines nests by indentation.
func deepLines() string {
	var b strings.Builder
	for i := range 60 {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// FuzzHooksFile reads anything as a file of hooks. Whatever stands in it, nothing of it is repeated, and no hook is
// set that it does not name.
func FuzzHooksFile(f *testing.F) {
	for _, seed := range []string{
		"[auth.hook.send_sms]\nenabled = true\nuri = 'env(A)'\nsecrets = \"hunter2\"", "auth = 1", "[auth.hook]\nsend_sms = []",
		"authorizationHooks:\n  preSignupHook: http://a\ndefaultProviders:\n  email: {defaultRoles: [a]}\n", "auth: &a {hook: *a}", laughs(3),
		"defaultProviders: [1, 2]", "? [a]\n: b", "a: !!binary aGk=\nb: !x y", "auth:\n  hook:\n    <<: {send_sms: {enabled: yes}}\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"x.toml", "x.yaml"} {
			h := Hooks{File: name}
			h.Supabase.Declare(nil, func(reflect.StructTag, any) {})
			h.Read(reading{
				file:     func(string) ([]byte, error) { return []byte(text), nil },
				variable: func(string) string { return "" }, nearest: Nearest, warn: func(string, string) {},
				report: func(_, problem string) {
					if strings.Contains(problem, "hunter2") && !strings.Contains(problem, "names a file with ") { // a name is repeated
						t.Errorf("repeats what may be a secret: %s", problem)
					}
				},
			})
			for _, hook := range h.Platform.Known() {
				if !strings.Contains(text, "Hook") && !strings.ContainsAny(text, `\!`) {
					t.Fatalf("%s is set", hook)
				}
			}
			for _, hook := range h.Supabase.Enabled() {
				if !strings.Contains(text, hook.Name[:3]) && !strings.ContainsAny(text, `\!`) {
					t.Fatalf("%s is switched on", hook.Name)
				}
			}
		}
	})
}
