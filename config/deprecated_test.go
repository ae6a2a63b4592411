package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// agedConfig is testConfig some versions later: settings have new names.
type agedConfig testConfig

func (*agedConfig) deprecations() []deprecation {
	return []deprecation{
		{"AUTH_HARBOUR", "AUTH_PORT", "3.0.0"},
		{"MYSTERY", "AUTH_SECRET", "4.0.0"},
	}
}

func TestADeprecatedNameWorksAndGivesOneNotice(t *testing.T) {
	t.Parallel()
	const (
		port   = "AUTH_HARBOUR (%): deprecated: it is called AUTH_PORT now; version 3.0.0 drops the old name"
		secret = "MYSTERY (%): deprecated: it is called AUTH_SECRET now; version 4.0.0 drops the old name"
	)
	from := func(notice, origin string) []string { return []string{strings.Replace(notice, "%", origin, 1)} }
	tests := []struct {
		name     string
		src      Source
		disk     files
		port     int
		secret   string
		errors   []string
		warnings []string
	}{
		{"environment", Source{Env: map[string]string{"AUTH_HARBOUR": "5"}}, nil, 5, "", nil, from(port, "environment")},
		{"flag", Source{Flags: map[string]string{"harbour": "5"}}, nil, 5, "", nil, from(port, "--harbour")},
		{"env file", Source{}, files{".env": "AUTH_HARBOUR=5"}, 5, "", nil, from(port, ".env:1")},
		{
			"in two sources",
			Source{Env: map[string]string{"AUTH_HARBOUR": "5"}},
			files{".env": "AUTH_HARBOUR=6"},
			5, "", nil, from(port, "environment"),
		},
		{"empty", Source{Env: map[string]string{"AUTH_HARBOUR": ""}}, nil, 4000, "", nil, nil},
		{"not set", Source{Env: map[string]string{"AUTH_PORT": "5"}}, nil, 5, "", nil, nil},
		{
			"beside the new name",
			Source{Env: map[string]string{"AUTH_HARBOUR": "5", "AUTH_PORT": "5"}},
			nil, 5, "", nil, from(port, "environment"),
		},
		{
			"against the new name",
			Source{Env: map[string]string{"AUTH_HARBOUR": "5", "AUTH_PORT": "6"}},
			nil, 4000, "",
			[]string{"AUTH_PORT (environment): AUTH_HARBOUR (environment) is another name of the same setting and says something else; right: one of the two"},
			from(port, "environment"),
		},
		{
			"wrong",
			Source{Env: map[string]string{"AUTH_HARBOUR": "x"}},
			nil, 4000, "",
			[]string{`AUTH_HARBOUR (environment): "x" is not a whole number; right: a whole number from 1 to 65535`},
			from(port, "environment"),
		},
		{"a secret", Source{Env: map[string]string{"MYSTERY": "12345678"}}, nil, 4000, "12345678", nil, from(secret, "environment")},
		{
			"a secret in a file",
			Source{Env: map[string]string{"MYSTERY_FILE": "/s"}},
			files{"/s": "12345678"},
			4000, "12345678", nil,
			[]string{"MYSTERY_FILE (environment): deprecated: it is called AUTH_SECRET_FILE now; version 4.0.0 drops the old name"},
		},
		{
			"a file for what is no secret",
			Source{Env: map[string]string{"AUTH_HARBOUR_FILE": "/s"}},
			files{"/s": "5"},
			4000, "", nil,
			[]string{"AUTH_HARBOUR_FILE (environment): without effect: only secrets are read from files, and AUTH_HARBOUR is none"},
		},
		{
			"nearly the old name",
			Source{Env: map[string]string{"AUTH_HARBOURS": "5"}},
			nil, 4000, "", nil,
			[]string{"AUTH_HARBOURS (environment): without effect: there is no such setting"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &agedConfig{}
			tt.src.ReadFile = tt.disk.read
			report := load(c, tt.src)
			if diff := cmp.Diff(tt.errors, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, lines(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if c.Door.Port != tt.port || c.Vault.Secret != tt.secret {
				t.Errorf("port %d and secret %q, want %d and %q", c.Door.Port, c.Vault.Secret, tt.port, tt.secret)
			}
			if strings.Contains(report.String(), "12345678") {
				t.Errorf("the report tells the secret:\n%s", report)
			}
		})
	}
}

func TestThePageListsDeprecatedNames(t *testing.T) {
	t.Parallel()
	page, example := docs(walk(&agedConfig{})), example(walk(&agedConfig{}))
	for _, row := range []string{"\n## Deprecated\n", "\n| `AUTH_HARBOUR` | `AUTH_PORT` | 3.0.0 |\n", "\n| `MYSTERY` | `AUTH_SECRET` | 4.0.0 |\n"} {
		if !strings.Contains(page, row) {
			t.Errorf("the page has no %q", row)
		}
	}
	if n := strings.Count(page, "HARBOUR"); n != 1 || strings.Contains(example, "HARBOUR") {
		t.Errorf("the old name stands %d times on the page, or among the examples", n)
	}
	if strings.Contains(docs(walk(&testConfig{})), "Deprecated") {
		t.Error("the page has the heading where nothing is deprecated")
	}
}

// unsoundConfig has every mistake that a table of old names can have.
type unsoundConfig testConfig

func (*unsoundConfig) deprecations() []deprecation {
	return []deprecation{
		{"AUTH_HARBOUR", "AUTH_PROT", "3.0.0"},
		{"AUTH_DEBUG", "AUTH_PORT", "3.0.0"},
		{"AUTH_DOCK", "AUTH_PORT", ""},
		{"AUTH_QUAY", "AUTH_PORT", "3.0.0"},
		{"AUTH_QUAY", "AUTH_BIG", "3.0.0"},
		{"AUTH_JETTY", "AUTH_QUAY", "3.0.0"},
	}
}

func TestMistakesInTheTableOfOldNamesAreFound(t *testing.T) {
	t.Parallel()
	want := []string{
		"AUTH_HARBOUR is the old name of AUTH_PROT, which is no setting",
		"AUTH_DEBUG is the old name of AUTH_PORT and belongs to AUTH_DEBUG",
		"AUTH_DOCK is the old name of AUTH_PORT, and no version drops it",
		"AUTH_QUAY is the old name of AUTH_BIG and belongs to AUTH_PORT",
		"AUTH_JETTY is the old name of AUTH_QUAY, which is no setting",
	}
	if diff := cmp.Diff(want, walk(&unsoundConfig{}).faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
