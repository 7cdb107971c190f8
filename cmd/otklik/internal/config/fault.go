package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a configuration: where it stands, what is wrong, and what to do about it.
type Fault struct { //nolint:errname // it is the word of the domain: one of many, listed with its siblings
	File    string // "" for the built-in defaults
	Line    int    // 1-based; 0 when the fault belongs to no line (a missing key of the defaults, an unreadable file)
	Column  int    // 1-based, in characters; 0 like Line
	Path    string // the key, for example kafka.topics.firehose.twitter
	Message string // what is wrong; it never holds the value of a secret
	Hint    string // what to do, as an order; may be empty
}

// Error returns "file:line:column: path: message; hint".
func (f *Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
		}
		b.WriteString(": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		b.WriteString("; ")
		b.WriteString(f.Hint)
	}
	return b.String()
}

// Faults returns the faults that err holds, in the order of their places; nil when it holds none.
func Faults(err error) []*Fault {
	var out []*Fault
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // the tree of joined errors is walked, not searched
		case nil:
		case *Fault:
			out = append(out, e)
		case interface{ Unwrap() []error }:
			for _, sub := range e.Unwrap() {
				walk(sub)
			}
		default:
			if one, ok := errors.AsType[*Fault](err); ok {
				out = append(out, one)
			}
		}
	}
	walk(err)
	return out
}

// join sorts faults by place and joins them; nil when there is none.
func join(faults []*Fault) error {
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}
