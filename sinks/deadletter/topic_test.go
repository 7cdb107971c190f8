package deadletter_test

import (
	"bytes"
	"testing"

	"otklik/sinks/deadletter"
	"otklik/stream"
	"otklik/stream/kafka"
)

func letter(key, payload []byte) *stream.DeadLetter {
	return &stream.DeadLetter{
		Stage: stream.StageIngest, Reason: "malformed_json", Detail: "unterminated or invalid string (byte 21)", At: 1_772_400_000_000,
		Source: stream.Source{Partition: stream.Partition{Topic: "firehose.vk", Number: 2}, Offset: 41, Index: 1}, Key: key, Payload: payload,
	}
}

func header(m kafka.Message, key string) (string, bool) {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value), true
		}
	}
	return "", false
}

// TestMessage: a message is the record, and says where it was read and why it is here.
func TestMessage(t *testing.T) {
	t.Parallel()
	m := deadletter.Message(letter([]byte("k"), []byte(`{"a":`)))
	if string(m.Key) != "k" || string(m.Value) != `{"a":` {
		t.Errorf("the record is %q: %q", m.Key, m.Value)
	}
	for key, want := range map[string]string{
		deadletter.HeaderStage: "ingest", deadletter.HeaderReason: "malformed_json", deadletter.HeaderTopic: "firehose.vk",
		deadletter.HeaderPartition: "2", deadletter.HeaderOffset: "41", deadletter.HeaderIndex: "1",
	} {
		if got, _ := header(m, key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if size, ok := header(m, deadletter.HeaderSize); ok {
		t.Errorf("a whole record has the size %s", size)
	}
}

// TestMessageOfALargeRecord: a compressed record may be larger than what the topic of the dead letters takes. It is cut, and says so.
func TestMessageOfALargeRecord(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("я"), 5<<20)
	for _, c := range []struct {
		what         string
		key, payload []byte
		size         string
	}{
		{"payload", []byte("k"), big, "10485760"},
		{"key", big, []byte("text"), "4"},
		{"both", big, big, "10485760"},
	} {
		m := deadletter.Message(letter(c.key, c.payload))
		if n := len(m.Key) + len(m.Value); n > deadletter.MaxBytes || n == 0 {
			t.Errorf("a large %s: %d bytes", c.what, n)
		}
		if !bytes.HasPrefix(c.payload, m.Value) {
			t.Errorf("a large %s: the value is no beginning of the record", c.what)
		}
		if size, _ := header(m, deadletter.HeaderSize); size != c.size {
			t.Errorf("a large %s: the size is %q, want %s", c.what, size, c.size)
		}
	}
}
