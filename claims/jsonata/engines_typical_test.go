package jsonata_test

import (
	"encoding/json"
	"errors"
	"testing"

	blues "github.com/blues/jsonata-go"

	"postern/claims/jsonata"
)

// typical are expressions as people write them for claims, beside those of the other tests.
func typical() []string {
	return []string{
		"email", "id", "$.email", "$$.email", "metadata", "metadata.plan", "metadata.deep.er", "profile.organisation.id", "profile.organisation[].id",
		"profile.contributesTo[].project.id", "profile.contributesTo.project.id", "profile.contributesTo[0].project.id", "profile.contributesTo[-1].project.id",
		"departments[?(@.role == 'manager')].id", "departments[role = 'manager'].id", "departments[role = 'manager'][0].id", "departments[role != 'manager'].id",
		"departments[id > 1].id", "departments[id >= 1 and role = 'manager'].id", "departments[role = 'manager' or role = 'member'].id",
		"departments[role in ['manager', 'owner']].id", "departments.id[]", "departments[].id[0]", "(departments.id)[0]", "departments[$contains(role, 'man')].id",
		"departments[$count(tags) > 0].id", "departments^(id).role", "departments^(>id).role", "departments^(role, >id).id", "departments[0]", "departments[0].id",
		"$count(departments)", "$count(departments[role = 'manager'])", "$exists(profile)", "$exists(profile.organisation)", "$not($exists(bannedAt))",
		"$sum(departments.id)", "$max(departments.id)", "$min(departments.id)", "$average(departments.id)", "$join(departments.role, ',')", "$join(tags, ' ')",
		"$distinct(departments.role)", "$sort(tags)", "$reverse(tags)", "$append(tags, departments.role)", "$map(departments, function($d){$d.id})",
		"$filter(departments, function($d){$d.role = 'manager'}).id", "$reduce(departments.id, function($a, $b){$a + $b})", "departments ~> $count()",
		"email ~> $substringBefore('@') ~> $uppercase()", "$substringAfter(email, '@')", "$uppercase(displayName)", "$lowercase(email)", "$length(displayName)",
		"$split(email, '@')[0]", "$substring(displayName, 0, 1)", "$replace(email, '@', ' at ')", "$contains(email, 'example')", "$trim(displayName)", "$pad(displayName, 5, '#')",
		"$string(githubUser.githubUserId)", "$number(metadata.seats)", "$boolean(tags)", "$string(departments.id)", "$string(metadata.plan)", "$type(tags)",
		"metadata.plan = 'pro'", "metadata.plan = 'pro' ? 'paid' : 'free'", "metadata.plan ? metadata.plan : 'none'", "emailVerified and active", "emailVerified or active",
		"active ? 'yes'", "'manager' in departments.role", "'x' in tags", "email & ' <' & displayName & '>'", "missing & 'x'", "1 + 2 * 3", "10 / 4", "7 % 3", "-1", "metadata.seats * 2", "metadata.seats > 3",
		"missing", "missing.more", "missing[]", "missing = 'x'", "missing != 'x'", "$count(missing)", "$sum(missing)", "$uppercase(missing)", "[missing]", "[email, displayName]", "[tags, departments.role]",
		"{'mail': email, 'name': displayName}", "{'ids': departments.id}", "{'ids': departments.id[]}", "departments.{'i': id}", "$merge([{'a': 1}, {'b': email}])", "$keys(githubUser)", "$lookup(metadata, 'plan')",
		"($n := displayName; $n & '!')", "($d := departments[role = 'manager']; $count($d))", "departments.(role & id)", "departments.tags", "departments.tags[]", "tags[0]", "tags[-1]", "tags[[0..1]]", "tags[5]",
		"$round(metadata.seats / 3, 2)", "$floor(2.7)", "$ceil(2.1)", "$abs(-3)", "$power(2, 10)", "$sqrt(16)", "$zip(tags, tags)", "[1..3]", "$formatBase(255, 16)", "$base64encode(displayName)", "true", "null", "'text'", "12.50", "1e3",
	}
}

