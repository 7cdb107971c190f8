package track

import (
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
	oldest stream.Time // published times before this have been forgotten
	buf    []byte
}

func newIdentities() *identities { return &identities{seen: map[identityKey]identity{}} }

func (s *identities) key(platform stream.Platform, id, brand string) identityKey {
	s.buf = append(s.buf[:0], platform...)
	s.buf = append(s.buf, 0)
	s.buf = append(s.buf, id...)
	s.buf = append(s.buf, 0)
	s.buf = append(s.buf, brand...)
	return xxh3.Hash128(s.buf)
}

// forget drops what was published before the given time.
func (s *identities) forget(before stream.Time) {
	s.oldest = max(s.oldest, before)
	for k, id := range s.seen {
		if id.published < before {
			delete(s.seen, k)
		}
	}
}
