package kafka

import (
	"sync"
	"sync/atomic"

	"otklik/stream"
)

// frame is the memory of a fetch: what the broker answered, and the records that are parts of it.
type frame struct {
	body    []byte
	records []stream.Record
	users   atomic.Int32 // the reader and the batches that it has been divided into
	owner   *reader
}

// mostRecords is how many records a frame keeps room for: what is compressed may hold millions of short ones.
const mostRecords = 1 << 16

// frames are those that have been given back.
var frames sync.Pool // of *frame

// frame returns memory for the next fetch. One that was given back is taken only where batches are given back: elsewhere it would be kept for
// long, however small the fetch.
func (r *reader) frame() *frame {
	if r.released.Load() {
		if f, ok := frames.Get().(*frame); ok {
			f.owner = r
			return f
		}
	}
	return &frame{owner: r}
}

// use returns the frame as that of one more batch.
func (f *frame) use() []*frame {
	f.users.Add(1)
	return []*frame{f}
}

// release ends one use. With the last one the memory may be used again if its batches were given back.
func (f *frame) release() {
	if f.users.Add(-1) == 0 {
		clear(f.records) // what was decompressed, too: a smaller fetch would leave most of it where it is
		if cap(f.records) > mostRecords {
			f.records = nil
		}
		frames.Put(f)
	}
}

// Join appends the records of another batch, which is the one after b in the partition, and takes over its position, end and memory. The
// list of records is made anew in room, which Join returns with it.
func (b *Batch) Join(next *Batch, room []stream.Record) []stream.Record {
	if len(room) == 0 {
		room = append(room, b.Records...)
	}
	room = append(room, next.Records...)
	b.Records = room
	b.Next, b.End, b.At = next.Next, next.End, next.At
	b.frames = append(b.frames, next.frames...)
	return room
}

// Release gives the memory of the batch back: its records, their keys and their values must not be used any more, nor any part of them. A batch that is
// never given back stays valid for as long as something refers to it.
func (b *Batch) Release() {
	for _, f := range b.frames {
		f.owner.released.Store(true)
		f.release()
	}
	b.frames = nil
}
