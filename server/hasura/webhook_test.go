package hasura_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/claims"
	"postern/flow"
	"postern/internal/testtrips"
	"postern/store"
	"postern/tokens"
)

const hookPath = "/hasura/webhook"

// hook asks as Hasura does that hands on the client's headers.
func (d doorway) hook(t testing.TB, more ...with) answer {
	t.Helper()
	return d.knock(t, "GET", hookPath, nil, more...)
}

// hookPosted asks as Hasura does that sends them in its body.
func (d doorway) hookPosted(t testing.TB, headers fields) answer {
	t.Helper()
	return d.ask(t, "POST", hookPath, fields{"headers": headers, "request": fields{"query": "{ todos { id } }", "variables": nil, "operationName": nil}})
}

func asRole(role string) with { return header("X-Hasura-Role", role) }

// variables reads the session variables of an answer, without what is for Hasura itself.
func (a answer) variables(t testing.TB) map[string]string {
	t.Helper()
	a.is(t, 200, "")
	var all map[string]string
	if err := json.Unmarshal([]byte(a.body), &all); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	delete(all, "Cache-Control")
	delete(all, "Expires")
	return all
}

func (a answer) speaksOf(t testing.TB, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, a.variables(t)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", a.request, diff)
	}
}

func variables(userID, role string, more ...string) map[string]string {
	m := map[string]string{"x-hasura-user-id": userID, "x-hasura-role": role, "x-hasura-user-is-anonymous": "false"}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// hookDoor is a house whose clock stands still: what it remembers does not age by itself.
func hookDoor(t testing.TB, more ...string) (doorway, *stillClock) {
	t.Helper()
	clock := newStillClock()
	return openDoor(t, unverified(more...), stopped(clock)), clock
}

func TestWebhookSpeaksOfTheBearer(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t)
	p := d.person(t)
	d.sql(t, `insert into auth.roles (role) values ('editor')`)
	d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'editor')`, p.User.ID)
	_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	guest := d.guest(t)
	custom := d.accessToken(t, func(a *tokens.Access) {
		a.Elevated = true
		a.Extra = map[string]string{
			"Org-Id": "7", "x-hasura-names": `{"a","b"}`, "role": "admin", "x-hasura-ADMIN-secret": "x", "access-key": "x", "use-backend-only-permissions": "true",
		}
	}, p.wireSession)
	id := p.User.ID
	for name, c := range map[string]struct {
		token, role string
		want        map[string]string
	}{
		"default role":          {p.AccessToken, "", variables(id, "user")},
		"another role":          {p.AccessToken, "me", variables(id, "me")},
		"one that is new":       {p.AccessToken, "editor", variables(id, "editor")},
		"personal access token": {pat, "", variables(id, "user")},
		"and a role":            {pat, "me", variables(id, "me")},
		"custom claims":         {custom, "", variables(id, "user", "x-hasura-auth-elevated", id, "x-hasura-org-id", "7", "x-hasura-names", `{"a","b"}`)},
		"guest":                 {guest.AccessToken, "", variables(guest.User.ID, "anonymous", "x-hasura-user-is-anonymous", "true")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := []with{bearer(c.token), header("X-Hasura-User-Id", nobodysID), header("X-Hasura-Org-Id", "8"), header("Cookie", "x=y")}
			posted := fields{"authorization": "Bearer " + c.token, "X-HASURA-User-Id": nobodysID, "Cache-Control": "max-age=9"}
			if c.role != "" {
				more, posted["x-HASURA-role"] = append(more, asRole(c.role)), c.role
			}
			for range 2 { // from the database, and from memory
				d.hook(t, more...).speaksOf(t, c.want)
				d.hookPosted(t, posted).speaksOf(t, c.want)
			}
		})
	}
}

// TestWebhookSaysHowLong holds what Hasura does with an answer: the members Cache-Control and Expires end a
// websocket, the header is about the answer itself.
func TestWebhookSaysHowLong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings                []string
		age                     time.Duration
		header                  string
		socketToken, socketPAT  int
		socketStranger, patEnds int // 0: none; in seconds
	}{
		"by itself":              {[]string{"AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE", "public"}, 0, "private, max-age=5", 900, 900, 0, 0},
		"a moment later":         {nil, 3 * time.Second, "private, max-age=2", 897, 900, -1, 0},
		"a moment before expiry": {nil, 898 * time.Second, "private, max-age=2", 2, 900, -1, 0},
		"connections are short":  {[]string{"AUTH_HASURA_WEBHOOK_CONNECTION_LIFE", "60s", "AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE", "public"}, 0, "private, max-age=5", 60, 60, 60, 0},
		"a token that ends":      {[]string{"AUTH_HASURA_WEBHOOK_MEMORY", "2s"}, 0, "private, max-age=2", 900, 30, -1, 30},
		"no memory":              {[]string{"AUTH_HASURA_WEBHOOK_MEMORY", "0s"}, 0, "private, max-age=0", 900, 900, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, clock := hookDoor(t, c.settings...)
			p := d.person(t)
			expires := clock.Now().Add(24 * time.Hour)
			if c.patEnds > 0 {
				expires = clock.Now().Add(time.Duration(c.patEnds) * time.Second)
			}
			_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": expires.Format(time.RFC3339)})
			token := d.accessToken(t, nil, p.wireSession)
			if c.age < 5*time.Second {
				d.hook(t, bearer(token)).is(t, 200, "") // remembered
			}
			clock.Advance(c.age)
			lasts := func(a answer, seconds int) {
				t.Helper()
				a.is(t, 200, "")
				var all map[string]string
				if err := json.Unmarshal([]byte(a.body), &all); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{}
				if seconds > 0 {
					want["Cache-Control"] = "max-age=" + strconv.Itoa(seconds)
					want["Expires"] = clock.Now().Add(time.Duration(seconds) * time.Second).Format(http.TimeFormat)
				}
				maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasPrefix(name, "x-hasura-") })
				if diff := cmp.Diff(want, all); diff != "" {
					t.Error(diff)
				}
			}
			a := d.hook(t, bearer(token))
			if got := a.header.Get("Cache-Control"); got != c.header {
				t.Errorf("Cache-Control %q, want %q", got, c.header)
			}
			if vary := strings.Join(a.header.Values("Vary"), ", "); !strings.Contains(vary, "Authorization, X-Hasura-Role") {
				t.Errorf("Vary %q", vary)
			}
			lasts(a, c.socketToken)
			lasts(d.hook(t, bearer(pat)), c.socketPAT)
			if c.socketStranger >= 0 {
				lasts(d.hook(t), c.socketStranger)
			}
		})
	}
}

func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t)
	p := d.person(t)
	id := p.User.ID
	patID, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": clock.Now().Add(time.Hour).Format(time.RFC3339)})
	state, err := d.Kit.Signer.SignPurpose("state", map[string]any{"sub": id}, time.Hour, clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(secret string) string {
		t.Helper()
		var s tokens.Secret
		if err := s.UnmarshalText([]byte(secret)); err != nil {
			t.Fatal(err)
		}
		signer, err := tokens.NewSigner(s)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(tokens.Access{UserID: id, SessionID: p.RefreshTokenID, Roles: []string{"user"}, DefaultRole: "user", Life: time.Hour}, clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	key := strings.Repeat("test-key-", 8)
	parts := strings.Split(p.AccessToken, ".")
	for name, c := range map[string]struct {
		more []with
		id   string
	}{
		"nothing":                       {nil, "unauthorized"},
		"a role alone":                  {[]with{asRole("user")}, "unauthorized"},
		"an empty header":               {[]with{header("Authorization", "")}, "unauthorized"},
		"no token":                      {[]with{header("Authorization", "Bearer ")}, "unauthorized"},
		"another scheme":                {[]with{header("Authorization", "Basic "+p.AccessToken)}, "unauthorized"},
		"no scheme":                     {[]with{header("Authorization", p.AccessToken)}, "unauthorized"},
		"two tokens":                    {[]with{bearer(p.AccessToken), bearer(p.AccessToken)}, "unauthorized"},
		"two in one":                    {[]with{header("Authorization", "Bearer "+p.AccessToken+", Bearer x")}, "unauthorized"},
		"a word":                        {[]with{bearer("undefined")}, "unauthorized"},
		"another issuer":                {[]with{bearer(foreign(`{"type":"HS256","key":"` + key + `","issuer":"elsewhere"}`))}, "unauthorized"},
		"another audience":              {[]with{bearer(foreign(`{"type":"HS256","key":"` + key + `","audience":"elsewhere"}`))}, "unauthorized"},
		"another key":                   {[]with{bearer(foreign(`{"type":"HS256","key":"` + key + `x"}`))}, "unauthorized"},
		"another algorithm":             {[]with{bearer(foreign(`{"type":"HS512","key":"` + key + `"}`))}, "unauthorized"},
		"another purpose":               {[]with{bearer(state)}, "unauthorized"},
		"no signature":                  {[]with{bearer(parts[0] + "." + parts[1] + ".")}, "unauthorized"},
		"another payload":               {[]with{bearer(parts[0] + "." + parts[1] + "AA." + parts[2])}, "unauthorized"},
		"a refresh token":               {[]with{bearer(p.RefreshToken)}, "invalid-pat"},
		"the id of a token":             {[]with{bearer(patID)}, "invalid-pat"},
		"a made-up token":               {[]with{bearer(tokens.NewUUID())}, "invalid-pat"},
		"in capitals":                   {[]with{bearer(strings.ToUpper(pat))}, "unauthorized"},
		"a role that is not theirs":     {[]with{bearer(p.AccessToken), asRole("admin")}, "role-not-allowed"},
		"the same for a personal token": {[]with{bearer(pat), asRole("admin")}, "role-not-allowed"},
		"a role in another case":        {[]with{bearer(p.AccessToken), asRole("User")}, "role-not-allowed"},
		"an empty role":                 {[]with{bearer(p.AccessToken), asRole("")}, "role-not-allowed"},
		"two roles":                     {[]with{bearer(p.AccessToken), asRole("user"), asRole("user")}, "role-not-allowed"},
		"two roles in one":              {[]with{bearer(p.AccessToken), asRole("user, me")}, "role-not-allowed"},
		"a role of another user":        {[]with{bearer(p.AccessToken), asRole("anonymous")}, "role-not-allowed"},
		"somebody without a session":    {[]with{bearer(d.accessToken(t, func(a *tokens.Access) { a.SessionID = tokens.NewUUID() }, p.wireSession))}, "unauthorized"},
		"nobody":                        {[]with{bearer(d.accessToken(t, func(a *tokens.Access) { a.UserID = nobodysID }, p.wireSession))}, "unauthorized"},
	} {
		for range 2 {
			a := d.hook(t, c.more...)
			if no := a.refusal(t); a.status != 401 || no.Error != c.id {
				t.Errorf("%s: %s", name, a)
			}
			if a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: a refusal is kept: %v", name, a.header)
			}
		}
	}
	// What was remembered of a token ends with it.
	d.hook(t, bearer(pat)).speaksOf(t, variables(id, "user"))
	clock.Advance(time.Hour)
	d.hook(t, bearer(pat)).refused(t, 401, "invalid-pat", "")
	short := d.accessToken(t, func(a *tokens.Access) { a.Life = 2 * time.Second }, p.wireSession)
	d.hook(t, bearer(short)).speaksOf(t, variables(id, "user"))
	clock.Advance(2 * time.Second)
	d.hook(t, bearer(short)).refused(t, 401, "unauthorized", "")
	for _, secret := range []string{p.AccessToken, pat, p.RefreshToken, short} {
		if strings.Contains(d.Log.String(), secret) {
			t.Error("the log has a token")
		}
	}
}

func TestWebhookWithoutAToken(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t, "AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE", "public")
	want := map[string]string{"x-hasura-role": "public"}
	d.hook(t).speaksOf(t, want)
	d.hook(t, asRole("public"), header("X-Hasura-User-Id", nobodysID)).speaksOf(t, want)
	d.hookPosted(t, fields{"x-hasura-role": "public"}).speaksOf(t, want)
	d.hook(t, asRole("user")).refused(t, 401, "unauthorized", "")
	// A bad token is not the same as none.
	for _, bad := range []string{"Bearer x.y.z", "Bearer " + tokens.NewUUID(), "", "Bearer"} {
		if a := d.hook(t, header("Authorization", bad)); a.status != 401 {
			t.Errorf("%q: %s", bad, a)
		}
	}
}

func TestWebhookIsOffUnlessItIsWanted(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_HASURA_WEBHOOK_ENABLED", ""))
	p := d.person(t)
	d.hook(t, bearer(p.AccessToken)).refused(t, 409, "disabled-endpoint", "")
	d.hookPosted(t, fields{"Authorization": "Bearer " + p.AccessToken}).refused(t, 409, "disabled-endpoint", "")
	if n := d.listeners(t); len(n) != 0 {
		t.Errorf("%d listeners for nobody", len(n))
	}
}

// TestWebhookFillsNoLog: there is a question for every request to the engine.
func TestWebhookFillsNoLog(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t)
	p := d.person(t)
	d.hook(t, bearer(p.AccessToken)).is(t, 200, "")
	d.hook(t, bearer(tokens.NewUUID())).is(t, 401, "")
	levels := map[string]int{}
	for line := range strings.Lines(d.Log.String()) {
		var l struct {
			Level, Path, Reason string
			Status              int
		}
		if err := json.Unmarshal([]byte(line), &l); err == nil && strings.HasSuffix(l.Path, hookPath) {
			levels[fmt.Sprint(l.Status, l.Level, l.Reason != "")]++
		}
	}
	if diff := cmp.Diff(map[string]int{"200DEBUGfalse": 1, "401INFOtrue": 1}, levels); diff != "" {
		t.Error(diff)
	}
}

func TestWebhookOutsideThePrefix(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t)
	p := d.person(t)
	for _, method := range []string{"GET", "POST"} {
		body := `{"headers":{"Authorization":"Bearer ` + p.AccessToken + `"},"request":{"query":"` + strings.Repeat("x", 5<<20) + `"}}` // Hasura reads no answer before it has sent all
		req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(d.URL, "/v1")+hookPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if method == "GET" {
			req.Body, req.ContentLength = nil, 0
			req.Header.Set("Authorization", "Bearer "+p.AccessToken)
		}
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		answer{method, resp.StatusCode, resp.Header, string(got)}.speaksOf(t, variables(p.User.ID, "user"))
	}
}

// TestWebhookAnswersHasuraHoweverOften has every user behind one address, beside somebody who guesses.
func TestWebhookAnswersHasuraHoweverOften(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t, "AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_GLOBAL_BURST", "20", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "1")
	p := d.person(t)
	_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	for range 100 {
		d.hook(t, bearer(tokens.NewUUID())).refused(t, 401, "invalid-pat", "")
	}
	for _, token := range []string{p.AccessToken, pat} {
		d.hook(t, bearer(token)).speaksOf(t, variables(p.User.ID, "user"))
	}
}

func TestWebhookHostileBodies(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t)
	p := d.person(t)
	good := `"headers":{"authorization":"Bearer ` + p.AccessToken + `"}`
	deep := strings.Repeat(`{"a":[`, 4000) + strings.Repeat(`]}`, 4000)
	blob := strings.Repeat("x", 10<<20)
	for name, body := range map[string]string{
		"as Hasura sends it":          `{` + good + `,"request":{"query":"{a}","variables":{"a":1},"operationName":null}}`,
		"without the request":         `{` + good + `}`,
		"the request is null":         `{` + good + `,"request":null}`,
		"a batch":                     `{"request":[{"query":"a"},{"query":"b"}],` + good + `}`,
		"the request first":           `{"request":{"query":"{a}","headers":{"authorization":"Bearer x.y.z"}},` + good + `}`,
		"nested deeply":               `{"request":` + deep + `,` + good + `}`,
		"a request of 10 MB":          `{` + good + `,"request":{"query":"` + blob + `"}}`,
		"a request of 200 KB first":   `{"request":{"query":"` + blob[:200<<10] + `"},` + good + `}`,
		"names given twice in it":     `{"request":{"a":1,"a":2},` + good + `}`,
		"broken after the headers":    `{` + good + `,"request":{{{`,
		"a second headers":            `{` + good + `,"headers":{"authorization":"Bearer x"}}`,
		"other headers that are long": `{"headers":{"cookie":"` + blob[:200<<10] + `","authorization":"Bearer ` + p.AccessToken + `"}}`,
	} {
		if a := d.knock(t, "POST", hookPath, body); a.status != 200 {
			t.Errorf("%s: %s", name, a)
		}
	}
	for name, body := range map[string]string{
		"nothing": ``, "no object": `[]`, "null": `null`, "a string": `"headers"`, "no headers": `{"request":null}`, "headers in another case": `{"Headers":{}}`,
		"headers are null": `{"headers":null}`, "headers are a list": `{"headers":["authorization"]}`, "a list in them": `{"headers":{"authorization":["Bearer ` + p.AccessToken + `"]}}`,
		"a number in them": `{"headers":{"x":1}}`, "null in them": `{"headers":{"x":null}}`, "cut off": `{"headers":{"authorization":"Bearer`, "cut off before": `{"request":{"a":`,
		"too much before them": `{"request":"` + blob[:256<<10] + `",` + good + `}`, "too long": `{"headers":{"cookie":"` + blob[:256<<10] + `","authorization":"Bearer ` + p.AccessToken + `"}}`, "nested too deeply": `{"request":` + strings.Repeat("[", 20_000), "not JSON": `authorization=x`,
		"10 MB of opening": strings.Repeat(`{"a":`, 2<<20),
	} {
		a := d.knock(t, "POST", hookPath, body)
		if no := a.refusal(t); a.status != 400 || no.Error != "invalid-request" {
			t.Errorf("%s: %s", name, a)
		}
	}
	for name, headers := range map[string]string{
		"twice":              `"authorization":"Bearer ` + p.AccessToken + `","authorization":"Bearer ` + p.AccessToken + `"`,
		"twice in two cases": `"authorization":"Bearer ` + p.AccessToken + `","Authorization":"Bearer x.y.z"`,
		"with a line break":  `"authorization":"Bearer ` + p.AccessToken + `\r\nX-Hasura-Role: admin"`,
		"in a name":          `"authorization\r\n":"Bearer ` + p.AccessToken + `"`,
		"with a NUL":         `"authorization":"Bearer ` + p.AccessToken + `\u0000"`,
		"two roles":          `"authorization":"Bearer ` + p.AccessToken + `","x-hasura-role":"user","X-Hasura-Role":"me"`,
		"a role of bytes":    `"authorization":"Bearer ` + p.AccessToken + `","x-hasura-role":"us` + "\xff" + `er"`,
	} {
		if a := d.knock(t, "POST", hookPath, `{"headers":{`+headers+`}}`); a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
	// Hasura's own headers say nothing of its client.
	d.hookPosted(t, fields{}).refused(t, 401, "unauthorized", "")
	d.ask(t, "POST", hookPath, fields{"headers": fields{}}, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "POST", hookPath, fields{"headers": fields{"Authorization": "Bearer " + p.AccessToken}}, bearer("x.y.z"), asRole("admin")).speaksOf(t, variables(p.User.ID, "user"))
	if strings.Contains(d.Log.String(), p.AccessToken) {
		t.Error("the log has a token")
	}
}

// TestWebhookAnswersFromMemory takes one round trip, and then none.
func TestWebhookAnswersFromMemory(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, unverified(), testtrips.Count, stopped(clock))
	p := d.person(t)
	_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	for _, token := range []string{p.AccessToken, pat} {
		for i, want := range []int{1, 0, 0} {
			if status, counted := serve(t, d.House, "GET", hookPath, nil, token, home()); status != 200 || len(counted.Asked) != want {
				t.Errorf("request %d: %d, round trips %v", i, status, counted.Asked)
			}
		}
		clock.Advance(5 * time.Second)
	}
}

// TestWebhookComputesClaimsOfPersonalTokens has the database itself as the source of claims.
func TestWebhookComputesClaimsOfPersonalTokens(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t)
	p, q := d.person(t), d.person(t)
	id := p.User.ID
	d.sql(t, `update auth.users set metadata = '{"plan": "gold", "tags": ["a", "b"]}' where id = $1`, id)
	_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	_, other := d.createPAT(t, q.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	kit := d.Kit
	var err error
	kit.Claims, err = claims.Open(claims.Settings{
		Definitions: `{"Mail":"email","plan":{"path":"metadata.plan","required":true},"tags":"metadata.tags[]"}`,
	}, d.Store.Graph(store.GraphSettings{}, clock.Now), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := flow.NewEngine(kit, flow.EngineSettings{Webhook: true, Memory: 5 * time.Second})
	i, err := e.Identify(t.Context(), flow.Request{Credential: pat})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range i.Variables {
		got[v.Name] = v.Value
	}
	if diff := cmp.Diff(variables(id, "user", "x-hasura-mail", p.email, "x-hasura-plan", "gold", "x-hasura-tags", `{"a","b"}`), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := e.Identify(t.Context(), flow.Request{Credential: other}); auth.CodeOf(err) != auth.ClaimMissing {
		t.Errorf("without a required claim: %v", err)
	}
	// A token says what it said when it was issued.
	if i, err := e.Identify(t.Context(), flow.Request{Credential: p.AccessToken}); err != nil || len(i.Variables) != 3 {
		t.Errorf("%+v, %v", i, err)
	}
}

// TestWebhookSaysTheClaimsOfTheHouse has claims as an operator sets them, in a token that was signed for a
// person, and for a token that has none in it.
func TestWebhookSaysTheClaimsOfTheHouse(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t, "AUTH_JWT_CUSTOM_CLAIMS", `{"Mail":"email","plan":{"path":"metadata.plan","default":"free"}}`, "AUTH_CLAIMS_SOURCE", "database", "AUTH_JWT_OLD_ANONYMOUS_CLAIM", "true")
	p := d.person(t)
	_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	want := variables(p.User.ID, "user", "x-hasura-mail", p.email, "x-hasura-plan", "free", "x-hasura-user-isanonymous", "false")
	d.hook(t, bearer(p.AccessToken)).speaksOf(t, want)
	d.hook(t, bearer(pat)).speaksOf(t, want)
	d.sql(t, `update auth.users set metadata = '{"plan": "gold"}' where id = $1`, p.User.ID)
	clock.Advance(5 * time.Second)
	d.hook(t, bearer(p.AccessToken)).speaksOf(t, want) // as it was when the token was signed
	want["x-hasura-plan"] = "gold"
	d.hook(t, bearer(pat)).speaksOf(t, want)
}
