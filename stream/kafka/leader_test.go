package kafka_test

import (
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/stream"
	"otklik/stream/kafka"
)

// TestPartitionWithoutLeader: while a broker is away a partition may have no leader for a while. It is still a partition: who
// counted fewer would take the topic for another one, and who asked for ranges would forget its records.
func TestPartitionWithoutLeader(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.SeedTopics(3, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	open := func(onRetry func(string, error)) *kafka.Client {
		c, err := kafka.Open(kafka.Config{Brokers: cluster.ListenAddrs(), OnRetry: onRetry})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	for n := range int32(3) {
		if err := open(nil).Produce(t.Context(), stream.Partition{Topic: "t", Number: n}, messages(0, 10, 10)); err != nil {
			t.Fatal(err)
		}
	}
	var orphaned atomic.Bool
	orphaned.Store(true)
	cluster.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if !orphaned.Load() {
			return nil, nil, false //nolint:nilnil // not handled here
		}
		return withoutLeader(t, request, cluster.ListenAddrs()[0]), nil, true
	})
	counts, err := open(nil).Partitions(t.Context())
	if err != nil || counts["t"] != 3 {
		t.Errorf("%d partitions while one has no leader, %v; want 3", counts["t"], err)
	}
	ranges, err := open(func(string, error) { orphaned.Store(false) }).Ranges(t.Context(), "t")
	if err != nil || len(ranges) != 3 || ranges[1].End != 10 {
		t.Errorf("ranges %v, %v; want three up to 10, once the leader is back", ranges, err)
	}
}

// withoutLeader answers a request for metadata: three partitions, of which the second has no leader.
func withoutLeader(t *testing.T, request kmsg.Request, addr string) kmsg.Response {
	t.Helper()
	response := request.ResponseKind().(*kmsg.MetadataResponse)
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Error(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Error(err)
	}
	broker := kmsg.NewMetadataResponseBroker()
	broker.Host, broker.Port = host, int32(port)
	response.Brokers = append(response.Brokers, broker)
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = new("t")
	for n := range int32(3) {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Replicas, p.ISR = n, []int32{0}, []int32{0}
		if n == 1 {
			p.ErrorCode, p.Leader, p.ISR = kerr.LeaderNotAvailable.Code, -1, nil
		}
		topic.Partitions = append(topic.Partitions, p)
	}
	response.Topics = append(response.Topics, topic)
	return response
}
