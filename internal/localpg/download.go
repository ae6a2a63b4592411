package localpg

import (
	"context"
	"errors"
)

func (s Search) fetched(ctx context.Context) (Binaries, error) {
	_ = ctx
	return Binaries{}, errors.New("todo")
}
