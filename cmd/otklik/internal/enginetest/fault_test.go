package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/ops"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/roll"
	"otklik/stream/simulate"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
)

// errCrash is how a step of a flush ends at which the process dies.
var errCrash = errors.New("crash")

// memlog is Kafka in memory: what was produced, in order.
type memlog struct {
	now        stream.Time // timestamp of the records produced by the engine
	partitions map[stream.Partition][]stream.Record
}

func (l *memlog) add(p stream.Partition, at stream.Time, key, value []byte) {
	l.partitions[p] = append(l.partitions[p], stream.Record{
		Partition: p, Offset: int64(len(l.partitions[p])), Timestamp: at, Key: slices.Clone(key), Value: slices.Clone(value),
	})
}

// memout is an outbox that may die in the middle of sending: each partition has got a part of its messages then.
type memout struct {
	log    *memlog
	topic  string
	queued [][]kafka.Message
	fault  func() (crash bool)
	rng    *rand.Rand
}

func newMemout(l *memlog, topic string, partitions int, rng *rand.Rand, fault func() bool) *memout {
	return &memout{log: l, topic: topic, queued: make([][]kafka.Message, partitions), rng: rng, fault: fault}
}

func (o *memout) Partitions() int       { return len(o.queued) }
func (o *memout) Add(key, value []byte) { o.AddTo(kafka.PartitionOf(key, len(o.queued)), key, value) }

func (o *memout) AddTo(partition int32, key, value []byte) {
	o.queued[partition] = append(o.queued[partition], kafka.Message{Key: slices.Clone(key), Value: slices.Clone(value)})
}

func (o *memout) Bytes() int {
	n := 0
	for _, messages := range o.queued {
		for i := range messages {
			n += len(messages[i].Value)
		}
	}
	return n
}

func (o *memout) Send(context.Context) error {
	crash := o.Bytes() > 0 && o.fault()
	for number, messages := range o.queued {
		if crash {
			messages = messages[:o.rng.IntN(len(messages)+1)]
		}
		for _, m := range messages {
			o.log.add(stream.Partition{Topic: o.topic, Number: int32(number)}, o.log.now, m.Key, m.Value)
		}
	}
	if crash {
		return errCrash
	}
	for number := range o.queued {
		o.queued[number] = nil
	}
	return nil
}

// memdead counts dead letters by reason; a letter may come again.
type memdead struct{}

func (memdead) Send(context.Context, []stream.DeadLetter) error { return nil }

// cut is where a flush dies.
type cut int

const (
	nowhere   cut = iota
	before        // nothing is written
	counts        // some of the rows that count
	counted       // all of them, and some of the claims
	memory        // and some of the rows that remember
	remember      // and all of them
	committed     // everything, but the process dies before it knows
	cuts
)

// tornSink passes rows on to ClickHouse up to a cut.
type tornSink struct {
	to        task.Sink
	at        func() cut
	meanwhile func() // what others do before anything is written
	rng       *rand.Rand
}

// some returns a random part of rows, in their order.
func some[T any](rng *rand.Rand, rows []T) []T {
	switch rng.IntN(3) {
	case 0:
		return nil // the table was not reached
	case 1:
		return rows
	}
	var part []T
	for i := range rows {
		if rng.IntN(2) == 0 {
			part = append(part, rows[i])
		}
	}
	return part
}

// Flush implements task.Sink.
func (s *tornSink) Flush(ctx context.Context, rows *task.Rows) error {
	s.meanwhile()
	at := s.at()
	if at == nowhere {
		return s.to.Flush(ctx, rows)
	}
	torn := task.Rows{}
	switch at {
	case before:
	case counts:
		torn = task.Rows{
			Panes: some(s.rng, rows.Panes), Responses: some(s.rng, rows.Responses), Cases: some(s.rng, rows.Cases), Ledger: some(s.rng, rows.Ledger),
			Communities: some(s.rng, rows.Communities), Erasures: some(s.rng, rows.Erasures), DeadLetters: some(s.rng, rows.DeadLetters),
			Rolling: some(s.rng, rows.Rolling),
		}
	default:
		torn = *rows
		if at < committed {
			torn.Progress = nil
		}
		switch at {
		case counted:
			torn.Mentions, torn.Turns, torn.Claims = nil, nil, some(s.rng, rows.Claims)
		case memory:
			torn.Mentions, torn.Turns = some(s.rng, rows.Mentions), some(s.rng, rows.Turns)
		}
	}
	if err := s.to.Flush(ctx, &torn); err != nil {
		return err
	}
	return errCrash
}

