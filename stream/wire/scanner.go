package wire

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protowire"

	"otklik/stream"
)

// ErrMalformed is what every error of a Parse function wraps: the bytes are not such a message (cut off, overwritten, or
// written by something else). Trying again does not help.
var ErrMalformed = errors.New("malformed message")

// A tag is a field number with its wire type, as it stands in front of every field.
const (
	asVarint  = uint64(protowire.VarintType)
	asFixed32 = uint64(protowire.Fixed32Type)
	asFixed64 = uint64(protowire.Fixed64Type)
	asBytes   = uint64(protowire.BytesType)
)

// scanner walks over the fields of one message. A field of a known number but another wire type than the schema's is
// unknown to the callers' switches over tag, as in every protobuf implementation.
type scanner struct {
	data []byte // the whole message
	off  int    // of the next field

	tag    uint64 // number<<3 | wire type of the current field
	number uint64 // value of a varint or fixed field
	lo, hi int    // bounds in data of the value of a length-delimited field
	err    error
}

// next moves to the next field; false at the end of the message or at an error.
func (s *scanner) next() bool {
	if s.off >= len(s.data) || s.err != nil {
		return false
	}
	start := s.off
	// A tag of one or two bytes, and a number or length of one, without a call: nearly all are.
	if rest := s.data[start:]; len(rest) >= 3 {
		tag, n := uint64(rest[0]), 1
		if tag >= 0x80 && rest[1] < 0x80 {
			tag, n = tag&0x7f|uint64(rest[1])<<7, 2
		}
		if v := rest[n]; v < 0x80 && tag < 1<<14 && tag >= 1<<3 && rest[n-1] < 0x80 {
			switch tag & 7 {
			case asVarint:
				s.tag, s.number, s.off = tag, uint64(v), start+n+1
				return true
			case asBytes:
				if lo := start + n + 1; int(v) <= len(s.data)-lo {
					s.tag, s.number, s.lo, s.hi, s.off = tag, uint64(v), lo, lo+int(v), lo+int(v)
					return true
				}
			}
		}
	}
	return s.any(start)
}

// any is next for whatever a field may be.
func (s *scanner) any(start int) bool {
	n := s.varint()
	if n < 0 {
		return s.fail(start, n)
	}
	s.tag = s.number
	num, typ := protowire.DecodeTag(s.tag)
	if !num.IsValid() {
		s.err = fmt.Errorf("%w: field number %d at byte %d is out of range", ErrMalformed, s.tag>>3, start)
		return false
	}
	switch typ {
	case protowire.VarintType:
		n = s.varint()
	case protowire.BytesType:
		if n = s.varint(); n >= 0 {
			if s.number > uint64(len(s.data)-s.off) {
				s.err = fmt.Errorf("%w: field %d at byte %d says it is %d bytes long, %d are left", ErrMalformed, num, start, s.number, len(s.data)-s.off)
				return false
			}
			s.lo = s.off
			s.off += int(s.number)
			s.hi = s.off
		}
	case protowire.Fixed32Type:
		var v uint32
		if v, n = protowire.ConsumeFixed32(s.data[s.off:]); n >= 0 {
			s.number, s.off = uint64(v), s.off+n
		}
	case protowire.Fixed64Type:
		if s.number, n = protowire.ConsumeFixed64(s.data[s.off:]); n >= 0 {
			s.off += n
		}
	default: // groups, which proto3 has not, are skipped; a stray end of group is an error
		if n = protowire.ConsumeFieldValue(num, typ, s.data[s.off:]); n >= 0 {
			s.off += n
		}
	}
	if n < 0 {
		return s.fail(start, n)
	}
	return true
}

// varint reads one into number; negative at an error.
func (s *scanner) varint() int {
	if s.off < len(s.data) && s.data[s.off] < 0x80 {
		s.number = uint64(s.data[s.off])
		s.off++
		return 1
	}
	v, n := protowire.ConsumeVarint(s.data[s.off:])
	if n > 0 {
		s.number, s.off = v, s.off+n
	}
	return n
}

func (s *scanner) fail(start, n int) bool {
	s.err = fmt.Errorf("%w: field at byte %d: %w", ErrMalformed, start, protowire.ParseError(n))
	return false
}

// bytes returns the value of a length-delimited field.
func (s *scanner) bytes() []byte { return s.data[s.lo:s.hi] }

// reject stops the walk: the value of the current field cannot be.
func (s *scanner) rejectf(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: field %d: %s", ErrMalformed, s.tag>>3, fmt.Sprintf(format, args...))
	}
}

// small returns the current number if it is at most limit.
func (s *scanner) small(limit uint64) uint64 {
	if s.number > limit {
		s.rejectf("%d is more than %d, the highest value that this version knows", s.number, limit)
		return 0
	}
	return s.number
}

