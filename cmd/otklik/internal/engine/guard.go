package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/kafka"
)

// ErrRefused is wrapped by every refusal to run because a promise would be broken (promise 7).
var ErrRefused = errors.New("refused")

// settingFingerprint is the name of the setting that holds the configuration's fingerprint.
const settingFingerprint = "config_fingerprint"

// guard makes sure that the topics exist and compares topics, schema and configuration with those that the figures in
// ClickHouse were computed with. The first run records them.
func (e *Engine) guard(ctx context.Context) error {
	switch err := schemas.Check(ctx, e.ClickHouse, e.Config.ClickHouse.Database); {
	case errors.Is(err, schemas.ErrSchema):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case err != nil:
		return err
	}
	if err := e.guardConfig(ctx); err != nil {
		return err
	}
	if err := e.guardTopics(ctx); err != nil {
		return err
	}
	return e.guardPositions(ctx)
}

// tailChecks is how many partitions are checked at once.
const tailChecks = 8

// guardPositions compares the restart points with what the topics hold, before any stage begins: a stage upstream would fill a
// topic that was recreated, and soon nothing would show that records are missing. One that was filled already is told by the
// last record that was read.
func (e *Engine) guardPositions(ctx context.Context) (err error) {
	saved, err := e.ClickHouse.Positions(ctx)
	if err != nil {
		return err
	}
	ranges := map[string]map[int32]kafka.Range{}
	checks, cctx := errgroup.WithContext(ctx)
	checks.SetLimit(tailChecks)
	defer func() {
		if tailErr := checks.Wait(); err == nil {
			err = tailErr
		}
	}()
	for i := range saved {
		p := &saved[i]
		topic, known := e.topics[p.Partition.Topic]
		if !known || topic.Epoch != p.Position.Epoch() || p.Position.Next() == 0 {
			continue
		}
		if ranges[topic.Name] == nil {
			if ranges[topic.Name], err = e.Kafka.Ranges(ctx, topic.Name); err != nil {
				return err
			}
		}
		if end := ranges[topic.Name][p.Partition.Number].End; p.Position.Next() > end {
			return e.recreated(topic.Name, fmt.Errorf("%s of %s: position %d, end %d: %w",
				p.Partition, p.Stage, p.Position.Next(), end, kafka.ErrPositionBeyondEnd))
		}
		checks.Go(func() error { return e.guardTail(cctx, p) })
	}
	return nil
}

// guardTail refuses a partition that holds another record than the last one that a stage has read.
func (e *Engine) guardTail(ctx context.Context, p *stream.Progress) error {
	err := e.Kafka.CheckTail(ctx, p.Partition, p.Last)
	if errors.Is(err, kafka.ErrAnotherLog) {
		return e.recreated(p.Partition.Topic, fmt.Errorf("%s of %s: position %d: %w", p.Partition, p.Stage, p.Position.Next(), err))
	}
	return err
}

// guardAssignment does so when a partition comes to this process: the topic may have been made again since the start.
func (e *Engine) guardAssignment(ctx context.Context, stage stream.Stage, p stream.Partition) error {
	progress, ok, err := e.ClickHouse.Progress(ctx, stage, p)
	if err != nil || !ok || progress.Position.Epoch() != e.topics[p.Topic].Epoch {
		return err
	}
	return e.guardTail(ctx, &progress)
}

func (e *Engine) guardConfig(ctx context.Context) error {
	fingerprint := e.Config.Fingerprint()
	recorded, ok, err := e.ClickHouse.Setting(ctx, settingFingerprint)
	switch {
	case err != nil:
		return err
	case !ok:
		return e.ClickHouse.SaveSetting(ctx, settingFingerprint, fingerprint)
	case recorded != fingerprint:
		return fmt.Errorf("%w: this configuration (fingerprint %s) is not the one that the figures in database %s are computed with (%s): "+
			"catalogue, windows, calendar, limits, partition counts, author key, classifier, sensitivity of alerts or claims differ. Two processes with different configurations would mix their figures. "+
			"Give all processes the same file; if the change is meant, stop all of them and run `otklik migrate -c FILE --adopt-config`",
			ErrRefused, fingerprint, e.Config.ClickHouse.Database, recorded)
	}
	return nil
}

// AdoptConfig records the fingerprint of the configuration as the one to compute with from now on.
func AdoptConfig(ctx context.Context, ch *clickhouse.Client, fingerprint string) error {
	return ch.SaveSetting(ctx, settingFingerprint, fingerprint)
}

