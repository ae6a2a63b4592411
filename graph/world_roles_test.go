package graph_test

import "testing"

// roles furnishes the world with a role that nobody has.
func (w *world) roles(t testing.TB) { exec(t, w.h, `insert into auth.roles (role) values ('editor')`) }
