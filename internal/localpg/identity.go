package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// An identity is who the server runs as. Postgres refuses to run as root, so root must become
// somebody else.
type identity struct {
	uid, gid  uint32
	drop      bool // change to uid and gid
	namespace bool // believe to be uid and gid, in a user namespace; files stay root's
}

func (id identity) apply(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	switch {
	case id.namespace:
		intoNamespace(cmd.SysProcAttr, id)
	case id.drop:
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
}

// candidates lists who the server may run as, best first. Data that exists keeps its owner.
func candidates(data os.FileInfo) []identity {
	if os.Geteuid() != 0 {
		return []identity{{}}
	}
	if data != nil {
		if stat, ok := data.Sys().(*syscall.Stat_t); ok {
			if stat.Uid == 0 {
				return namespaces()
			}
			return []identity{{uid: stat.Uid, gid: stat.Gid, drop: true}}
		}
	}
	return append([]identity{unprivileged()}, namespaces()...)
}

// unprivileged is the account named postgres where there is one, and otherwise nobody.
func unprivileged() identity {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return identity{uid: uint32(uid), gid: uint32(gid), drop: true}
		}
	}
	return identity{uid: 65534, gid: 65534, drop: true}
}

// reaches runs initdb as the identity inside the folder: only if both can be reached from there
// does it succeed.
func (id identity) reaches(ctx context.Context, b Binaries, folder string) error {
	cmd := exec.CommandContext(ctx, b.initdb(), "--version")
	cmd.Env = environment()
	cmd.Dir = folder
	id.apply(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s", err, firstLine(string(out)))
	}
	return nil
}

// own gives a folder that we made to the identity.
func (id identity) own(path string) error {
	if !id.drop {
		return nil
	}
	return os.Lchown(path, int(id.uid), int(id.gid))
}

// admit lets the identity pass through a folder of ours, without seeing what is in it.
func (id identity) admit(folder string) error {
	if !id.drop {
		return nil
	}
	if err := os.Chown(folder, -1, int(id.gid)); err != nil {
		return err
	}
	return os.Chmod(folder, 0o710) // #nosec G302 -- the group is the server's own; it may pass, not read
}