// NewEpoch records that a raw topic was recreated: ingest begins it again, and its new offsets are newer than the old ones. It
// refuses a topic that is neither one of cfg's firehose topics nor those of labels and statuses: the state of a keyed topic cannot be begun anew on its own.
func NewEpoch(ctx context.Context, ch *clickhouse.Client, cfg *config.Config, topic string) (uint16, error) {
	raw := slices.Sorted(maps.Values(cfg.Kafka.Topics.Firehose))
	raw = append(raw, cfg.Kafka.Topics.Labels, cfg.Kafka.Topics.Statuses)
	if !slices.Contains(raw, topic) {
		return 0, fmt.Errorf("%w: topic %s is not one of the raw topics (%s), and only those can be begun anew: the figures hold what the "+
			"others have lost. Bring it back, or compute anew: choose a new clickhouse.database, new names for kafka.topics.mentions and "+
			"kafka.topics.panes and a new kafka.group_prefix", ErrRefused, topic, strings.Join(raw, ", "))
	}
	topics, err := ch.Topics(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range topics {
		if t.Name == topic {
			t.Epoch++
			return t.Epoch, ch.SaveTopic(ctx, t)
		}
	}
	return 0, fmt.Errorf("topic %s has never been read into database %s; there is nothing to begin anew: run `otklik run`", topic, ch.Database())
}

func (e *Engine) guardTopics(ctx context.Context) error {
	cfg := &e.Config.Kafka.Topics
	want := make([]kafka.Topic, 0, len(e.raw)+7)
	for topic := range e.raw {
		want = append(want, kafka.Topic{Name: topic, Partitions: cfg.Partitions.Firehose, Replication: cfg.Replication})
	}
	want = append(want,
		kafka.Topic{Name: cfg.Labels, Partitions: cfg.Partitions.Labels, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.Mentions, Partitions: cfg.Partitions.Mentions, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.Panes, Partitions: cfg.Partitions.Panes, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.DeadLetter, Partitions: cfg.Partitions.DeadLetter, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.Alerts, Partitions: cfg.Partitions.Alerts, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.Claims, Partitions: cfg.Partitions.Claims, Replication: cfg.Replication},
		kafka.Topic{Name: cfg.Statuses, Partitions: cfg.Partitions.Statuses, Replication: cfg.Replication},
	)
	if err := e.Kafka.EnsureTopics(ctx, want); err != nil {
		return err
	}
	have, err := e.Kafka.Partitions(ctx)
	if err != nil {
		return err
	}
	saved, err := e.ClickHouse.Topics(ctx)
	if err != nil {
		return err
	}
	recorded := map[string]clickhouse.Topic{}
	for _, t := range saved {
		recorded[t.Name] = t
	}
	e.topics = map[string]clickhouse.Topic{}
	for _, w := range want {
		now := clickhouse.Topic{Name: w.Name, Partitions: int32(have[w.Name])}
		before, known := recorded[w.Name]
		if known {
			now.Epoch = before.Epoch
		}
		keyed := w.Name == cfg.Mentions || w.Name == cfg.Panes
		if known && keyed && before.Partitions != now.Partitions {
			return fmt.Errorf("%w: topic %s has %d partitions, but the figures in database %s were computed with %d: keys would meet other "+
				"partitions than their state. Give the topic %d partitions again, or compute anew: choose a new clickhouse.database, new names "+
				"for kafka.topics.mentions and kafka.topics.panes and a new kafka.group_prefix, and the raw topics are read from their beginning",
				ErrRefused, w.Name, now.Partitions, e.Config.ClickHouse.Database, before.Partitions, before.Partitions)
		}
		if !known || before.Partitions < now.Partitions {
			if err := e.ClickHouse.SaveTopic(ctx, now); err != nil {
				return err
			}
		}
		e.topics[w.Name] = now
	}
	return nil
}

// recreated explains a position beyond the end of a partition.
func (e *Engine) recreated(topic string, err error) error {
	if _, raw := e.raw[topic]; raw || slices.Contains(e.saidTopics(), topic) {
		return fmt.Errorf("%w: %w. The topic was recreated or truncated: if that is meant, stop all processes and run "+
			"`otklik migrate -c FILE --recreated %s`; its records are then read from the beginning as new ones", ErrRefused, err, topic)
	}
	return fmt.Errorf("%w: %w. The topic %s was recreated or truncated, and the figures in database %s hold records that it has lost: bring it "+
		"back, or compute anew: choose a new clickhouse.database, new names for kafka.topics.mentions and kafka.topics.panes and a new "+
		"kafka.group_prefix, and the raw topics are read from their beginning", ErrRefused, err, topic, e.Config.ClickHouse.Database)
}
