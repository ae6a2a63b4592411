package flow

import "testing"

// TestUsersAreSentToRegisteredAddressesAlone has them compared letter by letter but for ports of the loopback, and none that a
// browser would run, though it is in the list: an adopted one, say.
func TestUsersAreSentToRegisteredAddressesAlone(t *testing.T) {
	t.Parallel()
	list := []string{
		"https://app.example.com/cb", "http://staging.example.com/cb", "http://127.0.0.1:3000/cb", "com.example.app:/cb",
		"javascript:alert(1)//", "data:text/html,x", "/cb", "",
	}
	for address, want := range map[string]bool{
		"https://app.example.com/cb": true, "http://staging.example.com/cb": true, "com.example.app:/cb": true, "http://127.0.0.1:3000/cb": true,
		"http://127.0.0.1:49152/cb": true, "http://127.0.0.1/cb": true,
		"https://app.example.com/cb/": false, "https://app.example.com/cb?x": false, "HTTPS://app.example.com/cb": false, "https://app.example.com:443/cb": false,
		"http://127.0.0.1:0/cb": false, "http://127.0.0.1:3000/cb2": false, "https://app.example.com.evil.example/cb": false,
		"javascript:alert(1)//": false, "data:text/html,x": false, "/cb": false, "": false,
	} {
		if registered(list, address) != want {
			t.Errorf("%q: want %t", address, want)
		}
	}
}
