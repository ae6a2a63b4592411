package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shout is a type that reads itself.
type shout string

func (s *shout) UnmarshalText(text []byte) error {
	if strings.Contains(string(text), "!") {
		return fmt.Errorf("%q must not shout", text)
	}
	*s = shout(strings.ToUpper(string(text)))
	return nil
}

type doorSettings struct {
	Port    int           `env:"AUTH_PORT" default:"4000" min:"1" max:"65535" doc:"Port."`
	Debug   bool          `env:"AUTH_DEBUG" doc:"Debug."`
	Strict  bool          `env:"AUTH_STRICT" default:"true" doc:"Strict."`
	URL     string        `env:"AUTH_SERVER_URL" format:"url" doc:"URL."`
	Life    time.Duration `env:"AUTH_LIFE" unit:"s" default:"900" min:"1" max:"2h" doc:"Life."`
	Wait    time.Duration `env:"AUTH_WAIT" default:"10s" doc:"Wait."`
	Share   float64       `env:"AUTH_SHARE" default:"0.5" max:"1" doc:"Share."`
	Big     int64         `env:"AUTH_BIG" doc:"Big."`
	Method  string        `env:"AUTH_METHOD" default:"PLAIN" oneof:"PLAIN LOGIN" doc:"Method."`
	Roles   []string      `env:"AUTH_ROLES" default:"user,me" max:"3" doc:"Roles."`
	Colours []string      `env:"AUTH_COLOURS" oneof:"red green" doc:"Colours."`
	Loud    shout         `env:"AUTH_LOUD" doc:"Loud."`
	Inner   struct {
		Name string `env:"AUTH_INNER" max:"5" doc:"Inner."`
	}
}

func (s *doorSettings) Check(report func(env, problem string)) {
	if s.Debug && s.Strict {
		report("AUTH_DEBUG", "cannot be on while AUTH_STRICT is on.")
	}
}

type vaultSettings struct {
	Secret   string `env:"AUTH_SECRET AUTH_OLD_SECRET" secret:"true" min:"8" doc:"Secret."`
	Database string `env:"POSTGRES_CONNECTION HASURA_GRAPHQL_DATABASE_URL" secret:"true" format:"postgres-url" doc:"Database."`
	Sealed   shout  `env:"AUTH_SEALED" secret:"true" doc:"Sealed."`
	URL      string `env:"AUTH_SERVER_URL" format:"url" doc:"URL, needed here too."`
}

type testConfig struct {
	Door  doorSettings  `title:"Door" doc:"The door."`
	Vault vaultSettings `title:"Vault" doc:"The vault."`
}

// files stands for the disk.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if text == "locked" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return []byte(text), nil
}

func loadTest(src Source, disk files) (*testConfig, *Report) {
	c := &testConfig{}
	src.ReadFile = disk.read
	return c, load(c, src)
}

// lines are the problems on one line each.
func lines(problems []Problem) []string {
	var text []string
	for _, p := range problems {
		text = append(text, p.String())
	}
	return text
}

