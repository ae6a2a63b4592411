//go:build !linux

package localpg

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// diesWithUs says that the kernel ends the server when we die. Only Linux can; elsewhere a guard
// process does it.
const diesWithUs = false

func bindLife(*syscall.SysProcAttr, syscall.Signal) {}

func namespaces() []identity { return nil }

func intoNamespace(*syscall.SysProcAttr, identity) {}

// isServerOf says whether the process is a Postgres server that works on the data folder.
func isServerOf(pid int, data string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output() // #nosec G204 -- a number
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), data)
}
