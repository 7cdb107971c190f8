package engine

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/cmd/otklik/internal/config"
	"otklik/deploy/kafka/kafkatest"
	"otklik/sinks/clickhouse"
	"otklik/stream/claim"
	"otklik/stream/kafka"
)

// TestEraserTellsOnceAfterRefusals: while the topic of claims refuses, each call of the eraser tells of the same claims again. None of
// those attempts stays behind: the call that is taken tells of each claim once.
func TestEraserTellsOnceAfterRefusals(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	topic := cfg.Kafka.Topics.Claims
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	client, err := kafka.Open(kafka.Config{Brokers: broker.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var open atomic.Bool
	kafkatest.RefuseProduce(broker, kerr.TopicAuthorizationFailed.Code, func(*kmsg.ProduceRequest) bool { return !open.Load() })
	e := &Engine{
		Options: Options{Config: cfg, Kafka: client, ClickHouse: &clickhouse.Client{}},
		topics:  map[string]clickhouse.Topic{topic: {Partitions: 1}},
	}
	eraser := e.eraser()
	rows := []claim.Row{{ID: "a", Erased: true}, {ID: "b", Erased: true}}
	for range 3 {
		if err := eraser.OnClaims(t.Context(), rows); err == nil {
			t.Fatal("the topic refuses, and nobody says so")
		}
	}
	open.Store(true)
	if err := eraser.OnClaims(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	ranges, err := client.Ranges(t.Context(), topic)
	if err != nil || ranges[0].End != int64(len(rows)) {
		t.Errorf("%d messages about %d claims, %v", ranges[0].End, len(rows), err)
	}
}
