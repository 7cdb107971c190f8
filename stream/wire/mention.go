package wire

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"otklik/stream"
)

// The field numbers of the message Mention in schemas/otklik.proto.
const (
	mentionPlatform     = 1
	mentionKind         = 2
	mentionID           = 3
	mentionOriginID     = 4
	mentionAuthor       = 5
	mentionAuthorName   = 6
	mentionFollowers    = 7
	mentionCommunity    = 8
	mentionBot          = 9
	mentionPublishedAt  = 10
	mentionEditedAt     = 11
	mentionParentID     = 12
	mentionParentAt     = 13
	mentionParentAuthor = 14
	mentionRootID       = 15
	mentionRepostOf     = 16
	mentionRepostAuthor = 17
	mentionThread       = 18
	mentionPaired       = 19
	mentionWall         = 20
	mentionMentions     = 21
	mentionText         = 22
	mentionLang         = 23
	mentionURL          = 24
	mentionLikes        = 25
	mentionShares       = 26
	mentionViews        = 27
	mentionJoined       = 28
	mentionMembers      = 29
	mentionNote         = 30
	mentionBrand        = 40
	mentionRole         = 41
	mentionVia          = 42
	mentionFlags        = 43
	mentionLabel        = 44
	mentionPositive     = 45
	mentionNeutral      = 46
	mentionNegative     = 47
	mentionModel        = 48
	mentionProducts     = 49
	mentionSeverity     = 50
	mentionCustomer     = 51
	mentionSource       = 52
	mentionReceivedAt   = 53
	mentionErased       = 54
	mentionCorrects     = 55
	mentionViolations   = 56
	mentionExcerpt      = 57
	mentionClaim        = 60
)

// AppendMention appends m as a message Mention to dst and returns the extended slice. Bytes of a string that are not
// UTF-8 are written as U+FFFD; everything else comes out of ParseMention as it went in.
func AppendMention(dst []byte, m *stream.Mention) []byte {
	i := &m.Item
	// One growth instead of a doubling series when the caller begins with an empty buffer.
	dst = slices.Grow(dst, 384+len(i.Text)+len(i.Thread)+len(i.URL))

	dst = appendString(dst, mentionPlatform, string(i.Platform))
	dst = appendString(dst, mentionKind, string(i.Kind))
	dst = appendString(dst, mentionID, i.ID)
	dst = appendString(dst, mentionOriginID, i.OriginID)
	dst = appendAccount(dst, mentionAuthor, &i.Author)
	dst = appendString(dst, mentionAuthorName, i.AuthorName)
	dst = appendCount(dst, mentionFollowers, i.Followers)
	dst = appendBool(dst, mentionCommunity, i.Community)
	dst = appendBool(dst, mentionBot, i.Bot)
	dst = appendTime(dst, mentionPublishedAt, i.PublishedAt)
	dst = appendTime(dst, mentionEditedAt, i.EditedAt)
	dst = appendString(dst, mentionParentID, i.ParentID)
	dst = appendTime(dst, mentionParentAt, i.ParentAt)
	dst = appendAccount(dst, mentionParentAuthor, &i.ParentAuthor)
	dst = appendString(dst, mentionRootID, i.RootID)
	dst = appendString(dst, mentionRepostOf, i.RepostOf)
	dst = appendAccount(dst, mentionRepostAuthor, &i.RepostAuthor)
	dst = appendString(dst, mentionThread, i.Thread)
	dst = appendBool(dst, mentionPaired, i.Paired)
	dst = appendAccount(dst, mentionWall, &i.Wall)
	for j := range i.Mentions {
		dst = appendAccountElement(dst, mentionMentions, &i.Mentions[j])
	}
	dst = appendString(dst, mentionText, i.Text)
	dst = appendString(dst, mentionLang, i.Lang)
	dst = appendString(dst, mentionURL, i.URL)
	dst = appendCount(dst, mentionLikes, i.Likes)
	dst = appendCount(dst, mentionShares, i.Shares)
	dst = appendCount(dst, mentionViews, i.Views)
	dst = appendUint(dst, mentionJoined, protowire.EncodeZigZag(int64(i.Joined)))
	dst = appendCount(dst, mentionMembers, i.Members)
	dst = appendString(dst, mentionNote, i.Note)

	dst = appendString(dst, mentionBrand, m.Brand)
	dst = appendUint(dst, mentionRole, uint64(m.Role))
	dst = appendUint(dst, mentionVia, uint64(m.Via))
	dst = appendUint(dst, mentionFlags, uint64(m.Flags))
	dst = appendInt(dst, mentionLabel, int64(m.Label))
	dst = appendFloat(dst, mentionPositive, m.Scores.Positive)
	dst = appendFloat(dst, mentionNeutral, m.Scores.Neutral)
	dst = appendFloat(dst, mentionNegative, m.Scores.Negative)
	dst = appendString(dst, mentionModel, m.Model)
	for _, product := range m.Products {
		dst = appendElement(dst, mentionProducts, product)
	}
	dst = appendUint(dst, mentionSeverity, uint64(m.Severity))
	dst = appendString(dst, mentionCustomer, m.Customer)
	if m.Source != (stream.Source{}) {
		var mark int
		dst, mark = openMessage(dst, mentionSource)
		dst = appendString(dst, 1, m.Source.Partition.Topic)
		dst = appendInt(dst, 2, int64(m.Source.Partition.Number))
		dst = appendInt(dst, 3, m.Source.Offset)
		dst = appendInt(dst, 4, int64(m.Source.Index))
		dst = closeMessage(dst, mark)
	}
	dst = appendTime(dst, mentionReceivedAt, m.ReceivedAt)
	dst = appendBool(dst, mentionErased, m.Erased)
	if c := m.Corrects; c != nil {
		var mark int
		dst, mark = openMessage(dst, mentionCorrects)
		dst = appendInt(dst, 1, int64(c.Label))
		dst = appendString(dst, 2, c.By)
		dst = appendTime(dst, 3, c.At)
		dst = appendString(dst, 4, c.Note)
		dst = closeMessage(dst, mark)
	}
	for _, rule := range m.Violations {
		dst = appendElement(dst, mentionViolations, rule)
	}
	dst = appendString(dst, mentionExcerpt, m.Excerpt)
	if c := m.Claim; c != nil {
		var mark int
		dst, mark = openMessage(dst, mentionClaim)
		dst = appendInt(dst, 1, int64(c.State))
		dst = appendString(dst, 2, c.By)
		dst = appendTime(dst, 3, c.At)
		dst = appendString(dst, 4, c.Note)
		dst = closeMessage(dst, mark)
	}
	return dst
}

