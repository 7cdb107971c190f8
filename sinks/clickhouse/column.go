package clickhouse

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"otklik/stream"
)

// column is one column of a table as it is written: values go from the structs of rows into the bytes that are sent, without a slice
// of values in between.
type column[T any] struct {
	name string
	// wrap is what the type of the table has around one of types: "", "Nullable(", "LowCardinality(" or "Array(".
	wrap string
	// types are those of ClickHouse that put writes; parameters may follow.
	types []string
	// put appends the values of some rows. With low the strings of an array are LowCardinality.
	put   func(to *cells, rows []*T, low bool)
	check func(row *T) error // nil: every value fits
}

// cells is what the rows of a block have in one column, in ClickHouse's native format.
type cells struct {
	head   []byte      // before the values: which are NULL, or where each array ends
	values []byte      // all values
	count  uint64      // elements of the arrays so far
	words  *dictionary // the values instead where the column is LowCardinality; nil if it is not
}

// reset empties the column for the next block; what it may keep of its memory it keeps.
func (c *cells) reset() {
	c.head, c.values, c.count = c.head[:0], c.values[:0], 0
	c.release()
}

// release gives the dictionary back.
func (c *cells) release() {
	if c.words != nil {
		c.words.reset()
		dictionaries.Put(c.words)
		c.words = nil
	}
}

// word appends a value of a LowCardinality column.
func (c *cells) word(s string) {
	if c.words == nil {
		c.words = dictionaries.Get().(*dictionary) //nolint:forcetypeassert // it has no others
	}
	c.words.add(s)
}

// fits reports whether put writes a column of this type.
func (c *column[T]) fits(typ string) bool {
	inner, ok := strings.CutPrefix(typ, c.wrap)
	if !ok {
		return false
	}
	if c.wrap == inArray {
		inner = strings.TrimPrefix(inner, inDictionary)
	}
	for _, t := range c.types {
		if rest, ok := strings.CutPrefix(inner, t); ok && (rest == "" || strings.ContainsAny(rest[:1], "(),")) {
			return true
		}
	}
	return false
}

const (
	nullable     = "Nullable("
	inDictionary = "LowCardinality("
	inArray      = "Array("
	milliseconds = "DateTime64(3"
)

// room appends n bytes to the buffer, for the caller to fill.
func room(to *[]byte, n int) []byte {
	had := len(*to)
	*to = slices.Grow(*to, n)[:had+n]
	return (*to)[had:]
}

// buffers keeps slices from one insert to the next.
type buffers[V any] struct{ pool sync.Pool }

// take returns an empty slice.
func (b *buffers[V]) take() *[]V {
	if s, ok := b.pool.Get().(*[]V); ok {
		return s
	}
	return new([]V)
}

// give takes a slice back, without what it refers to.
func (b *buffers[V]) give(s *[]V) {
	clear(*s)
	*s = (*s)[:0]
	b.pool.Put(s)
}

// plain is a column of Go's type for it; an int8 may be an enum, an int64 a time in milliseconds.
func plain[T, V any](name string, value func(*T) V) column[T] {
	c := column[T]{name: name}
	switch f := any(value).(type) {
	case func(*T) string:
		c.types, c.put = []string{"String"}, putStrings(f)
	case func(*T) bool:
		c.types, c.put = []string{"Bool"}, putBytes(func(r *T) uint8 { return bit(f(r)) })
	case func(*T) uint8:
		c.types, c.put = []string{"UInt8"}, putBytes(f)
	case func(*T) int8:
		c.types, c.put = []string{"Int8", "Enum8"}, putBytes(f)
	case func(*T) uint16:
		c.types, c.put = []string{"UInt16"}, put16(f)
	case func(*T) int32:
		c.types, c.put = []string{"Int32"}, put32(f)
	case func(*T) uint32:
		c.types, c.put = []string{"UInt32"}, put32(f)
	case func(*T) float32:
		c.types, c.put = []string{"Float32"}, put32(func(r *T) uint32 { return math.Float32bits(f(r)) })
	case func(*T) int64:
		c.types, c.put = []string{"Int64", milliseconds}, put64(f)
	case func(*T) uint64:
		c.types, c.put = []string{"UInt64"}, put64(f)
	case func(*T) float64:
		c.types, c.put = []string{"Float64"}, put64(func(r *T) uint64 { return math.Float64bits(f(r)) })
	case func(*T) []string:
		return list(name, f)
	case func(*T) []int64:
		return list(name, f)
	default:
		panic(fmt.Sprintf("column %s: no type of ClickHouse is known for %T", name, value))
	}
	return c
}

func putStrings[T any](value func(*T) string) func(*cells, []*T, bool) {
	return func(to *cells, rows []*T, _ bool) {
		out := to.values
		for _, r := range rows {
			out = appendText(out, value(r))
		}
		to.values = out
	}
}

func appendText(to []byte, s string) []byte {
	if len(s) < 0x80 {
		to = append(to, byte(len(s)))
	} else {
		to = binary.AppendUvarint(to, uint64(len(s)))
	}
	return append(to, s...)
}

func putBytes[T any, V int8 | uint8](value func(*T) V) func(*cells, []*T, bool) {
	return func(to *cells, rows []*T, _ bool) {
		out := room(&to.values, len(rows))
		for i, r := range rows {
			out[i] = byte(value(r))
		}
	}
}

