package enginetest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/stream"
)

// TestMemoryStaysBounded: while ClickHouse is away, a backlog of 90 MB waits in Kafka and not in memory. What is there is the rows of a flush: what
// was read in two intervals, because the engine catches up.
func TestMemoryStaysBounded(t *testing.T) {
	const records, size, bound = 45_000, 2000, 60 << 20
	stack := enginetest.New(t, nil) // its broker keeps the log in memory: this test needs one on disk
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{Dir: t.TempDir()})
	proxy := enginetest.NewProxy(t, stack.Config.ClickHouse.Addrs[0], nil)
	s := enginetest.NewOn(t, []string{broker.Addr()}, stack.Config, func(cfg *config.Config) {
		cfg.ClickHouse.Addrs = []string{proxy.Addr()}
		cfg.Limits.MicroBatchRecords = 500
		cfg.Limits.MicroBatchBytes = 1 << 20
	})
	s.Engine(t, t.Context(), false) // makes the topics
	topic := s.Config.Kafka.Topics.Firehose[stream.Generic]
	out := s.Kafka.Outbox(topic, s.Config.Kafka.Topics.Partitions.Firehose)
	padding := strings.Repeat("x", size)
	at := time.Now().UTC().Add(-time.Hour)
	for i := range records {
		brand := "nobody"
		if i%3 == 0 {
			brand = "мтс"
		}
		out.AddTo(int32(i%2), nil, fmt.Appendf(nil, `{"id":"m%d","kind":"post","published_at":%q,"author":{"id":"a%d"},"text":"%s %s"}`,
			i, at.Add(time.Duration(i)*10*time.Millisecond).Format(time.RFC3339Nano), i%1000, brand, padding))
		if out.Bytes() > 8<<20 {
			if err := out.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	running(t, s, func(ctx context.Context) {
		// Once something is stored, the engine is under way and at full speed.
		for progress := int64(0); progress == 0; {
			left, err := s.Engine(t, ctx, false).Drained(ctx)
			if err != nil {
				t.Fatal(err)
			}
			progress = records - min(left, records)
		}
		if err := proxy.Away(); err != nil {
			t.Fatal(err)
		}
		var peak int64
		for range 12 {
			pause(t, 250*time.Millisecond)
			peak = max(peak, heap()-before)
		}
		read, err := stack.ClickHouse.Strings(ctx, "SELECT toString(sum(records)) FROM "+stack.ClickHouse.Database()+".books WHERE stage = 'ingest'")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("heap grew by at most %d MiB while %d MB waited; %s of %d records were stored", peak>>20, records*size/1_000_000, read[0][0], records)
		if peak > bound {
			t.Errorf("heap grew by %d MiB while ClickHouse was away, want at most %d", peak>>20, bound>>20)
		}
		if err := proxy.Back(ctx); err != nil {
			t.Fatal(err)
		}
		s.Settle(t, ctx)
		report, err := s.ClickHouse.Verify(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK || report.Read != records || report.Mentions != records/3 || report.Unmatched != records-records/3 {
			t.Errorf("after the outage: %+v", report)
		}
	})
}