func appendAccount(dst []byte, num protowire.Number, a *stream.Account) []byte {
	if a.ID == "" && a.Name == "" {
		return dst
	}
	return appendAccountElement(dst, num, a)
}

func appendAccountElement(dst []byte, num protowire.Number, a *stream.Account) []byte {
	dst, mark := openMessage(dst, num)
	dst = appendString(dst, 1, a.ID)
	dst = appendString(dst, 2, a.Name)
	return closeMessage(dst, mark)
}

// ParseMention sets m to the message Mention in data, dropping whatever m held. The strings of the result are parts of data, which
// must not change any more, except those that recur from message to message (platform, kind, brand, model,
// products, language and topic), which the process keeps once. A string that is kept for long should therefore be
// cloned if it is not one of those, or it keeps the whole of data in memory. Strings are taken as they are: that they are
// UTF-8 is up to the writer, and AppendMention sees to it. An error wraps ErrMalformed and leaves m
// in no particular state.
func ParseMention(data []byte, m *stream.Mention) error { return new(MentionParser).Parse(data, m) }

// MentionParser reads one mention after the other, and makes use of what they have in common. It is not safe for concurrent use.
type MentionParser struct {
	recent   [mentionClaim + 1]string // the words that the message before had, by field; that of mentionSource is the topic
	accounts []stream.Account         // for lists
	words    []string
	room     int // for how many elements of lists memory is taken at a time; at least two
}

// NewMentionParser returns a parser for many messages. The lists of a hundred of them share memory, which is freed with the last one.
func NewMentionParser() *MentionParser { return &MentionParser{room: 128} }

// Forget lets go of the messages parsed so far.
func (p *MentionParser) Forget() { p.accounts, p.words = nil, nil }

