package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// A UserFilter says which users to find: those of whom everything holds that is set.
type UserFilter struct {
	IDs         []string // nil for all
	Email       *TextFilter
	PhoneNumber *TextFilter
	DisplayName *TextFilter
	Role        *string // that they were given
	DefaultRole *string
	Provider    *string // that knows them
	State       *UserState
	Metadata    json.RawMessage // that theirs contains
	CreatedAt   *TimeRange
	UpdatedAt   *TimeRange
	LastSeen    *TimeRange
}

// A TextFilter compares a text, whatever the case of its letters.
type TextFilter struct {
	Equals, StartsWith *string
}

// A TimeRange is from a moment on, and until before another.
type TimeRange struct {
	From, Before *time.Time
}

// UserState is what may be true of a user. Several may be at once.
type UserState string

// The states.
const (
	UserIsActive     UserState = "ACTIVE" // nobody has locked them
	UserIsDisabled   UserState = "DISABLED"
	UserIsBanned     UserState = "BANNED" // now
	UserIsDeleted    UserState = "DELETED"
	UserIsUnverified UserState = "UNVERIFIED" // they have an address that nobody has confirmed
	UserIsAnonymous  UserState = "ANONYMOUS"
)

// UserOrder is by what users are sorted, and by their id where that is the same.
type UserOrder struct {
	By         UserOrderField
	Descending bool
}

// UserOrderField is one thing to sort users by.
type UserOrderField string

// What users can be sorted by. There is no index on last_seen, since every refresh would pay for it, but one on the
// day: those of one day are sorted when they are listed.
const (
	UsersByCreatedAt   UserOrderField = "CREATED_AT"
	UsersByEmail       UserOrderField = "EMAIL"
	UsersByDisplayName UserOrderField = "DISPLAY_NAME"
	UsersByLastSeen    UserOrderField = "LAST_SEEN"
)

// The expressions are those of the indexes, to the letter. They are never null.
const (
	emailKey       = `coalesce(lower(left(u.email::text, 254)), '') collate "C"`
	displayNameKey = `lower(left(u.display_name, 100)) collate "C"`
	phoneKey       = `left(u.phone_number, 32) collate "C"`
	lastSeenKey    = `coalesce(u.last_seen, (u.created_at at time zone 'UTC' - interval '730000 days') at time zone 'UTC')`
)

// beforeAnybody is how many days before their creation those who were never seen stand in the order of who was seen when: the
// number that the index and lastSeenKey have. All in one place, they could not be listed page by page.
const beforeAnybody = 730_000

// expression is what the database sorts by, and the type of it.
func (o UserOrder) expression() (sql, typ string) {
	switch o.By {
	case UsersByEmail:
		return emailKey, "text"
	case UsersByDisplayName:
		return displayNameKey, "text"
	case UsersByLastSeen:
		return lastSeenKey, "timestamptz"
	default:
		return "u.created_at", "timestamptz"
	}
}

// FoundUser is a user of a list, with the key of their place in it.
type FoundUser struct {
	UserRecord
	SortText string // empty where they are sorted by a time
}

// Key is the place of a user in an order.
func (u FoundUser) Key(o UserOrder) []string {
	switch o.By {
	case UsersByEmail, UsersByDisplayName:
		return []string{u.SortText, u.ID}
	case UsersByLastSeen:
		if u.LastSeen.IsZero() {
			return []string{u.CreatedAt.UTC().AddDate(0, 0, -beforeAnybody).Format(time.RFC3339Nano), u.ID}
		}
		return []string{u.LastSeen.UTC().Format(time.RFC3339Nano), u.ID}
	default:
		return []string{u.CreatedAt.UTC().Format(time.RFC3339Nano), u.ID}
	}
}

// conditions are the conditions of a statement, with their arguments.
type conditions struct {
	parts []string
	args  []any
}

// add adds a condition in which each $? stands for the next argument.
func (c *conditions) add(sql string, args ...any) {
	for _, a := range args {
		sql = strings.Replace(sql, "$?", c.arg(a), 1)
	}
	c.parts = append(c.parts, sql)
}

func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " where " + strings.Join(c.parts, " and ")
}

// likeEscapes makes letters of what LIKE takes for more.
var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// addText adds what a filter says of a text; key is what the index has of it. Only so much of a text is in
// the index, so that equals says what all of it must be.
func (c *conditions) addText(key, equals string, f *TextFilter) {
	if f == nil {
		return
	}
	if f.Equals != nil {
		c.add(equals, *f.Equals)
	}
	if f.StartsWith != nil {
		c.add(key+` like lower($?::text) || '%'`, likeEscapes.Replace(*f.StartsWith))
	}
}

func (c *conditions) addRange(column string, r *TimeRange) {
	if r == nil {
		return
	}
	if r.From != nil {
		c.add(column+` >= $?`, *r.From)
	}
	if r.Before != nil {
		c.add(column+` < $?`, *r.Before)
	}
}

