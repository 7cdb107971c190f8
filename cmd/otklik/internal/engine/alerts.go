package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/kafka"
)

// alerting is what the tasks of roll share for their alerts.
type alerting struct {
	store        *clickhouse.Alerts
	destinations []alert.Destination

	mu    sync.Mutex
	wakes map[stream.Partition]chan struct{}
}

func newAlerting(o *Options, writer *clickhouse.Writer) (*alerting, error) {
	destinations, err := o.Config.Alerts.Receivers()
	if err != nil {
		return nil, err
	}
	return &alerting{store: writer.Alerts(), destinations: destinations, wakes: map[stream.Partition]chan struct{}{}}, nil
}

// wake returns the channel that wakes the courier of a partition.
func (a *alerting) wake(p stream.Partition) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wakes[p] == nil {
		a.wakes[p] = make(chan struct{}, 1)
	}
	return a.wakes[p]
}

// changed tells the courier of a partition that there are new episodes; it never waits.
func (a *alerting) changed(p stream.Partition) func() {
	wake := a.wake(p)
	return func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// courier returns the courier of a partition of otklik.panes.
func (e *Engine) courier(a *alerting, p stream.Partition) *alert.Courier {
	name := e.Config.Kafka.Topics.Alerts
	topic := alert.Destination{Name: "kafka", All: true, Sender: &alertTopic{client: e.Kafka, name: name, partitions: int(e.topics[name].Partitions)}}
	return &alert.Courier{
		Store: a.store, Partition: p.Number, Destinations: append([]alert.Destination{topic}, a.destinations...),
		Policy: e.Config.Alerts.Policy(), Wake: a.wake(p), Now: time.Now, Logger: e.Logger, Observer: e.Metrics,
	}
}

// Rounds of a courier at the end of a bounded run: what its destinations take within them is delivered, the rest is found by the next
// run.
const (
	lastRounds = 12
	lastPause  = time.Second
)

// withCourier runs the task of a partition of roll together with its courier. The courier of a bounded run delivers when the task is
// done.
func (e *Engine) withCourier(ctx context.Context, a *alerting, p stream.Partition, bounded bool, run func(context.Context) error) error {
	courier := e.courier(a, p)
	if !bounded {
		group, gctx := errgroup.WithContext(ctx)
		gctx, stop := context.WithCancel(gctx)
		defer stop()
		group.Go(func() error { return courier.Run(gctx) })
		group.Go(func() error {
			defer stop()
			return run(ctx)
		})
		return group.Wait()
	}
	if err := run(ctx); err != nil {
		return err
	}
	for range lastRounds {
		wait, err := courier.Round(ctx)
		if ctx.Err() != nil || err == nil && wait > lastPause {
			return nil
		}
		if err != nil {
			e.Logger.Warn("alerts wait", "partition", p.Number, "error", err)
		}
		timer := time.NewTimer(lastPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// alertTopic puts messages into the topic of alerts, keyed by brand.
type alertTopic struct {
	client     *kafka.Client
	name       string
	partitions int
}

// Send returns when the message is durable in the topic.
func (t *alertTopic) Send(ctx context.Context, m *alert.Message) error {
	if t.partitions == 0 {
		return errors.New("the topic of alerts is not there: start the process again, it creates the topic")
	}
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode alert %s: %w", m.ID, err)
	}
	out := t.client.Outbox(t.name, t.partitions)
	out.Add([]byte(m.Brand), value)
	return out.Send(ctx)
}