// Parse is ParseMention.
func (p *MentionParser) Parse(data []byte, m *stream.Mention) error {
	*m = stream.Mention{}
	i := &m.Item
	// Nobody writes to data while the mention is used: see above.
	whole := unsafe.String(unsafe.SliceData(data), len(data))
	s := scanner{data: data}
	for s.next() {
		switch s.tag {
		case mentionPlatform<<3 | asBytes:
			i.Platform = stream.Platform(p.word(mentionPlatform, s.text(whole)))
		case mentionKind<<3 | asBytes:
			i.Kind = stream.Kind(p.word(mentionKind, s.text(whole)))
		case mentionID<<3 | asBytes:
			i.ID = s.text(whole)
		case mentionOriginID<<3 | asBytes:
			i.OriginID = s.text(whole)
		case mentionAuthor<<3 | asBytes:
			s.account(whole, &i.Author)
		case mentionAuthorName<<3 | asBytes:
			i.AuthorName = s.text(whole)
		case mentionFollowers<<3 | asVarint:
			i.Followers = s.count()
		case mentionCommunity<<3 | asVarint:
			i.Community = s.flag()
		case mentionBot<<3 | asVarint:
			i.Bot = s.flag()
		case mentionPublishedAt<<3 | asVarint:
			i.PublishedAt = s.time()
		case mentionEditedAt<<3 | asVarint:
			i.EditedAt = s.time()
		case mentionParentID<<3 | asBytes:
			i.ParentID = s.text(whole)
		case mentionParentAt<<3 | asVarint:
			i.ParentAt = s.time()
		case mentionParentAuthor<<3 | asBytes:
			s.account(whole, &i.ParentAuthor)
		case mentionRootID<<3 | asBytes:
			i.RootID = s.text(whole)
		case mentionRepostOf<<3 | asBytes:
			i.RepostOf = s.text(whole)
		case mentionRepostAuthor<<3 | asBytes:
			s.account(whole, &i.RepostAuthor)
		case mentionThread<<3 | asBytes:
			i.Thread = s.text(whole)
		case mentionPaired<<3 | asVarint:
			i.Paired = s.flag()
		case mentionWall<<3 | asBytes:
			s.account(whole, &i.Wall)
		case mentionMentions<<3 | asBytes:
			p.accounts = grow(&i.Mentions, p.accounts, stream.Account{}, p.room)
			s.account(whole, &i.Mentions[len(i.Mentions)-1])
		case mentionText<<3 | asBytes:
			i.Text = s.text(whole)
		case mentionLang<<3 | asBytes:
			i.Lang = p.word(mentionLang, s.text(whole))
		case mentionURL<<3 | asBytes:
			i.URL = s.text(whole)
		case mentionLikes<<3 | asVarint:
			i.Likes = s.count()
		case mentionShares<<3 | asVarint:
			i.Shares = s.count()
		case mentionViews<<3 | asVarint:
			i.Views = s.count()
		case mentionJoined<<3 | asVarint:
			i.Joined = int32(protowire.DecodeZigZag(s.number & math.MaxUint32))
		case mentionMembers<<3 | asVarint:
			i.Members = s.count()
		case mentionNote<<3 | asBytes:
			i.Note = s.text(whole)
		default:
			p.parseJudgement(&s, whole, m)
		}
	}
	if s.err != nil {
		return fmt.Errorf("parse mention: %w", s.err)
	}
	return nil
}

// parseJudgement reads the fields that are about the brand.
func (p *MentionParser) parseJudgement(s *scanner, whole string, m *stream.Mention) {
	switch s.tag {
	case mentionBrand<<3 | asBytes:
		m.Brand = p.word(mentionBrand, s.text(whole))
	case mentionRole<<3 | asVarint:
		m.Role = stream.Role(s.small(uint64(stream.Spam)))
	case mentionVia<<3 | asVarint:
		m.Via = stream.Via(s.small(math.MaxUint8))
	case mentionFlags<<3 | asVarint:
		m.Flags = stream.Flags(s.small(math.MaxUint16))
	case mentionLabel<<3 | asVarint:
		m.Label = stream.Label(s.small(uint64(stream.Negative)))
	case mentionPositive<<3 | asFixed32:
		m.Scores.Positive = s.float()
	case mentionNeutral<<3 | asFixed32:
		m.Scores.Neutral = s.float()
	case mentionNegative<<3 | asFixed32:
		m.Scores.Negative = s.float()
	case mentionModel<<3 | asBytes:
		m.Model = p.word(mentionModel, s.text(whole))
	case mentionProducts<<3 | asBytes:
		p.words = grow(&m.Products, p.words, p.word(mentionProducts, s.text(whole)), p.room)
	case mentionSeverity<<3 | asVarint:
		m.Severity = uint8(s.small(math.MaxUint8))
	case mentionCustomer<<3 | asBytes:
		m.Customer = s.text(whole)
	case mentionSource<<3 | asBytes:
		p.source(s, whole, &m.Source)
	case mentionReceivedAt<<3 | asVarint:
		m.ReceivedAt = s.time()
	case mentionErased<<3 | asVarint:
		m.Erased = s.flag()
	case mentionCorrects<<3 | asBytes:
		if m.Corrects == nil {
			m.Corrects = &stream.Correction{}
		}
		s.correction(whole, m.Corrects)
	case mentionViolations<<3 | asBytes:
		m.Violations = append(m.Violations, p.word(mentionViolations, s.text(whole)))
	case mentionExcerpt<<3 | asBytes:
		m.Excerpt = s.text(whole)
	case mentionClaim<<3 | asBytes:
		if m.Claim == nil {
			m.Claim = &stream.ClaimStatus{}
		}
		s.claimStatus(whole, m.Claim)
	}
}

