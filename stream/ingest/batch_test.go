package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
	"otklik/stream/wire"
)

// message is what an outbox was given.
type message struct{ key, value []byte }

// outbox keeps what was sent.
type outbox struct{ queued, sent []message }

func (o *outbox) Add(key, value []byte) {
	o.queued = append(o.queued, message{bytes.Clone(key), bytes.Clone(value)})
}

func (o *outbox) Bytes() int {
	n := 0
	for _, m := range o.queued {
		n += len(m.value)
	}
	return n
}

func (o *outbox) Send(context.Context) error {
	o.sent, o.queued = append(o.sent, o.queued...), nil
	return nil
}

// observer adds up the books.
type observer struct{ books stream.Books }

func (o *observer) Restored(time.Duration)       {}
func (o *observer) Batch(b *stream.Books)        { o.books.Add(b) }
func (o *observer) Lag(int64)                    {}
func (o *observer) Watermark(stream.Time, bool)  {}
func (o *observer) State(string, int)            {}
func (o *observer) Flushed(time.Duration, error) {}
func (o *observer) Close()                       {}

// batching is a classifier that wants to be asked about many texts at once.
type batching struct {
	sentiment.Classifier

	asked int
	err   error
}

func (b *batching) ClassifyBatch(_ context.Context, requests []sentiment.Request) ([]sentiment.Result, error) {
	b.asked++
	if b.err != nil {
		return nil, b.err
	}
	var s sentiment.Scratch
	out := make([]sentiment.Result, len(requests))
	for i, r := range requests {
		label, scores := b.Classify(r.Text, r.Lang, r.Target, &s)
		out[i] = sentiment.Result{Label: label, Scores: scores, Model: b.Name()}
	}
	return out, nil
}

// firehose returns simulated records by platform.
func firehose(t *testing.T, events int) map[stream.Platform][]stream.Record {
	t.Helper()
	sim, err := simulate.New(simulate.Config{Seed: 5, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	out := map[stream.Platform][]stream.Record{}
	for {
		r, ok := sim.Next()
		if !ok {
			return out
		}
		list := out[r.Platform]
		out[r.Platform] = append(list, stream.Record{
			Partition: stream.Partition{Topic: "firehose." + string(r.Platform)}, Offset: int64(len(list)), Timestamp: r.DeliveredAt, Value: bytes.Clone(r.Value),
		})
	}
}

// example returns a configuration with the shipped catalogue.
func example(t *testing.T, c sentiment.Classifier) ingest.Config {
	t.Helper()
	matcher, err := brand.NewMatcher(brand.Example())
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Config{Matcher: matcher, Classifier: c}
}

func processor(t *testing.T, p stream.Platform, c sentiment.Classifier, key []byte) (*ingest.Processor, *outbox, *observer) {
	t.Helper()
	out, seen := &outbox{}, &observer{}
	cfg := example(t, c)
	cfg.Pseudonyms = ingest.NewPseudonyms(key)
	proc, err := ingest.New(cfg, p, stream.Partition{Topic: "firehose." + string(p)}, out, seen)
	if err != nil {
		t.Fatal(err)
	}
	return proc, out, seen
}

// TestBatchesChangeNothing: asked about a micro-batch at once, a classifier gives the same messages, byte for byte and in the same
// order, as when it is asked text by text.
func TestBatchesChangeNothing(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	for platform, records := range firehose(t, 1200) {
		for name, key := range map[string][]byte{"names": nil, "pseudonyms": []byte("0123456789abcdef0123456789abcdef")} {
			many := &batching{Classifier: model}
			one, single, singleBooks := processor(t, platform, model, key)
			all, batched, batchedBooks := processor(t, platform, many, key)
			batches := 0
			for chunk := range slices.Chunk(records, 37) {
				b := kafka.Batch{Records: chunk, Next: chunk[len(chunk)-1].Offset + 1}
				if err := errors.Join(one.Process(t.Context(), b), all.Process(t.Context(), b)); err != nil {
					t.Fatal(err)
				}
				batches++
			}
			if !slices.EqualFunc(single.sent, batched.sent, func(a, b message) bool { return bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) }) {
				t.Errorf("%s with %s: %d messages one by one and %d in batches differ", platform, name, len(single.sent), len(batched.sent))
			}
			if singleBooks.books != batchedBooks.books || int(batchedBooks.books.Mentions) != len(batched.sent) || len(batched.sent) == 0 {
				t.Errorf("%s with %s: books %+v and %+v for %d messages", platform, name, singleBooks.books, batchedBooks.books, len(batched.sent))
			}
			if many.asked > batches {
				t.Errorf("%s: asked %d times in %d batches", platform, many.asked, batches)
			}
		}
	}
}

// TestOnlyCustomersAreAskedAbout: official answers and spam go out unlabelled, in their place.
func TestOnlyCustomersAreAskedAbout(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	proc, out, _ := processor(t, stream.Twitter, &batching{Classifier: model}, nil)
	records := firehose(t, 2000)[stream.Twitter]
	if err := proc.Process(t.Context(), kafka.Batch{Records: records, Next: int64(len(records))}); err != nil {
		t.Fatal(err)
	}
	roles := map[stream.Role]int{}
	last := int64(-1)
	for _, m := range out.sent {
		var got stream.Mention
		if err := wire.ParseMention(m.value, &got); err != nil {
			t.Fatal(err)
		}
		roles[got.Role]++
		if labelled := got.Model != ""; labelled != (got.Role == stream.Customer) {
			t.Errorf("a mention by %s has the label %s of %q", got.Role, got.Label, got.Model)
		}
		if got.Source.Offset < last {
			t.Errorf("the mention of offset %d comes after that of %d", got.Source.Offset, last)
		}
		last = got.Source.Offset
	}
	if roles[stream.Customer] == 0 || roles[stream.Own] == 0 {
		t.Errorf("mentions by role %v: the test shows nothing", roles)
	}
}

// TestAnInterruptedBatchIsNotSent: when the classifier is interrupted nothing goes out, and the task replays the batch.
func TestAnInterruptedBatchIsNotSent(t *testing.T) {
	model, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the generation has ended")
	proc, out, seen := processor(t, stream.Twitter, &batching{Classifier: model, err: gone}, nil)
	records := firehose(t, 500)[stream.Twitter]
	if err := proc.Process(t.Context(), kafka.Batch{Records: records, Next: int64(len(records))}); !errors.Is(err, gone) {
		t.Errorf("Process: %v", err)
	}
	if len(out.sent)+len(out.queued) != 0 || seen.books != (stream.Books{}) {
		t.Errorf("%d messages sent, %d queued, books %+v", len(out.sent), len(out.queued), seen.books)
	}
}
