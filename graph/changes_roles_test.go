package graph_test

import "testing"

// roleChanges are the uses of what makes and deletes roles.
func (w *world) roleChanges() map[string][]change {
	return map[string][]change{
		"createRole": {once(func(testing.TB) object { return object{"role": "role-" + digits(12)} })},
		"deleteRole": {once(func(t testing.TB) object { return object{"role": w.role(t)} })},
	}
}

// role makes a role that nobody has.
func (w *world) role(t testing.TB) string {
	t.Helper()
	name := "role-" + digits(12)
	exec(t, w.h, `insert into auth.roles (role) values ($1)`, name)
	return name
}