// owner is a process's hold on one partition of a stage.
type owner struct {
	proc   task.Processor
	next   int64
	torn   bool // dead
	cut    cut  // of its next flush
	divide bool // its next produce dies
	// meanwhile, if set, is what others do between its producing and its writing.
	meanwhile func()
}

// faults runs the three processors over a log in memory and the real ClickHouse, one step at a time, and kills, replaces and
// revives them at random.
type faults struct {
	*enginetest.Stack

	t       *testing.T
	rng     *rand.Rand
	log     *memlog
	raw     map[stream.Partition]stream.Platform
	work    []job
	owners  map[job]*owner
	zombies []zombie
	catalog *brand.Matcher
	care    *care.Evaluator
	metrics *ops.Metrics
	writer  *clickhouse.Writer
	store   track.Store // nil: ClickHouse

	crashes, revived, stale int
}

// job is one partition of one stage.
type job struct {
	stage     stream.Stage
	partition stream.Partition
}

// zombie is a former owner that has not noticed.
type zombie struct {
	job
	*owner
}

func newFaults(t *testing.T, s *enginetest.Stack, seed uint64) *faults {
	t.Helper()
	matcher, err := brand.NewMatcher(s.Config.Brands)
	if err != nil {
		t.Fatal(err)
	}
	evaluator, err := care.NewEvaluator(s.Config.Care)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{
		Stack: s, t: t, rng: rand.New(rand.NewPCG(seed, 2)), log: &memlog{partitions: map[stream.Partition][]stream.Record{}},
		raw: map[stream.Partition]stream.Platform{}, owners: map[job]*owner{}, catalog: matcher, care: evaluator, metrics: ops.NewMetrics(nil),
		writer: lonely(t, s),
	}
	topics := &s.Config.Kafka.Topics
	for n := range topics.Partitions.Mentions {
		f.work = append(f.work, job{stream.StageTrack, stream.Partition{Topic: topics.Mentions, Number: int32(n)}})
	}
	for n := range topics.Partitions.Panes {
		f.work = append(f.work, job{stream.StageRoll, stream.Partition{Topic: topics.Panes, Number: int32(n)}})
	}
	return f
}

// lonely returns a writer that does not wait for the rows of other tasks: processors that are run one at a time have none beside them.
func lonely(t *testing.T, s *enginetest.Stack) *clickhouse.Writer {
	t.Helper()
	c := &s.Config.ClickHouse
	ch, err := clickhouse.Open(t.Context(), clickhouse.Config{
		Addrs: c.Addrs, Database: c.Database, User: c.User, Password: c.Password.Reveal(), Logger: s.Logger, Gather: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ch.Close(); err != nil {
			t.Error(err)
		}
	})
	return ch.Writer()
}

// feed appends the simulation to the raw partitions.
func (f *faults) feed(sim *simulate.Simulator) *simulate.Truth {
	count := map[stream.Platform]int32{}
	for {
		r, ok := sim.Next()
		if !ok {
			return sim.Truth()
		}
		p := stream.Partition{Topic: f.Config.Kafka.Topics.Firehose[r.Platform], Number: count[r.Platform] % 2}
		count[r.Platform]++
		if f.raw[p] == "" {
			f.raw[p] = r.Platform
			f.work = append(f.work, job{stream.StageIngest, p})
		}
		f.log.add(p, r.DeliveredAt, nil, r.Value)
		f.log.now = r.DeliveredAt
	}
}

