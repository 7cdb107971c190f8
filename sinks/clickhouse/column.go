package clickhouse

import (
	"fmt"
	"math"

	"otklik/stream"
)

// column is one column of a table as it is written: a typed slice for a block of rows, which clickhouse-go takes as a whole, where
// appending rows would box every value.
type column[T any] struct {
	name   string
	values func(rows []*T) any
	check  func(row *T) error // nil: every value fits
}

// plain is a column whose Go type is the one that clickhouse-go copies.
func plain[T, V any](name string, value func(*T) V) column[T] {
	return column[T]{name: name, values: func(rows []*T) any {
		out := make([]V, len(rows))
		for i, r := range rows {
			out[i] = value(r)
		}
		return out
	}}
}

// key is a text column that must not be empty, because it is part of the key of the row.
func key[T any](name string, value func(*T) string) column[T] {
	c := plain(name, value)
	c.check = func(r *T) error {
		if value(r) == "" {
			return fmt.Errorf("column %s is empty", name)
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
	return column[T]{name: name, values: func(rows []*T) any {
		values := make([]V, len(rows))
		out := make([]*V, len(rows))
		for i, r := range rows {
			if v, ok := value(r); ok {
				values[i] = v
				out[i] = &values[i]
			}
		}
		return out
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
