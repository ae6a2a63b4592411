package deliver

import (
	"context"
	"sync"
)

// carried are the routes and the sealer of a server while they run.
type carried struct {
	stopTaking, stopWorking context.CancelFunc
	done                    sync.WaitGroup
}

func (c *carried) start(ctx context.Context, routes []*route, s *sealer) {
	var stop, working context.Context
	working, c.stopWorking = context.WithCancel(ctx)
	stop, c.stopTaking = context.WithCancel(working)
	c.done.Go(func() { s.run(stop, working) })
	for _, r := range routes {
		c.done.Go(func() { r.run(stop, working) })
	}
}

// stop takes up nothing more, waits for the attempts under way until the context ends, and then
// cuts them off.
func (c *carried) stop(ctx context.Context) {
	if c.stopTaking == nil {
		return
	}
	c.stopTaking()
	defer c.stopWorking()
	ended := make(chan struct{})
	go func() {
		c.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		c.stopWorking()
		<-ended
	}
}
