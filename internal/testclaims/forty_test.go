package testclaims_test

import "fmt"

// An expression is one that people use, with what must come of it.
type expression struct {
	number   string // in the list of expressions found in use
	claim    string // as it is written
	name     string // as the token has it
	path     string
	fallback string            // a default as JSON, or empty
	query    string            // the fields of the user that must be asked for
	want     map[string]string // by person; who is not there gets no such claim
}

// expressions are those of the forty that can work.
func expressions() []expression {
	const nilUUID = "00000000-0000-0000-0000-000000000000"
	everybody := func(literal string) map[string]string {
		all := map[string]string{}
		for _, p := range people() {
			all[p] = literal
		}
		return all
	}
	// with is what everybody gets, but for some.
	with := func(all map[string]string, but map[string]string) map[string]string {
		for p, literal := range but {
			all[p] = literal
		}
		return all
	}
	lists := func(but map[string]string) map[string]string { return with(everybody("{}"), but) }

	organizations := lists(map[string]string{
		rich: `{"chinthagunta","example"}`, single: `{"example"}`, bare: `{NULL}`,
		odd: `{"say \"hi\"","back\\slash","a,b","{x}","NULL","",` + "\"two\nlines\tand\u2028\"" + `,"<&>","ünïcödé 🙂"}`,
	})
	contributes := lists(map[string]string{rich: list(project1, project2), single: list(project1)})
	wholeM := map[string]string{
		rich:   `{"k":"v","l":["a","b","c"],"l2":["a"],"user_id":"` + rich + `"}`,
		single: `{"k":"","l":["a"],"l2":["a"],"user_id":"` + single + `"}`,
		bare:   `{"k":null,"l":[],"l2":null,"user_id":"` + bare + `"}`,
		odd:    `{"k":"null","l":["a\"b","c\\d",null,"NULL"],"l2":[""],"user_id":"` + odd + `"}`,
	}
	letters := lists(map[string]string{rich: `{"a","b","c"}`, single: `{"a"}`, odd: `{"a\"b","c\\d",NULL,"NULL"}`})
	jsonLetters := lists(map[string]string{rich: `{"a","b","c"}`, single: `{"a"}`})
	ids := lists(map[string]string{rich: `{1,2,3}`, single: `{4}`})
	filtered := lists(map[string]string{rich: `{1,3}`})

	return []expression{
		{
			"1", "projectsLeaded", "x-hasura-projectsleaded", `projectsLeaded[].projectId`, "", "{ projectsLeaded { projectId } }",
			lists(map[string]string{rich: list(project1, project2), single: list(project1)}),
		},
		{
			"2", "githubUserId", "x-hasura-githubuserid", `githubUser.githubUserId`, "", "{ githubUser { githubUserId } }",
			map[string]string{rich: "9007199254740993", single: "12345", bare: "0", odd: "-9223372036854775808"},
		},
		{
			"3", "githubAccessToken", "x-hasura-githubaccesstoken", `githubUser.accessToken`, "", "{ githubUser { accessToken } }",
			map[string]string{rich: "gho_rich", single: "gho_single", odd: " to\"k\\en\t"},
		},
		{"4", "org-id", "x-hasura-org-id", `organizations[].organization`, "", "{ organizations { organization } }", organizations},
		{
			"5", "org-id", "x-hasura-org-id", `organizations[0].organization`, "", "{ organizations { organization } }",
			map[string]string{rich: "chinthagunta", single: "example", odd: `say "hi"`},
		},
		{
			"6", "account-ids", "x-hasura-account-ids", `account_memberships.account.id[]`, "", "{ account_memberships { account { id } } }",
			lists(map[string]string{rich: list(account1, account2), single: list(account1)}),
		},
		{
			"7", "event-id", "x-hasura-event-id", `metadata.eventId`, "", "{ metadata }",
			map[string]string{rich: "ev-2", guest: "ev-1", odd: `{"b":[1,null],"z":"<&>"}`},
		},
		{
			"8", "organization-id", "x-hasura-organization-id", `profile.organization.id`, `"` + nilUUID + `"`, "{ profile { organization { id } } }",
			with(everybody(nilUUID), map[string]string{rich: org1, single: org2}),
		},
		{
			"12", "department-manager", "x-hasura-department-manager", `departments[?(@.role == "manager")].id`, "", "{ departments { id role } }",
			lists(map[string]string{rich: `{1}`}),
		},
		{
			"13", "department-member", "x-hasura-department-member", `departments[?(@.role == "member")].id`, "", "{ departments { id role } }",
			lists(map[string]string{rich: `{2,3}`, single: `{4}`}),
		},
		{
			"14", "org-ids", "x-hasura-org-ids", `profile.organizations[*].id`, "", "{ profile { organizations { id } } }",
			lists(map[string]string{rich: `{"13","37"}`, single: `{"13"}`}),
		},
		{"15", "company-id", "x-hasura-company-id", `company.id`, "", "{ company { id } }", map[string]string{rich: company1, single: company2}},
		{
			"16", "organisation-id", "x-hasura-organisation-id", `profile.organisation.id`, "", "{ profile { organisation { id } } }",
			map[string]string{rich: org1, single: org2},
		},
		{
			"17", "Organisation-Id", "x-hasura-organisation-id", `profile.organisation[].id`, "", "{ profile { organisation { id } } }",
			lists(map[string]string{rich: list(org1), single: list(org2)}),
		},
		{"18", "project-ids", "x-hasura-project-ids", `profile.contributesTo[].project.id`, "", "{ profile { contributesTo { project { id } } } }", contributes},
		{
			"19", "X-Hasura-Project-Ids", "x-hasura-project-ids", `profile.contributesTo.project.id`, "", "{ profile { contributesTo { project { id } } } }",
			map[string]string{rich: list(project1, project2), single: project1},
		},
		{"21", "name", "x-hasura-name", `metadata.name`, "", "{ metadata }", map[string]string{rich: "Rich", odd: "NULL"}},
		{"22", "token", "x-hasura-token", `metadata.token`, "", "{ metadata }", map[string]string{rich: "t-1"}},
		{
			"23", "displayName", "x-hasura-displayname", `displayName`, "", "{ displayName }",
			map[string]string{rich: "Rich", single: "Single", empty: "", bare: "Bare", odd: "O'Brien \"x\" \\ {,} <&>\n\u2028", guest: "Guest"},
		},
		{
			"24", "a", "x-hasura-a", `metadata.a`, "", "{ metadata }",
			map[string]string{rich: `{1,"x"}`, single: `{"b":true}`, bare: `{}`, odd: `{1,2,3}`},
		},
		{
			"29", "customClaimKey", "x-hasura-customclaimkey", `customClaimValue`, "", "{ customClaimValue }",
			map[string]string{rich: "custom", single: "", odd: `a"b\c`},
		},
		{"29b", "aaabbbccc", "x-hasura-aaabbbccc", `vvv`, "", "{ vvv }", map[string]string{rich: "vvv", odd: "null"}},
		{"31", "root", "x-hasura-root", `m`, "", "{ m { k l l2 user_id } }", wholeM},
		{"32", "key", "x-hasura-key", `m.k`, "", "{ m { k } }", map[string]string{rich: "v", single: "", odd: "null"}},
		{"33", "element", "x-hasura-element", `m.l[2]`, "", "{ m { l } }", map[string]string{rich: "c"}},
		{"34", "array[]", "x-hasura-array[]", `m.l[]`, "", "{ m { l } }", letters},
		{"34b", "array[]", "x-hasura-array[]", `m.l[*]`, "", "{ m { l } }", letters},
		{"35", "array.ids", "x-hasura-array.ids", `m.lm[].id`, "", "{ m { lm { id } } }", ids},
		{"35b", "array.ids", "x-hasura-array.ids", `m.lm[*].id`, "", "{ m { lm { id } } }", ids},
		{"35c", "array.ids", "x-hasura-array.ids", `m.lm.id[]`, "", "{ m { lm { id } } }", ids},
		{
			"36", "arrayOneElement", "x-hasura-arrayoneelement", `m.l2[]`, "", "{ m { l2 } }",
			lists(map[string]string{rich: `{"a"}`, single: `{"a"}`, odd: `{""}`}),
		},
		{
			"37", "metadata.m1", "x-hasura-metadata.m1", `metadata.m1`, "", "{ metadata }",
			map[string]string{rich: "1", single: "false", odd: "12345678901234567890"},
		},
		{"39", "filtered", "x-hasura-filtered", `m.d[?(@.v == 'a')].id`, "", "{ m { d { id v } } }", filtered},
		{"40", "company_id", "x-hasura-company_id", `company_id`, "", "{ company_id }", map[string]string{rich: company1, single: company2}},

		// The same shapes inside of a json column that is not the metadata of a user.
		{"31 in json", "root", "x-hasura-root", `document.m`, "", "{ document { m } }", map[string]string{
			rich:   `{"d":[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":3,"v":"a"}],"k":"v","l":["a","b","c"],"l2":["a"],"lm":[{"id":1},{"id":2},{"id":3}]}`,
			single: `{"d":[{"id":4,"v":"b"}],"k":"","l":["a"],"l2":["a"],"lm":[{"id":4}]}`,
			bare:   `{"d":[],"k":null,"l":[],"l2":null,"lm":[]}`, odd: `{1}`,
		}},
		{"32 in json", "key", "x-hasura-key", `document.m.k`, "", "{ document { m } }", map[string]string{rich: "v", single: ""}},
		{"33 in json", "element", "x-hasura-element", `document.m.l[2]`, "", "{ document { m } }", map[string]string{rich: "c"}},
		{"34 in json", "array[]", "x-hasura-array[]", `document.m.l[]`, "", "{ document { m } }", jsonLetters},
		{"34b in json", "array[]", "x-hasura-array[]", `document.m.l[*]`, "", "{ document { m } }", jsonLetters},
		{"35 in json", "array.ids", "x-hasura-array.ids", `document.m.lm[].id`, "", "{ document { m } }", ids},
		{"35b in json", "array.ids", "x-hasura-array.ids", `document.m.lm[*].id`, "", "{ document { m } }", ids},
		{"35c in json", "array.ids", "x-hasura-array.ids", `document.m.lm.id[]`, "", "{ document { m } }", ids},
		{
			"36 in json", "arrayOneElement", "x-hasura-arrayoneelement", `document.m.l2[]`, "", "{ document { m } }",
			lists(map[string]string{rich: `{"a"}`, single: `{"a"}`}),
		},
		{"39 in json", "filtered", "x-hasura-filtered", `document.m.d[?(@.v == 'a')].id`, "", "{ document { m } }", filtered},
		{"metadata of another table", "x", "x-hasura-x", `profile.metadata.x.y`, "", "{ profile { metadata } }", map[string]string{rich: "7"}},
		{"repeated brackets", "ids", "x-hasura-ids", `profile[].contributesTo[].project[].id`, "", "{ profile { contributesTo { project { id } } } }", contributes},
	}
}

// list is the literal of a list of texts without anything to escape.
func list(items ...string) string {
	text := "{"
	for i, item := range items {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf("%q", item)
	}
	return text + "}"
}
