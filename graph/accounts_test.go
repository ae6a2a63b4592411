package graph_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"postern/internal/testhouse"
	"postern/tokens"
)

const (
	createUser = `mutation($input: CreateUserInput!) { createUser(input: $input) { user {
		id email emailVerified phoneNumber phoneNumberVerified displayName avatarUrl locale defaultRole roles metadata disabled hasPassword passwordMustChange lastSeen } } }`
	goodPassword = "a sentence that nobody has leaked yet"
)

// account is a user as the mutations show them.
type account struct {
	ID, Email, PhoneNumber, DisplayName, AvatarURL, Locale, DefaultRole string
	EmailVerified, PhoneNumberVerified, Disabled                        bool
	HasPassword, PasswordMustChange                                     bool
	Roles                                                               []string
	Metadata                                                            any
	LastSeen, BannedUntil, DeletedAt, UpdatedAt                         *string
}

// do asks for a change with the admin secret.
func do(t testing.TB, h *testhouse.House, operation string, input map[string]any) answer {
	t.Helper()
	return ask(t, h, bySecret(), operation, map[string]any{"input": input})
}

// made makes a user, and fails the test when that is refused.
func made(t testing.TB, h *testhouse.House, input map[string]any) account {
	t.Helper()
	got := do(t, h, createUser, input)
	var out struct{ CreateUser struct{ User account } }
	if len(got.Errors) > 0 || json.Unmarshal(got.Data, &out) != nil {
		t.Fatalf("%v: %s %+v", input, got.Data, got.Errors)
	}
	return out.CreateUser.User
}

