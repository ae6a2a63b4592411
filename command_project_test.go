package main

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

// TestProjectKeys prints keys as Supabase's projects have them, with whatever signs, and no door takes them for users.
func TestProjectKeys(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "ES256"} {
		text, err := tokens.GenerateSecret(alg)
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"HASURA_GRAPHQL_JWT_SECRET": text}
		now := time.Now()
		got := runPostern(t, env, "keys", "project", "--expires", "90d")
		lines := strings.Split(got.Stdout, "\n")
		if got.Code != exitOK || len(lines) != 3 || !strings.Contains(got.Stderr, "for servers alone") {
			t.Fatalf("%s: exit code %d, %s %s", alg, got.Code, got.Stdout, got.Stderr)
		}
		var secret tokens.Secret
		if err := secret.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct{ name, role string }{{"ANON_KEY", "anon"}, {"SERVICE_ROLE_KEY", "service_role"}} {
			name, key, _ := strings.Cut(lines[i], "=")
			claims := jwt.MapClaims{}
			if _, _, err := jwt.NewParser().ParseUnverified(key, claims); err != nil || name != want.name {
				t.Errorf("%s: %s: %v", alg, lines[i], err)
			}
			ends := time.Unix(int64(claims["exp"].(float64)), 0)
			if days := ends.Sub(now).Hours() / 24; days < 89.9 || days > 90.1 {
				t.Errorf("%s: it ends %s", alg, ends)
			}
			delete(claims, "exp")
			delete(claims, "iat")
			if diff := cmp.Diff(jwt.MapClaims{"role": want.role, "iss": "hasura-auth"}, claims); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", alg, diff)
			}
			for _, bare := range []bool{true, false} {
				signer, err := tokens.NewSigner(secret, tokens.WithoutHasura(bare))
				if err != nil {
					t.Fatal(err)
				}
				if who, err := signer.Verify(key, now); err == nil || !strings.Contains(err.Error(), "sub is not") {
					t.Errorf("%s: the key is taken for %+v: %v", alg, who, err)
				}
			}
		}
	}
}

func TestProjectKeysAreNotMadeOfNothing(t *testing.T) {
	t.Parallel()
	secret, err := tokens.GenerateSecret("HS256")
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]string{"HASURA_GRAPHQL_JWT_SECRET": secret}
	for name, test := range map[string]struct {
		env  map[string]string
		ends string
		code int
		want string
	}{
		"no secret":         {nil, "10y", exitError, "HASURA_GRAPHQL_JWT_SECRET is not set"},
		"a sample":          {map[string]string{"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"super-secret-jwt-token-with-at-least-32-characters-long"}`}, "10y", exitError, "a sample"},
		"no number":         {good, "soon", exitUsage, "--expires must be"},
		"never":             {good, "0d", exitUsage, "--expires must be"},
		"a day gone by":     {good, "2020-01-31", exitUsage, "an end that is to come"},
		"longer than years": {good, "9999y", exitUsage, "before the year 10000"},
		"ten years":         {good, "10y", exitOK, ""},
	} {
		got := runPostern(t, test.env, "keys", "project", "--expires", test.ends)
		if got.Code != test.code || !strings.Contains(got.Stderr, test.want) || test.code != exitOK && got.Stdout != "" {
			t.Errorf("%s: exit code %d, %s %s", name, got.Code, got.Stdout, got.Stderr)
		}
	}
}
