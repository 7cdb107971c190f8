package kafka_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/deploy/kafka/kafkatest"
	"otklik/stream"
	"otklik/stream/kafka"
)

// TestRepeatedRequestIsTheSame: what is sent again after a refusal that passes is what was sent before, its timestamps included.
func TestRepeatedRequestIsTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		send func(ctx context.Context, client *kafka.Client) error
	}{
		{"produce", func(ctx context.Context, client *kafka.Client) error {
			return client.Produce(ctx, stream.Partition{Topic: "t"}, messages(0, 3, 10))
		}},
		{"outbox", func(ctx context.Context, client *kafka.Client) error {
			out := client.Outbox("t", 1)
			out.Add([]byte("k"), []byte("v"))
			return out.Send(ctx)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(broker.Close)
			client := client(t, broker.ListenAddrs(), 1)
			var mu sync.Mutex
			var sent [][]byte
			kafkatest.RefuseProduce(broker, kerr.NotEnoughReplicas.Code, func(request *kmsg.ProduceRequest) bool {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, slices.Clone(request.Topics[0].Partitions[0].Records))
				return len(sent) < 3
			})
			if err := c.send(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(sent) != 3 || !slices.Equal(sent[0], sent[1]) || !slices.Equal(sent[1], sent[2]) {
				t.Errorf("%d requests, %x", len(sent), sent)
			}
		})
	}
}
