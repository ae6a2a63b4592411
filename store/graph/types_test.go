package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

type introspected struct {
	Schema struct {
		QueryType struct{ Name string }
		Types     []introspectedType
	} `json:"__schema"`
}

type introspectedType struct {
	Kind, Name          string
	Fields, InputFields []struct {
		Name              string
		IsDeprecated      bool
		DeprecationReason string
		Type              wrapped
		Args              []struct {
			Name string
			Type wrapped
		}
	}
	EnumValues []struct{ Name string }
}

type wrapped struct {
	Kind, Name string
	OfType     *wrapped
}

func (w wrapped) String() string {
	switch w.Kind {
	case "NON_NULL":
		return w.OfType.String() + "!"
	case "LIST":
		return "[" + w.OfType.String() + "]"
	}
	return w.Name
}

// introspection is the query that tools ask, of graphql-js.
const introspection = `query IntrospectionQuery { __schema { description queryType { name } mutationType { name } subscriptionType { name } types { ...FullType }
  directives { name description isRepeatable locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } }`

func (d demo) introspect(t testing.TB) map[string]introspectedType {
	t.Helper()
	return introspectWith(t, d.Query)
}

func introspectWith(t testing.TB, ask func(context.Context, string, map[string]any) (json.RawMessage, error)) map[string]introspectedType {
	t.Helper()
	text, err := ask(context.WithoutCancel(t.Context()), introspection, nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer introspected
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	types := map[string]introspectedType{}
	for _, one := range answer.Schema.Types {
		types[one.Name] = one
	}
	return types
}

// TestIntrospectionIsASchema makes a schema of what introspection says, as another parser judges it.
func TestIntrospectionIsASchema(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL+odditiesSQL, demoRelationships)
	types := d.introspect(t)
	var sdl strings.Builder
	sdl.WriteString("schema { query: query_root }\n")
	for _, one := range types {
		switch one.Kind {
		case "SCALAR":
			if !slices.Contains([]string{"Int", "Float", "String", "Boolean"}, one.Name) {
				fmt.Fprintf(&sdl, "scalar %s\n", one.Name)
			}
		case "ENUM":
			fmt.Fprintf(&sdl, "enum %s {\n", one.Name)
			for _, v := range one.EnumValues {
				sdl.WriteString(v.Name + "\n")
			}
			sdl.WriteString("}\n")
		default:
			fields := one.Fields
			fmt.Fprintf(&sdl, "%s %s {\n", map[string]string{"OBJECT": "type", "INPUT_OBJECT": "input"}[one.Kind], one.Name)
			for _, f := range append(fields, one.InputFields...) {
				sdl.WriteString(f.Name)
				for i, a := range f.Args {
					sdl.WriteString([]string{"(", ", "}[min(i, 1)] + a.Name + ": " + a.Type.String())
				}
				sdl.WriteString(strings.Repeat(")", min(len(f.Args), 1)) + ": " + f.Type.String() + "\n")
			}
			sdl.WriteString("}\n")
		}
	}
	if _, err := validator.LoadSchema(validator.Prelude, &ast.Source{Input: sdl.String()}); err != nil {
		t.Fatalf("%v\n%s", err, sdl.String())
	}
	for name, want := range map[string]string{
		"query_root.user": "users", "query_root.users": "[users!]!", "query_root.usersAggregate": "users_aggregate!", "query_root.memberships_by_pk": "memberships",
		"users.id": "uuid!", "users.email": "citext", "users.metadata": "jsonb", "users.profile": "profiles", "users.roles": "[authUserRoles!]!", "users.roles_aggregate": "authUserRoles_aggregate!",
		"profiles.tags": "[String!]", "profiles.id": "bigint!", "profiles.rank": "smallint", "profiles.weight": "float8", "profiles.ratio": "Float", "profiles.organisation": "organisations",
		"contributions.project": "projects!", "departments.mood": "mood", "all_types.d": "Int", "all_types.c": "pair_scalar", "all_types.e": "[mood!]", "users_bool_exp.profile": "profiles_bool_exp",
		"users_order_by.memberships_aggregate": "memberships_aggregate_order_by", "projects_aggregate_fields.count": "Int!", "projects_sum_fields.size": "bigint",
	} {
		typeName, fieldName, _ := strings.Cut(name, ".")
		got := "nothing"
		for _, f := range append(types[typeName].Fields, types[typeName].InputFields...) {
			if f.Name == fieldName {
				got = f.Type.String()
			}
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestRelations holds the names that relations have in the demo database: first those that Hasura's
// console suggests or the settings give, then the further ones.
func TestRelations(t *testing.T) {
	t.Parallel()
	types := open(t, demoSQL, demoRelationships).introspect(t)
	for table, want := range map[string]string{
		"users":         "cars defaultRoleByRole departments github memberships orders profile refreshTokens roles securityKeys userProviders | carsByOwnerId departmentsByManagerId membershipsByUserId ordersByBuyer profileByUserId profiles",
		"profiles":      "busyness contributesTo contributionsByReviewerId organisation user | contributionsByProfileId organisationByOrganisationId organisations userByUserId users",
		"contributions": "profile profileByReviewerId project | profileByProfileId projectByProjectId projects reviewer",
		"organisations": "daughters organisation profiles | organisationByParentId organisations organisationsByParentId parent profilesByOrganisationId",
		"memberships":   "department shifts user | departmentByDepartmentId departments shiftsByDepartmentIdUserId userByUserId users",
		"shifts":        "membership | membershipByDepartmentIdUserId memberships",
		"shop_orders":   "user | userByBuyer users",
		"departments":   "memberships user | manager membershipsByDepartmentId userByManagerId users",
		"cars":          "user | userByOwnerId users", // owner is a column
		"authUserRoles": "roleByRole user | ",
	} {
		var first, further []string
		for _, f := range types[table].Fields {
			kind := strings.Trim(f.Type.String(), "[!]")
			switch {
			case types[kind].Kind != "OBJECT", strings.HasSuffix(f.Name, "_aggregate"):
			case f.IsDeprecated:
				further = append(further, f.Name)
			default:
				first = append(first, f.Name)
			}
		}
		if diff := cmp.Diff(want, strings.Join(first, " ")+" | "+strings.Join(further, " ")); diff != "" {
			t.Errorf("relations of %s (-want +got):\n%s", table, diff)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, `{
		"auth.user.profile": "public.profiles.user_id", "auth.users.a": "public.profile.user_id", "auth.users.b": "public.profiles.userid",
		"public.cars.owner": "public.cars.owner_id", "public.cars.c": "public.cars.owner", "public.memberships.d": "public.cars.id", "public.cars.e": "public.cars.id = auth.users.id",
		"public.cars.f": "public.cars.owner = public.github_accounts.login", "auth.factors.g": "auth.factors.user_id"}`)
	got, err := d.Problems(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"auth.user.profile: there is no table auth.user; the nearest is auth.users",
		"auth.users.a: there is no table public.profile; the nearest is public.profiles",
		"auth.users.b: public.profiles has no column userid; the nearest is user_id",
		"public.cars.owner cannot be a relationship: public.cars has a column of that name",
		`public.cars.c: public.cars.owner is no foreign key, so say which column it equals: "public.cars.owner = other_table.column"`,
		`public.memberships.d: public.cars.id is no foreign key to public.memberships, so say which column it equals: "public.memberships.column = public.cars.id"`,
		`public.cars.e: public.cars.id ("pg_catalog"."int4") and auth.users.id ("pg_catalog"."uuid") cannot be compared`,
		"auth.factors.g: there is no table auth.factors; the nearest is auth.users",
	}
	for i := range want {
		want[i] = "AUTH_CLAIMS_RELATIONSHIPS: " + want[i]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