func (s *scanner) claimStatus(whole string, c *stream.ClaimStatus) {
	in := scanner{data: s.bytes()}
	part := whole[s.lo:s.hi]
	for in.next() {
		switch in.tag {
		case 1<<3 | asVarint:
			c.State = stream.ClaimState(in.small(uint64(stream.ClaimWithdrawn)))
		case 2<<3 | asBytes:
			c.By = in.word(part)
		case 3<<3 | asVarint:
			c.At = in.time()
		case 4<<3 | asBytes:
			c.Note = in.text(part)
		}
	}
	s.adopt(&in)
}

func (s *scanner) correction(whole string, c *stream.Correction) {
	in := scanner{data: s.bytes()}
	part := whole[s.lo:s.hi]
	for in.next() {
		switch in.tag {
		case 1<<3 | asVarint:
			c.Label = stream.Label(in.small(uint64(stream.Negative)))
		case 2<<3 | asBytes:
			c.By = in.word(part)
		case 3<<3 | asVarint:
			c.At = in.time()
		case 4<<3 | asBytes:
			c.Note = in.text(part)
		}
	}
	s.adopt(&in)
}

// account merges the embedded message Account of the current field into a, as protobuf does with repeated ones.
func (s *scanner) account(whole string, a *stream.Account) {
	in := scanner{data: s.bytes()}
	part := whole[s.lo:s.hi]
	for in.next() {
		switch in.tag {
		case 1<<3 | asBytes:
			a.ID = in.text(part)
		case 2<<3 | asBytes:
			a.Name = in.text(part)
		}
	}
	s.adopt(&in)
}

// word is scanner.word for a field of which most messages have the same as the one before.
func (p *MentionParser) word(field int, text string) string {
	last := &p.recent[field]
	if *last != text {
		*last = words.intern(text)
	}
	return *last
}

// grow appends an element to a list of the current message. The list lies at the end of what is used of memory, if there is room; what is
// used afterwards is returned. New memory is for so many elements as room says.
func grow[T any](list *[]T, memory []T, v T, room int) []T {
	n := len(*list)
	if n > 0 && (n < cap(*list) || len(memory) == cap(memory)) {
		*list = append(*list, v)
		return memory
	}
	if len(memory) == cap(memory) {
		memory = make([]T, 0, max(room, 2))
	}
	memory = append(memory, v)
	*list = memory[len(memory)-n-1 : len(memory) : len(memory)]
	return memory
}

func (p *MentionParser) source(s *scanner, whole string, src *stream.Source) {
	in := scanner{data: s.bytes()}
	part := whole[s.lo:s.hi]
	for in.next() {
		switch in.tag {
		case 1<<3 | asBytes:
			src.Partition.Topic = p.word(mentionSource, in.text(part))
		case 2<<3 | asVarint:
			src.Partition.Number = in.int32()
		case 3<<3 | asVarint:
			src.Offset = int64(in.number)
		case 4<<3 | asVarint:
			src.Index = in.int32()
		}
	}
	s.adopt(&in)
}

// adopt takes over the error of an embedded message.
func (s *scanner) adopt(in *scanner) {
	if in.err != nil && s.err == nil {
		s.err = fmt.Errorf("field %d: %w", s.tag>>3, in.err)
	}
}
