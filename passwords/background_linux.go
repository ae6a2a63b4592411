package passwords

import (
	"runtime"
	"syscall"
)

// niceness is how far hashing steps back behind everything else. Measured beside a flood of
// sign-ins on a machine that was busy with other things too (two processors, 500 refreshes a second,
// medians of twelve runs), the slowest refresh of a hundred took 55 ms at 0, 35 ms at 5, 23 ms at 10
// and 38 ms at 19: a thread that hardly ever runs also holds up the collector. Ten costs a twelfth
// of the sign-ins.
const niceness = 10

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
