package clickhouse_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/roll"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
)

// benchPartitions is how many partitions each topic of the rehearsal has, as in `otklik bench`.
const benchPartitions = 4

// rehearsal runs the three stages without Kafka and ClickHouse and keeps what they would write: the flushes of the benchmarks are
// those of the engine. It is the store, the sink, the outbox and the observer of its processors.
type rehearsal struct {
	restored bool
	records  map[int][]stream.Record // what the outbox of the stage under way holds, by partition
	next     [2][benchPartitions]int64
	topic    int                // index in next of the topic that Add writes
	flush    []clickhouse.Batch // of the round
}

func (r *rehearsal) Progress(context.Context, stream.Stage, stream.Partition) (stream.Progress, bool, error) {
	if !r.restored {
		return stream.Progress{}, false, nil
	}
	return stream.Progress{Position: 1 << 40}, true, nil // whatever roll has used is durable
}

func (r *rehearsal) LedgerRows(context.Context, stream.Stage, stream.Partition) ([]stream.LedgerRow, error) {
	return nil, nil
}

func (r *rehearsal) EachIdentity(context.Context, int32, stream.Time, stream.Position, func(*stream.Identity) error) error {
	return nil
}

func (r *rehearsal) Mentions(context.Context, []stream.IdentityKey) ([]stream.MentionRow, error) {
	return nil, nil
}

func (r *rehearsal) OpenPanes(context.Context, int32, stream.Time) ([]window.Pane, error) {
	return nil, nil
}

func (r *rehearsal) Panes(context.Context, int32, []window.Key) ([]window.Pane, error) {
	return nil, nil
}

func (r *rehearsal) EachTurn(context.Context, int32, stream.Time, stream.Position, func(*task.TurnRow) error) error {
	return nil
}

// Claims implements track.Store.
func (r *rehearsal) Claims(context.Context, []stream.MentionName) ([]claim.Row, error) {
	return nil, nil
}

func (r *rehearsal) Turns(context.Context, int32, []care.Key, stream.Position) ([]task.TurnRow, error) {
	return nil, nil
}

func (r *rehearsal) MinutePanes(context.Context, []string, stream.Time, stream.Time) ([]window.Pane, error) {
	return nil, nil
}

// Add implements the outboxes.
func (r *rehearsal) Add(key, value []byte) {
	h := fnv.New32a()
	h.Write(key)
	r.AddTo(int32(h.Sum32()%benchPartitions), key, value)
}

// AddTo implements the outbox of track.
func (r *rehearsal) AddTo(partition int32, key, value []byte) {
	offset := &r.next[r.topic][partition]
	p := stream.Partition{Topic: [...]string{"otklik.mentions", "otklik.panes"}[r.topic], Number: partition}
	r.records[int(partition)] = append(r.records[int(partition)], stream.Record{
		Partition: p, Offset: *offset, Timestamp: simulate.DefaultDay, Key: bytes.Clone(key), Value: bytes.Clone(value),
	})
	*offset++
}

func (r *rehearsal) Bytes() int      { return 0 }
func (r *rehearsal) Partitions() int { return benchPartitions }

// outbox sends nothing: the rehearsal hands the records on itself.
type outbox struct{ *rehearsal }

func (outbox) Send(context.Context) error { return nil }

// noLetters is told of no dead letters: the tweets of the simulator have no faults.
type noLetters struct{}

func (noLetters) Send(_ context.Context, letters []stream.DeadLetter) error {
	return fmt.Errorf("%d dead letters: %+v", len(letters), letters[0])
}

// Flush keeps a copy of the rows.
func (r *rehearsal) Flush(_ context.Context, rows *task.Rows) error {
	r.flush = append(r.flush, clickhouse.Batch{
		Panes: slices.Clone(rows.Panes), Responses: slices.Clone(rows.Responses), Cases: slices.Clone(rows.Cases),
		Ledger: slices.Clone(rows.Ledger), Rolling: slices.Clone(rows.Rolling), Mentions: slices.Clone(rows.Mentions),
		Turns: slices.Clone(rows.Turns), Progress: slices.Clone(rows.Progress),
	})
	return nil
}

