package store

// A Slice is a part of a list that is sorted by a key whose last member is unique. The items come in the
// order of the list, one more than Most where there are more: the last one, or of a Backward slice the
// first.
type Slice struct {
	Most     int
	Backward bool     // the last items of the range, not the first
	After    []string // the key that the range begins behind; nil for the beginning of the list
	Before   []string // the key that the range ends in front of; nil for the end
}