func (s *scanner) flag() bool        { return s.number != 0 }
func (s *scanner) int32() int32      { return int32(s.number) } // protobuf truncates
func (s *scanner) time() stream.Time { return stream.Time(s.number) }
func (s *scanner) float() float32    { return math.Float32frombits(uint32(s.number)) }
func (s *scanner) count() stream.Count {
	if s.number >= math.MaxInt64 {
		s.rejectf("a count of %d", s.number)
		return 0
	}
	return stream.CountOf(int64(s.number))
}

// text returns the value of a string field as a part of whole, a copy of the scanner's data. That it is UTF-8 is the
// writer's duty (appendElement); checking it again would cost as much as the rest of the parse.
func (s *scanner) text(whole string) string { return whole[s.lo:s.hi] }

// word is text for the few values that recur in every message: it returns the one copy of them that the process
// keeps, so that a map keyed by brand or product does not hold on to the message that it first came with.
func (s *scanner) word(whole string) string {
	return words.intern(s.text(whole))
}

// table keeps one copy of each recurring string. Every hash has one place and a newcomer takes it, so it never grows,
// and a race between two goroutines costs at most a second copy.
type table [1024]atomic.Pointer[string]

var (
	words    table
	wordSeed = maphash.MakeSeed()
)

// intern returns a string equal to s that does not share memory with it.
func (t *table) intern(s string) string {
	if s == "" {
		return ""
	}
	place := &t[maphash.String(wordSeed, s)%uint64(len(t))]
	if known := place.Load(); known != nil && *known == s {
		return *known
	}
	own := strings.Clone(s)
	place.Store(&own)
	return own
}

// The append functions leave zero values out.

func appendString(dst []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return appendElement(dst, num, s)
}

// appendElement writes a string even if it is empty: an element of a repeated field. Bytes that are not UTF-8, which
// protobuf strings may not hold, become U+FFFD.
func appendElement(dst []byte, num protowire.Number, s string) []byte {
	if !valid(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	tag := uint64(num)<<3 | asBytes
	switch {
	case len(s) >= 0x80 || tag >= 1<<14:
		dst = protowire.AppendVarint(appendTag(dst, num, protowire.BytesType), uint64(len(s)))
	case tag < 1<<7:
		dst = append(dst, byte(tag), byte(len(s)))
	default:
		dst = append(dst, byte(tag)|0x80, byte(tag>>7), byte(len(s)))
	}
	return append(dst, s...)
}

// appendTag is protowire.AppendTag for the numbers that the schema has.
func appendTag(dst []byte, num protowire.Number, typ protowire.Type) []byte {
	tag := uint64(num)<<3 | uint64(typ)
	switch {
	case tag < 1<<7:
		return append(dst, byte(tag))
	case tag < 1<<14:
		return append(dst, byte(tag)|0x80, byte(tag>>7))
	default:
		return protowire.AppendVarint(dst, tag)
	}
}

func appendUint(dst []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = appendTag(dst, num, protowire.VarintType)
	if v < 0x80 {
		return append(dst, byte(v))
	}
	return protowire.AppendVarint(dst, v)
}

func appendInt(dst []byte, num protowire.Number, v int64) []byte {
	return appendUint(dst, num, uint64(v))
}

func appendTime(dst []byte, num protowire.Number, t stream.Time) []byte {
	return appendUint(dst, num, uint64(t))
}

func appendBool(dst []byte, num protowire.Number, v bool) []byte {
	return appendUint(dst, num, protowire.EncodeBool(v))
}

func appendFloat(dst []byte, num protowire.Number, v float32) []byte {
	bits := math.Float32bits(v)
	if bits == 0 {
		return dst
	}
	dst = appendTag(dst, num, protowire.Fixed32Type)
	return protowire.AppendFixed32(dst, bits)
}

// appendCount writes a stated count, 0 included; one that is not stated is left out.
func appendCount(dst []byte, num protowire.Number, c stream.Count) []byte {
	if !c.Known() {
		return dst
	}
	dst = appendTag(dst, num, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(c.Value()))
}

// openMessage begins an embedded message; what is appended after it until closeMessage(dst, mark) is its content.
func openMessage(dst []byte, num protowire.Number) (out []byte, mark int) {
	dst = appendTag(dst, num, protowire.BytesType)
	dst = append(dst, 0) // the length, which is one byte for nearly all of them
	return dst, len(dst)
}

func closeMessage(dst []byte, mark int) []byte {
	n := len(dst) - mark
	if n < 0x80 {
		dst[mark-1] = byte(n)
		return dst
	}
	var room [10]byte
	length := protowire.AppendVarint(room[:0], uint64(n))
	dst = append(dst, length[1:]...)
	copy(dst[mark-1+len(length):], dst[mark:mark+n])
	copy(dst[mark-1:], length)
	return dst
}