// processor makes the processor of an owner, with its faults.
func (f *faults) processor(j job, o *owner) (task.Processor, error) {
	sink := &tornSink{to: f.writer, at: func() cut { return o.cut }, rng: f.rng, meanwhile: func() {
		if o.meanwhile != nil {
			o.meanwhile()
		}
	}}
	divide := func() bool { return o.divide }
	topics := &f.Config.Kafka.Topics
	observer := f.metrics.Task(j.stage, j.partition)
	switch j.stage {
	case stream.StageIngest:
		cfg := ingest.Config{
			Matcher: f.catalog, Classifier: f.Classifier, MaxFuture: f.Config.Limits.MaxFuture, Sink: sink, Books: f.ClickHouse, Dead: memdead{},
		}
		out := newMemout(f.log, topics.Mentions, topics.Partitions.Mentions, f.rng, divide)
		if j.partition.Topic == topics.Labels {
			return ingest.NewLabels(cfg, j.partition, f.ClickHouse, out, observer), nil
		}
		if j.partition.Topic == topics.Statuses {
			return ingest.NewStatuses(cfg, j.partition, f.ClickHouse, out, observer), nil
		}
		return ingest.New(cfg, f.raw[j.partition], j.partition, out, observer)
	case stream.StageTrack:
		var store track.Store = f.ClickHouse
		if f.store != nil {
			store = f.store
		}
		return track.New(track.Config{
			Window: window.Config(f.Config.Window), Care: f.care, IdentityHorizon: f.Config.Limits.IdentityHorizon,
			QuietGap: f.Config.Care.QuietGap, ThreadHorizon: f.Config.Limits.ThreadHorizon, Store: store, Sink: sink, Dead: memdead{},
			Claims: track.Claims{
				Policy: claim.NewPolicy(f.Config.Claims, f.Config.Brands), Out: newMemout(f.log, topics.Claims, topics.Partitions.Claims, f.rng, divide),
			},
		}, j.partition, newMemout(f.log, topics.Panes, topics.Partitions.Panes, f.rng, divide), observer), nil
	default:
		var brands []string
		for i := range f.Config.Brands.Brands {
			if key := f.Config.Brands.Brands[i].Key; kafka.PartitionOf([]byte(key), topics.Partitions.Panes) == j.partition.Number {
				brands = append(brands, key)
			}
		}
		return roll.New(roll.Config{
			Window: window.Config(f.Config.Window), Upstream: topics.Mentions, Brands: brands, Store: f.ClickHouse, Sink: sink, Dead: memdead{},
		}, j.partition, observer), nil
	}
}

// owner returns who works on the partition; a new one restores first.
func (f *faults) owner(j job) *owner {
	f.t.Helper()
	if o := f.owners[j]; o != nil {
		return o
	}
	o := &owner{}
	var err error
	if o.proc, err = f.processor(j, o); err != nil {
		f.t.Fatal(err)
	}
	next, err := o.proc.Restore(f.t.Context())
	if err != nil {
		f.t.Fatalf("restore %v: %v", j, err)
	}
	o.next = max(next, 0)
	f.owners[j] = o
	return o
}

// left returns the number of records that an owner has not processed.
func (f *faults) left(j job, o *owner) int { return len(f.log.partitions[j.partition]) - int(o.next) }

// process hands up to n records to an owner.
func (f *faults) process(j job, o *owner, n int) {
	f.t.Helper()
	n = min(n, f.left(j, o))
	records := slices.Clone(f.log.partitions[j.partition][o.next : int(o.next)+n])
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	err := o.proc.Process(ctx, kafka.Batch{Records: records, Next: o.next + int64(n), End: int64(len(f.log.partitions[j.partition]))})
	switch {
	case err == nil:
		o.next += int64(n)
	case errors.Is(err, errCrash):
		o.torn = true
	case errors.Is(err, kafka.ErrRejoin), ctx.Err() != nil:
		f.stale++ // it has noticed that the tables are not as it left them, and begins anew
		o.torn = true
	default:
		f.t.Fatalf("process %d records of %v from %d: %v", n, j, o.next, err)
	}
}

// patience bounds one batch; a processor that waits for others longer is replaced.
const patience = 5 * time.Second

// flush flushes an owner, up to a cut.
func (f *faults) flush(j job, o *owner, at cut, divide bool) {
	f.t.Helper()
	o.cut, o.divide = at, divide
	_, err := o.proc.Flush(f.t.Context())
	o.cut, o.divide = nowhere, false
	if errors.Is(err, errCrash) {
		f.crashes++
		o.torn = true
		return
	}
	if err != nil {
		f.t.Fatalf("flush %v: %v", j, err)
	}
}

