package store

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// mostHolders is up to how many users with a role are looked up one by one.
const mostHolders = 2500

// fewest is up to how many users a filter, but for its role, is answered by finding them all and sorting them; 0 is none. Beyond
// that they are so many that going through the order finds a page of them soon. It is for filters of which Postgres cannot
// estimate how many they let through, or not where in an order those are: it would go through all of it for a handful.
func (f UserFilter) fewest(o UserOrder) int {
	begins := func(t *TextFilter) bool { return t != nil && t.StartsWith != nil }
	anonymous := f.State != nil && *f.State == UserIsAnonymous
	switch {
	case anonymous && (o.By == UsersByEmail || o.By == UsersByDisplayName): // who all have the same name, and no address
		return 6000
	case anonymous, len(f.Metadata) > 0, o.By != UsersByEmail && begins(f.Email), o.By != UsersByDisplayName && begins(f.DisplayName),
		o.By != UsersByLastSeen && f.LastSeen != nil, f.UpdatedAt != nil, o.By != UsersByCreatedAt && f.CreatedAt != nil,
		o.By == UsersByLastSeen && f.Provider != nil:
		return 2500
	}
	return 0
}

// findUsersStatement finds the ids of the slice first, so that what belongs to a user is read for those
// alone.
func findUsersStatement(f UserFilter, o UserOrder, s Slice, now time.Time) (string, []any) {
	l := listing{order: o, backward: s.Backward, most: f.fewest(o)}
	role := f.Role
	if o.By != UsersByCreatedAt {
		f.Role = nil
	}
	c := conditionsOf(f, now)
	l.others, l.all = c, c
	if role != nil && f.Role == nil {
		l.role = c.arg(*role)
		l.all = c.with(`exists (select from auth.user_roles r where r.user_id = u.id and r.role = ` + l.role + `)`)
	}
	l.placed(c, s)
	l.limit = ` limit ` + c.arg(s.Most+1) + `::int`
	return l.statement(), c.args
}

// placed notes where in the order the slice is.
func (l *listing) placed(c *conditions, s Slice) {
	key, typ := l.order.expression()
	after, before := ">", "<"
	if l.order.Descending {
		after, before = before, after
	}
	for _, end := range []struct {
		bound string
		place []string
	}{{after, s.After}, {before, s.Before}} {
		if len(end.place) != 2 {
			continue
		}
		at, id := c.arg(end.place[0]), c.arg(end.place[1])
		beyond := end.bound + ` (` + at + `::text::` + typ + `, ` + id + `::uuid)`
		l.placeOfFew = append(l.placeOfFew, `(key, id) `+beyond)
		l.place = append(l.place, `(`+key+`, u.id) `+beyond)
		if l.order.By == UsersByLastSeen {
			l.place = append(l.place, `u.seen_on `+end.bound+`= (`+at+`::text::timestamptz at time zone 'UTC')::date`)
		}
	}
}

// listing is a statement in the making.
type listing struct {
	order    UserOrder
	backward bool
	all      *conditions // that a user must fulfil, wherever in the order
	most     int         // see fewest
	role     string      // the argument that names a role whose holders are looked up, if they are few; empty for none
	others   *conditions // all but that of the role
	limit    string

	place, placeOfFew []string // where in the order the slice is, of users and of those who are few
}

func (l listing) statement() string {
	key, typ := l.order.expression()
	direction := " asc"
	if l.order.Descending != l.backward {
		direction = " desc"
	}
	text := `''`
	if typ == "text" {
		text = "page.key"
	}
	few, are := l.few(key)
	return `with ` + few + `page as materialized (` + l.page(key, direction, are) + `)
		select` + recordColumns + `, ` + text + ` as sort_text
		from page join auth.users u on u.id = page.id order by page.key` + direction + `, page.id` + direction
}

// few finds those whom a filter lets through, if they are few, in any order and wherever the slice is: left to itself Postgres takes a place
// for rarer than it is and reads all identities for it. Where they are more, are says so. Both are empty where that is not tried.
func (l listing) few(key string) (few, are string) {
	some := `select u.id, ` + key + ` as key from auth.users u` + l.all.where() + ` limit ` + strconv.Itoa(l.most+1)
	more := `(select count(*) from few) > ` + strconv.Itoa(l.most)
	switch {
	case l.role == "" && l.most == 0:
		return "", ""
	case l.role == "":
		return `few as materialized (` + some + `), `, more
	}
	// Left to itself Postgres reads all users to find two thousand.
	holders := `holders as materialized (select r.user_id from auth.user_roles r where r.role = ` + l.role + ` limit ` + strconv.Itoa(mostHolders+1) + `), `
	many := `(select count(*) from holders) > ` + strconv.Itoa(mostHolders)
	each := `select held.* from holders cross join lateral (select u.id, ` + key + ` as key from auth.users u` + l.others.with(`u.id = holders.user_id`).where() +
		` offset 0) held where not ` + many
	if l.most == 0 {
		return holders + `few as materialized (` + each + `), `, many
	}
	return holders + `few as materialized (` + each + ` union all (select id, key from (` + some + `) found where ` + many + `)), `, many + ` and ` + more
}

// page takes the slice from those who are few, or goes along the order until it is full.
func (l listing) page(key, direction, are string) string {
	along := key + direction + `, u.id` + direction
	if l.order.By == UsersByLastSeen {
		along = `u.seen_on` + direction + `, ` + along
	}
	listed := `select u.id, ` + key + ` as key from auth.users u`
	if are == "" {
		return listed + l.all.with(l.place...).where() + ` order by ` + along + l.limit
	}
	of := &conditions{parts: append([]string{`not (` + are + `)`}, l.placeOfFew...)}
	return `(select id, key from few` + of.where() + ` order by key` + direction + `, id` + direction + l.limit + `) union all (` +
		listed + l.all.with(append(l.place, are)...).where() + ` order by ` + along + l.limit + `)`
}

// arg adds an argument and tells its name.
func (c *conditions) arg(value any) string {
	c.args = append(c.args, value)
	return fmt.Sprintf(`$%d`, len(c.args))
}

// with are the conditions and some more.
func (c *conditions) with(parts ...string) *conditions {
	return &conditions{parts: slices.Concat(c.parts, parts), args: c.args}
}
