package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zeebo/xxh3"

	"otklik/stream"
)

// ErrAnotherLog says that a partition holds another record at an offset than the one that was read there: the topic was deleted, made
// again and filled (promise 7).
var ErrAnotherLog = errors.New("the partition holds another record at that offset than the one that was read")

// TailOf returns what is kept of a record to recognise it: its offset and a hash of its timestamp, key and value.
func TailOf(r *stream.Record) stream.Tail {
	var h xxh3.Hasher
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(r.Timestamp))
	binary.LittleEndian.PutUint64(head[8:], uint64(len(r.Key)))
	for _, b := range [][]byte{head[:], r.Key, r.Value} {
		_, _ = h.Write(b) // a hash takes everything
	}
	return stream.Tail{Offset: r.Offset, Hash: max(h.Sum64(), 1)}
}

// LastOf returns the tail of the last record of the batch, or before if the batch is empty.
func LastOf(b *Batch, before stream.Tail) stream.Tail {
	if n := len(b.Records); n > 0 {
		return TailOf(&b.Records[n-1])
	}
	return before
}

// tailBytes is how much is fetched for one record: the broker sends at least the batch that it is in.
const tailBytes = 64 << 10

// CheckTail returns ErrAnotherLog, wrapped, if the partition holds another record where it held that one. An unknown tail, and one that
// retention or compaction has removed or that lies beyond the end, is not checked. Transient errors are retried until ctx ends.
func (c *Client) CheckTail(ctx context.Context, p stream.Partition, tail stream.Tail) error {
	if tail.Hash == 0 {
		return nil
	}
	ranges, err := c.Ranges(ctx, p.Topic)
	if err != nil {
		return err
	}
	if r := ranges[p.Number]; tail.Offset < r.First || tail.Offset >= r.End {
		return nil
	}
	var now stream.Tail
	read := errors.New("read")
	err = c.Read(ctx, p, tail.Offset, ReaderConfig{MaxRecords: 1, MaxBytes: tailBytes}, func(_ context.Context, b Batch) error {
		if len(b.Records) > 0 {
			now = TailOf(&b.Records[0])
		}
		return read
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("check %s@%d: %w", p, tail.Offset, context.Cause(ctx))
	case err != nil && !errors.Is(err, read):
		return err
	}
	return compare(p, tail, now)
}

// compare returns ErrAnotherLog, wrapped, if now is another record at the offset of tail.
func compare(p stream.Partition, tail, now stream.Tail) error {
	if now.Offset != tail.Offset || now.Hash == 0 || now == tail {
		return nil
	}
	return fmt.Errorf("%s@%d: %w", p, tail.Offset, ErrAnotherLog)
}