func put16[T any, V uint16](value func(*T) V) func(*cells, []*T, bool) {
	return func(to *cells, rows []*T, _ bool) {
		out := room(&to.values, 2*len(rows))
		for i, r := range rows {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(value(r)))
		}
	}
}

func put32[T any, V int32 | uint32](value func(*T) V) func(*cells, []*T, bool) {
	return func(to *cells, rows []*T, _ bool) {
		out := room(&to.values, 4*len(rows))
		for i, r := range rows {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(value(r)))
		}
	}
}

func put64[T any, V int64 | uint64](value func(*T) V) func(*cells, []*T, bool) {
	return func(to *cells, rows []*T, _ bool) {
		out := room(&to.values, 8*len(rows))
		for i, r := range rows {
			binary.LittleEndian.PutUint64(out[8*i:], uint64(value(r)))
		}
	}
}

// word is a LowCardinality column.
func word[T any](name string, value func(*T) string) column[T] {
	return column[T]{name: name, wrap: inDictionary, types: []string{"String"}, put: func(to *cells, rows []*T, _ bool) {
		for _, r := range rows {
			to.word(value(r))
		}
	}}
}

// list is an array column.
func list[T, V any](name string, value func(*T) []V) column[T] {
	return flat(name, func(r *T, all []V) []V { return append(all, value(r)...) })
}

// flat is an array column; add appends the elements of one row to those of the rows before.
func flat[T, V any](name string, add func(r *T, all []V) []V) column[T] {
	var (
		kept  buffers[V]
		types []string
		put   func(to *cells, values []V, low bool)
	)
	switch f := any(&put).(type) {
	case *func(*cells, []string, bool):
		types, *f = []string{"String"}, putTexts
	case *func(*cells, []int32, bool):
		types, *f = []string{"Int32"}, func(to *cells, values []int32, _ bool) {
			for _, v := range values {
				to.values = binary.LittleEndian.AppendUint32(to.values, uint32(v))
			}
		}
	case *func(*cells, []int64, bool):
		types, *f = []string{"Int64"}, func(to *cells, values []int64, _ bool) {
			for _, v := range values {
				to.values = binary.LittleEndian.AppendUint64(to.values, uint64(v))
			}
		}
	case *func(*cells, []uint64, bool):
		types, *f = []string{"UInt64"}, func(to *cells, values []uint64, _ bool) {
			for _, v := range values {
				to.values = binary.LittleEndian.AppendUint64(to.values, v)
			}
		}
	case *func(*cells, []float64, bool):
		types, *f = []string{"Float64"}, func(to *cells, values []float64, _ bool) {
			for _, v := range values {
				to.values = binary.LittleEndian.AppendUint64(to.values, math.Float64bits(v))
			}
		}
	default:
		panic(fmt.Sprintf("column %s: no type of ClickHouse is known for an array of %T", name, *new(V)))
	}
	return column[T]{name: name, wrap: inArray, types: types, put: func(to *cells, rows []*T, low bool) {
		values := kept.take()
		defer kept.give(values)
		ends := room(&to.head, 8*len(rows))
		for i, r := range rows {
			*values = add(r, *values)
			binary.LittleEndian.PutUint64(ends[8*i:], to.count+uint64(len(*values)))
		}
		to.count += uint64(len(*values))
		put(to, *values, low)
	}}
}

func putTexts(to *cells, values []string, low bool) {
	for _, v := range values {
		if low {
			to.word(v)
		} else {
			to.values = appendText(to.values, v)
		}
	}
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
	c.types = []string{milliseconds}
	c.check = func(r *T) error { return checkTime(name, value(r)) }
	return c
}

// maybe is a nullable column of eight bytes a value.
func maybe[T any](name, typ string, value func(*T) (bits uint64, ok bool)) column[T] {
	return column[T]{name: name, wrap: nullable, types: []string{typ}, put: func(to *cells, rows []*T, _ bool) {
		nulls, values := room(&to.head, len(rows)), room(&to.values, 8*len(rows))
		for i, r := range rows {
			bits, ok := value(r)
			nulls[i] = bit(!ok)
			binary.LittleEndian.PutUint64(values[8*i:], bits)
		}
	}}
}

// maybeMoment is a time that may be unknown: 0 becomes NULL.
func maybeMoment[T any](name string, value func(*T) stream.Time) column[T] {
	c := maybe(name, milliseconds, func(r *T) (uint64, bool) { t := value(r); return uint64(t), t != 0 })
	c.check = func(r *T) error { return checkTime(name, value(r)) }
	return c
}

// count is a number that may not be stated.
func count[T any](name string, value func(*T) stream.Count) column[T] {
	return maybe(name, "Int64", func(r *T) (uint64, bool) {
		if n := value(r); n.Known() {
			return uint64(n.Value()), true
		}
		return 0, false
	})
}

// span is a time span in seconds from a count of milliseconds.
func span[T any](name string, value func(*T) stream.Count) column[T] {
	return maybe(name, "Float64", func(r *T) (uint64, bool) {
		if n := value(r); n.Known() {
			return math.Float64bits(float64(n.Value()) / 1000), true
		}
		return 0, false
	})
}

// number is a float whose NaN is stored as NULL.
func number[T any](name string, value func(*T) float64) column[T] {
	c := maybe(name, "Float64", func(r *T) (uint64, bool) {
		if v := value(r); !math.IsNaN(v) {
			return math.Float64bits(v), true
		}
		return 0, false
	})
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