// conditionsOf are the conditions of a filter.
func conditionsOf(f UserFilter, now time.Time) *conditions {
	c := &conditions{}
	if f.IDs != nil {
		c.add(`u.id = any($?::uuid[])`, f.IDs)
	}
	c.addText(emailKey, `u.email = $?::text::public.citext`, f.Email)
	if f.PhoneNumber != nil {
		c.add(`u.phone_number is not null`)
		c.addText(phoneKey, `u.phone_number = $?`, f.PhoneNumber)
	}
	if f.DisplayName != nil && f.DisplayName.Equals != nil {
		c.add(displayNameKey+` = lower(left($?::text, 100))`, *f.DisplayName.Equals)
	}
	c.addText(displayNameKey, `lower(u.display_name) = lower($?::text)`, f.DisplayName)
	if f.Role != nil {
		c.add(`exists (select from auth.user_roles r where r.user_id = u.id and r.role = $?)`, *f.Role)
	}
	if f.DefaultRole != nil {
		c.add(`u.default_role = $?`, *f.DefaultRole)
	}
	if f.Provider != nil {
		c.add(`exists (select from auth.user_providers i where i.user_id = u.id and i.provider_id = $?)`, *f.Provider)
	}
	if len(f.Metadata) > 0 {
		c.add(`u.metadata @> $?::jsonb`, []byte(f.Metadata))
	}
	c.addState(f.State, now)
	c.addRange("u.created_at", f.CreatedAt)
	c.addRange("u.updated_at", f.UpdatedAt)
	c.addDays("u.updated_on", f.UpdatedAt)
	c.addRange("u.last_seen", f.LastSeen)
	c.addDays("u.seen_on", f.LastSeen)
	if r := f.LastSeen; r != nil && r.From == nil && r.Before != nil {
		c.add(`u.seen_on >= '0100-01-01'`) // the index has those who were never seen before that
	}
	return c
}

// addDays adds what an index on the day of a moment knows of a range.
func (c *conditions) addDays(column string, r *TimeRange) {
	if r == nil {
		return
	}
	if r.From != nil {
		c.add(column+` >= ($?::timestamptz at time zone 'UTC')::date`, *r.From)
	}
	if r.Before != nil {
		c.add(column+` <= ($?::timestamptz at time zone 'UTC')::date`, *r.Before)
	}
}

func (c *conditions) addState(s *UserState, now time.Time) {
	if s == nil {
		return
	}
	switch *s {
	case UserIsActive:
		c.add(isOpen+`$?)`, now)
	case UserIsDisabled:
		c.add(`u.disabled`)
	case UserIsBanned:
		c.add(`u.banned_until > $?`, now)
	case UserIsDeleted:
		c.add(`u.deleted_at is not null`)
	case UserIsUnverified:
		c.add(`u.email is not null and not u.email_verified`)
	case UserIsAnonymous:
		c.add(`u.is_anonymous`)
	default:
		c.add(`false`)
	}
}

// FindUsers lists users. Which statement it is depends on what is asked for, so Postgres plans it with the
// values.
func (db *DB) FindUsers(ctx context.Context, f UserFilter, o UserOrder, s Slice, now time.Time) ([]FoundUser, error) {
	sql, args := findUsersStatement(f, o, s, now)
	rows, err := db.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[FoundUser])
	if s.Backward {
		slices.Reverse(found)
	}
	return found, incomparable(refusal(err))
}

// CountUsers counts the users that a filter lets through.
func (db *DB) CountUsers(ctx context.Context, f UserFilter, now time.Time) (n int64, err error) {
	c := conditionsOf(f, now)
	err = db.QueryRow(ctx, `select count(*) from auth.users u`+c.where(), append([]any{pgx.QueryExecModeCacheDescribe}, c.args...)...).Scan(&n)
	return n, incomparable(refusal(err))
}

// incomparable makes a refusal of what the database cannot compare: a number out of its range, say.
func incomparable(err error) error {
	if state := sqlState(err); strings.HasPrefix(state, "22") || state == "54001" {
		return fmt.Errorf("%w: %w", auth.Invalid{Field: "where", Problem: "has a value that the database cannot compare with"}, err)
	}
	return err
}

// EstimateUsers is how many users the planner expects a filter to let through. Nobody is counted.
func (db *DB) EstimateUsers(ctx context.Context, f UserFilter, now time.Time) (int64, error) {
	c := conditionsOf(f, now)
	var plan []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	var text []byte
	err := db.QueryRow(ctx, `explain (format json) select from auth.users u`+c.where(), append([]any{pgx.QueryExecModeCacheDescribe}, c.args...)...).Scan(&text)
	if err != nil {
		return 0, incomparable(refusal(err))
	}
	if err := json.Unmarshal(text, &plan); err != nil || len(plan) != 1 {
		return 0, fmt.Errorf("%w: the plan of a count: %w", auth.Internal, err)
	}
	return int64(plan[0].Plan.Rows), nil
}
