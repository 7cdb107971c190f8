package firehose

import (
	"unicode/utf8"

	"otklik/stream"
)

// The strings of an item that is being made are views: on the record, or on the scratch space of its decoder. When it is
// finished, all of them are copied at once into memory of its own (own).

// keptScratch is how many bytes of scratch space a decoder keeps for its next record; no piece is larger unless one string is.
const keptScratch = 64 << 10

// scratch is memory for strings that live until the next record.
type scratch struct {
	buf []byte
}

// room returns the buffer with room for n more bytes. What has been handed out stays where it is.
func (s *scratch) room(n int) []byte {
	if cap(s.buf)-len(s.buf) < n {
		s.buf = make([]byte, 0, max(n, min(2*cap(s.buf), keptScratch), 1<<10))
	}
	return s.buf
}

// take makes a string of what has been appended to the buffer of room.
func (s *scratch) take(buf []byte) string {
	from := len(s.buf)
	s.buf = buf
	return borrow(buf[from:])
}

// unescape returns what the inside of a valid string says.
func (s *scratch) unescape(inside string) string {
	return s.take(unescape(s.room(len(inside)), inside))
}

// join returns the parts one after the other.
func (s *scratch) join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	buf := s.room(n)
	for _, p := range parts {
		buf = append(buf, p...)
	}
	return s.take(buf)
}

// clean returns the first bytes of t, at most limit, with every invalid byte replaced by U+FFFD and every NUL removed.
func (s *scratch) clean(t string, limit int) string {
	const longer = len("\ufffd") // than the invalid byte that it replaces
	buf := s.room(min(longer*len(t), limit))
	end := len(buf) + limit
	for _, r := range t {
		if len(buf)+utf8.RuneLen(r) > end {
			break
		}
		if r != 0 {
			buf = utf8.AppendRune(buf, r)
		}
	}
	return s.take(buf)
}

// reset forgets all strings.
func (s *scratch) reset() {
	s.buf = s.buf[:0]
	if cap(s.buf) > keptScratch {
		s.buf = nil
	}
}

// own copies the strings of the item into one allocation, so that it depends on nothing else and keeps nothing else alive.
func own(it *stream.Item) {
	fields := [...]*string{
		&it.ID, &it.OriginID, &it.Author.ID, &it.Author.Name, &it.AuthorName, &it.ParentID, &it.ParentAuthor.ID, &it.ParentAuthor.Name,
		&it.RootID, &it.RepostOf, &it.RepostAuthor.ID, &it.RepostAuthor.Name, &it.Thread, &it.Wall.ID, &it.Wall.Name, &it.Text, &it.Lang, &it.URL, &it.Note,
	}
	n := 0
	for _, f := range fields {
		n += len(*f)
	}
	for i := range it.Mentions {
		n += len(it.Mentions[i].ID) + len(it.Mentions[i].Name)
	}
	if n == 0 {
		return
	}
	memory := make([]byte, 0, n)
	for _, f := range fields {
		memory = move(memory, f)
	}
	for i := range it.Mentions {
		memory = move(memory, &it.Mentions[i].ID)
		memory = move(memory, &it.Mentions[i].Name)
	}
}

// move appends a string to memory, which has room for it, and lets the string stand there.
func move(memory []byte, s *string) []byte {
	from := len(memory)
	memory = append(memory, *s...)
	*s = borrow(memory[from:])
	return memory
}