// silent is an observer that notes nothing.
type silent struct{}

func (silent) Restored(time.Duration)       {}
func (silent) Batch(*stream.Books)          {}
func (silent) Lag(int64)                    {}
func (silent) Watermark(stream.Time, bool)  {}
func (silent) State(string, int)            {}
func (silent) Flushed(time.Duration, error) {}
func (silent) Close()                       {}

// rehearse returns the flushes of the engine for so many tweets, so many in each flush: for every round the batches of all tasks.
func rehearse(tb testing.TB, tweets, perFlush int) [][]clickhouse.Batch {
	tb.Helper()
	ctx := tb.Context()
	must := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	matcher, err := brand.NewMatcher(brand.Example())
	must(err)
	classifier, err := sentiment.Default()
	must(err)
	evaluator, err := care.NewEvaluator(care.Config{})
	must(err)
	source, err := simulate.NewTweets(simulate.TweetConfig{Seed: 1, MatchShare: 1})
	must(err)

	r := &rehearsal{records: map[int][]stream.Record{}}
	var stages [3][benchPartitions]task.Processor
	for n := range int32(benchPartitions) {
		stages[0][n], err = ingest.New(ingest.Config{Matcher: matcher, Classifier: classifier, Sink: r, Books: r, Dead: noLetters{}},
			stream.Twitter, stream.Partition{Topic: "firehose.twitter", Number: n}, outbox{r}, silent{})
		must(err)
		stages[1][n] = track.New(track.Config{Care: evaluator, Store: r, Sink: r, Dead: noLetters{}},
			stream.Partition{Topic: "otklik.mentions", Number: n}, outbox{r}, silent{})
		stages[2][n] = roll.New(roll.Config{Upstream: "otklik.mentions", Store: r, Sink: r, Dead: noLetters{}},
			stream.Partition{Topic: "otklik.panes", Number: n}, silent{})
		for s := range stages {
			_, err := stages[s][n].Restore(ctx)
			must(err)
		}
	}
	r.restored = true
	var rounds [][]clickhouse.Batch
	for from := 0; from < tweets; from += perFlush {
		input := map[int][]stream.Record{}
		for i := from; i < min(from+perFlush, tweets); i++ {
			tweet, _ := source.Next()
			n := i % benchPartitions
			input[n] = append(input[n], stream.Record{
				Partition: stream.Partition{Topic: "firehose.twitter", Number: int32(n)}, Offset: int64(i / benchPartitions),
				Timestamp: simulate.DefaultDay, Value: bytes.Clone(tweet),
			})
		}
		for s := range stages {
			r.records, r.topic = map[int][]stream.Record{}, min(s, 1)
			for n := range benchPartitions {
				batch := kafka.Batch{Records: input[n]}
				if len(batch.Records) > 0 {
					batch.Next = batch.Records[len(batch.Records)-1].Offset + 1
					batch.End = batch.Next
				}
				must(stages[s][n].Process(ctx, batch))
				_, err := stages[s][n].Flush(ctx)
				must(err)
			}
			input = r.records
		}
		rounds = append(rounds, r.flush)
		r.flush = nil
	}
	return rounds
}

// only returns the rounds with the rows of one table; how many rows it has.
func only(rounds [][]clickhouse.Batch, table string) (out [][]clickhouse.Batch, rows int) {
	for _, round := range rounds {
		var kept []clickhouse.Batch
		for i := range round {
			b := &round[i]
			var k clickhouse.Batch
			n := 0
			switch table {
			case "panes":
				k.Panes, n = b.Panes, len(b.Panes)
			case "responses":
				k.Responses, n = b.Responses, len(b.Responses)
			case "cases":
				k.Cases, n = b.Cases, len(b.Cases)
			case "ledger":
				k.Ledger, n = b.Ledger, len(b.Ledger)
			case "rolling":
				k.Rolling, n = b.Rolling, len(b.Rolling)
			case "mentions":
				k.Mentions, n = b.Mentions, len(b.Mentions)
			case "turns":
				k.Turns, n = b.Turns, len(b.Turns)
			case "progress":
				k.Progress, n = b.Progress, len(b.Progress)
			}
			if n > 0 {
				kept = append(kept, k)
			}
			rows += n
		}
		out = append(out, kept)
	}
	return out, rows
}

