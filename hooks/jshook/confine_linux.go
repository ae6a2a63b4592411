package jshook

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hardTime is how many seconds of processor a worker may use before the kernel ends it, should nobody
// else have done so.
const hardTime = 120

// confine takes from this process what it need not have: memory beyond a number of bytes,
// writing to files, and more open files than that. With 0 files nothing can be opened or connected to
// any more; what is open stays open.
func confine(memory, files uint64) error {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_CPU: hardTime, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: files, unix.RLIMIT_DATA: memory}
	for what, most := range limits {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return nil
}

// apart makes the process end with its parent, and keeps the signals of the terminal from it.
func apart(c *exec.Cmd) {
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// itself is this program, also after its file has been replaced by a newer one.
const itself = "/proc/self/exe"

// meter is where a process reads how large it has been. What getrusage says of it begins with the
// parent's size, so it is of no use.
const meter = "/proc/self/status"

// processor is the time of processor that the process has used.
func processor() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
