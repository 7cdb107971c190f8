package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"otklik/stream"
)

const batchTime = int64(1_750_000_000_123)

// batchAt returns a batch of the messages as a broker holds it: with its offset, and the attributes added.
func batchAt(tb testing.TB, first int64, messages []Message, c compress.Compression, attributes uint16) []byte {
	tb.Helper()
	batch, err := appendRecordBatch(nil, messages, batchTime, c)
	if err != nil {
		tb.Fatal(err)
	}
	binary.BigEndian.PutUint64(batch, uint64(first))
	batch[batchAttributesAt+1] |= byte(attributes)
	binary.BigEndian.PutUint32(batch[batchCRCAt:], crc32.Checksum(batch[batchAttributesAt:], castagnoli))
	return batch
}

func TestParseRecords(t *testing.T) {
	t.Parallel()
	p := stream.Partition{Topic: "t", Number: 3}
	for _, c := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		messages := assorted(100)
		set := batchAt(t, 40, messages[:30], c, 0)
		set = append(set, batchAt(t, 70, assorted(1), compress.None, controlBit)...) // a marker at 70
		set = append(set, batchAt(t, 71, messages[30:], c, 0)...)
		whole := len(set)
		set = append(set, batchAt(t, 141, messages, c, 0)...)
		for _, cut := range []int{whole, whole + 1, whole + batchMagicAt, whole + batchHead, len(set) - 1} {
			records, next, err := parseRecords(p, set[:cut], nil)
			if err != nil || next != 141 || len(records) != len(messages) {
				t.Fatalf("%s, cut at %d: %d records, next %d, %v", c, cut, len(records), next, err)
			}
			for i := range records {
				r, m := &records[i], &messages[i]
				offset, at := int64(40+i), batchTime
				if i >= 30 {
					offset++
				}
				if m.Time != 0 {
					at = int64(m.Time)
				}
				if r.Partition != p || r.Offset != offset || int64(r.Timestamp) != at || !bytes.Equal(r.Key, m.Key) || !bytes.Equal(r.Value, m.Value) ||
					(r.Key == nil) != (m.Key == nil) || (r.Value == nil) != (m.Value == nil) {
					t.Fatalf("%s, record %d: %+v for %+v", c, i, r, m)
				}
			}
		}
	}
	if records, next, err := parseRecords(p, nil, nil); len(records) != 0 || next != -1 || err != nil {
		t.Errorf("of nothing: %v, %d, %v", records, next, err)
	}
	set := batchAt(t, 7, assorted(20), compress.None, logAppendTime)
	records, _, err := parseRecords(p, set, nil)
	if err != nil || len(records) != 20 {
		t.Fatal(records, err)
	}
	for i := range records {
		if int64(records[i].Timestamp) != batchTime { // the largest
			t.Errorf("record %d has the time %d of its producer in a topic with the broker's", i, records[i].Timestamp)
		}
	}
}

// TestParseRecordsOfBrokenBatches cuts and overwrites: never a panic, and what is returned stands in the batch.
func TestParseRecordsOfBrokenBatches(t *testing.T) {
	t.Parallel()
	whole := batchAt(t, 5, assorted(40), compress.None, 0)
	for cut := 1; cut < len(whole); cut++ {
		if records, next, err := parseRecords(stream.Partition{}, whole[:cut], nil); len(records) > 0 || next != -1 || !errors.Is(err, errBadAnswer) {
			t.Fatalf("cut at %d: %d records, next %d, %v", cut, len(records), next, err)
		}
	}
	for i := range whole {
		for _, b := range []byte{0, 0x7f, 0x80, 0xff} {
			broken := bytes.Clone(whole)
			broken[i] = b
			records, _, err := parseRecords(stream.Partition{}, broken, nil)
			if err == nil && len(records) > 40 {
				t.Fatalf("%#x at %d: %d records", b, i, len(records))
			}
		}
	}
	short := bytes.Clone(whole)
	binary.BigEndian.PutUint32(short[batchCountAt:], 41)
	if records, _, err := parseRecords(stream.Partition{}, short, nil); !errors.Is(err, errBadBatch) || len(records) != 40 {
		t.Errorf("a record too few: %d, %v", len(records), err)
	}
}

func FuzzParseRecords(f *testing.F) {
	for _, c := range []compress.Compression{compress.None, compress.Snappy} {
		batch, err := appendRecordBatch(nil, assorted(7), batchTime, c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(batch)
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		records, next, err := parseRecords(stream.Partition{}, set, nil)
		if err == nil && len(records) > 0 && next < 0 {
			t.Errorf("%d records and no batch", len(records))
		}
	})
}

