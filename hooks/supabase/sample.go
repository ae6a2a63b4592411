package supabase

import "postern/hooks"

// samplePayload is what a receiver would be told of somebody made up.
func samplePayload(r row) any {
	e := hooks.NewSamples(hooks.SampleEvent())
	m := metadataOf(hooks.SampleEvent(), r)
	switch r.name {
	case CustomAccessToken:
		return tokenMinting(m, e.TokenMinting)
	case BeforeUserCreated:
		return userCreating(m, e.UserCreating)
	case UserInserted:
		return userInserted(m, e.UserInserted)
	case AfterUserCreated:
		return userCreated(m, e.UserCreated)
	case PasswordVerification:
		return passwordChecked(m, e.PasswordChecked)
	case MFAVerification:
		return factorChecked(m, e.FactorChecked)
	case PasswordUnknown:
		return passwordUnknown(m, e.PasswordUnknown)
	case SendSMS:
		return smsDue(m, e.SMSDue)
	case SendEmail:
		return mailDue("https://auth.example.com/v1")(m, e.MailDue)
	}
	return nil
}
