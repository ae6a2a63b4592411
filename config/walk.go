package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// setting is one thing an operator can set, as its room declared it with tags.
type setting struct {
	names   []string // the canonical name first
	old     []string // names that still work and will not for ever
	room    string   // title of the room that declared it
	preset  string   // the default, as text
	unit    time.Duration
	unitTag string
	oneof   []string
	min     string
	max     string
	format  string
	secret  bool
	doc     string
	fields  []reflect.Value // more than one when two rooms need the same setting
}

// name is the canonical name.
func (s *setting) name() string { return s.names[0] }

// isBool says whether the setting is a switch, which as a flag needs no value.
func (s *setting) isBool() bool {
	return s.fields[0].Kind() == reflect.Bool && !s.isText()
}

// isText says whether the field's type reads itself from text.
func (s *setting) isText() bool { return isText(s.fields[0].Type()) }

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// room is one struct of settings with the words that head it in the documentation.
type room struct {
	title    string
	doc      string
	settings []*setting
}

// checker is what a room's Settings may have: rules that concern more than one field.
type checker interface {
	Check(report func(env, problem string))
}

// reader is what a room's Settings may have: settings that stand in a file of their own. It is called
// when all others are known, and before rules are checked.
type reader interface{ Read(r reading) }

// reading is what a reader reads by.
type reading struct {
	file         func(name string) ([]byte, error)
	variable     func(name string) string                     // what a source has under a name
	nearest      func(mistyped string, known []string) string // the known word that a mistyped one was meant to be
	report, warn func(env, problem string)
}

// declarer is what a room's Settings may have: settings that follow from a table, and such as the
// operator makes up the names of. It gets every name that is set, as far as it is known, and adds
// the tags and the place of each setting. A second walk may call it again.
type declarer interface {
	Declare(set []string, add func(tags reflect.StructTag, into any))
}

// tree is everything one walk finds.
type tree struct {
	rooms    []*room
	settings []*setting // in the order of declaration
	byName   map[string]*setting
	old      map[string]deprecation // by the old name
	checkers []checker
	readers  []reader
	faults   []string           // mistakes in the tags: ours, not the operator's
	set      []string           // names that some source has, for declarers
	dialect  string             // whose defaults count, where a setting has others for it
	flags    map[string]Flag    // built when first asked for
	others   map[string]verdict // as flags
}

// deprecator is what a target may have: settings that were renamed.
type deprecator interface {
	deprecations() []deprecation
}

// units are the words a unit tag may use.
var units = map[string]time.Duration{
	"ns": time.Nanosecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
}

// walk reads the tags of target, a pointer to a struct whose fields are the rooms' structs.
func walk(target any) *tree { return walkAs("", target) }

// walkAs is walk with the defaults of a dialect: a tag of its name has what stands in the place of the tag default. set
// are the names that some source has, of which a room may make settings.
func walkAs(dialect string, target any, set ...string) *tree {
	t := &tree{byName: map[string]*setting{}, old: map[string]deprecation{}, set: set, dialect: dialect}
	v := reflect.ValueOf(target).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Type.Kind() != reflect.Struct {
			continue
		}
		title := f.Tag.Get("title")
		if title == "" {
			title = f.Name
		}
		r := &room{title: title, doc: f.Tag.Get("doc")}
		t.structure(r, v.Field(i))
		t.rooms = append(t.rooms, r)
	}
	if d, ok := target.(deprecator); ok {
		t.rename(d.deprecations())
	}
	return t
}

// rename gives settings their old names besides.
func (t *tree) rename(list []deprecation) {
	for _, d := range list {
		s, taken := t.byName[d.name], t.byName[d.old]
		switch {
		case s == nil || t.old[d.name] != (deprecation{}):
			t.faults = append(t.faults, fmt.Sprintf("%s is the old name of %s, which is no setting", d.old, d.name))
		case taken != nil:
			t.faults = append(t.faults, fmt.Sprintf("%s is the old name of %s and belongs to %s", d.old, d.name, taken.name()))
		case d.dropped == "":
			t.faults = append(t.faults, fmt.Sprintf("%s is the old name of %s, and no version drops it", d.old, d.name))
		default:
			s.old = append(s.old, d.old)
			t.byName[d.old], t.old[d.old] = s, d
		}
	}
}