// TestOldMessages reads what kafka-go writes for Kafka before 0.11.
func TestOldMessages(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(batchTime)
	for _, c := range []compress.Compression{compress.None, compress.Gzip} {
		set := protocol.RecordSet{Version: 1, Attributes: protocol.Attributes(c), Records: protocol.NewRecordReader(
			protocol.Record{Offset: 0, Time: at, Key: protocol.NewBytes([]byte("a")), Value: protocol.NewBytes([]byte("one"))},
			protocol.Record{Offset: 1, Time: at, Value: protocol.NewBytes([]byte("two"))},
		)}
		var sized bytes.Buffer
		if _, err := set.WriteTo(&sized); err != nil {
			t.Fatal(err)
		}
		records, next, err := parseRecords(stream.Partition{}, sized.Bytes()[4:], nil)
		if err != nil || len(records) != 2 || next != 2 {
			t.Fatalf("%s: %v, next %d, %v", c, records, next, err)
		}
		if r := records[0]; string(r.Key) != "a" || string(r.Value) != "one" || int64(r.Timestamp) != batchTime || r.Offset != 0 {
			t.Errorf("%s: %+v", c, r)
		}
		if r := records[1]; r.Key != nil || string(r.Value) != "two" || r.Offset != 1 {
			t.Errorf("%s: %+v", c, r)
		}
	}
}

// TestDrain has batches that begin before the position, end with a marker, and are larger than a batch of ours.
func TestDrain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var got []Batch
	r := &reader{next: 12, cfg: ReaderConfig{MaxRecords: 5}, out: func(_ context.Context, b Batch) error {
		got = append(got, b)
		return nil
	}}
	set := batchAt(t, 10, assorted(9), compress.None, 0)
	set = append(set, batchAt(t, 19, assorted(2), compress.None, controlBit)...)
	from, err := r.drain(ctx, 12, &fetched{end: 30, records: set}, &frame{owner: r})
	if err != nil || from != 21 {
		t.Fatalf("next %d, %v", from, err)
	}
	if len(got) != 2 || len(got[0].Records) != 5 || got[0].Next != 17 || len(got[1].Records) != 2 || got[1].Next != 21 || got[1].End != 30 {
		t.Fatalf("got %+v", got)
	}
	if got[0].Records[0].Offset != 12 || got[1].Records[1].Offset != 18 {
		t.Errorf("offsets %d to %d", got[0].Records[0].Offset, got[1].Records[1].Offset)
	}
	// A new session begins with the last record; another one in its place is another log.
	again := batchAt(t, 18, assorted(9)[8:], compress.None, 0)
	if from, err = r.drain(ctx, 18, &fetched{end: 30, records: again}, &frame{owner: r}); err != nil || from != 21 {
		t.Errorf("the same record: next %d, %v", from, err)
	}
	other := batchAt(t, 18, []Message{{Value: []byte("other")}}, compress.None, 0)
	if _, err = r.drain(ctx, 18, &fetched{end: 30, records: other}, &frame{owner: r}); !errors.Is(err, ErrAnotherLog) {
		t.Errorf("another record: %v", err)
	}
	// What stands before a broken batch is handed over.
	got, r.fatal = nil, nil
	broken := batchAt(t, 23, assorted(4), compress.None, 0)
	broken[batchMagicAt] = 9
	if _, err = r.drain(ctx, 21, &fetched{end: 30, records: append(batchAt(t, 21, assorted(2), compress.None, 0), broken...)}, &frame{owner: r}); !errors.Is(err, errBadBatch) || r.fatal != nil {
		t.Errorf("a broken batch: %v, %v", err, r.fatal)
	}
	if len(got) != 1 || len(got[0].Records) != 2 || r.next != 23 {
		t.Errorf("before a broken batch: %+v, next %d", got, r.next)
	}
}

