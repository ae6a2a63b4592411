package emails

import (
	"errors"
	"fmt"
)

// SendError says why a mail was not handed over.
type SendError struct {
	Permanent bool // another attempt would end the same way
	Code      int  // the server's reply: SMTP code or HTTP status; 0 when there was none
	Err       error
}

// Error names the code, when there is one, and the reason.
func (e *SendError) Error() string {
	if e.Code == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("reply %d: %v", e.Code, e.Err)
}

// Unwrap gives the reason.
func (e *SendError) Unwrap() error { return e.Err }

// IsPermanent reports whether another attempt to send the mail would be in vain. What the operator
// can mend (a wrong password, a server that is down) is not permanent: the mail waits for it.
func IsPermanent(err error) bool {
	var e *SendError
	return errors.As(err, &e) && e.Permanent
}