func TestDefaultsApplyWhereNothingIsSet(t *testing.T) {
	t.Parallel()
	got, report := loadTest(Source{Env: map[string]string{"AUTH_PORT": "", "AUTH_STRICT": "", "AUTH_ROLES": " ", "AUTH_SECRET": ""}}, nil)
	want := &testConfig{Door: doorSettings{
		Port: 4000, Strict: true, Life: 15 * time.Minute, Wait: 10 * time.Second, Share: 0.5,
		Method: "PLAIN", Roles: []string{"user", "me"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if report.String() != "" {
		t.Errorf("report: %s", report)
	}
}

func TestValuesAreReadByType(t *testing.T) {
	t.Parallel()
	got, report := loadTest(Source{Env: map[string]string{
		"AUTH_PORT": " 80 ", "AUTH_DEBUG": "Yes", "AUTH_STRICT": "oFF", "AUTH_SERVER_URL": "https://a.example/v1",
		"AUTH_LIFE": "60", "AUTH_WAIT": "1m30s", "AUTH_SHARE": "1", "AUTH_BIG": "-9000000000",
		"AUTH_METHOD": "login", "AUTH_ROLES": " a,, b ,", "AUTH_COLOURS": "RED,green", "AUTH_LOUD": "hello",
		"AUTH_INNER": "fünf!", "AUTH_SECRET": " blanks count ",
	}}, nil)
	want := &testConfig{Door: doorSettings{
		Port: 80, Debug: true, URL: "https://a.example/v1", Life: time.Minute, Wait: 90 * time.Second,
		Share: 1, Big: -9000000000, Method: "LOGIN", Roles: []string{"a", "b"}, Colours: []string{"red", "green"},
		Loud: "HELLO",
	}, Vault: vaultSettings{Secret: " blanks count ", URL: "https://a.example/v1"}}
	want.Door.Inner.Name = "fünf!"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if report.String() != "" {
		t.Errorf("report: %s", report)
	}
}

func TestWrongValuesAreExplained(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"AUTH_PORT", "80x", `"80x" is not a whole number; right: a whole number from 1 to 65535`},
		{"AUTH_PORT", "4.5", `"4.5" is not a whole number; right: a whole number from 1 to 65535`},
		{"AUTH_PORT", "0", `"0" is less than 1; right: a whole number from 1 to 65535`},
		{"AUTH_PORT", "65536", `"65536" is more than 65535; right: a whole number from 1 to 65535`},
		{"AUTH_PORT", "99999999999999999999", `"99999999999999999999" is too large a number; right: a whole number from 1 to 65535`},
		{"AUTH_DEBUG", "maybe", `"maybe" is neither true nor false; right: true or false`},
		{"AUTH_SERVER_URL", "a.example", `"a.example" is not an absolute URL; right: an absolute URL such as https://example.com`},
		{"AUTH_SERVER_URL", "ftp://a.example", `"ftp://a.example" is a URL, but neither http nor https; right: an absolute URL such as https://example.com`},
		{"AUTH_SERVER_URL", "ftp://me:hush@a.example", `"ftp://me:xxxxx@a.example" is a URL, but neither http nor https; right: an absolute URL such as https://example.com`},
		{"AUTH_LIFE", "soon", `"soon" is not a duration; right: a number of seconds, or a duration such as 90s, 15m or 2h; from 1s to 2h`},
		{"AUTH_LIFE", "0", `"0" is less than 1s; right: a number of seconds, or a duration such as 90s, 15m or 2h; from 1s to 2h`},
		{"AUTH_LIFE", "7201", `"7201" is more than 2h; right: a number of seconds, or a duration such as 90s, 15m or 2h; from 1s to 2h`},
		{"AUTH_LIFE", "9223372036854775807", `"9223372036854775807" is too long a time; right: a number of seconds, or a duration such as 90s, 15m or 2h; from 1s to 2h`},
		{"AUTH_WAIT", "10", `"10" has no unit; right: a duration such as 90s, 15m or 2h`},
		{"AUTH_WAIT", "-1s", `"-1s" is less than 0s; right: a duration such as 90s, 15m or 2h`},
		{"AUTH_SHARE", "NaN", `"NaN" is not a number; right: a number of at most 1`},
		{"AUTH_SHARE", "1.5", `"1.5" is more than 1; right: a number of at most 1`},
		{"AUTH_METHOD", "XOAUTH", `"XOAUTH" is not one of the words it can be; right: PLAIN or LOGIN`},
		{"AUTH_ROLES", "a,b,c,d", `"a,b,c,d" has 4 entries, more than 3; right: a list, separated by commas`},
		{"AUTH_COLOURS", "red,blue", `"blue" is not one of the words it can be; right: a list, separated by commas, of red and green`},
		{"AUTH_LOUD", "hey!", `"hey!": "hey!" must not shout`},
		{"AUTH_INNER", "sechs!", `"sechs!" has 6 characters, more than 5; right: text of at most 5 characters`},
		{"AUTH_INNER", strings.Repeat("x", 100), `"` + strings.Repeat("x", 48) + `…" has 100 characters, more than 5; right: text of at most 5 characters`},
		{"AUTH_SECRET", "hunter2", `the value has 7 characters, fewer than 8; right: text of at least 8 characters`},
		{"AUTH_SEALED", "hunter2!", `"••••" must not shout`},
		{"POSTGRES_CONNECTION", "mysql://me:hunter2@h/d", `the value does not begin with postgres://; right: a connection such as postgres://user:password@host:5432/database`},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			_, report := loadTest(Source{Env: map[string]string{tt.name: tt.value}}, nil)
			if diff := cmp.Diff([]string{tt.name + " (environment): " + tt.want}, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if strings.Contains(report.String(), "hunter2") {
				t.Errorf("the report tells the secret:\n%s", report)
			}
		})
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	got, report := loadTest(Source{
		Flags: map[string]string{"life": "x"},
		Env:   map[string]string{"AUTH_PORT": "x", "AUTH_SECRET_FILE": "/none"},
	}, files{".env": "AUTH_DEBUG=x\nnonsense\nAUTH_WAIT='"})
	want := []string{
		`.env:2: the line has no = after "nonsense"`,
		`.env:3: the line opens a ' after AUTH_WAIT= that is never closed`,
		`AUTH_PORT (environment): "x" is not a whole number; right: a whole number from 1 to 65535`,
		`AUTH_DEBUG (.env:1): "x" is neither true nor false; right: true or false`,
		`AUTH_LIFE (--life): "x" is not a duration; right: a number of seconds, or a duration such as 90s, 15m or 2h; from 1s to 2h`,
		`AUTH_SECRET_FILE (environment): the file "/none" cannot be read: file does not exist`,
	}
	if diff := cmp.Diff(want, lines(report.Errors)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got.Door.Port != 4000 || got.Door.Life != 15*time.Minute {
		t.Errorf("port %d and life %s, want the defaults where the value is wrong", got.Door.Port, got.Door.Life)
	}
	if report.OK() || report.Err() == nil {
		t.Error("the report is OK, want an error")
	}
}

func TestSourcesWinInOrder(t *testing.T) {
	t.Parallel()
	disk := files{".env": "AUTH_PORT=3\nAUTH_INNER=file\nAUTH_METHOD=LOGIN\n", "other.env": "AUTH_PORT=9\n"}
	tests := []struct {
		name       string
		src        Source
		port       int
		portOrigin string
	}{
		{"flag over all", Source{Flags: map[string]string{"port": "1"}, Env: map[string]string{"AUTH_PORT": "2"}, Preset: map[string]string{"AUTH_PORT": "4"}}, 1, "--port"},
		{"environment over file", Source{Env: map[string]string{"AUTH_PORT": "2"}, Preset: map[string]string{"AUTH_PORT": "4"}}, 2, "environment"},
		{"file over preset", Source{Env: map[string]string{"AUTH_PORT": ""}, Preset: map[string]string{"AUTH_PORT": "4"}}, 3, ".env:1"},
		{"another file instead of .env", Source{EnvFile: "other.env"}, 9, "other.env:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, report := loadTest(tt.src, disk)
			if report.String() != "" {
				t.Errorf("report: %s", report)
			}
			if got.Door.Port != tt.port || report.Values[0].Origin != tt.portOrigin {
				t.Errorf("port %d from %s, want %d from %s", got.Door.Port, report.Values[0].Origin, tt.port, tt.portOrigin)
			}
		})
	}
	got, report := loadTest(Source{Preset: map[string]string{"AUTH_PORT": "4"}}, nil)
	if got.Door.Port != 4 || report.Values[0].Origin != "preset" {
		t.Errorf("port %d from %s, want 4 from preset", got.Door.Port, report.Values[0].Origin)
	}
}

func TestEnvFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		disk files
		want []string
	}{
		{"no .env", "", nil, nil},
		{"named and missing", "x.env", nil, []string{"x.env: the file cannot be read: file does not exist"}},
		{".env not for us", "", files{".env": "locked"}, []string{".env: the file cannot be read: permission denied"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, report := loadTest(Source{EnvFile: tt.file}, tt.disk)
			if diff := cmp.Diff(tt.want, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoNamesOfOneSetting(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		src  Source
		disk files
		want []string
		got  string
	}{
		{"the second alone", Source{Env: map[string]string{"AUTH_OLD_SECRET": "12345678"}}, nil, nil, "12345678"},
		{"both the same", Source{Env: map[string]string{"AUTH_OLD_SECRET": "12345678", "AUTH_SECRET": "12345678"}}, nil, nil, "12345678"},
		{
			"both and different",
			Source{Env: map[string]string{"AUTH_OLD_SECRET": "12345678", "AUTH_SECRET": "87654321"}},
			nil,
			[]string{"AUTH_SECRET (environment): AUTH_OLD_SECRET (environment) is another name of the same setting and says something else; right: one of the two"},
			"",
		},
		{
			"a higher source decides",
			Source{Env: map[string]string{"AUTH_OLD_SECRET": "12345678"}},
			files{".env": "AUTH_SECRET=87654321"},
			nil,
			"12345678",
		},
		{
			"two flags",
			Source{Flags: map[string]string{"postgres": "postgres://a@h/d", "postgres-connection": "postgres://b@h/d"}},
			nil,
			[]string{"--postgres-connection: --postgres sets the same and says something else; right: one of the two"},
			"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, report := loadTest(tt.src, tt.disk)
			if diff := cmp.Diff(tt.want, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if got.Vault.Secret != tt.got {
				t.Errorf("secret %q, want %q", got.Vault.Secret, tt.got)
			}
			for _, secret := range []string{"12345678", "87654321"} {
				if strings.Contains(report.String(), secret) {
					t.Errorf("the report tells the secret:\n%s", report)
				}
			}
		})
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		env    map[string]string
		disk   files
		secret string
		errors []string
		notes  []string
	}{
		{"line end dropped", map[string]string{"AUTH_SECRET_FILE": "/s"}, files{"/s": " 12345678\r\n"}, " 12345678", nil, nil},
		{"second name", map[string]string{"AUTH_OLD_SECRET_FILE": "/s"}, files{"/s": "12345678"}, "12345678", nil, nil},
		{"the file's name in an env file", nil, files{".env": "AUTH_SECRET_FILE=/s", "/s": "12345678"}, "12345678", nil, nil},
		{
			"both",
			map[string]string{"AUTH_SECRET_FILE": "/s", "AUTH_SECRET": "12345678"},
			files{"/s": "12345678"},
			"",
			[]string{"AUTH_SECRET (environment): AUTH_SECRET_FILE (environment) is set as well; right: one of the two"},
			nil,
		},
		{"empty pointer", map[string]string{"AUTH_SECRET_FILE": "", "AUTH_SECRET": "12345678"}, nil, "12345678", nil, nil},
		{
			"empty file",
			map[string]string{"AUTH_SECRET_FILE": "/s"},
			files{"/s": "\n"},
			"",
			[]string{`AUTH_SECRET_FILE (environment): the file "/s" is empty; right: a file that holds the value`},
			nil,
		},
		{
			"wrong content",
			map[string]string{"AUTH_SECRET_FILE": "/s"},
			files{"/s": "hunter2"},
			"",
			[]string{"AUTH_SECRET_FILE (environment, file /s): the value has 7 characters, fewer than 8; right: text of at least 8 characters"},
			nil,
		},
		{
			"not a secret",
			map[string]string{"AUTH_PORT_FILE": "/s"},
			files{"/s": "1"},
			"", nil,
			[]string{"AUTH_PORT_FILE (environment): without effect: only secrets are read from files, and AUTH_PORT is none"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, report := loadTest(Source{Env: tt.env}, tt.disk)
			if got.Vault.Secret != tt.secret {
				t.Errorf("secret %q, want %q", got.Vault.Secret, tt.secret)
			}
			if diff := cmp.Diff(tt.errors, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.notes, lines(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCrossFieldRulesAreAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"kept", map[string]string{"AUTH_DEBUG": "true", "AUTH_STRICT": "false"}, nil},
		{"broken", map[string]string{"AUTH_DEBUG": "true"}, []string{"AUTH_DEBUG (environment): cannot be on while AUTH_STRICT is on"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, report := loadTest(Source{Env: tt.env}, nil)
			if diff := cmp.Diff(tt.want, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownNamesAreNotices(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"a typing mistake", map[string]string{"AUTH_PROT": "1"}, []string{"AUTH_PROT (environment): without effect: there is no such setting; did you mean AUTH_PORT?"}},
		{"in the file of a secret", map[string]string{"AUTH_SECRT_FILE": "1"}, []string{"AUTH_SECRT_FILE (environment): without effect: there is no such setting; did you mean AUTH_SECRET_FILE?"}},
		{"nothing near", map[string]string{"POSTERN_ZZZZZZZZZZZZ": "1"}, []string{"POSTERN_ZZZZZZZZZZZZ (environment): without effect: there is no such setting"}},
		{"empty", map[string]string{"AUTH_PROT": ""}, nil},
		{"not ours", map[string]string{"PATH": "1", "SMTP_HOST": "x", "AUTHOR": "x"}, nil},
		{"Hasura's own", map[string]string{"HASURA_GRAPHQL_ENABLE_CONSOLE": "true"}, nil},
		{"gone", map[string]string{"AUTH_HOST": "0.0.0.0"}, []string{"AUTH_HOST (environment): without effect: Hasura Auth dropped it in 0.6.1; Postern listens on every interface"}},
		{"to come, off", map[string]string{"AUTH_ENABLE_CHANGE_ENV": "false"}, nil},
		{"to come", map[string]string{"AUTH_ENABLE_CHANGE_ENV": "true"}, []string{"AUTH_ENABLE_CHANGE_ENV: known, but without effect: this version does not have the test door /change-env yet"}},
		{"Supabase's", map[string]string{"GOTRUE_API_ENDPOINT": "x", "GOTRUE_SAML_ENABLED": "false"}, []string{"GOTRUE_API_ENDPOINT (environment): without effect: it was for many instances in one process, which GoTrue gave up"}},
		{"Supabase's, mistyped", map[string]string{"GOTRUE_SITE_URI": "x"}, []string{"GOTRUE_SITE_URI (environment): without effect: there is no such setting; did you mean GOTRUE_SITE_URL?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, report := loadTest(Source{Env: tt.env}, nil)
			if diff := cmp.Diff(tt.want, lines(report.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if !report.OK() {
				t.Errorf("a notice became a refusal: %s", report)
			}
		})
	}
}

func TestASettingTwiceInTheFileIsANotice(t *testing.T) {
	t.Parallel()
	got, report := loadTest(Source{}, files{".env": "AUTH_PORT=1\nAUTH_PORT=2\nAUTH_INNER=a\nAUTH_INNER=a\n"})
	want := []string{"AUTH_PORT (.env:2): line 1 sets it too, to something else; the later line counts"}
	if diff := cmp.Diff(want, lines(report.Warnings)); diff != "" || got.Door.Port != 2 {
		t.Errorf("port %d, want 2; warnings (-want +got):\n%s", got.Door.Port, diff)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	got, report := loadTest(Source{Flags: map[string]string{
		"port": "5", "debug": "false", "enable-change-env": "true", "prot": "1",
	}}, nil)
	if got.Door.Port != 5 {
		t.Errorf("port %d, want 5", got.Door.Port)
	}
	wantErrors := []string{"--prot: there is no such flag; did you mean --port?"}
	if diff := cmp.Diff(wantErrors, lines(report.Errors)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	wantNotes := []string{
		"AUTH_ENABLE_CHANGE_ENV: known, but without effect: this version does not have the test door /change-env yet",
	}
	if diff := cmp.Diff(wantNotes, lines(report.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestMistakesInTagsAreFound(t *testing.T) {
	t.Parallel()
	type bad struct {
		A int            `env:"A" default:"x" doc:"A."`
		B string         `env:"B"`
		C string         `env:"C" format:"nope" doc:"C."`
		D time.Duration  `env:"D" unit:"week" doc:"D."`
		E map[string]any `env:"E" doc:"E."`
		F string         `env:"F G" doc:"F."`
		G string         `env:"H G" doc:"G."`
		H int            `env:"C" doc:"C."`
	}
	got := walk(&struct{ Bad bad }{}).faults
	want := []string{
		`A has a default that is wrong: "x" is not a whole number`,
		`B has no doc tag`,
		`C has the unknown format "nope"`,
		`D has the unknown unit "week"`,
		`E has a field of type map[string]interface {}, which settings cannot have`,
		`G belongs to F and to H`,
		`C is declared in Bad and, differently, in Bad`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestTheSettingsOfTheHouseAreDeclaredSoundly(t *testing.T) {
	t.Parallel()
	tree := walk(&Config{})
	for _, text := range tree.faults {
		t.Error(text)
	}
	flags := map[string]string{}
	for name := range tree.byName {
		flag := flagName(name)
		if other := flags[flag]; other != "" {
			t.Errorf("%s and %s have the same flag --%s", name, other, flag)
		}
		flags[flag] = name
		if v, ok := strangers()[name]; ok {
			t.Errorf("%s is a setting and must leave the table of names without effect (%v)", name, v)
		}
	}
	for flag, env := range upstreamFlags {
		if other := flags[flag]; other != "" && tree.byName[other] != tree.byName[env] {
			t.Errorf("--%s means %s upstream and %s here", flag, env, other)
		}
	}
	for _, s := range tree.settings {
		if !slicesContainsPrefix(s.name()) {
			t.Errorf("%s begins with nothing that a typing mistake would be noticed by", s.name())
		}
		if !strings.HasSuffix(s.doc, ".") || strings.ToUpper(s.doc[:1]) != s.doc[:1] {
			t.Errorf("%s: %q is not a sentence", s.name(), s.doc)
		}
	}
}

func slicesContainsPrefix(name string) bool {
	for _, p := range append([]string{"POSTGRES_"}, prefixes...) {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func TestReportReads(t *testing.T) {
	t.Parallel()
	_, report := loadTest(Source{Env: map[string]string{"AUTH_PORT": "80x", "AUTH_SECRET": "hunter2", "AUTH_HOST": "x"}}, nil)
	want := `2 settings are wrong.

  AUTH_PORT (environment)
      "80x" is not a whole number.
      Right: a whole number from 1 to 65535.

  AUTH_SECRET (environment)
      The value has 7 characters, fewer than 8.
      Right: text of at least 8 characters.

1 notice:

  AUTH_HOST (environment)
      Without effect: Hasura Auth dropped it in 0.6.1; Postern listens on every interface.
`
	if diff := cmp.Diff(want, report.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !strings.Contains(report.Text(true), "\x1b[1m") || strings.Contains(report.String(), "\x1b") {
		t.Error("colour is on or off in the wrong text")
	}
	if !errors.As(report.Err(), new(reportError)) || report.Err().Error()+"\n" != want {
		t.Errorf("the error says %q", report.Err())
	}
}

func TestShowMasksSecrets(t *testing.T) {
	t.Parallel()
	_, report := loadTest(Source{Env: map[string]string{
		"AUTH_SECRET": "correct horse", "AUTH_LIFE": "3600", "AUTH_ROLES": "a,b", "AUTH_LOUD": "hey",
		"POSTGRES_CONNECTION": "postgres://me:hunter2@db:5432/app?sslmode=disable",
	}}, nil)
	var text, js strings.Builder
	if err := report.Show(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := report.ShowJSON(&js); err != nil {
		t.Fatal(err)
	}
	want := `Door
  AUTH_PORT            4000                            default
  AUTH_DEBUG           false                           default
  AUTH_STRICT          true                            default
  AUTH_SERVER_URL      –                               default
  AUTH_LIFE            1h                              environment
  AUTH_WAIT            10s                             default
  AUTH_SHARE           0.5                             default
  AUTH_BIG             0                               default
  AUTH_METHOD          PLAIN                           default
  AUTH_ROLES           a, b                            environment
  AUTH_COLOURS         –                               default
  AUTH_LOUD            hey                             environment
  AUTH_INNER           –                               default

Vault
  AUTH_SECRET          •••• (13 characters)            environment
  POSTGRES_CONNECTION  postgres://me:••••@db:5432/app  environment
  AUTH_SEALED          –                               default
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("show (-want +got):\n%s", diff)
	}
	for _, out := range []string{text.String(), js.String()} {
		if strings.Contains(out, "hunter2") || strings.Contains(out, "horse") {
			t.Errorf("a secret is shown:\n%s", out)
		}
	}
	if !strings.Contains(js.String(), `"name": "AUTH_LIFE",`) {
		t.Errorf("JSON: %s", js.String())
	}
}
