package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"postern/config"
	"postern/tokens"
)

// outcome is what a run of the program left behind.
type outcome struct {
	Code           int
	Stdout, Stderr string
}

// runPostern runs the program with an environment of its own. No .env of ours is read.
func runPostern(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "empty.env")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(args) > 0 {
		args = append([]string{"--env-file", file}, args...)
	}
	var stdout, stderr strings.Builder
	a := &app{stdout: &stdout, stderr: &stderr, env: env}
	code := a.run(t.Context(), args)
	return outcome{code, stdout.String(), stderr.String()}
}

const goodSecret = `{"type":"HS256","key":"9f1c8d9e6b2743f0a5d4e3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8"}`

func TestCommandLine(t *testing.T) {
	t.Parallel()
	good := map[string]string{"POSTGRES_CONNECTION": "postgres://me:hunter2@db/app", "HASURA_GRAPHQL_JWT_SECRET": goodSecret}
	tests := []struct {
		name string
		env  map[string]string
		args string
		want outcome
	}{
		{
			"unknown flag", nil, "serve --prot 5",
			outcome{exitUsage, "", "postern: there is no flag --prot; did you mean --port?\nNext: 'postern --help' lists the commands.\n"},
		},
		{
			"unknown flag of a command", nil, "adopt --comit",
			outcome{exitUsage, "", "postern: there is no flag --comit; did you mean --commit?\nNext: 'postern --help' lists the commands.\n"},
		},
		{
			"flag without its value", nil, "serve --port --debug",
			outcome{exitUsage, "", "postern: --port needs a value\nNext: 'postern --help' lists the commands.\n"},
		},
		{
			"unknown command", nil, "server",
			outcome{exitUsage, "", "postern: unexpected argument server, did you mean \"serve\"?\nNext: 'postern --help' lists the commands.\n"},
		},
		{
			"adopt says how", nil, "adopt",
			outcome{exitUsage, "", "postern: missing flags: --check or --commit\nNext: 'postern --help' lists the commands.\n"},
		},
		{
			"migrate without a database", nil, "migrate",
			outcome{exitError, "", "postern: no database is configured\nNext: set POSTGRES_CONNECTION=postgres://user:password@host:5432/database.\n"},
		},
		{
			"test mail without a mail server", nil, "emails send-test a@b.example",
			outcome{exitError, "", "postern: no mail server is configured\nNext: set AUTH_SMTP_HOST and AUTH_SMTP_SENDER.\n"},
		},
		{
			"version", nil, "version",
			outcome{exitOK, "postern unstamped", ""},
		},
		{
			"good configuration", good, "config check --port 5000",
			outcome{exitOK, "The configuration is good: 3 of ", ""},
		},
		{
			"wrong configuration",
			map[string]string{"AUTH_PORT": "x"},
			"config check --smtp-port=y",
			outcome{exitError, "", "4 settings are wrong.\n"},
		},
		{
			"serve with a wrong configuration",
			map[string]string{"AUTH_PORT": "x"},
			"serve",
			outcome{exitError, "", "3 settings are wrong.\n"},
		},
		{
			"env file that is not there", nil, "config check --env-file /does/not/exist",
			outcome{exitError, "", "3 settings are wrong.\n\n  /does/not/exist\n      The file cannot be read: no such file or directory.\n"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := runPostern(t, tt.env, strings.Fields(tt.args)...)
			if got.Code != tt.want.Code {
				t.Errorf("exit code %d, want %d", got.Code, tt.want.Code)
			}
			for _, s := range []struct{ name, got, want string }{
				{"stdout", got.Stdout, tt.want.Stdout}, {"stderr", got.Stderr, tt.want.Stderr},
			} {
				if !strings.HasPrefix(s.got, s.want) || s.want == "" && s.got != "" {
					t.Errorf("%s: %q, want %q", s.name, s.got, s.want)
				}
			}
			if strings.Contains(got.Stdout+got.Stderr, "hunter2") {
				t.Error("a secret was printed")
			}
		})
	}
}

func TestCheckWarnsOfAWeakSecret(t *testing.T) {
	t.Parallel()
	got := runPostern(t, map[string]string{
		"POSTGRES_CONNECTION": "postgres://me@db/app", "HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"kx81nqp0"}`,
	}, "config", "check")
	if got.Code != exitOK || !strings.Contains(got.Stdout, "1 notice") || !strings.Contains(got.Stdout, "It has a key of 8 bytes") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.Stdout+got.Stderr, "kx81nqp0") {
		t.Error("the secret was printed")
	}
}

func TestNoArgumentsPrintHelp(t *testing.T) {
	t.Parallel()
	got := runPostern(t, nil)
	if got.Code != exitOK || !strings.Contains(got.Stdout, "config check") || got.Stderr != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", got.Code, got.Stdout, got.Stderr)
	}
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	got := runPostern(t, map[string]string{"AUTH_SMTP_PASS": "hunter2 hunter2"}, "config", "show", "--json", "--debug")
	for _, want := range []string{
		"\"name\": \"AUTH_SMTP_PASS\",\n    \"group\": \"Mail\",\n    \"value\": \"•••• (15 characters)\",\n    \"origin\": \"environment\",\n    \"secret\": true",
		"\"name\": \"AUTH_DEBUG\",\n    \"group\": \"Server\",\n    \"value\": \"true\",\n    \"origin\": \"--debug\"",
	} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("stdout has no\n%s\n%s", want, got.Stdout)
		}
	}
	if got.Code != exitOK || strings.Contains(got.Stdout+got.Stderr, "hunter2") {
		t.Errorf("exit code %d, stdout %s, stderr %s", got.Code, got.Stdout, got.Stderr)
	}
}