var benchTables = []string{"mentions", "turns", "responses", "cases", "panes", "rolling", "ledger", "progress"}

// processorTime returns the processor time of this process and of the server.
func processorTime(tb testing.TB, server int) (own, its time.Duration) {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server))
	if err != nil {
		tb.Skipf("no processor time of the server: %v", err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for _, field := range fields[11:13] { // utime and stime, see proc_pid_stat(5)
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		its += time.Duration(n) * 10 * time.Millisecond
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), its
}

// cost is processor time: of the client, of the server while it inserted, and of the server for merges afterwards.
type cost struct{ client, inserts, merges time.Duration }

// insertAll inserts the rounds one after the other, the batches of a round at once, and returns what that cost both processes until
// the last merge was done.
func insertAll(b testing.TB, s store, rounds [][]clickhouse.Batch) (c cost) {
	b.Helper()
	server := embeddedtest.Server(b).PID()
	idle(b, s)
	own, its := processorTime(b, server)
	for _, round := range rounds {
		g, ctx := errgroup.WithContext(b.Context())
		for i := range round {
			g.Go(func() error { return s.Flush(ctx, &round[i]) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	sent, inserted := processorTime(b, server)
	idle(b, s)
	_, merged := processorTime(b, server)
	return cost{client: sent - own, inserts: inserted - its, merges: merged - inserted}
}

// benchmarkInserts reports what a million rows, or what the rows are counted in, cost.
func benchmarkInserts(b *testing.B, rounds [][]clickhouse.Batch, rows int, change func(*testing.B, store)) {
	b.Helper()
	var sum cost
	for range b.N {
		s := open(b, nil)
		if change != nil {
			change(b, s)
		}
		c := insertAll(b, s, rounds)
		sum.client += c.client
		sum.inserts += c.inserts
		sum.merges += c.merges
	}
	millions := float64(rows*b.N) / 1e6
	b.ReportMetric(sum.client.Seconds()/millions, "client-s/M")
	b.ReportMetric((sum.inserts+sum.merges).Seconds()/millions, "server-s/M")
	b.ReportMetric(sum.merges.Seconds()/millions, "later-s/M")
	b.ReportMetric(0, "ns/op")
}

// idle returns when no merge runs.
func idle(tb testing.TB, s store) {
	tb.Helper()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for quiet := 0; quiet < 2; quiet++ {
		<-tick.C
		if value(tb, s, "SELECT count() FROM system.merges") != "0" {
			quiet = -1
		}
	}
}

// keepNothing puts a table that keeps nothing in the place of mentions.
func keepNothing(b *testing.B, s store) {
	b.Helper()
	mentions := storeTable(s, "mentions")
	exec(b, s, "DROP TABLE "+mentions+" SYNC")
	exec(b, s, "CREATE TABLE "+mentions+" AS "+s.Database()+".mentions ENGINE = Null")
}

// BenchmarkFlush inserts what the engine writes for tweets that all name a brand, and prints the processor time of the client and
// of the server, merges included. Under "all" a million is a million tweets, under a table a million rows of it; "null" is
// the rows of mentions into a table that keeps nothing, the price of the protocol alone: compare ratios.
func BenchmarkFlush(b *testing.B) {
	for _, perFlush := range []int{5_000, 20_000, 60_000} {
		const tweets = 120_000
		var rounds [][]clickhouse.Batch
		b.Run(fmt.Sprintf("tweets=%d", perFlush), func(b *testing.B) {
			if rounds == nil {
				rounds = rehearse(b, tweets, perFlush)
			}
			b.Run("all", func(b *testing.B) { benchmarkInserts(b, rounds, tweets, nil) })
			for _, table := range benchTables {
				some, rows := only(rounds, table)
				b.Run(table, func(b *testing.B) { benchmarkInserts(b, some, rows, nil) })
				if table == "mentions" {
					b.Run("null", func(b *testing.B) { benchmarkInserts(b, some, rows, keepNothing) })
				}
			}
		})
	}
}
