// Package pause waits without outliving whoever waits.
package pause

import (
	"context"
	"time"
)

// For waits, or ends with the context and gives its error. What is not positive is no wait.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
