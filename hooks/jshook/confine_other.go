//go:build !linux

package jshook

import (
	"os/exec"
	"time"
)

// confine does nothing where limits work differently: there, the engine's own limit and the parent's
// watch have to do.
func confine(_, _ uint64) error { return nil }

// apart leaves the process as it is: it ends when its input does.
func apart(*exec.Cmd) {}

// itself is not known by a fixed name.
const itself = ""

// meter is not there.
const meter = ""

// processor is not known.
func processor() time.Duration { return 0 }