func TestLogFormatIsASetting(t *testing.T) {
	t.Parallel()
	got := runPostern(t, nil, "--log-format", "text", "config", "show")
	if !strings.Contains(strings.Join(strings.Fields(got.Stdout), " "), "AUTH_LOG_FORMAT_TEXT true --log-format-text") {
		t.Errorf("stdout %s", got.Stdout)
	}
}

func TestPrintedSecretsWork(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "HS512", "ES256", "EdDSA"} {
		got := runPostern(t, nil, "keys", "secret", "--type", alg)
		value, isAssignment := strings.CutPrefix(strings.TrimSuffix(got.Stdout, "'\n"), "HASURA_GRAPHQL_JWT_SECRET='")
		var s tokens.Secret
		if err := s.UnmarshalText([]byte(value)); err != nil || !isAssignment || got.Code != exitOK {
			t.Errorf("%s: exit code %d, %v, stdout %s", alg, got.Code, err, got.Stdout)
		}
		if len(s.Weaknesses()) > 0 || s.IsSample() {
			t.Errorf("%s: a weak secret: %v", alg, s.Weaknesses())
		}
		if shared := strings.Contains(got.Stderr, "Hasura gets the same value"); shared != strings.HasPrefix(alg, "HS") {
			t.Errorf("%s: stderr %s", alg, got.Stderr)
		}
		if strings.Contains(got.Stderr, "PRIVATE KEY") {
			t.Errorf("%s: the private key is among what Hasura gets", alg)
		}
	}
	if got := runPostern(t, nil, "keys", "secret", "--type", "none"); got.Code != exitUsage || got.Stdout != "" {
		t.Errorf("type none: exit code %d, stdout %s", got.Code, got.Stdout)
	}
}

func TestConfigDocsWritesThePages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := runPostern(t, nil, "config", "docs", "--dir", dir); got.Code != exitOK {
		t.Fatalf("exit code %d: %s", got.Code, got.Stderr)
	}
	for name, want := range map[string]string{"configuration.md": config.Docs(), "example.env": config.Example()} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(text) != want {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(text), len(want))
		}
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	env := map[string]string{"AUTH_PORT": port, "AUTH_LISTEN_ADDRESS": "0.0.0.0"}
	if got := runPostern(t, env, "healthcheck"); got.Code != exitOK || got.Stdout != "healthy\n" {
		t.Errorf("running: %+v", got)
	}
	if got := runPostern(t, nil, "healthcheck", "--url", s.URL+"/elsewhere"); got.Code != exitError || !strings.Contains(got.Stderr, "404") {
		t.Errorf("not found: %+v", got)
	}
	s.Close()
	if got := runPostern(t, env, "healthcheck"); got.Code != exitError || !strings.Contains(got.Stderr, "not healthy") {
		t.Errorf("not running: %+v", got)
	}
}

// TestHealthcheckOverTLS asks a server whose certificate is for another name and of an unknown authority.
func TestHealthcheckOverTLS(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	env := map[string]string{"AUTH_PORT": port, "AUTH_TLS_CERT_FILE": "/nowhere/cert.pem", "AUTH_TLS_KEY_FILE": "/nowhere/key.pem"}
	if got := runPostern(t, env, "healthcheck"); got.Code != exitOK || got.Stdout != "healthy\n" {
		t.Errorf("running: %+v", got)
	}
	if got := runPostern(t, nil, "healthcheck", "--url", s.URL+"/healthz"); got.Code != exitError {
		t.Errorf("a server that somebody names is believed: %+v", got)
	}
	if got := runPostern(t, map[string]string{"AUTH_TLS_CERT_FILE": "/nowhere/cert.pem"}, "healthcheck"); got.Code == exitOK || !strings.Contains(got.Stderr, "AUTH_TLS_KEY_FILE") {
		t.Errorf("half of the settings: %+v", got)
	}
}

func TestSplitFlags(t *testing.T) {
	t.Parallel()
	settings := map[string]config.Flag{"port": {Env: "AUTH_PORT"}, "debug": {Env: "AUTH_DEBUG", Bool: true}}
	rest, flags, err := splitFlags(strings.Fields("--json serve --port 1 --debug x --port=2 -h -- --port 3"), settings, []string{"json"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields("--json serve x -h -- --port 3"), rest); diff != "" {
		t.Errorf("rest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"port": "2", "debug": "true"}, flags); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

// A command's own flag would hide a setting of the same name.
func TestNoCommandHidesASetting(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Flags()
	for _, name := range flagNames(parser.Model.Node) {
		if f, ok := settings[name]; ok {
			t.Errorf("--%s is a flag of a command and of %s", name, f.Env)
		}
	}
}
