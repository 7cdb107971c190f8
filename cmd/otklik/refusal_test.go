package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
)

// service is a broker, a database and the configuration file of a service on them.
type service struct {
	*enginetest.Stack

	file string
	env  map[string]string
	kgo  *kgo.Client
}

// newService starts a broker and writes a configuration; extra is appended to it.
func newService(t *testing.T, extra string) *service {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{})
	s := &service{file: filepath.Join(t.TempDir(), "otklik.yaml"), env: map[string]string{"OTKLIK_TEST_PASSWORD": db.Password}}
	s.write(t, s.file, fmt.Sprintf(`
kafka:
  brokers: [%q]
  topics:
    partitions: {firehose: 2, mentions: 3, panes: 2, deadletter: 1}
clickhouse: {addrs: [%q], database: %s, user: %s, password_env: OTKLIK_TEST_PASSWORD}
http: {listen: ""}
log: {level: error}
%s`, broker.Addr(), db.Native, db.Name, db.User, extra))
	cfg, err := config.Load(s.file, func(name string) string { return s.env[name] })
	if err != nil {
		t.Fatal(err)
	}
	s.Stack = enginetest.NewOn(t, cfg.Kafka.Brokers, cfg, nil)
	if s.kgo, err = kgo.NewClient(kgo.SeedBrokers(broker.Addr())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kgo.Close)
	return s
}

