package redrive_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"otklik/cmd/otklik/internal/redrive"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/kafka"
)

// table keeps dead letters as the table does.
type table struct {
	letters []stream.DeadLetter
	marked  map[stream.Source][]string // what they hold
	broken  error
}

func (t *table) EachDeadLetter(_ context.Context, f clickhouse.DeadLetterFilter, fn func(*stream.DeadLetter) error) error {
	for i := range t.letters {
		if l := &t.letters[i]; (f.Redriven || t.marked[l.Source] == nil) && (f.Topic == "" || f.Topic == l.Source.Partition.Topic) {
			copied := *l
			if err := fn(&copied); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) MarkRedriven(_ context.Context, letters []stream.DeadLetter) error {
	if t.broken != nil {
		return t.broken
	}
	for i := range letters {
		t.marked[letters[i].Source] = append([]string{}, letters[i].Items...)
	}
	return nil
}

// topics keep what was produced.
type topics map[stream.Partition][]string

func (t topics) Produce(_ context.Context, p stream.Partition, messages []kafka.Message) error {
	for _, m := range messages {
		t[p] = append(t[p], string(m.Value))
		if m.Time != 7 {
			return errors.New("the timestamp is lost")
		}
	}
	return nil
}

func letter(stage stream.Stage, topic string, partition int32, offset int64, index int32, reason, payload string) stream.DeadLetter {
	return stream.DeadLetter{
		Stage: stage, Source: stream.Source{Partition: stream.Partition{Topic: topic, Number: partition}, Offset: offset, Index: index},
		Reason: reason, At: 7, Payload: []byte(payload),
	}
}

func fixture() *table {
	return &table{marked: map[stream.Source][]string{}, letters: []stream.DeadLetter{
		letter(stream.StageIngest, "firehose.vk", 0, 1, 0, "future", "a"),
		letter(stream.StageIngest, "firehose.vk", 0, 2, 0, "no_time", "b"), // two broken elements in one record
		letter(stream.StageIngest, "firehose.vk", 0, 2, 1, "future", "b"),
		letter(stream.StageIngest, "firehose.vk", 5, 3, 0, "no_time", "c"),
		letter(stream.StageIngest, "firehose.vk", 5, 4, 0, "future", ""), // its content has been dropped
		letter(stream.StageTrack, "firehose.vk", 5, 5, 0, "rejected_row", "{}"),
		letter(stream.StageTrack, "otklik.mentions", 1, 6, 0, "bad_mention", "x"),
		letter(stream.StageIngest, "firehose.old", 0, 1, 0, "future", "d"), // of no platform any more
		erased(letter(stream.StageIngest, "firehose.vk", 6, 7, 0, "no_time", "")),
		erased(letter(stream.StageIngest, "firehose.vk", 6, 7, 1, "no_time", "")),
	}}
}

func erased(l stream.DeadLetter) stream.DeadLetter {
	l.Erased = true
	return l
}

func TestRun(t *testing.T) {
	raw := map[string]int{"firehose.vk": 4}
	part := func(n int32) stream.Partition { return stream.Partition{Topic: "firehose.vk", Number: n} }
	for _, test := range []struct {
		name    string
		options redrive.Options
		want    redrive.Summary
		topics  map[stream.Partition][]string
	}{
		{
			"all",
			redrive.Options{},
			redrive.Summary{Records: 3, Letters: 4, NotRaw: 3, Emptied: 1, Erased: 2},
			topics{part(0): {"a", "b"}, part(1): {"c"}},
		},
		{
			"a reason takes the whole record",
			redrive.Options{Reasons: []string{"future"}},
			redrive.Summary{Records: 2, Letters: 3, NotRaw: 1, Emptied: 1},
			topics{part(0): {"a", "b"}},
		},
		{"limit", redrive.Options{Limit: 1}, redrive.Summary{Records: 1, Letters: 1}, topics{part(0): {"a"}}},
		{"topic", redrive.Options{Topic: "firehose.old"}, redrive.Summary{NotRaw: 1}, topics{}},
		{"dry", redrive.Options{DryRun: true}, redrive.Summary{Records: 3, Letters: 4, NotRaw: 3, Emptied: 1, Erased: 2}, topics{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			letters, out := fixture(), topics{}
			test.options.Topics = raw
			test.options.Hold = map[string]func(*stream.DeadLetter){"firehose.vk": func(l *stream.DeadLetter) { l.Items = []string{"of " + string(l.Payload)} }}
			got, err := redrive.Run(t.Context(), letters, out, test.options)
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
			for p := range test.topics {
				if !slices.Equal(out[p], test.topics[p]) {
					t.Errorf("%s got %q, want %q", p, out[p], test.topics[p])
				}
			}
			if len(out) != len(test.topics) {
				t.Errorf("written to %v", out)
			}
			if !test.options.DryRun && len(letters.marked) != test.want.Letters || test.options.DryRun && len(letters.marked) != 0 {
				t.Errorf("%d marked", len(letters.marked))
			}
			for source, items := range letters.marked {
				if i := slices.IndexFunc(letters.letters, func(l stream.DeadLetter) bool { return l.Source == source }); !slices.Equal(items, []string{"of " + string(letters.letters[i].Payload)}) {
					t.Errorf("%s holds %q", source, items)
				}
			}
			if test.options.DryRun || test.options.Limit > 0 {
				return
			}
			if again, err := redrive.Run(t.Context(), letters, out, test.options); err != nil || again.Records != 0 {
				t.Errorf("the second run put %d records back, %v", again.Records, err)
			}
			test.options.Again = true
			if again, err := redrive.Run(t.Context(), letters, out, test.options); err != nil || again != test.want {
				t.Errorf("with Again %+v, %v", again, err)
			}
		})
	}
}

// What was put back but not marked is put back again.
func TestInterrupted(t *testing.T) {
	letters, out := fixture(), topics{}
	o := redrive.Options{Topics: map[string]int{"firehose.vk": 4}}
	letters.broken = errors.New("away")
	if got, err := redrive.Run(t.Context(), letters, out, o); !errors.Is(err, letters.broken) || got.Records != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	letters.broken = nil
	got, err := redrive.Run(t.Context(), letters, out, o)
	if err != nil || got.Records != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if p := (stream.Partition{Topic: "firehose.vk"}); !slices.Equal(out[p], []string{"a", "b", "a", "b"}) {
		t.Errorf("the topic holds %q", out[p])
	}
}

// A row that was refused stands between the broken elements of its record: the record is put back once all the same.
func TestRefusedRowBetween(t *testing.T) {
	letters, out := &table{marked: map[stream.Source][]string{}}, topics{}
	letters.letters = []stream.DeadLetter{
		letter(stream.StageIngest, "firehose.vk", 0, 2, 0, "no_time", "b"),
		letter(stream.StageTrack, "firehose.vk", 0, 2, 1, "rejected_row", "{}"),
		letter(stream.StageIngest, "firehose.vk", 0, 2, 2, "future", "b"),
	}
	got, err := redrive.Run(t.Context(), letters, out, redrive.Options{Topics: map[string]int{"firehose.vk": 4}})
	if want := (redrive.Summary{Records: 1, Letters: 2, NotRaw: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if p := (stream.Partition{Topic: "firehose.vk"}); !slices.Equal(out[p], []string{"b"}) {
		t.Errorf("the topic holds %q", out[p])
	}
}
