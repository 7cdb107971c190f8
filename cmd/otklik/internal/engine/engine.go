// Package engine wires the three stages to Kafka and ClickHouse and runs them: what `otklik run`, the demo, the benchmark
// and the crash tests have in common.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/ops"
	"otklik/sinks/clickhouse"
	"otklik/sinks/deadletter"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/ingest"
	"otklik/stream/kafka"
	"otklik/stream/roll"
	"otklik/stream/sentiment"
	"otklik/stream/sentiment/remote"
	"otklik/stream/task"
	"otklik/stream/track"
	"otklik/stream/window"
)

// eraseInterval is how often deletes are carried out: a delete erases within a minute.
const eraseInterval = 15 * time.Second

// Options say what to run and on what.
type Options struct {
	Config     *config.Config
	Kafka      *kafka.Client
	ClickHouse *clickhouse.Client
	Classifier sentiment.Classifier // the built-in one; an external one that Config names stands before it
	Metrics    *ops.Metrics
	Logger     *slog.Logger
	// Once drains what the topics hold at the start of each stage, stage after stage, and ends.
	Once bool
	// Ready, if set, is called when the stages begin.
	Ready func()
}

// Engine is one process's share of the work.
type Engine struct {
	Options
	matcher *brand.Matcher
	care    *care.Evaluator
	claims  *claim.Policy
	writer  *clickhouse.Writer
	alerts  *alerting
	dead    *deadletter.Topic
	topics  map[string]clickhouse.Topic // by name, as the cluster has them and with their epoch
	raw     map[string]stream.Platform  // platform by firehose topic
	remote  *remote.Classifier          // nil: Classifier labels
	pace    task.Pace                   // of all its tasks
}

// New prepares an engine: it makes sure that the topics exist and refuses, wrapping ErrRefused, when the topics or the
// configuration are not those that the figures in ClickHouse were computed with.
func New(ctx context.Context, o Options) (*Engine, error) {
	matcher, err := brand.NewMatcher(o.Config.Brands)
	if err != nil {
		return nil, err
	}
	evaluator, err := care.NewEvaluator(o.Config.Care)
	if err != nil {
		return nil, fmt.Errorf("care: %w", err)
	}
	e := &Engine{Options: o, matcher: matcher, care: evaluator, claims: claim.NewPolicy(o.Config.Claims, o.Config.Brands), writer: o.ClickHouse.Writer(), raw: map[string]stream.Platform{}}
	if e.alerts, err = newAlerting(&o, e.writer); err != nil {
		return nil, err
	}
	for platform, topic := range o.Config.Kafka.Topics.Firehose {
		e.raw[topic] = platform
	}
	if e.remote, err = externalClassifier(o.Config, o.Classifier, o.Metrics, o.Logger); err != nil {
		return nil, err
	}
	if err := e.guard(ctx); err != nil {
		return nil, err
	}
	topics := &o.Config.Kafka.Topics
	e.dead = &deadletter.Topic{
		Producer: o.Kafka, Name: topics.DeadLetter, Partitions: int(e.topics[topics.DeadLetter].Partitions),
		OnSent: func(l *stream.DeadLetter) { o.Metrics.DeadLetter(l.Stage, l.Reason, 1) },
	}
	return e, nil
}

