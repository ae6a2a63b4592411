package providers

import "fmt"

// workosParams picks whose directory people sign in at. WorkOS takes exactly one of a connection,
// an organization and a domain; what the client names goes before what is set.
func workosParams(asked map[string]string, c Client) (map[string]string, error) {
	for _, choice := range []struct{ name, value string }{
		{"connection", asked["connection"]},
		{"organization", asked["organization"]},
		{"provider", asked["workos_provider"]},
		{"connection", c.DefaultConnection},
		{"organization", c.DefaultOrganization},
		{"domain", c.DefaultDomain},
	} {
		if choice.value != "" {
			return map[string]string{choice.name: choice.value}, nil
		}
	}
	return nil, fmt.Errorf("%w: WorkOS needs a connection or an organization", ErrParameters)
}