// pick returns a job: there are many more partitions of ingest than of the stages in which there is more to tear.
func (f *faults) pick() job {
	stage := []stream.Stage{stream.StageIngest, stream.StageIngest, stream.StageTrack, stream.StageTrack, stream.StageTrack, stream.StageRoll}[f.rng.IntN(6)]
	for {
		if j := f.work[f.rng.IntN(len(f.work))]; j.stage == stage {
			return j
		}
	}
}

// step does one random thing.
func (f *faults) step() { f.stepOn(f.pick()) }

// stepOn does one random thing with a job, or lets a zombie rise.
func (f *faults) stepOn(j job) {
	if len(f.zombies) > 0 && f.rng.IntN(8) == 0 {
		f.rise()
		return
	}
	o := f.owner(j)
	o.divide = j.stage == stream.StageIngest && f.rng.IntN(20) == 0
	f.process(j, o, 1+f.rng.IntN(80))
	o.divide = false
	if !o.torn {
		switch f.rng.IntN(10) {
		case 0, 1, 2: // a flush that succeeds
			f.flush(j, o, nowhere, false)
		case 3, 4: // one that dies
			f.flush(j, o, cut(1+f.rng.IntN(int(cuts)-1)), false)
		case 5: // in the middle of producing
			f.flush(j, o, before, true)
		case 6: // the process dies between flushes
			o.torn = true
		case 7: // somebody else takes over, and this one does not notice
			f.zombies = append(f.zombies, zombie{j, o})
			delete(f.owners, j)
		}
	}
	if o.torn {
		delete(f.owners, j)
	}
}

// rise lets a zombie go on for a while: it reads, it flushes, wholly or in part, and is gone.
func (f *faults) rise() {
	n := f.rng.IntN(len(f.zombies))
	z := f.zombies[n]
	f.zombies = slices.Delete(f.zombies, n, n+1)
	f.revived++
	if f.rng.IntN(2) == 0 {
		f.process(z.job, z.owner, 1+f.rng.IntN(120))
	}
	if z.torn {
		return
	}
	at := nowhere
	if f.rng.IntN(2) == 0 {
		at = cut(1 + f.rng.IntN(int(cuts)-1))
	}
	f.flush(z.job, z.owner, at, false)
}

// drain lets everybody finish, stage by stage, and flush.
func (f *faults) drain() {
	f.t.Helper()
	for _, stage := range stream.Stages {
		for _, j := range f.work {
			for j.stage == stage {
				o := f.owner(j)
				f.process(j, o, 500)
				if !o.torn {
					f.flush(j, o, nowhere, false)
				}
				if o.torn {
					delete(f.owners, j)
				} else if f.left(j, o) == 0 {
					break
				}
			}
		}
	}
}

// TestTornFlush tears flushes at every step of every stage, many times over, lets zombies flush after others have taken over, and
// compares the tables with the truth.
func TestTornFlush(t *testing.T) {
	t.Parallel()
	for seed := range uint64(enginetest.Number(t, "OTKLIK_SEEDS", 2)) {
		seed += uint64(enginetest.Number(t, "OTKLIK_SEED", 1))
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := enginetest.New(t, func(cfg *config.Config) {
				if seed%2 == 0 { // memory forgets within the day: much is looked up
					cfg.Limits.IdentityHorizon = time.Hour
				}
			})
			f := newFaults(t, s, seed)
			truth := f.feed(restless(t, s, seed, 900))
			for range 300 {
				f.step()
			}
			f.drain()
			t.Logf("%d torn flushes, %d zombies, %d began anew", f.crashes, f.revived, f.stale)
			if _, err := s.ClickHouse.Eraser().Erase(t.Context()); err != nil {
				t.Fatal(err)
			}
			enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
			enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)
		})
	}
}

// restless simulates a delivery that is worse than any platform's: most questions are edited, much comes twice or days late.
func restless(t *testing.T, s *enginetest.Stack, seed uint64, events int) *simulate.Simulator {
	t.Helper()
	label, err := simulate.NewLabeller(s.Classifier, s.Config.Brands)
	if err != nil {
		t.Fatal(err)
	}
	bad := simulate.DefaultProportions()
	bad.Duplicates, bad.Edits, bad.Late, bad.Unmatched = 0.2, 1, 0.2, 0.1
	sim, err := simulate.New(simulate.Config{Seed: seed, Events: events, Catalogue: s.Config.Brands, Label: label, Minutes: true, Proportions: &bad})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}
