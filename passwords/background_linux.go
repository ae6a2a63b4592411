package passwords

import (
	"runtime"
	"syscall"
)

// niceness is how far hashing steps back behind everything else. Measured beside 500 refreshes a
// second on two processors: at 5 the slowest of a hundred takes 10 to 13 ms and sign-ins keep three
// quarters of what the machine can hash; at 2 some refreshes wait 90 ms; at 10 sign-ins fall to half.
const niceness = 5

// inBackground does work on a thread of its own, at low priority, and returns when it is done. The
// thread ends with the work: without privileges its priority could not be raised again.
func inBackground(work func()) {
	done := make(chan struct{})
	var panicked any
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		runtime.LockOSThread() // never unlocked, which ends the thread
		// Where the system forbids it, hashing is merely not polite.
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
		work()
	}()
	<-done
	if panicked != nil {
		panic(panicked) //nolint:forbidigo // it is the caller's: on this thread it would end the process
	}
}
