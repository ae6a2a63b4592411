package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"postern/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := pause.For(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("waited %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := pause.For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("cut short after %s: %v", time.Since(began), err)
		}
		if err := pause.For(t.Context(), -time.Second); err != nil {
			t.Error(err)
		}
	})
}
