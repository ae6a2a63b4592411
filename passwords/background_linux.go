package passwords

import (
	"runtime"
	"syscall"
)

// niceness is how far hashing steps back behind everything else. Ten is a tenth of the ordinary
// weight: enough that a request that needs a tenth of a millisecond is served at once, and not so
// much that a busy machine stops hashing.
const niceness = 10

// inBackground does work on a thread of its own, at low priority, and returns when it is done. The
// thread ends with the work: without privileges its priority could not be raised again.
func inBackground(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, which ends the thread
		// Where the system forbids it, hashing is merely not polite.
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
		work()
	}()
	<-done
}
