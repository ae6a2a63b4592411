package main

import (
	"encoding/json"
	"strings"
)

// gotrue measures what clients ask most at the door of GoTrue, each beside the same at the door of Hasura Auth.
func (b *bench) gotrue(people []*person) []beside {
	door := strings.TrimSuffix(b.url, "/v1") + "/auth/v1"
	var all []beside
	for _, pair := range [][2]job{
		{
			{"sign-in", b.clients, func(i int) error { return b.signIn(people[i%len(people)]) }},
			{"sign-in at /auth/v1", b.clients, func(i int) error {
				_, err := b.post(door+"/token?grant_type=password", map[string]string{"email": people[i%len(people)].email, "password": password})
				return err
			}},
		},
		{
			{"refresh", b.clients, b.refreshing(b.url+"/token", people)},
			{"refresh at /auth/v1", b.clients, b.refreshingAsGoTrue(door, people)},
		},
		{
			{"get user", b.clients, func(i int) error { return b.getUser(b.url+"/user", people[i%len(people)]) }},
			{"get user at /auth/v1", b.clients, func(i int) error { return b.getUser(door+"/user", people[i%len(people)]) }},
		},
	} {
		other, own := b.beside(pair[0], pair[1])
		all = append(all, beside{own, other})
	}
	return all
}

// beside is what was measured with what it is held against.
type beside struct{ own, other measured }

func (b *bench) refreshingAsGoTrue(door string, people []*person) func(i int) error {
	return func(i int) error {
		p := people[i%len(people)]
		p.mu.Lock()
		defer p.mu.Unlock()
		body, err := b.post(door+"/token?grant_type=refresh_token", map[string]string{"refresh_token": p.refresh})
		if err != nil {
			return err
		}
		var out struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return err
		}
		p.refresh = out.RefreshToken
		return nil
	}
}