// Run runs the configured stages until ctx ends, or with Once until they have drained their topics. It returns nil when ctx
// ended it; what was flushed by then is durable, the rest is replayed by the next run.
func (e *Engine) Run(ctx context.Context) error {
	if e.Ready != nil {
		e.Ready()
	}
	if e.remote != nil {
		defer e.remote.Close()
	}
	if e.Once {
		return e.drain(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, stage := range e.Config.Stages {
		group.Go(func() error { return e.stage(ctx, stage, e.topicsOf(stage), nil) })
	}
	if slices.Contains(e.Config.Stages, stream.StageTrack) {
		group.Go(func() error { return e.erase(ctx) })
	}
	return group.Wait()
}

// drain runs the stages one after the other, each up to what its topics hold when it begins. Corrections come later, because they are
// about mentions that the same run may bring, and statuses of claims last, because corrections open claims.
//
// Several processes may do so at once. A stage is done when everything before its bound is durable, whoever did it: until then a process that
// has nothing to do any more stays in the group, and takes over from one that dies. So when any of them ends, everything that the
// topics held at its start has gone through.
func (e *Engine) drain(ctx context.Context) error {
	type leg struct {
		stage  stream.Stage
		topics []string
		until  bound // nil: what the topics hold when it begins
	}
	legs := []leg{{stage: stream.StageIngest, topics: e.rawTopics()}, {stage: stream.StageTrack, topics: e.topicsOf(stream.StageTrack)}}
	for _, said := range e.saidTopics() {
		// What is said now is about what the raw topics hold now. What is said later may be about what only another process reads.
		until, err := e.boundOf(ctx, []string{said})
		if err != nil {
			return err
		}
		done, err := e.reached(ctx, stream.StageIngest, until)
		if err != nil {
			return err
		}
		if !done {
			legs = append(legs, leg{stream.StageIngest, []string{said}, until}, legs[1])
		}
	}
	for _, l := range append(legs, leg{stage: stream.StageRoll, topics: e.topicsOf(stream.StageRoll)}) {
		if !slices.Contains(e.Config.Stages, l.stage) {
			continue
		}
		if l.until == nil {
			var err error
			if l.until, err = e.boundOf(ctx, l.topics); err != nil {
				return err
			}
		}
		if err := e.stage(ctx, l.stage, l.topics, l.until); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if !slices.Contains(e.Config.Stages, stream.StageTrack) {
		return nil
	}
	return e.Erase(ctx)
}

// saidTopics returns the raw topics of what people say of mentions and claims.
func (e *Engine) saidTopics() []string {
	return []string{e.Config.Kafka.Topics.Labels, e.Config.Kafka.Topics.Statuses}
}

// rawTopics returns the topics of the platforms.
func (e *Engine) rawTopics() []string { return slices.Sorted(maps.Keys(e.raw)) }

func (e *Engine) topicsOf(stage stream.Stage) []string {
	switch stage {
	case stream.StageIngest:
		return append(e.rawTopics(), e.saidTopics()...)
	case stream.StageTrack:
		return []string{e.Config.Kafka.Topics.Mentions}
	default:
		return []string{e.Config.Kafka.Topics.Panes}
	}
}

// stage runs one stage on its topics, or some of them, as a member of its consumer group; until bounds it (nil: for ever).
func (e *Engine) stage(ctx context.Context, stage stream.Stage, topics []string, until bound) error {
	limits := &e.Config.Limits
	group := kafka.GroupConfig{
		ID: e.Config.Kafka.Group(stage), Topics: topics, WatchPartitions: stage == stream.StageIngest,
		Logger: e.Logger,
	}
	if until != nil {
		group.Drained = func(ctx context.Context) (bool, error) { return e.reached(ctx, stage, until) }
	}
	return e.Kafka.RunGroup(ctx, group, func(ctx context.Context, a kafka.Assignment) error {
		observer := e.Metrics.Task(stage, a.Partition)
		proc, err := e.processor(stage, a.Partition, observer)
		if err != nil {
			return err
		}
		held, known := until[a.Partition]
		if until != nil && !known {
			return nil // what came after the start belongs to the next run
		}
		if err := e.guardAssignment(ctx, stage, a.Partition); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the partition belongs to somebody else by now
			}
			return err
		}
		if until == nil && slices.Contains(e.saidTopics(), a.Partition.Topic) {
			if err := e.awaitMentions(ctx, a.Partition); err != nil {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // the partition belongs to somebody else by now
				}
				return err
			}
		}
		run := func(ctx context.Context) error {
			return task.Run(ctx, a, e.Kafka, proc, task.Config{
				Stage: stage, FlushInterval: limits.FlushInterval, FlushRecords: limits.FlushRecords,
				Pace: &e.pace, Until: held.End, Bounded: until != nil, Logger: e.Logger, Observer: observer,
				Reader: kafka.ReaderConfig{MaxRecords: limits.MicroBatchRecords, MaxBytes: int(limits.MicroBatchBytes)},
			})
		}
		if stage == stream.StageRoll {
			err = e.withCourier(ctx, e.alerts, a.Partition, until != nil, run)
		} else {
			err = run(ctx)
		}
		if errors.Is(err, kafka.ErrPositionBeyondEnd) || errors.Is(err, kafka.ErrAnotherLog) {
			return e.recreated(a.Partition.Topic, err)
		}
		return err
	})
}

