package kafka_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/deploy/kafka/kafkatest"
	"otklik/stream"
	"otklik/stream/kafka"
)

// TestAnotherLog: a topic that was deleted, made again and filled beyond the old position is told by the last record that was read,
// on the in-process broker and on a real one.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	t.Run("in-process", func(t *testing.T) {
		t.Parallel()
		broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		anotherLog(t, broker.ListenAddrs())
	})
	t.Run("Kafka", func(t *testing.T) {
		t.Parallel()
		anotherLog(t, kafkatest.Start(t, kafkatest.Config{}).Addrs())
	})
}

func anotherLog(t *testing.T, addrs []string) {
	t.Helper()
	c := client(t, addrs, 1)
	p := stream.Partition{Topic: "t"}
	fill := func(from int) {
		t.Helper()
		if err := c.Produce(t.Context(), p, messages(from, 20, 90_000)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, tail stream.Tail, want error) {
		t.Helper()
		if err := c.CheckTail(t.Context(), p, tail); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", when, err, want)
		}
	}
	fill(0)
	records, _ := readUntil(t, c, p, 0, 20)
	tail := kafka.TailOf(&records[13])
	check("the same log", tail, nil)
	check("nothing known", stream.Tail{}, nil)
	check("beyond the end", stream.Tail{Offset: 99, Hash: 1}, nil)

	// A reader that is connected while it happens notices, too.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	caughtUp := make(chan struct{})
	var once sync.Once
	ended := make(chan error, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		ended <- c.Read(ctx, p, 0, kafka.ReaderConfig{}, func(_ context.Context, b kafka.Batch) error {
			if b.Next == 20 {
				once.Do(func() { close(caughtUp) })
			}
			return nil
		})
	})
	<-caughtUp
	recreate(t, addrs, "t")
	fill(1000)
	fill(1020)
	check("another log", tail, kafka.ErrAnotherLog)
	again, _ := readUntil(t, c, p, 0, 40)
	check("the new log", kafka.TailOf(&again[13]), nil)
	reader.Wait()
	if err := <-ended; !errors.Is(err, kafka.ErrAnotherLog) && !errors.Is(err, kafka.ErrPositionBeyondEnd) {
		t.Errorf("the reader ended with %v", err)
	}
}

// recreate deletes a topic and makes it again with one partition.
func recreate(t *testing.T, addrs []string, topic string) {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	remove := kmsg.NewPtrDeleteTopicsRequest()
	named := kmsg.NewDeleteTopicsRequestTopic()
	named.Topic = new(topic)
	remove.TopicNames, remove.Topics, remove.TimeoutMillis = []string{topic}, append(remove.Topics, named), 30_000
	removed, err := remove.RequestWith(t.Context(), admin)
	if err == nil {
		err = kerr.ErrorForCode(removed.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	again := kmsg.NewCreateTopicsRequestTopic()
	again.Topic, again.NumPartitions, again.ReplicationFactor = topic, 1, 1
	create.Topics, create.TimeoutMillis = append(create.Topics, again), 30_000
	created, err := create.RequestWith(t.Context(), admin)
	if err == nil {
		err = kerr.ErrorForCode(created.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