// count is what a statement counts.
func count(t testing.TB, h *testhouse.House, sql string, arguments ...any) (n int) {
	t.Helper()
	if err := h.Store.Pool().QueryRow(t.Context(), sql, arguments...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// post sends a request of a user's.
func post(t testing.TB, h *testhouse.House, path, body string, header ...string) (status int, text string) {
	t.Helper()
	resp, text := h.Do(t, http.MethodPost, path, body, header...)
	defer resp.Body.Close()
	return resp.StatusCode, text
}

// signIn signs in with a password, and gives the status and the word of a refusal.
func signIn(t testing.TB, h *testhouse.House, email, password string) (status int, refusal string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	status, text := post(t, h, "/signin/email-password", string(body))
	var out struct{ Error string }
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return status, out.Error
}

// TestCreateUserWithEverything: what was given is there, and nothing else came of it.
func TestCreateUserWithEverything(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_LOCALE_ALLOWED_LOCALES": "en,de", "AUTH_DISABLE_SIGNUP": "true", "AUTH_ACCESS_CONTROL_ALLOWED_EMAILS": "nobody@example.com"})
	id := tokens.NewUUID()
	got := made(t, h, map[string]any{
		"id": id, "email": "Ada@example.com", "emailVerified": true, "phoneNumber": "+44 20 7183 8750", "phoneNumberVerified": true,
		"displayName": "Ada", "avatarUrl": "https://example.com/ada.png", "locale": "de", "defaultRole": "me", "roles": []string{"me", "operator"},
		"metadata": map[string]any{"plan": "gold"}, "disabled": true,
	})
	if got.ID != id || got.Email != "Ada@example.com" || !got.EmailVerified || got.PhoneNumber != "+442071838750" || !got.PhoneNumberVerified ||
		got.DisplayName != "Ada" || got.AvatarURL != "https://example.com/ada.png" || got.Locale != "de" || got.DefaultRole != "me" ||
		fmt.Sprint(got.Roles) != "[me operator]" || fmt.Sprint(got.Metadata) != "map[plan:gold]" || !got.Disabled || got.HasPassword || got.PasswordMustChange || got.LastSeen != nil {
		t.Errorf("%+v", got)
	}
	least := made(t, h, map[string]any{"phoneNumber": "+442071838751"})
	if least.Email != "" || least.DisplayName != "+442071838751" || least.PhoneNumberVerified || fmt.Sprint(least.Roles) != "[me user]" || least.Disabled {
		t.Errorf("%+v", least)
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.created' and detail->>'by' = 'operator' and detail->>'method' = 'operator'`); n != 2 {
		t.Errorf("%d rows in the audit log, want 2", n)
	}
	if n := count(t, h, `select count(*) from auth.events where type = 'user.created' and user_id = $1`, id); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// TestCreateUserRefusals: each names what is wrong and leaves nothing.
func TestCreateUserRefusals(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	taken := made(t, h, map[string]any{"email": "taken@example.com", "phoneNumber": "+442071838750"})
	gone := made(t, h, map[string]any{"email": "gone@example.com"})
	exec(t, h, `delete from auth.users where id = $1`, gone.ID)
	base := map[string]any{"email": "new@example.com"}
	tests := map[string]struct {
		with map[string]any
		code string
		said string
	}{
		"neither address nor number":  {map[string]any{"email": nil}, "bad-request", "input must have"},
		"no address":                  {map[string]any{"email": "ada"}, "bad-request", "input.email "},
		"a taken address":             {map[string]any{"email": "TAKEN@example.com"}, "email-taken", ""},
		"no number":                   {map[string]any{"phoneNumber": "12"}, "bad-request", "input.phoneNumber "},
		"a taken number":              {map[string]any{"phoneNumber": "0044 20 71838750"}, "phone-taken", ""},
		"a taken id":                  {map[string]any{"id": taken.ID}, "bad-request", "input.id "},
		"the id of somebody deleted":  {map[string]any{"id": gone.ID}, "bad-request", "input.id "},
		"the id of nobody":            {map[string]any{"id": "00000000-0000-0000-0000-000000000000"}, "bad-request", "input.id "},
		"no id":                       {map[string]any{"id": "1"}, "bad-request", "input.id "},
		"a verified nothing":          {map[string]any{"phoneNumberVerified": true}, "bad-request", "input.phoneNumberVerified "},
		"a long name":                 {map[string]any{"displayName": strings.Repeat("x", 257)}, "bad-request", "input.displayName "},
		"a name of two lines":         {map[string]any{"displayName": "a\nb"}, "bad-request", "input.displayName "},
		"a picture of script":         {map[string]any{"avatarUrl": "javascript:alert(1)"}, "bad-request", "input.avatarUrl "},
		"a locale of nowhere":         {map[string]any{"locale": "xx"}, "bad-request", "input.locale "},
		"a role of nobody":            {map[string]any{"roles": []string{"user", "emperor"}}, "bad-request", "input.roles "},
		"a default role of nobody":    {map[string]any{"defaultRole": "emperor"}, "bad-request", "input.roles "},
		"roles without the default":   {map[string]any{"roles": []string{"me"}}, "bad-request", "input.roles "},
		"an empty role":               {map[string]any{"roles": []string{"user", ""}}, "bad-request", "input.roles "},
		"metadata that is a list":     {map[string]any{"metadata": []int{1}}, "bad-request", "input.metadata "},
		"much metadata":               {map[string]any{"metadata": map[string]any{"x": strings.Repeat("x", 65<<10)}}, "bad-request", "input.metadata "},
		"metadata that is not kept":   {map[string]any{"metadata": map[string]any{"x": "\x00"}}, "bad-request", "input "},
		"a number beyond all":         {map[string]any{"metadata": map[string]any{"x": json.Number("1e999999")}}, "bad-request", "variables.input "},
		"an empty password":           {map[string]any{"password": ""}, "password-too-short", ""},
		"a short password":            {map[string]any{"password": "short"}, "password-too-short", ""},
		"a long password":             {map[string]any{"password": strings.Repeat("x", 1025)}, "password-too-long", ""},
		"a password without address":  {map[string]any{"email": nil, "phoneNumber": "+442071838752", "password": goodPassword}, "bad-request", "input.password "},
		"a hash of an unknown kind":   {map[string]any{"passwordHash": "$scrypt$canary"}, "bad-request", "input.passwordHash must be a hash of bcrypt"},
		"an empty hash":               {map[string]any{"passwordHash": ""}, "bad-request", "input.passwordHash "},
		"two passwords":               {map[string]any{"password": goodPassword, "passwordHash": "$2a$"}, "bad-request", "input.passwordHash "},
		"password and invitation":     {map[string]any{"password": goodPassword, "invitation": map[string]any{}}, "bad-request", "input.password "},
		"an invitation nowhere":       {map[string]any{"email": nil, "phoneNumber": "+442071838752", "invitation": map[string]any{}}, "bad-request", "input.invitation "},
		"an invitation abroad":        {map[string]any{"invitation": map[string]any{"redirectTo": "https://evil.example"}}, "redirect-not-allowed", ""},
		"an invitation of the proved": {map[string]any{"emailVerified": true, "invitation": map[string]any{}}, "bad-request", "input.emailVerified "},
		"an invitation with a number": {map[string]any{"phoneNumber": "+442071838752", "invitation": map[string]any{}}, "bad-request", "input.phoneNumber "},
		"an invitation of the locked": {map[string]any{"disabled": true, "invitation": map[string]any{}}, "bad-request", "input.disabled "},
	}
	const everything = `select (select count(*) from auth.users) + (select count(*) from auth.audit_entries) + (select count(*) from auth.events) + (select count(*) from auth.tickets) + (select count(*) from auth.user_roles)`
	before := count(t, h, everything)
	for name, tt := range tests {
		input := maps.Clone(base)
		maps.Copy(input, tt.with)
		got := do(t, h, createUser, input)
		if got.code() != tt.code || !strings.HasPrefix(got.said(), tt.said) || strings.Contains(got.said(), "canary") {
			t.Errorf("%s: %q %q", name, got.code(), got.said())
		}
	}
	if after := count(t, h, everything); after != before {
		t.Errorf("%d rows more than before", after-before)
	}
	if broken := h.Log.Errors(); broken != "" || strings.Contains(h.Log.String(), "canary") {
		t.Error(broken)
	}
}

// TestAPasswordThatAnOperatorChoseMustBeChanged: it lets nobody in by any way; the mail does that it sends,
// and afterwards the new password.
func TestAPasswordThatAnOperatorChoseMustBeChanged(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"})
	u := made(t, h, map[string]any{"email": "ada@example.com", "emailVerified": true, "password": goodPassword})
	if !u.HasPassword || !u.PasswordMustChange {
		t.Errorf("%+v", u)
	}
	if status, no := signIn(t, h, "ada@example.com", "another one that is wrong"); status != http.StatusUnauthorized || no != "invalid-email-password" {
		t.Errorf("a wrong password: %d %s", status, no)
	}
	if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusForbidden || no != "password-must-change" {
		t.Errorf("the password: %d %s", status, no)
	}
	if n := count(t, h, `select count(*) from auth.refresh_tokens`); n != 0 {
		t.Errorf("%d sessions", n)
	}
	m := h.Mail.Wait(t, "ada@example.com", 1)[0]
	if m.Headers.Get("X-Email-Template") != "password-reset" {
		t.Fatalf("%s was mailed", m.Headers.Get("X-Email-Template"))
	}
	// Nor does it help once another way was used.
	exec(t, h, `update auth.users set active_mfa_type = 'totp', totp_secret = 'x' where id = $1`, u.ID)
	if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusForbidden || no != "password-must-change" {
		t.Errorf("with a second factor: %d %s", status, no)
	}
	exec(t, h, `update auth.users set active_mfa_type = null, totp_secret = null where id = $1`, u.ID)
	if status, body := post(t, h, "/signin/passwordless/email", `{"email":"ada@example.com"}`); status != http.StatusOK {
		t.Errorf("a link: %s", body)
	}
	if status, body := post(t, h, "/user/password", `{"newPassword":"`+goodPassword+` too","ticket":"`+m.Ticket+`"}`); status != http.StatusOK {
		t.Fatalf("the new password: %s", body)
	}
	if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusUnauthorized || no != "invalid-email-password" {
		t.Errorf("the old password: %d %s", status, no)
	}
	if status, no := signIn(t, h, "ada@example.com", goodPassword+" too"); status != http.StatusOK {
		t.Errorf("the new password: %d %s", status, no)
	}
}

// TestTheSettingLeavesAPasswordAsItIs: where operators want it so, theirs is as good as any.
func TestTheSettingLeavesAPasswordAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_ADMIN_PASSWORD_MUST_CHANGE": "false"})
	if u := made(t, h, map[string]any{"email": "ada@example.com", "password": goodPassword}); u.PasswordMustChange {
		t.Errorf("%+v", u)
	}
	if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusOK {
		t.Errorf("%d %s", status, no)
	}
	silent := open(t, map[string]string{"AUTH_SMTP_HOST": "", "AUTH_SMTP_SENDER": ""})
	if got := do(t, silent, createUser, map[string]any{"email": "ada@example.com", "password": goodPassword}); got.code() != "bad-request" || !strings.Contains(got.said(), "AUTH_ADMIN_PASSWORD_MUST_CHANGE=false") {
		t.Errorf("without a mail server: %+v", got)
	}
}

// TestImportedPasswords: whoever had a password elsewhere has it here, and its hash is made anew.
func TestImportedPasswords(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	old, err := bcrypt.GenerateFromPassword([]byte(goodPassword), 4)
	if err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string]string{
		"go@example.com": string(old), "php@example.com": "$2y$" + string(old[4:]), "py@example.com": "$2b$" + string(old[4:]),
	} {
		if u := made(t, h, map[string]any{"email": name, "emailVerified": true, "passwordHash": hash}); !u.HasPassword || u.PasswordMustChange {
			t.Errorf("%+v", u)
		}
		if status, no := signIn(t, h, name, goodPassword); status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, no)
		}
	}
	if n := count(t, h, `select count(*) from auth.users where password_hash like '$argon2id$%'`); n != 3 {
		t.Errorf("%d hashes were made anew, want 3", n)
	}
}

