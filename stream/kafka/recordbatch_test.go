package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"otklik/stream"
)

func TestPartitionOfIsThatOfTheJavaClients(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := make([]int, 64)
	for i := range numbers {
		numbers[i] = i
	}
	for size := range 200 {
		key := make([]byte, size)
		for i := range key {
			key[i] = byte(rng.Uint32())
		}
		for _, n := range []int{1, 3, 12, 64} {
			want := kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: key}, numbers[:n]...)
			if got := PartitionOf(key, n); int(got) != want {
				t.Fatalf("key %x of %d partitions: %d, want %d", key, n, got, want)
			}
		}
	}
	if PartitionOf(nil, 7) != PartitionOf([]byte{}, 7) {
		t.Error("no key and an empty one differ")
	}
}

// assorted are messages with everything that a record can have.
func assorted(n int) []Message {
	out := make([]Message, n)
	for i := range out {
		m := &out[i]
		switch i % 5 {
		case 0: // nothing: no key, no value
		case 1:
			m.Key, m.Value = []byte{}, []byte{}
		case 2:
			m.Key, m.Value = fmt.Appendf(nil, "key %d", i), bytes.Repeat([]byte{byte(i)}, 3*i)
		case 3:
			m.Value, m.Time = fmt.Appendf(nil, "value %d", i), stream.Time(1_700_000_000_000-int64(i)*1000)
		case 4:
			m.Value, m.Headers = []byte("headed"), []Header{{Key: "a", Value: []byte("b")}, {Key: "", Value: nil}}
		}
	}
	return out
}

// TestRecordBatchIsWhatKafkaGoReads has kafka-go read what we write, its checksum included.
func TestRecordBatchIsWhatKafkaGoReads(t *testing.T) {
	t.Parallel()
	const now = int64(1_750_000_000_123)
	for _, compression := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		for _, n := range []int{1, 2, 64, 1000} {
			messages := assorted(n)
			batch, err := appendRecordBatch(make([]byte, 4), messages, now, compression)
			if err != nil {
				t.Fatal(err)
			}
			binary.BigEndian.PutUint32(batch, uint32(len(batch)-4))
			var set protocol.RecordSet
			if _, err := set.ReadFrom(bytes.NewBuffer(batch)); err != nil {
				t.Fatalf("%s, %d messages: %v", compression, n, err)
			}
			if set.Version != 2 || set.Attributes.Compression() != compression {
				t.Errorf("version %d, attributes %s", set.Version, set.Attributes)
			}
			for i := range messages {
				r, err := set.Records.ReadRecord()
				if err != nil {
					t.Fatalf("%s, record %d of %d: %v", compression, i, n, err)
				}
				m := &messages[i]
				at := time.UnixMilli(now)
				if m.Time != 0 {
					at = m.Time.Go()
				}
				key, _ := protocol.ReadAll(r.Key)
				value, _ := protocol.ReadAll(r.Value)
				if r.Offset != int64(i) || !r.Time.Equal(at) || !bytes.Equal(key, m.Key) || !bytes.Equal(value, m.Value) ||
					(r.Key == nil) != (m.Key == nil) || (r.Value == nil) != (m.Value == nil) {
					t.Fatalf("%s, record %d: %+v for %+v", compression, i, r, m)
				}
				if fmt.Sprint(r.Headers) != fmt.Sprint(m.Headers) {
					t.Errorf("record %d: headers %v, want %v", i, r.Headers, m.Headers)
				}
			}
			if _, err := set.Records.ReadRecord(); err == nil {
				t.Error("one record too many")
			}
		}
	}
}

func BenchmarkAppendRecordBatch(b *testing.B) {
	messages := make([]Message, 1000)
	for i := range messages {
		messages[i] = Message{Key: fmt.Appendf(nil, "twitter:%d×mts", i*7919), Value: bytes.Repeat([]byte{byte(i)}, 700)}
	}
	var buf []byte
	for b.Loop() {
		buf, _ = appendRecordBatch(buf[:0], messages, 1, compress.None)
	}
	b.SetBytes(int64(len(buf)))
}