// people are users of the same shape: with several of everything, one of everything, and nothing.
func people() map[string]string {
	return map[string]string{
		"many": `{"id": "u1", "email": "ada@example.com", "displayName": "Ada", "active": true, "emailVerified": true, "tags": ["b", "a"], "githubUser": {"githubUserId": 12345},
			"metadata": {"plan": "pro", "seats": 25, "deep": {"er": [1, 2]}},
			"profile": {"organisation": {"id": "o1"}, "contributesTo": [{"project": {"id": "p1"}}, {"project": {"id": "p2"}}]},
			"departments": [{"id": 1, "role": "manager", "tags": ["x"]}, {"id": 2, "role": "member", "tags": ["y", "z"]}, {"id": 3, "role": "manager", "tags": []}]}`,
		"one": `{"id": "u2", "email": "bob@example.com", "displayName": "Bob", "active": false, "emailVerified": true, "tags": ["a"], "githubUser": {"githubUserId": 0},
			"metadata": {"plan": "", "seats": 1, "deep": {"er": [1]}},
			"profile": {"organisation": {"id": "o1"}, "contributesTo": [{"project": {"id": "p1"}}]}, "departments": [{"id": 1, "role": "manager", "tags": ["x"]}]}`,
		"none": `{"id": "u3", "email": "eve@example.com", "displayName": "", "active": false, "emailVerified": false, "tags": [], "departments": []}`,
	}
}

// TestEnginesAgreeOnWhatIsTypical evaluates what people write for users with several rows, with one and
// with none: where JSONata's rules about lists show, the two engines are the most likely to differ.
func TestEnginesAgreeOnWhatIsTypical(t *testing.T) {
	reasons := typicalDifferences()
	met := map[string]bool{}
	same, all := 0, 0
	for name, person := range people() {
		for _, text := range typical() {
			ours, theirs := bothAnswers(t, text, person)
			all++
			switch {
			case ours == theirs:
				same++
			case reasons[name+": "+text] == "":
				t.Errorf("%s: %s: %s, by blues %s", name, text, ours, theirs)
			default:
				met[name+": "+text] = true
			}
		}
	}
	for one := range reasons {
		if !met[one] {
			t.Errorf("%s is no difference any more", one)
		}
	}
	t.Logf("%d of %d evaluations give the same", same, all)
}

// bothAnswers evaluates for one person.
func bothAnswers(t *testing.T, text, person string) (ours, theirs string) {
	t.Helper()
	e, err := jsonata.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ours = show(e.Evaluate(t.Context(), decode(t, person)))
	var data any
	if err := json.Unmarshal([]byte(person), &data); err != nil {
		t.Fatal(err)
	}
	other, err := blues.Compile(e.Text())
	if err != nil {
		return ours, "error"
	}
	v, err := other.Eval(data)
	if errors.Is(err, blues.ErrUndefined) {
		return ours, "nothing"
	}
	return ours, show(v, true, err)
}

// typicalDifferences are the evaluations whose results differ, with the reason. Where JSONata itself
// (2.2.2, in JavaScript) was asked, it is with us, but for the one that says otherwise.
func typicalDifferences() map[string]string {
	const (
		single = "JSONata 2 gives a single element by itself"
		list   = "what is written with brackets is a list here, and an empty one where there is nothing"
		empty  = "blues takes an empty list for nothing"
	)
	return map[string]string{
		"one: $map(departments, function($d){$d.id})":  single,
		"one: tags[[0..1]]":                            "gnata keeps the list, and JSONata does not",
		"none: departments[?(@.role == 'manager')].id": list,
		"none: departments.id[]":                       list,
		"none: departments[].id[0]":                    list,
		"none: departments.tags[]":                     list,
		"none: $join(tags, ' ')":                       empty,
		"none: $sort(tags)":                            empty,
		"none: $reverse(tags)":                         empty,
		"none: $append(tags, departments.role)":        empty,
		"none: $boolean(tags)":                         empty,
		"none: $type(tags)":                            empty,
		"none: $distinct(departments.role)":            "blues makes null of nothing",
		"none: metadata.seats > 3":                     "blues compares nothing as if it were something",
	}
}
