package track_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/kafka"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
	"otklik/stream/wire"
)

// nothing is a ClickHouse without rows that takes everything, an outbox, a topic of dead letters and an observer.
type nothing struct{}

func (nothing) Progress(context.Context, stream.Stage, stream.Partition) (stream.Progress, bool, error) {
	return stream.Progress{}, false, nil
}

func (nothing) LedgerRows(context.Context, stream.Stage, stream.Partition) ([]stream.LedgerRow, error) {
	return nil, nil
}

func (nothing) EachIdentity(context.Context, int32, stream.Time, stream.Position, func(*stream.Identity) error) error {
	return nil
}

func (nothing) Mentions(context.Context, []stream.IdentityKey) ([]stream.MentionRow, error) {
	return nil, nil
}

func (nothing) OpenPanes(context.Context, int32, stream.Time) ([]window.Pane, error) { return nil, nil }

func (nothing) Panes(context.Context, int32, []window.Key) ([]window.Pane, error) { return nil, nil }

func (nothing) EachTurn(context.Context, int32, stream.Time, stream.Position, func(*task.TurnRow) error) error {
	return nil
}

func (nothing) Turns(context.Context, int32, []care.Key, stream.Position) ([]task.TurnRow, error) {
	return nil, nil
}

func (nothing) Claims(context.Context, []stream.MentionName) ([]claim.Row, error) { return nil, nil }
func (nothing) Flush(context.Context, *task.Rows) error                           { return nil }
func (nothing) Restored(time.Duration)                                            {}
func (nothing) Batch(*stream.Books)                                               {}
func (nothing) Lag(int64)                                                         {}
func (nothing) Watermark(stream.Time, bool)                                       {}
func (nothing) State(string, int)                                                 {}
func (nothing) Flushed(time.Duration, error)                                      {}
func (nothing) Close()                                                            {}

type noLetters struct{}

func (noLetters) Send(context.Context, []stream.DeadLetter) error { return nil }

type noOutbox struct{}

func (noOutbox) Add([]byte, []byte)          {}
func (noOutbox) AddTo(int32, []byte, []byte) {}
func (noOutbox) Partitions() int             { return 4 }
func (noOutbox) Send(context.Context) error  { return nil }

// BenchmarkProcess takes mentions in, a third of them in threads that go on, and flushes every 20,000.
func BenchmarkProcess(b *testing.B) {
	evaluator, err := care.NewEvaluator(care.Config{})
	if err != nil {
		b.Fatal(err)
	}
	const perBatch, perFlush, most = 1000, 20, 200_000
	start := stream.Time(1_772_398_800_000)
	brands := []string{"mts", "beeline", "megafon"}
	value := func(i int) []byte {
		author := fmt.Sprintf("7%09d", i-i%3)
		brand := brands[i/3%3]
		return wire.AppendMention(nil, &stream.Mention{
			Item: stream.Item{
				Platform: stream.Twitter, Kind: stream.Post, ID: fmt.Sprintf("20282%014d", i), Author: stream.Account{ID: author, Name: "quiet_" + author[6:]},
				AuthorName: "Ирина Дроздова", Followers: stream.CountOf(173), PublishedAt: start + stream.Time(i), Thread: "twitter:" + author + "×" + brand,
				Paired: true, Mentions: []stream.Account{{ID: "2200000000", Name: "ru_" + brand}}, Text: "Второй день нет связи, что происходит?", Lang: "ru",
				URL: "https://twitter.com/quiet/status/20282136869082235",
			},
			Brand: brand, Via: stream.ViaText | stream.ViaAccount, Flags: stream.Question | stream.NeedsAnswer, Label: stream.Negative,
			Scores: stream.Scores{Positive: 0.1, Neutral: 0.2, Negative: 0.7}, Model: "otklik-linear-3", Products: []string{"calls"}, Customer: author,
			Source: stream.Source{Partition: stream.Partition{Topic: "firehose.twitter"}, Offset: int64(i)}, ReceivedAt: start + stream.Time(i),
		})
	}
	p := stream.Partition{Topic: "otklik.mentions"}
	batches := make([]kafka.Batch, most/perBatch)
	for n := range batches {
		for i := n * perBatch; i < (n+1)*perBatch; i++ {
			batches[n].Records = append(batches[n].Records, stream.Record{Partition: p, Offset: int64(i), Timestamp: start + stream.Time(i), Value: value(i)})
		}
		batches[n].Next, batches[n].End, batches[n].At = int64((n+1)*perBatch), most, start.Go()
	}
	b.ReportAllocs()
	var proc *track.Processor
	n := 0
	for b.Loop() {
		if n%len(batches) == 0 {
			proc = track.New(track.Config{
				Window: window.Config{MaxDisorder: 2 * time.Minute, IdleAfter: 30 * time.Second}, Care: evaluator, Store: nothing{}, Sink: nothing{}, Dead: noLetters{},
			}, p, noOutbox{}, nothing{})
			if _, err := proc.Restore(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if err := proc.Process(b.Context(), batches[n%len(batches)]); err != nil {
			b.Fatal(err)
		}
		if n++; n%perFlush == 0 {
			if _, err := proc.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*perBatch), "ns/mention")
}
