package brand

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a catalogue.
type Fault struct {
	Line, Column int    // in the YAML text, from 1; 0 when the catalogue was not read from a text
	Path         string // where in the catalogue: "brands[0].aliases[2]"
	Message      string // what is wrong
	Hint         string // what to do
}

// Error returns "line:column: path: message (hint)" with the parts that are known.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Line > 0 {
		b.WriteString(strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column) + ": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Faults returns the faults in an error of Parse or Validate, in the order of the text.
func Faults(err error) []*Fault {
	var list []*Fault
	var collect func(error)
	collect = func(err error) {
		// The tree is walked by hand: errors.As would stop at the first fault.
		switch e := err.(type) { //nolint:errorlint // see above
		case *Fault:
			list = append(list, e)
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				collect(inner)
			}
		case interface{ Unwrap() error }:
			collect(e.Unwrap())
		}
	}
	if err != nil {
		collect(err)
	}
	return list
}

func joinFaults(faults []*Fault) error {
	slices.SortStableFunc(faults, func(a, b *Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}