// TestReleasedFrameHoldsNothing: what a fetch was decompressed to is not kept with its memory.
func TestReleasedFrameHoldsNothing(t *testing.T) { // not parallel: nobody else may take the frame
	r := &reader{cfg: ReaderConfig{MaxRecords: 5}, out: func(_ context.Context, b Batch) error {
		b.Release()
		return nil
	}}
	f := &frame{owner: r}
	if _, err := r.drain(t.Context(), 0, &fetched{end: 9, records: batchAt(t, 0, assorted(9), compress.Zstd, 0)}, f); err != nil {
		t.Fatal(err)
	}
	if cap(f.records) < 9 || f.users.Load() != 0 {
		t.Fatalf("room for %d records, %d users", cap(f.records), f.users.Load())
	}
	for i, rec := range f.records[:cap(f.records)] {
		if rec.Key != nil || rec.Value != nil {
			t.Errorf("record %d is still there: %s", i, rec.String())
		}
	}
}

func TestReadFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4095, 5000, 100_000} {
		body := bytes.Repeat([]byte{7}, n)
		framed := append(binary.BigEndian.AppendUint32(nil, uint32(n)), body...)
		got, err := readFrame(iotest.HalfReader(bytes.NewReader(append(framed, "next"...))), 1000, nil)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
		if _, err := readFrame(bytes.NewReader(framed[:len(framed)-1]), 1000, nil); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("a byte too few of %d: %v", n, err)
		}
	}
	if _, err := readFrame(bytes.NewReader([]byte{0x80, 0, 0, 0, 1}), 10, nil); !errors.Is(err, errBadAnswer) {
		t.Errorf("a negative length: %v", err)
	}
	if frame, err := readFrame(bytes.NewReader([]byte{0x7f, 0xff, 0xff, 0xff, 1}), 10, nil); err == nil {
		t.Errorf("a length of 2 GB: %d bytes", len(frame))
	}
}

// TestFetchRequestIsWhatKafkaGoReads has kafka-go read our request.
func TestFetchRequestIsWhatKafkaGoReads(t *testing.T) {
	t.Parallel()
	for version := int16(minFetchVersion); version <= maxFetchVersion; version++ {
		f := &fetcher{partition: stream.Partition{Topic: "firehose.vk", Number: 9}, clientID: "otklik", version: version, sent: 77}
		request := f.appendRequest(nil, 123456789012, &ReaderConfig{MaxBytes: 1 << 20, MaxWait: 250 * time.Millisecond})
		at, id, client, message, err := protocol.ReadRequest(bytes.NewReader(request))
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		said := fmt.Sprintf("%+v", message)
		want := "MaxWaitTime:250 MinBytes:1 MaxBytes:1048576 IsolationLevel:0"
		if at != version || id != 77 || client != "otklik" || !strings.Contains(said, want) ||
			!strings.Contains(said, "FetchOffset:123456789012") || !strings.Contains(said, "firehose.vk") {
			t.Errorf("version %d, id %d, client %s: %s", at, id, client, said)
		}
	}
}

func TestParseOfBrokenAnswers(t *testing.T) {
	t.Parallel()
	f := &fetcher{partition: stream.Partition{Topic: "t", Number: 1}, version: 10, sent: 5}
	order := binary.BigEndian
	body := order.AppendUint32(nil, 5)       // correlation id
	body = order.AppendUint32(body, 0)       // throttle
	body = order.AppendUint16(body, 0)       // error
	body = order.AppendUint32(body, 0)       // session
	body = order.AppendUint32(body, 1)       // topics
	body = append(body, 0, 1, 't')           // name
	body = order.AppendUint32(body, 1)       // partitions
	body = order.AppendUint32(body, 1)       // number
	at := len(body)                          // of the error code
	body = order.AppendUint16(body, 0)       // error
	body = order.AppendUint64(body, 42)      // end
	body = order.AppendUint64(body, 42)      // last stable
	body = order.AppendUint64(body, 0)       // start
	body = order.AppendUint32(body, 1)       // aborted
	body = append(body, make([]byte, 16)...) //
	body = order.AppendUint32(body, 3)       // size of the records
	body = append(body, "abc"...)            //
	got, err := f.parse(body)
	if err != nil || got.end != 42 || string(got.records) != "abc" {
		t.Fatalf("%+v, %v", got, err)
	}
	for cut := range body {
		if _, err := f.parse(body[:cut]); !errors.Is(err, errBadAnswer) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	refused := bytes.Clone(body)
	refused[at+1] = byte(kafkago.OffsetOutOfRange)
	if _, err := f.parse(refused); !errors.Is(err, kafkago.OffsetOutOfRange) {
		t.Errorf("an error code: %v", err)
	}
	f.sent++
	if _, err := f.parse(body); !errors.Is(err, errBadAnswer) {
		t.Errorf("the answer to another request: %v", err)
	}
}
