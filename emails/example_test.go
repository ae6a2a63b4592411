package emails_test

import (
	"context"
	"fmt"

	"postern/emails"
)

func ExampleRenderer_Render() {
	r := &emails.Renderer{DefaultLocale: "en"}
	out, err := r.Render(context.Background(), emails.Message{
		Template: emails.SignInOTP, Locale: "fr-CA", Variables: map[string]string{"code": "492013", "email": "ada@example.org"},
	})
	fmt.Println(out.Subject, out.Locale, err)
	// Output: 492013 est votre code de connexion fr <nil>
}
