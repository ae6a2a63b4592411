package sms_test

import (
	"context"
	"fmt"

	"postern/sms"
)

func ExampleGateway_Send() {
	g, err := sms.Open(sms.Settings{Provider: sms.Dev}, sms.Options{
		Caught: func(m sms.Message) { fmt.Println(sms.Masked(m.To), m.Text) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = g.Send(context.Background(), sms.Message{ID: "1", To: "+15550100123", Text: "492013 is your sign-in code."})
	fmt.Println(err)
	// Output:
	// +155******23 492013 is your sign-in code.
	// <nil>
}