// TestAnInvitationBringsItsOwnerIn: by the link, once, with the address proved.
func TestAnInvitationBringsItsOwnerIn(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true", "AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://app.example.com/in"})
	u := made(t, h, map[string]any{"email": "ada@example.com", "invitation": map[string]any{"redirectTo": "https://app.example.com/in"}})
	m := h.Mail.Wait(t, "ada@example.com", 1)[0]
	if m.Headers.Get("X-Email-Template") != "invitation" || u.EmailVerified || u.HasPassword {
		t.Fatalf("%s %+v", m.Headers.Get("X-Email-Template"), u)
	}
	for i, want := range []string{"refreshToken=", "error=invalid-ticket"} {
		resp, err := h.Client().Get(m.Link)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "https://app.example.com/in") || !strings.Contains(to, want) {
			t.Errorf("opened %d times: %d %s", i+1, resp.StatusCode, to)
		}
	}
	if n := count(t, h, `select count(*) from auth.users where email_verified and last_seen is not null and id = $1`, u.ID); n != 1 {
		t.Error("the address is not proved")
	}
}

// TestTwoCreationsOfOneAddress: of many at once one is made.
func TestTwoCreationsOfOneAddress(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	codes := make([]string, 8)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i] = do(t, h, createUser, map[string]any{"email": "ada@example.com"}).code() })
	}
	all.Wait()
	ok := 0
	for _, c := range codes {
		switch c {
		case "":
			ok++
		case "email-taken":
		default:
			t.Errorf("refused with %s", c)
		}
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.created'`); ok != 1 || n != 1 {
		t.Errorf("%d made, %d rows", ok, n)
	}
}