// structure reads one struct, and the structs inside it.
func (t *tree) structure(r *room, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		switch names := strings.Fields(f.Tag.Get("env")); {
		case len(names) > 0:
			t.add(r, names, f.Tag, v.Field(i))
		case f.Type.Kind() == reflect.Struct && !isText(f.Type):
			t.structure(r, v.Field(i))
		}
	}
	if d, ok := v.Addr().Interface().(declarer); ok {
		d.Declare(t.set, func(tags reflect.StructTag, into any) {
			t.add(r, strings.Fields(tags.Get("env")), tags, reflect.ValueOf(into).Elem())
		})
	}
	if r, ok := v.Addr().Interface().(reader); ok {
		t.readers = append(t.readers, r)
	}
	if c, ok := v.Addr().Interface().(checker); ok {
		t.checkers = append(t.checkers, c)
	}
}

// add takes one field in.
func (t *tree) add(r *room, names []string, tag reflect.StructTag, v reflect.Value) {
	s := &setting{
		names: names, room: r.title, preset: tag.Get("default"), unitTag: tag.Get("unit"),
		oneof: strings.Fields(tag.Get("oneof")), min: tag.Get("min"), max: tag.Get("max"),
		format: tag.Get("format"), secret: tag.Get("secret") == "true", doc: tag.Get("doc"),
		fields: []reflect.Value{v},
	}
	if theirs, ok := tag.Lookup(t.dialect); ok && t.dialect != "" {
		s.preset = theirs
	}
	s.unit = units[s.unitTag]
	t.inspect(s)
	if first := t.byName[s.name()]; first != nil {
		t.again(first, s)
		return
	}
	for _, name := range names {
		if other := t.byName[name]; other != nil {
			t.faults = append(t.faults, fmt.Sprintf("%s belongs to %s and to %s", name, other.name(), s.name()))
			continue
		}
		t.byName[name] = s
	}
	t.settings = append(t.settings, s)
	r.settings = append(r.settings, s)
}

// again joins a second declaration of the same setting to the first. Rooms do not import each
// other, so two of them may need the same value; then they must mean the same by it.
func (t *tree) again(first, second *setting) {
	same := first.preset == second.preset && first.unit == second.unit &&
		first.secret == second.secret && slices.Equal(first.names, second.names) &&
		first.fields[0].Type() == second.fields[0].Type()
	if !same {
		t.faults = append(t.faults, fmt.Sprintf("%s is declared in %s and, differently, in %s",
			first.name(), first.room, second.room))
	}
	first.fields = append(first.fields, second.fields...)
}

// inspect notes what is wrong with the tags of one field.
func (t *tree) inspect(s *setting) {
	fault := func(format string, args ...any) {
		t.faults = append(t.faults, s.name()+" "+fmt.Sprintf(format, args...))
	}
	if s.doc == "" {
		fault("has no doc tag")
	}
	if s.unitTag != "" && s.unit == 0 {
		fault("has the unknown unit %q", s.unitTag)
	}
	if s.format != "" && formats[s.format].check == nil {
		fault("has the unknown format %q", s.format)
	}
	if !s.readable() {
		fault("has a field of type %s, which settings cannot have", s.fields[0].Type())
		return
	}
	if s.preset == "" {
		return
	}
	probe := reflect.New(s.fields[0].Type()).Elem()
	if w := s.parse(s.preset, probe); w != nil {
		fault("has a default that is wrong: %s", w.what)
	}
}

// readable says whether parse knows the field's type.
func (s *setting) readable() bool {
	if s.isText() {
		return true
	}
	t := s.fields[0].Type()
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	default:
		return false
	}
}
