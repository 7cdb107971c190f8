package stream

import "fmt"

// Partition names one partition of one topic.
type Partition struct {
	Topic  string
	Number int32
}

// String returns "topic/number".
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Number) }

// Position is how far a state row has followed its partition: the next offset to read, i.e. the offset of the
// last record applied plus one, below a 16-bit epoch that grows when a topic is begun anew. It is the version of
// every ReplacingMergeTree row: the row with the highest position is the truth. The zero value means
// "nothing applied yet".
type Position uint64

const epochShift = 48

// PositionAfter returns the position of a row whose last applied record has this offset in this epoch.
func PositionAfter(epoch uint16, offset int64) Position {
	return Position(uint64(epoch)<<epochShift | uint64(offset+1))
}

// Epoch returns the epoch the position was taken in.
func (p Position) Epoch() uint16 { return uint16(p >> epochShift) }

// Next returns the next offset to read.
func (p Position) Next() int64 { return int64(p & (1<<epochShift - 1)) }

// Covers reports whether the record at the position q (that is, PositionAfter(epoch, its offset)) has been applied.
func (p Position) Covers(q Position) bool { return p >= q }

// String returns "epoch:next".
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Epoch(), p.Next()) }

// Source is where in the raw firehose a mention comes from: the partition, the offset of the record, and the
// place of the mention among those that the record yields. Per partition of otklik.mentions, the sources of
// one raw partition arrive in growing order; a source that does not grow is our own producer repeating
// itself after a restart, not a duplicate (see stream/DESIGN.md, "Echoes").
type Source struct {
	Partition Partition
	Offset    int64 // of the record, below the 16-bit epoch of its topic: a recreated topic goes on growing
	Index     int32
}

// SourceOf returns the source of the first mention of the record at offset in an epoch of its topic.
func SourceOf(p Partition, epoch uint16, offset int64) Source {
	return Source{Partition: p, Offset: int64(epoch)<<epochShift | offset}
}

// Before reports whether s lies before o in the same raw partition.
func (s Source) Before(o Source) bool {
	return s.Offset < o.Offset || s.Offset == o.Offset && s.Index < o.Index
}

// String returns "topic/partition@offset.index".
func (s Source) String() string { return fmt.Sprintf("%s@%d.%d", s.Partition, s.Offset, s.Index) }

// Record is one Kafka record as a processor sees it. Key and Value are only valid during the call that hands it over.
type Record struct {
	Partition Partition
	Offset    int64
	Timestamp Time // the broker's or the producer's record timestamp
	Key       []byte
	Value     []byte
}

// String returns "topic/partition@offset", the way every error and log names a record.
func (r *Record) String() string { return fmt.Sprintf("%s@%d", r.Partition, r.Offset) }
