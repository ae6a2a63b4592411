package sms

import (
	"errors"
	"fmt"
	"net/http"
)

// SendError says why a message was not handed over.
type SendError struct {
	Permanent bool // another attempt would end the same way
	Status    int  // of the gateway's answer; 0 when there was none
	Code      int  // the gateway's own number for the mistake; 0 when it gave none
	Err       error
}

// Error gives the reason, which names the numbers too.
func (e *SendError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *SendError) Unwrap() error { return e.Err }

// IsPermanent reports whether another attempt to send the message would be in vain. What the
// operator can mend (a wrong password, a gateway that is down) is not permanent: the message waits
// for it as long as its code lives.
func IsPermanent(err error) bool {
	var e *SendError
	return errors.As(err, &e) && e.Permanent
}

// codeOf is the gateway's own number for the mistake, or 0.
func codeOf(err error) int {
	var e *SendError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func hopeless(err error) error { return &SendError{Permanent: true, Err: err} }

// refused makes an error of an answer that is no success. The answer's text is not in it: gateways
// repeat the number, and could repeat the message.
func refused(gateway string, status int) *SendError {
	said := fmt.Sprintf("answered %d %s", status, http.StatusText(status))
	if status >= 300 && status < 400 {
		said += ", a redirect, which is not followed"
	}
	return &SendError{Permanent: permanent(status), Status: status, Err: fmt.Errorf("%s %s", gateway, said)}
}

// permanent tells refusals of the message from those that pass, or that the operator can mend.
func permanent(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= 499
}
