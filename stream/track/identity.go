package track

import (
	"slices"

	"github.com/zeebo/xxh3"

	"otklik/stream"
)

// identityKey is the 128-bit hash of (platform, item id, brand). With five million identities the chance of a single
// collision is below 10⁻²⁴.
type identityKey = xxh3.Uint128

// identity is what memory keeps of a mention.
type identity struct {
	position  stream.Position // of the record that brought the newest version
	published stream.Time
	version   stream.Time
}

// identities are the mentions that a partition has seen within the horizon.
type identities struct {
	seen   map[identityKey]identity
	edited map[identityKey][]stream.Time // versions delivered, of mentions with others than the original alone
	oldest stream.Time                   // published times before this have been forgotten
	buf    []byte
}

func newIdentities() *identities {
	return &identities{seen: map[identityKey]identity{}, edited: map[identityKey][]stream.Time{}}
}

func (s *identities) key(platform stream.Platform, id, brand string) identityKey {
	s.buf = append(s.buf[:0], platform...)
	s.buf = append(s.buf, 0)
	s.buf = append(s.buf, id...)
	s.buf = append(s.buf, 0)
	s.buf = append(s.buf, brand...)
	return xxh3.Hash128(s.buf)
}

// knows reports whether the version of a known mention was delivered before.
func (s *identities) knows(key identityKey, version stream.Time) bool {
	versions, ok := s.edited[key]
	if !ok {
		return version == 0
	}
	return slices.Contains(versions, version)
}

// put makes a mention known; nil versions stand for the original alone.
func (s *identities) put(key identityKey, id identity, versions []stream.Time) {
	s.seen[key] = id
	if versions != nil {
		s.edited[key] = versions
	}
}

// versions returns the versions of a known mention that were delivered, for a row.
func (s *identities) versions(key identityKey) []stream.Time {
	if versions, ok := s.edited[key]; ok {
		return versions
	}
	return []stream.Time{0}
}

// forget drops what was published before the given time.
func (s *identities) forget(before stream.Time) {
	s.oldest = max(s.oldest, before)
	for k, id := range s.seen {
		if id.published < before {
			delete(s.seen, k)
			delete(s.edited, k)
		}
	}
}

// unflushed are the rows of mentions that wait for a flush, by the place of the row. Most are never asked for before they are flushed, so
// the index is made when somebody asks.
type unflushed struct {
	keys  []identityKey
	index map[identityKey]int // of the first keys
}

// add notes the next row, of a mention that has none yet, and returns its place.
func (u *unflushed) add(key identityKey) int {
	u.keys = append(u.keys, key)
	return len(u.keys) - 1
}

// row returns the place of the row of a mention.
func (u *unflushed) row(key identityKey) (int, bool) {
	if u.index == nil {
		u.index = make(map[identityKey]int, len(u.keys))
	}
	for n := len(u.index); n < len(u.keys); n++ {
		u.index[u.keys[n]] = n
	}
	n, ok := u.index[key]
	return n, ok
}

// reset forgets all rows.
func (u *unflushed) reset() {
	u.keys = u.keys[:0]
	clear(u.index)
}