func (e *Engine) processor(stage stream.Stage, p stream.Partition, observer task.Observer) (task.Processor, error) {
	topics := &e.Config.Kafka.Topics
	epoch := e.topics[p.Topic].Epoch
	switch stage {
	case stream.StageIngest:
		out := e.Kafka.Outbox(topics.Mentions, int(e.topics[topics.Mentions].Partitions))
		cfg := ingest.Config{
			Matcher: e.matcher, Classifier: e.labeller(),
			Pseudonyms: ingest.NewPseudonyms([]byte(e.Config.Privacy.AuthorKey.Reveal())),
			MaxFuture:  e.Config.Limits.MaxFuture, Epoch: epoch, Sink: e.writer, Books: e.ClickHouse, Dead: e.dead,
		}
		if p.Topic == topics.Labels {
			return ingest.NewLabels(cfg, p, e.ClickHouse, out, observer), nil
		}
		if p.Topic == topics.Statuses {
			return ingest.NewStatuses(cfg, p, e.ClickHouse, out, observer), nil
		}
		return ingest.New(cfg, e.raw[p.Topic], p, out, observer)
	case stream.StageTrack:
		out := e.Kafka.Outbox(topics.Panes, int(e.topics[topics.Panes].Partitions))
		return track.New(track.Config{
			Window: window.Config(e.Config.Window), Care: e.care, IdentityHorizon: e.Config.Limits.IdentityHorizon,
			QuietGap: e.Config.Care.QuietGap, ThreadHorizon: e.Config.Limits.ThreadHorizon, Epoch: epoch, Store: e.ClickHouse, Sink: e.writer, Dead: e.dead,
			Claims: track.Claims{
				Policy: e.claims, Out: e.Kafka.Outbox(topics.Claims, int(e.topics[topics.Claims].Partitions)),
				OnOpened: e.Metrics.ClaimOpened, OnStatus: e.Metrics.ClaimStatus,
			},
		}, p, out, observer), nil
	case stream.StageRoll:
		errs, err := sentiment.ErrorsOf(e.labeller())
		if err != nil {
			return nil, err
		}
		return roll.New(roll.Config{
			Window: window.Config(e.Config.Window), Epoch: epoch, Upstream: topics.Mentions, Brands: e.brandsOf(p),
			Store: e.ClickHouse, Sink: e.writer, Dead: e.dead, Errors: errs,
			Alerts: e.alerts.store, Sensitivity: e.Config.Alerts.Sensitivity, OnAlerts: e.alerts.changed(p),
		}, p, observer), nil
	}
	return nil, fmt.Errorf("stage %q is not known; use ingest, track or roll", stage)
}

// brandsOf returns the brands whose partials come to a partition of the topic of the panes.
func (e *Engine) brandsOf(p stream.Partition) []string {
	var brands []string
	for _, b := range e.matcher.Catalogue().Brands {
		if kafka.PartitionOf([]byte(b.Key), int(e.topics[p.Topic].Partitions)) == p.Number {
			brands = append(brands, b.Key)
		}
	}
	return brands
}

// labeller returns the classifier that labels mentions first.
func (e *Engine) labeller() sentiment.Classifier {
	if e.remote != nil {
		return e.remote
	}
	return e.Classifier
}

// Erase carries out all deletes of the platforms that have come so far.
func (e *Engine) Erase(ctx context.Context) error {
	_, err := e.eraser().Erase(ctx)
	return err
}

// eraser returns an eraser that tells the care department of claims, before their rows are erased: what is told twice changes nothing,
// what is never told stays in the department's system for good.
func (e *Engine) eraser() *clickhouse.Eraser {
	topic := e.Config.Kafka.Topics.Claims
	eraser := e.ClickHouse.Eraser()
	eraser.OnClaims = func(ctx context.Context, rows []claim.Row) error {
		// The next call tells of the same claims again: an outbox that has outlived an error would hold them already.
		return claim.Tell(ctx, e.Kafka.Outbox(topic, int(e.topics[topic].Partitions)), rows)
	}
	return eraser
}

// erase carries out the deletes of the platforms every few seconds. Every process that runs track does it: a delete that is
// carried out twice changes nothing.
func (e *Engine) erase(ctx context.Context) error {
	eraser := e.eraser()
	tick := time.NewTicker(eraseInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		rows, err := eraser.Erase(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			// ClickHouse is away or busy: the next tick tries again, and nothing is lost meanwhile.
			e.Metrics.Retry("clickhouse")
			e.Logger.Warn("deletes wait", "error", err)
		case rows > 0:
			e.Logger.Info("deletes carried out", "rows", rows)
		}
	}
}
