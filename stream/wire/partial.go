package wire

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"otklik/stream"
	"otklik/stream/window"
)

// Watermark says how far event time has come in one partition of otklik.mentions.
type Watermark struct {
	Partition int32           // of otklik.mentions
	Time      stream.Time     // no event before it is expected any more
	Idle      bool            // the partition has had nothing to read for a while: do not wait for it
	Position  stream.Position // in that partition
}

// Partial is one message of otklik.panes: exactly one of its fields is set.
type Partial struct {
	Pane      *window.Pane
	Watermark *Watermark
}

// The field numbers of the messages Partial and Pane in schemas/otklik.proto.
const (
	partialPane      = 1
	partialWatermark = 2

	paneGrain     = 1
	paneStart     = 2
	paneBrand     = 3
	panePlatform  = 4
	paneProduct   = 5
	panePartition = 6
	panePosition  = 7
	paneFinal     = 8
	paneCounts    = 10 // the first of the numbers of Counts, which follow each other
	paneResponses = 28
)

// counters lists the fields of c in the order of their numbers, from paneCounts on.
func counters(c *window.Counts) [paneResponses - paneCounts]*int64 {
	return [...]*int64{
		&c.Positive, &c.Neutral, &c.Negative, &c.Unlabelled,
		&c.Own, &c.Spam,
		&c.Reposts, &c.Questions, &c.Complaints,
		&c.Severe, &c.Advocacy, &c.NeedsAnswer,
		&c.Audience, &c.Likes, &c.Shares, &c.Views,
		&c.Requests, &c.Answered,
	}
}

// AppendPane appends p as a message Partial to dst and returns the extended slice.
func AppendPane(dst []byte, p *window.Pane) []byte {
	dst, mark := openMessage(dst, partialPane)
	dst = appendUint(dst, paneGrain, uint64(p.Grain))
	dst = appendTime(dst, paneStart, p.Start)
	dst = appendString(dst, paneBrand, p.Brand)
	dst = appendString(dst, panePlatform, string(p.Platform))
	dst = appendString(dst, paneProduct, p.Product)
	dst = appendInt(dst, panePartition, int64(p.Partition))
	dst = appendUint(dst, panePosition, uint64(p.Position))
	dst = appendBool(dst, paneFinal, p.Final)
	for i, n := range counters(&p.Counts) {
		dst = appendInt(dst, protowire.Number(paneCounts+i), *n)
	}
	if len(p.Responses) > 0 {
		dst = protowire.AppendTag(dst, paneResponses, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(len(p.Responses))*8)
		for _, seconds := range p.Responses {
			dst = protowire.AppendFixed64(dst, math.Float64bits(seconds))
		}
	}
	return closeMessage(dst, mark)
}

// AppendWatermark appends w as a message Partial to dst and returns the extended slice.
func AppendWatermark(dst []byte, w *Watermark) []byte {
	dst, mark := openMessage(dst, partialWatermark)
	dst = appendInt(dst, 1, int64(w.Partition))
	dst = appendTime(dst, 2, w.Time)
	dst = appendBool(dst, 3, w.Idle)
	dst = appendUint(dst, 4, uint64(w.Position))
	return closeMessage(dst, mark)
}

// ParsePartial returns the pane or the watermark in data, which it does not alias. An error wraps ErrMalformed; it is
// also returned for a message that is neither, and for waiting times that are negative, infinite or not a number.
func ParsePartial(data []byte) (Partial, error) {
	var p Partial
	s := scanner{data: data}
	for s.next() {
		switch s.tag { // of several, the last kind counts, and those of one kind are merged: protobuf's rules for oneof
		case partialPane<<3 | asBytes:
			p.Watermark = nil
			if p.Pane == nil {
				p.Pane = new(window.Pane)
			}
			s.pane(p.Pane)
		case partialWatermark<<3 | asBytes:
			p.Pane = nil
			if p.Watermark == nil {
				p.Watermark = new(Watermark)
			}
			s.watermark(p.Watermark)
		}
	}
	if s.err == nil && p.Pane == nil && p.Watermark == nil {
		s.err = fmt.Errorf("%w: neither a pane nor a watermark", ErrMalformed)
	}
	if s.err != nil {
		return Partial{}, fmt.Errorf("parse pane partial: %w", s.err)
	}
	return p, nil
}

func (s *scanner) pane(p *window.Pane) {
	in := scanner{data: s.bytes()}
	whole := string(in.data)
	fields := counters(&p.Counts)
	for in.next() {
		switch in.tag {
		case paneGrain<<3 | asVarint:
			p.Grain = window.Grain(in.small(uint64(window.Day)))
		case paneStart<<3 | asVarint:
			p.Start = in.time()
		case paneBrand<<3 | asBytes:
			p.Brand = in.word(whole)
		case panePlatform<<3 | asBytes:
			p.Platform = stream.Platform(in.word(whole))
		case paneProduct<<3 | asBytes:
			p.Product = in.word(whole)
		case panePartition<<3 | asVarint:
			p.Partition = in.int32()
		case panePosition<<3 | asVarint:
			p.Position = stream.Position(in.number)
		case paneFinal<<3 | asVarint:
			p.Final = in.flag()
		case paneResponses<<3 | asFixed64:
			in.response(p)
		case paneResponses<<3 | asBytes:
			in.responses(p)
		default:
			if num, typ := in.tag>>3, in.tag&7; typ == asVarint && num >= paneCounts && num < paneResponses {
				*fields[num-paneCounts] = int64(in.number)
			}
		}
	}
	s.adopt(&in)
}

// responses reads the packed form of the repeated field.
func (s *scanner) responses(p *window.Pane) {
	packed := s.bytes()
	if len(packed)%8 != 0 {
		s.rejectf("%d bytes are not a list of doubles", len(packed))
		return
	}
	if p.Responses == nil {
		p.Responses = make([]float64, 0, len(packed)/8)
	}
	for ; len(packed) > 0 && s.err == nil; packed = packed[8:] {
		s.number, _ = protowire.ConsumeFixed64(packed)
		s.response(p)
	}
}

func (s *scanner) response(p *window.Pane) {
	seconds := math.Float64frombits(s.number)
	if !(seconds >= 0) || math.IsInf(seconds, 1) {
		s.rejectf("a waiting time of %v seconds", seconds)
		return
	}
	p.Responses = append(p.Responses, seconds)
}

func (s *scanner) watermark(w *Watermark) {
	in := scanner{data: s.bytes()}
	for in.next() {
		switch in.tag {
		case 1<<3 | asVarint:
			w.Partition = in.int32()
		case 2<<3 | asVarint:
			w.Time = in.time()
		case 3<<3 | asVarint:
			w.Idle = in.flag()
		case 4<<3 | asVarint:
			w.Position = stream.Position(in.number)
		}
	}
	s.adopt(&in)
}
