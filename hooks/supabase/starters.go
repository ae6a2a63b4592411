package supabase

import (
	"embed"
	"strings"
	"text/template"

	"postern/hooks"
)

//go:embed starters
var starterFiles embed.FS

// starters are programs to begin with, by language.
func starters(r row) map[string]string {
	b := beginnings[r.name]
	data := map[string]string{
		"Name": r.name, "Doc": strings.ToUpper(r.doc[:1]) + r.doc[1:], "File": strings.ReplaceAll(r.name, "_", "-"),
		"On": r.variable(enabled), "URI": r.variable(uri), "Secrets": r.variable(secrets),
		"JS": b.js, "JSHelper": b.jsHelper, "SQL": b.sql, "Go": b.golang, "GoHelper": b.goHelper,
	}
	if strings.Contains(b.golang, "url.") {
		data["Query"] = "yes"
	}
	all := map[string]string{}
	for _, t := range r.transports() {
		for _, language := range map[hooks.Transport][]string{hooks.HTTP: {"js", "go"}, hooks.Function: {"sql"}, hooks.Script: {"script"}}[t] {
			name := "starters/" + language + ".tmpl"
			var text strings.Builder
			parsed, err := template.ParseFS(starterFiles, name)
			if err == nil {
				err = parsed.Execute(&text, data)
			}
			if err == nil { // a test has them all
				all[language] = text.String()
			}
		}
	}
	return all
}

// beginning is the part of a starter that is about its hook.
type beginning struct{ js, jsHelper, sql, golang, goHelper string }

const (
	jsSends = `// send hands a message to whoever carries it. Let it throw when that fails: the user is told.
async function send(to, text) {
  // await fetch('https://gateway.example.com/messages', { method: 'POST', body: JSON.stringify({ to, text }) });
}`
	goSends = `// send hands a message to whoever carries it. Its error reaches the user as a failed request.
func send(to, text string) error {
	return nil
}`
	goReads = `	if err := json.Unmarshal(body, &event); err != nil {
		return nil, err
	}
`
	goAgrees = `	return struct{}{}, nil`
)

