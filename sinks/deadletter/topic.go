// Package deadletter writes dead letters to their Kafka topic: the record as it was read, with headers that say where, why and
// when. Any Kafka tool can read it, and putting the value back into its topic is a redrive.
package deadletter

import (
	"context"
	"strconv"

	"otklik/stream"
	"otklik/stream/kafka"
)

// Headers of a dead letter.
const (
	HeaderStage     = "otklik.stage"
	HeaderReason    = "otklik.reason"
	HeaderDetail    = "otklik.detail"
	HeaderTopic     = "otklik.topic"
	HeaderPartition = "otklik.partition"
	HeaderOffset    = "otklik.offset"
	HeaderIndex     = "otklik.index"
	HeaderTimestamp = "otklik.timestamp" // record timestamp, RFC 3339 UTC
	HeaderSize      = "otklik.size"      // bytes of the whole value, where only its beginning stands here
)

// MaxBytes bounds key and value of a message: with its headers it is below what a broker takes by default. A record may be larger,
// because it was compressed or its topic takes more; the table deadletters holds it whole, and redrive takes it from there.
const MaxBytes = 1_000_000

// Producer appends messages to one partition, in order.
type Producer interface {
	Produce(ctx context.Context, p stream.Partition, messages []kafka.Message) error
}

// Topic is the dead letter topic.
type Topic struct {
	Producer   Producer
	Name       string
	Partitions int
	// OnSent is told about every letter that became durable; may be nil.
	OnSent func(*stream.DeadLetter)
}

// Send appends the letters and returns when they are durable. A letter may be appended again after a crash: source and index
// tell the repetition.
func (t *Topic) Send(ctx context.Context, letters []stream.DeadLetter) error {
	byPartition := map[int32][]kafka.Message{}
	for i := range letters {
		l := &letters[i]
		n := kafka.PartitionOf([]byte(l.Source.Partition.String()), t.Partitions)
		byPartition[n] = append(byPartition[n], Message(l))
	}
	for n, messages := range byPartition {
		if err := t.Producer.Produce(ctx, stream.Partition{Topic: t.Name, Number: n}, messages); err != nil {
			return err
		}
	}
	if t.OnSent != nil {
		for i := range letters {
			t.OnSent(&letters[i])
		}
	}
	return nil
}

// Message returns the record of a dead letter, cut to MaxBytes. A key that leaves no room is left out.
func Message(l *stream.DeadLetter) kafka.Message {
	header := func(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }
	m := kafka.Message{
		Key: l.Key, Value: l.Payload,
		Headers: []kafka.Header{
			header(HeaderStage, string(l.Stage)), header(HeaderReason, l.Reason), header(HeaderDetail, l.Detail),
			header(HeaderTopic, l.Source.Partition.Topic), header(HeaderPartition, strconv.Itoa(int(l.Source.Partition.Number))),
			header(HeaderOffset, strconv.FormatInt(l.Source.Offset, 10)), header(HeaderIndex, strconv.Itoa(int(l.Source.Index))),
			header(HeaderTimestamp, l.At.String()),
		},
	}
	if len(m.Key)+len(m.Value) > MaxBytes {
		if len(m.Key) > MaxBytes/2 {
			m.Key = nil
		}
		m.Value = m.Value[:min(len(m.Value), MaxBytes-len(m.Key))]
		m.Headers = append(m.Headers, header(HeaderSize, strconv.Itoa(len(l.Payload))))
	}
	return m
}
