package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Settings say what the built-in source shows, and under which names.
type Settings struct {
	Schemas       []string      `env:"AUTH_CLAIMS_SCHEMAS" doc:"Schemas of the database whose tables custom claims may read when Postern answers them itself, besides auth. Empty means all but those of Postgres, Hasura and Postern."`
	Relationships Relationships `env:"AUTH_CLAIMS_RELATIONSHIPS" doc:"Names of relationships for custom claims when Postern answers them itself, as a JSON object such as {\"auth.users.profile\": \"public.profiles.user_id\"}. A column of another table makes a relationship from there (a list, or one object where the column is unique), a column of the table itself one to the object it refers to. Where there is no foreign key, both columns: \"public.orders.buyer\": \"public.orders.buyer_id = public.customers.id\"."`
}

// Relationships are relations that somebody named.
type Relationships []Relationship

// A Relationship gives a table a field that leads to other rows.
type Relationship struct {
	Table tableName
	Name  string
	From  string // the column of Table, empty to find it by the foreign key
	To    columnName
}

type tableName struct{ schema, table string }

func (n tableName) String() string { return n.schema + "." + n.table }

type columnName struct {
	tableName

	column string
}

func (n columnName) String() string { return n.tableName.String() + "." + n.column }

// String is the relationship as it is written in the setting.
func (r Relationship) String() string { return r.Table.String() + "." + r.Name }

// UnmarshalText reads a JSON object: "table.relation" to "table.column", or to two columns with an
// equals sign between them. The order is kept.
func (r *Relationships) UnmarshalText(text []byte) error {
	*r = nil
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New(`it must be a JSON object such as {"auth.users.profile": "public.profiles.user_id"}`)
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return errors.New("it is not valid JSON")
		}
		name, _ := key.(string)
		var value string
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("the value of %q must be a text such as \"public.profiles.user_id\"", name)
		}
		one, err := parseRelationship(name, value)
		if err != nil {
			return err
		}
		if seen[one.String()] {
			return fmt.Errorf("%s is named twice", one)
		}
		seen[one.String()] = true
		*r = append(*r, one)
	}
	if _, err := d.Token(); err != nil {
		return errors.New("it is not valid JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

func parseRelationship(name, value string) (Relationship, error) {
	at, err := parseColumn(name)
	if err != nil {
		return Relationship{}, fmt.Errorf("%q must be a table and a name for the relationship, such as auth.users.profile", name)
	}
	r := Relationship{Table: at.tableName, Name: at.column}
	if !isName(r.Name) {
		return r, fmt.Errorf("%q cannot be the name of a relationship: letters, digits and underscores make one", r.Name)
	}
	first, second, both := "", value, false
	if i := equals(value); i >= 0 {
		first, second, both = value[:i], value[i+1:], true
	}
	if r.To, err = parseColumn(second); err != nil {
		return r, fmt.Errorf("%q of %s must be a column with its table, such as public.profiles.user_id", value, r)
	}
	if !both {
		return r, nil
	}
	from, err := parseColumn(first)
	if err != nil || from.tableName != r.Table {
		return r, fmt.Errorf("%q of %s must begin with a column of %s", value, r, r.Table)
	}
	r.From = from.column
	return r, nil
}

// equals finds the equals sign that is in no quotes.
func equals(s string) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '=' && !quoted:
			return i
		}
	}
	return -1
}

// parseColumn reads schema.table.column; without a schema it is public, as in Hasura. Parts with dots
// stand in double quotes.
func parseColumn(s string) (columnName, error) {
	var parts []string
	rest := strings.TrimSpace(s)
	for {
		part, after, err := nextPart(rest)
		if err != nil {
			return columnName{}, err
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	switch len(parts) {
	case 2:
		return columnName{tableName{"public", parts[0]}, parts[1]}, nil
	case 3:
		return columnName{tableName{parts[0], parts[1]}, parts[2]}, nil
	}
	return columnName{}, errors.New("it is no column")
}

// nextPart reads up to the next dot, which after begins with.
func nextPart(s string) (part, after string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexByte(s, '.'); i >= 0 {
			part, after = s[:i], s[i:]
		} else {
			part = s
		}
		if part == "" || strings.ContainsAny(part, `"`) {
			return "", "", errors.New("it is no name")
		}
		return part, after, nil
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			part += s[i : i+1]
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			part += `"`
			i++
			continue
		}
		after = s[i+1:]
		if part == "" || after != "" && after[0] != '.' {
			return "", "", errors.New("it is no name")
		}
		return part, after, nil
	}
	return "", "", errors.New("a quote is not closed")
}
