package flow

import (
	"math"
	"testing"
	"time"

	"postern/store"
	"postern/totp"
)

// TestGuessingASecondFactor computes the chance of somebody who has the first factor of an account, or an
// open session of it, and spends a year on guessing the codes of the second: as many as the budget
// has, wherever they are asked for.
func TestGuessingASecondFactor(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		budget store.Budget
		right  int // codes at any moment
	}{"an app": {factorBudget("somebody"), totp.Live}, "a telephone": {phoneBudget("somebody"), 1}} {
		t.Run(kind, func(t *testing.T) { guessed(t, c.budget, c.right) })
	}
}

func guessed(t *testing.T, b store.Budget, right int) {
	t.Helper()
	guesses := b.In(365 * 24 * time.Hour)
	one := float64(right) / math.Pow10(totp.Digits)
	chance := 1 - math.Pow(1-one, float64(guesses))
	if chance >= 1e-3 {
		t.Errorf("%d guesses in a year, each right with a chance of %g: %g together, want less than 0.001", guesses, one, chance)
	}
	// And there is room for a person: who mistypes every code of a day is not locked out by it.
	if b.Burst < 20 || factorTries >= b.Burst {
		t.Errorf("%d wrong codes lock an account", b.Burst)
	}
}