func (s *service) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ok runs a command that must succeed and returns what it printed.
func (s *service) ok(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := otklik(t, s.env, args...)
	if err != nil {
		t.Fatalf("otklik %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// refused runs the engine, which must refuse with all these words.
func (s *service) refused(t *testing.T, file string, words ...string) {
	t.Helper()
	_, _, err := otklik(t, s.env, "run", "-c", file, "--once")
	if !errors.Is(err, engine.ErrRefused) {
		t.Fatalf("run: %v, want a refusal", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal lacks %q: %v", word, err)
		}
	}
	t.Logf("refused: %v", err)
}

func (s *service) exec(t *testing.T, statement string) {
	t.Helper()
	if err := s.ClickHouse.Exec(t.Context(), statement+" SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
}

// recreate deletes a topic and creates it again with n partitions.
func (s *service) recreate(t *testing.T, topic string, n int) {
	t.Helper()
	remove := kmsg.NewPtrDeleteTopicsRequest()
	named := kmsg.NewDeleteTopicsRequestTopic()
	named.Topic = new(topic)
	remove.TopicNames, remove.Topics = []string{topic}, append(remove.Topics, named)
	create := kmsg.NewPtrCreateTopicsRequest()
	again := kmsg.NewCreateTopicsRequestTopic()
	again.Topic, again.NumPartitions, again.ReplicationFactor = topic, int32(n), 1
	create.Topics = append(create.Topics, again)
	for {
		removed, err := remove.RequestWith(t.Context(), s.kgo)
		if err == nil {
			err = kerr.ErrorForCode(removed.Topics[0].ErrorCode)
		}
		if err != nil {
			t.Fatal(err)
		}
		created, err := create.RequestWith(t.Context(), s.kgo)
		if err == nil {
			err = kerr.ErrorForCode(created.Topics[0].ErrorCode)
		}
		if errors.Is(err, kerr.TopicAlreadyExists) {
			continue // a group that ended a moment ago still asked for its topics, and kafka-go lets the broker create what it asks for
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

// grow gives a topic n partitions.
func (s *service) grow(t *testing.T, topic string, n int) {
	t.Helper()
	request := kmsg.NewPtrCreatePartitionsRequest()
	named := kmsg.NewCreatePartitionsRequestTopic()
	named.Topic, named.Count = topic, int32(n)
	request.Topics = append(request.Topics, named)
	response, err := request.RequestWith(t.Context(), s.kgo)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRefusals: every change that would break a promise is refused with a sentence that says what to do, and what it says
// to do helps.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t, "")
	truth := s.Feed(t, s.Simulation(t, 11, 1500), nil)
	s.ok(t, "run", "-c", s.file, "--once")
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	migrations := schemas.Store(s.ClickHouse.Database()) + ".migrations"

	t.Run("newer schema", func(t *testing.T) {
		s.exec(t, "INSERT INTO "+migrations+" SELECT 9999, '9999_future.sql', 'x', now64(3)")
		s.refused(t, s.file, "9999_future.sql", "install the otklik that wrote it or a later one")
		s.exec(t, "ALTER TABLE "+migrations+" DELETE WHERE version = 9999")
	})
	t.Run("older schema", func(t *testing.T) {
		s.exec(t, "ALTER TABLE "+migrations+" DELETE WHERE version = 2")
		s.refused(t, s.file, "lacks migration 0002_views.sql", "run `otklik migrate`")
		s.ok(t, "migrate", "-c", s.file)
		s.ok(t, "run", "-c", s.file, "--once")
	})
	t.Run("another schema", func(t *testing.T) {
		s.exec(t, "ALTER TABLE "+migrations+" UPDATE checksum = concat(checksum, '0') WHERE version = 1")
		s.refused(t, s.file, "another 0001_tables.sql than this binary", "migrate into a new one")
		s.exec(t, "ALTER TABLE "+migrations+" UPDATE checksum = substring(checksum, 1, length(checksum) - 1) WHERE version = 1")
		s.ok(t, "run", "-c", s.file, "--once")
	})
	t.Run("another configuration", func(t *testing.T) {
		text, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		other := filepath.Join(filepath.Dir(s.file), "other.yaml")
		s.write(t, other, string(text)+"\nwindow: {max_disorder: 7m}\n")
		s.refused(t, other, s.Config.Fingerprint(), "Give all processes the same file", "otklik migrate -c FILE --adopt-config")
		if out := s.ok(t, "migrate", "-c", other, "--dry-run", "--adopt-config"); !strings.Contains(out, "would adopt") {
			t.Errorf("dry run: %s", out)
		}
		s.refused(t, other, "--adopt-config")
		if out := s.ok(t, "migrate", "-c", other, "--adopt-config"); !strings.Contains(out, "adopted configuration") {
			t.Errorf("adopt: %s", out)
		}
		s.ok(t, "run", "-c", other, "--once")
		s.refused(t, s.file, "--adopt-config")
		s.ok(t, "migrate", "-c", s.file, "--adopt-config")
		s.ok(t, "run", "-c", s.file, "--once")
		enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	})
	t.Run("raw topic recreated", func(t *testing.T) { recreatedRawTopic(t, s, "new", 6, 1, "position", "end") })
	t.Run("raw topic recreated and filled", func(t *testing.T) {
		recreatedRawTopic(t, s, "newer", 20, 2, "holds another record at that offset than the one that was read")
	})
	t.Run("keyed topic recreated", func(t *testing.T) {
		held, err := s.Kafka.Ranges(t.Context(), "otklik.panes")
		if err != nil {
			t.Fatal(err)
		}
		s.recreate(t, "otklik.panes", 2)
		filled := s.Kafka.Outbox("otklik.panes", 2)
		for n, r := range held {
			for range r.End + 3 {
				filled.AddTo(n, nil, []byte("something else"))
			}
		}
		if err := filled.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.refused(t, s.file, "otklik.panes", "holds another record", "choose a new clickhouse.database")
		s.recreate(t, "otklik.panes", 2)
		s.refused(t, s.file, "otklik.panes", "hold records that it has lost", "choose a new clickhouse.database")
		_, _, err = otklik(t, s.env, "migrate", "-c", s.file, "--recreated", "otklik.panes")
		if !errors.Is(err, engine.ErrRefused) || !strings.Contains(err.Error(), "only those can be begun anew") {
			t.Errorf("migrate --recreated otklik.panes: %v", err)
		}
	})
	t.Run("partition count of a keyed topic", func(t *testing.T) {
		s.grow(t, "otklik.mentions", 4)
		s.refused(t, s.file, "topic otklik.mentions has 4 partitions", "computed with 3", "choose a new clickhouse.database")
	})
}

// recreatedRawTopic begins a raw topic anew, in an epoch, with so many records before anybody looks: that is refused with these words. What
// is in it is new, what was counted stays counted.
func recreatedRawTopic(t *testing.T, s *service, name string, first, epoch int, words ...string) {
	t.Helper()
	const topic = "firehose.generic"
	ranges, err := s.Kafka.Ranges(t.Context(), topic)
	if err != nil || ranges[0].End < 5 || ranges[1].End < 5 {
		t.Fatalf("the simulation has too few records for this test: %v, %v", ranges, err)
	}
	before, err := s.ClickHouse.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.recreate(t, topic, 2)
	at := time.Now().UTC().Add(-time.Hour)
	feed := func(from, to int) {
		out := s.Kafka.Outbox(topic, 2)
		for i := from; i < to; i++ {
			out.AddTo(int32(i%2), nil, fmt.Appendf(nil, `{"id":"%s-%d","kind":"post","published_at":%q,"author":{"id":"a"},"text":"МТС не работает"}`,
				name, i, at.Add(time.Duration(i)*time.Second).Format(time.RFC3339)))
		}
		if err := out.Send(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	feed(0, first)
	s.refused(t, s.file, append(words, topic, "recreated or truncated", "otklik migrate -c FILE --recreated "+topic)...)
	_, _, err = otklik(t, s.env, "migrate", "-c", s.file, "--recreated", "firehose.nobody")
	if err == nil || !strings.Contains(err.Error(), "is not one of the raw topics") {
		t.Errorf("migrate --recreated of an unknown topic: %v", err)
	}
	if out := s.ok(t, "migrate", "-c", s.file, "--recreated", topic); !strings.Contains(out, fmt.Sprintf("%s begins anew in epoch %d", topic, epoch)) {
		t.Errorf("migrate --recreated: %s", out)
	}
	s.ok(t, "run", "-c", s.file, "--once")
	feed(first, first+4)
	s.ok(t, "run", "-c", s.file, "--once")
	s.ok(t, "run", "-c", s.file, "--once")
	after, err := s.ClickHouse.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(first) + 4
	if !after.OK || after.Mentions != before.Mentions+n || after.Read != before.Read+n || after.Records != before.Records+n {
		t.Errorf("after %d new records\n got %+v\nfrom %+v", n, after, before)
	}
}
