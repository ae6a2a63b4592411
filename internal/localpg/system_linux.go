package localpg

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// diesWithUs says that the kernel ends the server when we die, however we die.
const diesWithUs = true

func bindLife(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

func namespaces() []identity { return []identity{{uid: 1000, gid: 1000, namespace: true}} }

func intoNamespace(attr *syscall.SysProcAttr, id identity) {
	attr.Cloneflags = syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: int(id.uid), HostID: 0, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: int(id.gid), HostID: 0, Size: 1}}
}

// isServerOf says whether the process is a Postgres server that works on the data folder. Where
// the kernel hides the working folder, the program's name decides.
func isServerOf(pid int, data string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if cwd, err := os.Readlink(filepath.Join(proc, "cwd")); err == nil {
		return cwd == data
	}
	name, err := os.ReadFile(filepath.Join(proc, "comm")) // #nosec G304 -- a number below /proc
	return err == nil && string(name) == "postgres\n"
}
