package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/engine"
)

func TestSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings engine.Settings
		want     []string
	}{
		{"none", engine.Settings{}, nil},
		{"all", engine.Settings{URL: "http://hasura:8080/v1/graphql", AdminSecret: "s p"}, nil},
		{"no web address", engine.Settings{URL: "postgres://hasura/v1/graphql", MetadataURL: "ftp://x"}, []string{"HASURA_GRAPHQL_GRAPHQL_URL", "AUTH_HASURA_METADATA_URL"}},
		{"a line break", engine.Settings{AdminSecret: "a\nb"}, []string{"HASURA_GRAPHQL_ADMIN_SECRET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			tt.settings.Check(func(env, problem string) {
				got = append(got, env)
				if strings.Contains(problem, "a\nb") {
					t.Error("the problem repeats the secret")
				}
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWeaknesses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings engine.Settings
		want     []string // first words
	}{
		{"no engine", engine.Settings{}, nil},
		{"well", engine.Settings{URL: "http://h/v1/graphql", AdminSecret: "x"}, nil},
		{"no secret", engine.Settings{URL: "http://h/v1/graphql"}, []string{"HASURA_GRAPHQL_ADMIN_SECRET"}},
		{"another path", engine.Settings{URL: "http://h/graphql", AdminSecret: "x"}, []string{"HASURA_GRAPHQL_GRAPHQL_URL"}},
		{"another path, and told where", engine.Settings{URL: "http://h/graphql", AdminSecret: "x", MetadataURL: "http://h/m"}, nil},
		{"another path, and no metadata", engine.Settings{URL: "http://h/graphql", AdminSecret: "x", Metadata: engine.Off}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, w := range tt.settings.Weaknesses() {
				name, _, _ := strings.Cut(w, " ")
				got = append(got, name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("weaknesses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenWantsAnAddress(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "hasura:8080", "/v1/graphql", "http://", "http://a b"} {
		if _, err := engine.Open(engine.Settings{URL: url}, nil); err == nil || url != "" && strings.Contains(err.Error(), "a b") {
			t.Errorf("%q: error %v, want one that does not repeat the address", url, err)
		}
	}
}
