//go:build !linux

package passwords

// inBackground does work. Threads have no priority of their own here.
func inBackground(work func()) { work() }
