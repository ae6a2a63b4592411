package tokens_test

import (
	"fmt"
	"time"

	"postern/tokens"
)

func ExampleSigner() {
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(`{"type":"HS256","key":"drawn at random, 32 bytes and more"}`)); err != nil {
		fmt.Println(err)
		return
	}
	signer, err := tokens.NewSigner(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	token, err := signer.Sign(tokens.Access{
		UserID: "5c4f1b1e-0d0e-4f43-9e5e-0a5c3a4a7b10", Roles: []string{"user", "me"}, DefaultRole: "user", Life: 15 * time.Minute,
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := signer.Verify(token, now.Add(time.Minute))
	fmt.Println(claims.UserID, claims.Roles, err)
	_, err = signer.Verify(token, now.Add(time.Hour))
	fmt.Println(err)
	// Output:
	// 5c4f1b1e-0d0e-4f43-9e5e-0a5c3a4a7b10 [user me] <nil>
	// unauthorized: access token: expired
}
