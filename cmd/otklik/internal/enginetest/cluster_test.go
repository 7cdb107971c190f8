package enginetest_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/deploy/kafka/kafkatest"
	"otklik/stream"
	"otklik/stream/simulate"
)

// onCluster returns a stack on real brokers, with topics of its own.
func onCluster(t *testing.T, c *kafkatest.Cluster) *enginetest.Stack {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	cfg := config.Default()
	cfg.ClickHouse.Addrs = []string{db.Native}
	cfg.ClickHouse.Database = db.Name
	cfg.ClickHouse.User = db.User
	cfg.ClickHouse.Password = config.NewSecret(db.Password)
	return enginetest.NewOn(t, c.Addrs(), cfg, func(cfg *config.Config) {
		topics := &cfg.Kafka.Topics
		for platform, topic := range topics.Firehose {
			topics.Firehose[platform] = db.Name + "." + topic
		}
		topics.Mentions, topics.Panes = db.Name+"."+topics.Mentions, db.Name+"."+topics.Panes
		topics.DeadLetter, topics.Labels = db.Name+"."+topics.DeadLetter, db.Name+"."+topics.Labels
		topics.Alerts = db.Name + "." + topics.Alerts
		cfg.Kafka.GroupPrefix = db.Name
	})
}

// feed produces the simulation with an idempotent producer, so that a broker that dies does not make duplicates of the
// platform's records, and calls each after every 200 records.
func feed(t *testing.T, s *enginetest.Stack, sim *simulate.Simulator, each func(sent int)) *simulate.Truth {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Config.Kafka.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var batch []*kgo.Record
	partitions := int32(s.Config.Kafka.Topics.Partitions.Firehose)
	for sent := 0; ; {
		r, ok := sim.Next()
		if ok {
			batch = append(batch, &kgo.Record{Topic: s.Config.Kafka.Topics.Firehose[r.Platform], Partition: int32(sent) % partitions, Value: bytes.Clone(r.Value)})
			sent++
		}
		if len(batch) == 200 || !ok {
			if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
			if each != nil {
				each(sent)
			}
		}
		if !ok {
			return sim.Truth()
		}
	}
}

// sharing runs n engines with connections of their own beside f.
func sharing(t *testing.T, s *enginetest.Stack, n int, f func(ctx context.Context)) {
	t.Helper()
	if n == 0 {
		f(t.Context())
		return
	}
	another := s.Another(t)
	running(t, another, func(context.Context) { sharing(t, s, n-1, f) })
}

// TestCluster runs engines on a real Apache Kafka of three brokers.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three brokers")
	}
	t.Parallel()
	program := enginetest.BuildProgram(t)
	c := kafkatest.Start(t, kafkatest.Config{Brokers: 3})

	// Three processes share the partitions and give the same tables as one.
	t.Run("three processes", func(t *testing.T) {
		s := onCluster(t, c)
		s.Engine(t, t.Context(), false) // makes the topics
		file := s.WriteConfig(t)
		var processes []*enginetest.Process
		for range 3 {
			processes = append(processes, s.Process(t, program, file))
		}
		truth := feed(t, s, s.Simulation(t, 21, 4000), nil)
		s.Expect(t, t.Context(), truth)
		expectShared(t, s, 3)
		for _, p := range processes {
			p.Stop(t)
		}
	})

	// A broker is stopped, another one killed, both come back: leaders move under load.
	t.Run("brokers die", func(t *testing.T) {
		s := onCluster(t, c)
		s.Engine(t, t.Context(), false)
		sharing(t, s, 2, func(ctx context.Context) {
			truth := feed(t, s, s.Simulation(t, 22, 4000), func(sent int) {
				switch sent {
				case 800:
					c.StopBroker(0)
				case 1600:
					c.RestartBroker(0)
				case 2600:
					c.KillBroker(1)
				case 3600:
					c.RestartBroker(1)
				}
			})
			s.Expect(t, ctx, truth)
		})
	})
}

// expectShared fails the test unless every stage's group has so many members, and as many of them as can have partitions do.
func expectShared(t *testing.T, s *enginetest.Stack, members int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Config.Kafka.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	partitions := &s.Config.Kafka.Topics.Partitions
	for stage, most := range map[stream.Stage]int{
		stream.StageIngest: members, stream.StageTrack: partitions.Mentions, stream.StageRoll: partitions.Panes,
	} {
		request := kmsg.NewPtrDescribeGroupsRequest()
		request.Groups = []string{s.Config.Kafka.Group(stage)}
		response, err := request.RequestWith(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		group := response.Groups[0]
		busy := 0
		for _, member := range group.Members {
			var assigned kmsg.ConsumerMemberAssignment
			if err := assigned.ReadFrom(member.MemberAssignment); err != nil {
				t.Fatal(err)
			}
			for _, topic := range assigned.Topics {
				if len(topic.Partitions) > 0 {
					busy++
					break
				}
			}
		}
		if len(group.Members) != members || busy != min(most, members) {
			t.Errorf("group %s is %s with %d members, %d of them with partitions; want %d and %d",
				request.Groups[0], group.State, len(group.Members), busy, members, min(most, members))
		}
	}
}
