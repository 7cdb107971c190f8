package engine

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/cmd/otklik/internal/config"
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
	broker.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		asked, ok := request.(*kmsg.ProduceRequest)
		if !ok || open.Load() {
			return nil, nil, false //nolint:nilnil // the broker answers
		}
		answer, ok := asked.ResponseKind().(*kmsg.ProduceResponse)
		if !ok {
			return nil, nil, false //nolint:nilnil // the broker answers
		}
		partition := kmsg.NewProduceResponseTopicPartition()
		partition.ErrorCode = kerr.TopicAuthorizationFailed.Code
		refused := kmsg.NewProduceResponseTopic()
		refused.Topic, refused.Partitions = topic, []kmsg.ProduceResponseTopicPartition{partition}
		answer.Topics = []kmsg.ProduceResponseTopic{refused}
		return answer, nil, true
	})
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
