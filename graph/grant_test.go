package graph_test

import "testing"

// TestOperatorsMakeNobodyMoreThanTheyAre: the role admin, whose holders may do everything in Hasura's engine, is
// given by who has the admin secret alone.
func TestOperatorsMakeNobodyMoreThanTheyAre(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	exec(t, h, `insert into auth.roles (role) values ('admin') on conflict do nothing`)
	id, token := signUp(t, h, "op@example.com", "user,operator")
	who := header{"Authorization": "Bearer " + token}
	give := `mutation{updateUser(input:{id:"` + id + `",roles:["user","me","operator","admin"]}){user{id}}}`
	for _, q := range []string{give, `mutation{createUser(input:{email:"new@example.com",roles:["user","admin"]}){user{id}}}`} {
		if a := ask(t, h, who, q, nil); a.code() != "forbidden" {
			t.Errorf("%s: %+v", q, a)
		}
	}
	if a := ask(t, h, bySecret(), give, nil); len(a.Errors) > 0 {
		t.Errorf("%+v", a.Errors)
	}
}
