package emails

import (
	"fmt"
	"reflect"
	"time"
)

// GoSettings are mails as GoTrue's operators word them: a subject and an address whose template, in the language of Go,
// takes the place of ours in mails of that dialect.
type GoSettings struct {
	MaxSize int           `env:"AUTH_GOTRUE_MAIL_TEMPLATE_MAX_SIZE" default:"1000000" min:"1" max:"4000000" doc:"Most bytes of a template that is fetched."`
	MaxAge  time.Duration `env:"AUTH_GOTRUE_MAIL_TEMPLATE_MAX_AGE" default:"10m" min:"1s" max:"24h" doc:"How long a fetched template is used before it is fetched again."`
	Retry   time.Duration `env:"AUTH_GOTRUE_MAIL_TEMPLATE_RETRY_INTERVAL" default:"10s" min:"1s" max:"1h" doc:"How long to wait after a template could not be fetched; meanwhile the last good copy is used, or the built-in mail."`

	kinds map[string]*goKind // by the template of the house
}

// goKind is what the operator says of one kind of mail.
type goKind struct {
	subject string // a template; empty is the subject of the house
	address string // of a template; empty is the body of the house
}

// GoKinds are the kinds of mail by GoTrue's words, as variables have them, with the templates of the house that they
// take the place of.
func GoKinds() []struct{ Word, Template string } {
	return []struct{ Word, Template string }{
		{"INVITE", Invitation},
		{"CONFIRMATION", EmailVerify},
		{"RECOVERY", PasswordReset},
		{"EMAIL_CHANGE", EmailConfirmChange},
		{"MAGIC_LINK", SignInPasswordless},
		{"REAUTHENTICATION", SignInOTP},
		{"PASSWORD_CHANGED_NOTIFICATION", PasswordChanged},
		{"EMAIL_CHANGED_NOTIFICATION", EmailChanged},
		{"PHONE_CHANGED_NOTIFICATION", PhoneChanged},
		{"IDENTITY_LINKED_NOTIFICATION", IdentityLinked},
		{"IDENTITY_UNLINKED_NOTIFICATION", IdentityUnlinked},
		{"MFA_FACTOR_ENROLLED_NOTIFICATION", TOTPEnabled},
		{"MFA_FACTOR_UNENROLLED_NOTIFICATION", TOTPDisabled},
	}
}

// sameAs lists the templates that GoTrue has one kind of mail for, with another of ours.
func sameAs(template string) []string {
	switch template {
	case TOTPEnabled:
		return []string{PhoneFactorEnabled, SecurityKeyEnabled}
	case TOTPDisabled:
		return []string{PhoneFactorDisabled, SecurityKeyDisabled}
	}
	return nil
}

// Declare lists the variables of each kind.
func (s *GoSettings) Declare(_ []string, add func(tags reflect.StructTag, into any)) {
	s.kinds = map[string]*goKind{}
	for _, k := range GoKinds() {
		kind := &goKind{}
		s.kinds[k.Template] = kind
		for _, other := range sameAs(k.Template) {
			s.kinds[other] = kind
		}
		add(reflect.StructTag(fmt.Sprintf("env:%q doc:%q", "AUTH_GOTRUE_MAIL_SUBJECT_"+k.Word,
			"Subject of mails of GoTrue's door in the place of "+k.Template+", as a template of Go such as {{ .Email }}.")), &kind.subject)
		add(reflect.StructTag(fmt.Sprintf("env:%q doc:%q", "AUTH_GOTRUE_MAIL_TEMPLATE_"+k.Word,
			"Address of the HTML of these mails, a template of Go such as {{ .ConfirmationURL }}; without http at its beginning it is below AUTH_CLIENT_URL.")), &kind.address)
	}
}

// Check reports subjects that cannot be filled in.
func (s *GoSettings) Check(report func(env, problem string)) {
	for _, k := range GoKinds() {
		kind := s.kinds[k.Template]
		if kind == nil || kind.subject == "" {
			continue
		}
		if _, err := parseGo(kind.subject); err != nil {
			report("AUTH_GOTRUE_MAIL_SUBJECT_"+k.Word, "is no template of Go: "+err.Error())
		}
	}
}

// used tells whether any kind has words of the operator's.
func (s *GoSettings) used() bool {
	for _, k := range s.kinds {
		if *k != (goKind{}) {
			return true
		}
	}
	return false
}
