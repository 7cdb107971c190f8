package care

import (
	"encoding/binary"

	"otklik/stream"
)

// A thread at rest is one string: the thread key, then its turns in the order of their arrival, each
//
//	marks byte · flags · at · position (epoch, next) · [parentAt] · item id · author · customer · parent id
//
// with numbers as varints. A text is a varint: even, twice the length of the bytes that follow; odd, twice the place of
// an earlier text of the same string of turns, plus one. So an answer that names its request and its customer costs
// two bytes for both.

// The marks of a packed turn.
const (
	packedOwn byte = 1 << iota
	packedParentAt
)

// packer writes turns and remembers the texts written.
type packer struct {
	buf   []byte
	texts []string
}

func (p *packer) begin(thread string) {
	p.buf = binary.AppendUvarint(p.buf[:0], uint64(len(thread)))
	p.buf = append(p.buf, thread...)
	p.texts = p.texts[:0]
}

func (p *packer) text(s string) {
	if s == "" {
		p.buf = append(p.buf, 0)
		return
	}
	for i, t := range p.texts {
		if t == s {
			p.buf = binary.AppendUvarint(p.buf, uint64(i)<<1|1)
			return
		}
	}
	p.texts = append(p.texts, s)
	p.buf = binary.AppendUvarint(p.buf, uint64(len(s))<<1)
	p.buf = append(p.buf, s...)
}

func (p *packer) node(n *node) {
	var marks byte
	if n.own {
		marks |= packedOwn
	}
	if n.parentAt != 0 {
		marks |= packedParentAt
	}
	p.buf = append(p.buf, marks)
	p.buf = binary.AppendUvarint(p.buf, uint64(n.flags))
	p.buf = binary.AppendVarint(p.buf, int64(n.at))
	p.buf = binary.AppendUvarint(p.buf, uint64(n.position.Epoch()))
	p.buf = binary.AppendUvarint(p.buf, uint64(n.position.Next()))
	if n.parentAt != 0 {
		p.buf = binary.AppendVarint(p.buf, int64(n.parentAt))
	}
	p.text(n.id)
	p.text(n.author)
	p.text(n.customer)
	p.text(n.parentID)
}

// unpacker reads what a packer wrote. The texts it returns share the packed string's memory.
type unpacker struct {
	rest  string
	texts []string
}

// begin starts on a packed thread and returns its key.
func (u *unpacker) begin(packed string) (thread string) {
	u.rest = packed
	u.texts = u.texts[:0]
	return u.take(u.number())
}

func (u *unpacker) number() uint64 {
	var v uint64
	for i, shift := 0, uint(0); ; i, shift = i+1, shift+7 {
		b := u.rest[i]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			u.rest = u.rest[i+1:]
			return v
		}
	}
}

func (u *unpacker) signed() int64 {
	v := u.number()
	return int64(v>>1) ^ -int64(v&1)
}

func (u *unpacker) take(n uint64) string {
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) text() string {
	v := u.number()
	if v&1 == 1 {
		return u.texts[v>>1]
	}
	if v == 0 {
		return ""
	}
	s := u.take(v >> 1)
	u.texts = append(u.texts, s)
	return s
}

// turn reads the next turn; it returns false at the end.
func (u *unpacker) turn(t *Turn) bool {
	if u.rest == "" {
		return false
	}
	marks := u.rest[0]
	u.rest = u.rest[1:]
	t.Own = marks&packedOwn != 0
	t.Flags = stream.Flags(u.number())
	t.At = stream.Time(u.signed())
	epoch := uint16(u.number())
	next := int64(u.number())
	t.Position = stream.PositionAfter(epoch, next-1)
	t.ParentAt = 0
	if marks&packedParentAt != 0 {
		t.ParentAt = stream.Time(u.signed())
	}
	t.ItemID = u.text()
	t.Author = u.text()
	t.Customer = u.text()
	t.ParentID = u.text()
	return true
}