// beginnings are those of the hooks.
var beginnings = map[string]beginning{
	CustomAccessToken: {
		js: `  // What is in claims is signed, but for what is Postern's own: iss, sub, exp and the like stay as they are.
  return { claims: { ...event.claims, plan: 'free' } };`,
		sql: `begin
  -- What is in claims is signed, but for what is Postern's own: iss, sub, exp and the like stay as they are.
  return jsonb_build_object('claims', event->'claims' || jsonb_build_object('plan', 'free'));
end`,
		golang: `	var event struct {
		Claims map[string]any ` + "`json:\"claims\"`" + `
	}
` + goReads + `	// What is in claims is signed, but for what is Postern's own: iss, sub, exp and the like stay as they are.
	event.Claims["plan"] = "free"
	return map[string]any{"claims": event.Claims}, nil`,
	},
	BeforeUserCreated: {
		js: `  if (!event.user.email.endsWith('@example.com')) {
    return { error: { http_code: 403, message: 'Only people of example.com may sign up' } };
  }
  return {};`,
		sql: `begin
  if event->'user'->>'email' not like '%@example.com' then
    return '{"error": {"http_code": 403, "message": "Only people of example.com may sign up"}}';
  end if;
  return '{}';
end`,
		golang: `	var event struct {
		User struct {
			Email string ` + "`json:\"email\"`" + `
		} ` + "`json:\"user\"`" + `
	}
` + goReads + `	if !strings.HasSuffix(event.User.Email, "@example.com") {
		return map[string]any{"error": map[string]any{"http_code": 403, "message": "Only people of example.com may sign up"}}, nil
	}
` + goAgrees,
	},
	UserInserted: {
		sql: `begin
  -- The user's row is there already: auth.users has it in this transaction. What is written here is kept or
  -- lost with it. An error object refuses the sign-up, and nothing of it is kept.
  -- insert into public.profiles (id, name) values ((event->'user'->>'id')::uuid, event->'user'->'user_metadata'->>'name');
  return '{}';
end`,
	},
	AfterUserCreated: {
		js: `  console.log('new user', event.user.id);
  return {};`,
		sql: `begin
  raise log 'new user %', event->'user'->>'id';
  return '{}';
end`,
		golang: `	var event struct {
		User struct {
			ID string ` + "`json:\"id\"`" + `
		} ` + "`json:\"user\"`" + `
	}
` + goReads + `	log.Print("new user ", event.User.ID)
` + goAgrees,
	},
	PasswordVerification: decision(),
	MFAVerification:      decision(),
	PasswordUnknown: {
		js: `  // Ask the old system here whether it knows event.email with event.password.
  const known = false;
  return known ? { decision: 'vouch', user: { email_verified: true } } : {};`,
		sql: `declare
  -- Ask here whether the old tables know event->>'email' with event->>'password'.
  known boolean := false;
begin
  if known then
    return '{"decision": "vouch", "user": {"email_verified": true}}';
  end if;
  return '{}';
end`,
		golang: `	var event struct {
		Email    string ` + "`json:\"email\"`" + `
		Password string ` + "`json:\"password\"`" + `
	}
` + goReads + `	if knows(event.Email, event.Password) {
		return map[string]any{"decision": "vouch", "user": map[string]any{"email_verified": true}}, nil
	}
` + goAgrees,
		goHelper: `// knows asks the old system.
func knows(email, password string) bool {
	return false
}`,
	},
	SendSMS: {
		js: "  await send('+' + event.sms.phone, `Your code is ${event.sms.otp}`);\n  return {};", jsHelper: jsSends,
		sql: `begin
  -- A table that something of yours reads and sends; what is queued here may be sent later than it is asked for.
  -- insert into app.messages (recipient, body) values ('+' || (event->'sms'->>'phone'), 'Your code is ' || (event->'sms'->>'otp'));
  return '{}';
end`,
		golang: `	var event struct {
		SMS struct {
			Phone string ` + "`json:\"phone\"`" + `
			Code  string ` + "`json:\"otp\"`" + `
		} ` + "`json:\"sms\"`" + `
	}
` + goReads + `	if err := send("+"+event.SMS.Phone, "Your code is "+event.SMS.Code); err != nil {
		return nil, err
	}
` + goAgrees, goHelper: goSends,
	},
	SendEmail: {
		js: "  const mail = event.email_data;\n" +
			"  const link = `${mail.site_url}/verify?token=${encodeURIComponent(mail.token_hash)}&type=${mail.email_action_type}&redirect_to=${encodeURIComponent(mail.redirect_to)}`;\n" +
			"  await send(event.user.new_email || event.user.email, `${mail.email_action_type}: ${mail.token_hash ? link : mail.token}`);\n  return {};",
		jsHelper: jsSends,
		sql: `begin
  -- A table that something of yours reads and sends; what is queued here may be sent later than it is asked for.
  -- insert into app.mails (recipient, kind, data) values (event->'user'->>'email', event->'email_data'->>'email_action_type', event->'email_data');
  return '{}';
end`,
		golang: `	var event struct {
		User struct {
			Email    string ` + "`json:\"email\"`" + `
			NewEmail string ` + "`json:\"new_email\"`" + `
		} ` + "`json:\"user\"`" + `
		Mail struct {
			Token      string ` + "`json:\"token\"`" + `
			TokenHash  string ` + "`json:\"token_hash\"`" + `
			RedirectTo string ` + "`json:\"redirect_to\"`" + `
			Action     string ` + "`json:\"email_action_type\"`" + `
			SiteURL    string ` + "`json:\"site_url\"`" + `
		} ` + "`json:\"email_data\"`" + `
	}
` + goReads + `	to, text := event.User.Email, event.Mail.Token
	if event.User.NewEmail != "" {
		to = event.User.NewEmail
	}
	if event.Mail.TokenHash != "" {
		query := url.Values{"token": {event.Mail.TokenHash}, "type": {event.Mail.Action}, "redirect_to": {event.Mail.RedirectTo}}
		text = event.Mail.SiteURL + "/verify?" + query.Encode()
	}
	if err := send(to, event.Mail.Action+": "+text); err != nil {
		return nil, err
	}
` + goAgrees, goHelper: goSends,
	},
}

// decision is the beginning of a hook that is told whether something was right.
func decision() beginning {
	const refusal = "Too many wrong attempts"
	return beginning{
		js: `  // Count the wrong ones by event.user_id, in a store that all of your processes share.
  const tooMany = false;
  if (!event.valid && tooMany) {
    return { decision: 'reject', message: '` + refusal + `' };
  }
  return { decision: 'continue' };`,
		sql: `declare
  -- Count the wrong ones here, by (event->>'user_id')::uuid.
  too_many boolean := false;
begin
  if not (event->>'valid')::boolean and too_many then
    return '{"decision": "reject", "message": "` + refusal + `"}';
  end if;
  return '{"decision": "continue"}';
end`,
		golang: `	var event struct {
		UserID string ` + "`json:\"user_id\"`" + `
		Valid  bool   ` + "`json:\"valid\"`" + `
	}
` + goReads + `	if !event.Valid && tooMany(event.UserID) {
		return map[string]any{"decision": "reject", "message": "` + refusal + `"}, nil
	}
	return map[string]any{"decision": "continue"}, nil`,
		goHelper: `// tooMany counts the wrong ones of a user, in a store that all processes share.
func tooMany(userID string) bool {
	return false
}`,
	}
}
