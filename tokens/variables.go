package tokens

// SessionVariables are the claims of Hasura that the token would have, by name, but for the lists of roles:
// what permissions can ask for whatever role a request takes.
func (s *Signer) SessionVariables(a Access) map[string]string {
	variables := map[string]string{}
	for name, value := range s.hasuraClaims(a) {
		if text, ok := value.(string); ok && name != claimDefaultRole {
			variables[name] = text
		}
	}
	return variables
}
