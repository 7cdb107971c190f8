package clickhouse

import (
	"fmt"
	"math"
	"slices"
	"sync"

	native "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"otklik/stream"
)

// column is one column of a table as it is written: a whole block of rows at once, because appending rows would box every value.
type column[T any] struct {
	name  string
	put   func(to native.BatchColumn, rows []*T) error
	check func(row *T) error // nil: every value fits
}

// buffers keeps slices from one insert to the next: clickhouse-go copies what it is given.
type buffers[V any] struct{ pool sync.Pool }

// take returns a slice of n values, which hold what they held.
func (b *buffers[V]) take(n int) *[]V {
	if s, ok := b.pool.Get().(*[]V); ok && cap(*s) >= n {
		*s = (*s)[:n]
		return s
	}
	s := make([]V, n)
	return &s
}

// give takes a slice back, without what it refers to.
func (b *buffers[V]) give(s *[]V) {
	clear(*s)
	b.pool.Put(s)
}

// plain is a column whose Go type is the one that clickhouse-go copies.
func plain[T, V any](name string, value func(*T) V) column[T] {
	var kept buffers[V]
	return column[T]{name: name, put: func(to native.BatchColumn, rows []*T) error {
		values := kept.take(len(rows))
		defer kept.give(values)
		out := *values
		for i, r := range rows {
			out[i] = value(r)
		}
		return to.Append(out)
	}}
}

// words is how many values of a column of few different ones are boxed only once in a block.
const words = 16

// word is a LowCardinality column. clickhouse-go boxes each of its values, one allocation each, unless it is given boxes: those
// of the words that were met last are used again.
func word[T any](name string, value func(*T) string) column[T] {
	var kept buffers[any]
	return column[T]{name: name, put: func(to native.BatchColumn, rows []*T) error {
		values := kept.take(len(rows))
		defer kept.give(values)
		out := *values
		var known [words]string
		var boxes [words]any
		met := 0
		for i, r := range rows {
			v := value(r)
			n := slices.Index(known[:min(met, words)], v)
			if n < 0 {
				n = met % words
				known[n], boxes[n] = v, v
				met++
			}
			out[i] = boxes[n]
		}
		return to.Append(out)
	}}
}

// list is an array column. Given whole, clickhouse-go would take every row apart by reflection. A list of one row may be the same
// slice as that of another; usual is the one that most rows have.
func list[T, V any](name string, usual []V, value func(*T) []V) column[T] {
	var box any = usual
	return column[T]{name: name, put: func(to native.BatchColumn, rows []*T) error {
		for _, r := range rows {
			v := value(r)
			var err error
			if len(v) == len(usual) && (len(v) == 0 || &v[0] == &usual[0]) {
				err = to.AppendRow(box)
			} else {
				err = to.AppendRow(v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

// key is a text column that must not be empty, because it is part of the key of the row.
func key[T any](name string, value func(*T) string) column[T] {
	return filled(plain(name, value), value)
}

// keyWord is a LowCardinality column that must not be empty, because it is part of the key of the row.
func keyWord[T any](name string, value func(*T) string) column[T] {
	return filled(word(name, value), value)
}

func filled[T any](c column[T], value func(*T) string) column[T] {
	c.check = func(r *T) error {
		if value(r) == "" {
			return fmt.Errorf("column %s is empty", c.name)
		}
		return nil
	}
	return c
}

// DateTime64(3) holds the years 1900 to 2299; beyond them the server would store another moment without a word.
const (
	minTime stream.Time = -2_208_988_800_000
	maxTime stream.Time = 10_413_791_999_999
)

func checkTime(name string, t stream.Time) error {
	if t < minTime || t > maxTime {
		return fmt.Errorf("column %s: time %d ms lies outside of the years 1900 to 2299", name, int64(t))
	}
	return nil
}

// moment is a time that is always known; 0 is the Unix epoch.
func moment[T any](name string, value func(*T) stream.Time) column[T] {
	c := plain(name, func(r *T) int64 { return int64(value(r)) })
	c.check = func(r *T) error { return checkTime(name, value(r)) }
	return c
}

// maybe is a nullable column.
func maybe[T, V any](name string, value func(*T) (V, bool)) column[T] {
	var (
		keptValues   buffers[V]
		keptPointers buffers[*V]
	)
	return column[T]{name: name, put: func(to native.BatchColumn, rows []*T) error {
		values, pointers := keptValues.take(len(rows)), keptPointers.take(len(rows))
		defer keptValues.give(values)
		defer keptPointers.give(pointers)
		for i, r := range rows {
			if v, ok := value(r); ok {
				(*values)[i] = v
				(*pointers)[i] = &(*values)[i]
			}
		}
		return to.Append(*pointers)
	}}
}

// maybeMoment is a time that may be unknown: 0 becomes NULL.
func maybeMoment[T any](name string, value func(*T) stream.Time) column[T] {
	c := maybe(name, func(r *T) (int64, bool) { t := value(r); return int64(t), t != 0 })
	c.check = func(r *T) error { return checkTime(name, value(r)) }
	return c
}

// count is a number that may not be stated.
func count[T any](name string, value func(*T) stream.Count) column[T] {
	return maybe(name, func(r *T) (int64, bool) { n := value(r); return n.Value(), n.Known() })
}

// span is a time span in seconds from a count of milliseconds.
func span[T any](name string, value func(*T) stream.Count) column[T] {
	return maybe(name, func(r *T) (float64, bool) { n := value(r); return float64(n.Value()) / 1000, n.Known() })
}

// number is a float whose NaN is stored as NULL.
func number[T any](name string, value func(*T) float64) column[T] {
	c := maybe(name, func(r *T) (float64, bool) { v := value(r); return v, !math.IsNaN(v) })
	c.check = func(r *T) error {
		if math.IsInf(value(r), 0) {
			return fmt.Errorf("column %s is infinite", name)
		}
		return nil
	}
	return c
}

// bit is one as 1.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
