package sms

// ValidNumber reports whether the text is a telephone number as E.164 writes it: a plus sign, a
// country code, which never begins with 0, and the rest; 7 to 15 digits in all and nothing between
// them. One telephone has one such number, so two accounts cannot have the same telephone in two
// spellings; and short numbers, which may cost whoever is called by us, are none.
func ValidNumber(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return digits(s[1:])
}

// Masked is the number with all but the first three and the last two digits hidden, for logs.
func Masked(number string) string {
	if !ValidNumber(number) {
		return "(no number)"
	}
	b := []byte(number)
	for i := 4; i < len(b)-2; i++ {
		b[i] = '*'
	}
	return string(b)
}

// looksLikeCode keeps what cannot be a code away from the gateway.
func looksLikeCode(s string) bool { return len(s) >= 4 && len(s) <= 10 && digits(s) }

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
