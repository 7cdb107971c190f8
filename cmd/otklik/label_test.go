package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
	"otklik/stream/label"
)

// labelled is a stack on which labels are given.
type labelled struct {
	*enginetest.Stack

	file string
	env  map[string]string
	day  time.Time
}

func newLabelled(t *testing.T) *labelled {
	t.Helper()
	s := enginetest.New(t, nil)
	l := &labelled{Stack: s, file: filepath.Join(t.TempDir(), "otklik.yaml"), day: time.Now().Add(-2 * time.Hour).UTC().Truncate(time.Second)}
	text := fmt.Sprintf("kafka:\n  brokers: %q\nclickhouse:\n  addrs: %q\n  database: %s\n  user: %s\n  password_env: OTKLIK_TEST_PASSWORD\n",
		s.Config.Kafka.Brokers, s.Config.ClickHouse.Addrs, s.Config.ClickHouse.Database, s.Config.ClickHouse.User)
	if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l.env = map[string]string{"OTKLIK_TEST_PASSWORD": s.Config.ClickHouse.Password.Reveal()}
	s.Engine(t, t.Context(), true) // makes the topics
	return l
}

// produce appends values to the first partition of a topic.
func (l *labelled) produce(t *testing.T, topic string, partitions int, values ...string) {
	t.Helper()
	out := l.Kafka.Outbox(topic, partitions)
	for _, v := range values {
		out.AddTo(0, nil, []byte(v))
	}
	if err := out.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// write publishes a version of a post; edited is its age after the post, 0 for the original.
func (l *labelled) write(t *testing.T, id, text string, edited time.Duration) {
	t.Helper()
	edit := ""
	if edited > 0 {
		edit = fmt.Sprintf(`,"edited_at":%q`, l.day.Add(edited).Format(time.RFC3339))
	}
	l.produce(t, l.Config.Kafka.Topics.Firehose[stream.Generic], l.Config.Kafka.Topics.Partitions.Firehose,
		fmt.Sprintf(`{"id":%q,"published_at":%q%s,"author":{"id":"u1","name":"u1"},"text":%q}`, id, l.day.Format(time.RFC3339), edit, text))
}

// command runs `otklik sentiment`; it fails the test if that fails.
func (l *labelled) command(t *testing.T, args ...string) string {
	t.Helper()
	out, _, err := otklik(t, l.env, append(append([]string{"sentiment"}, args...), "-c", l.file)...)
	if err != nil {
		t.Fatalf("sentiment %s: %v", args, err)
	}
	return out
}

func (l *labelled) table(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labels.tsv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expect compares label, who gave it and the count of corrections of a mention, and the panes, with what is wanted.
func (l *labelled) expect(t *testing.T, id, want string) {
	t.Helper()
	rows, err := l.ClickHouse.Strings(t.Context(), "SELECT concat(toString(label), ' ', corrected_by, ' ', toString(length(corrections)), if(complaint, ' complains', '')) FROM "+
		l.ClickHouse.Database()+".mentions WHERE item_id = ?", id)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0][0] != want {
		t.Errorf("%s is %v, want %q", id, rows, want)
	}
	report, err := l.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK {
		t.Errorf("verify: %v %v %v", report.Faults, report.Differences, err)
	}
}

const angry = "МТС, ваш интернет опять не работает, ужас"

func TestSentimentLabel(t *testing.T) {
	l := newLabelled(t)
	l.write(t, "a", angry, 0)
	l.write(t, "b", angry, 0)
	l.write(t, "c", angry, 0)
	l.Drain(t)
	l.expect(t, "a", "negative  0 complains")

	// One bad line, and nothing is sent.
	bad := l.table(t, "generic\ta\tmts\tpositive\ngeneric\tnowhere\tmts\tpositive\ngeneric\tb\tnobody\tpositive\n")
	_, _, err := otklik(t, l.env, "sentiment", "label", "-c", l.file, "--by", "anna", bad)
	if err == nil || !strings.Contains(err.Error(), "line 2: there is no mention of mts in generic nowhere") || !strings.Contains(err.Error(), `line 3: the catalogue has no brand "nobody"`) {
		t.Errorf("a bad table: %v", err)
	}
	_, _, err = otklik(t, l.env, "sentiment", "label", "-c", l.file, "--by", "anna", l.table(t, "generic\ta\tmts\tgreat\n"))
	if err == nil || !strings.Contains(err.Error(), "line 1") || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("a bad label: %v", err)
	}
	_, _, err = otklik(t, l.env, "sentiment", "label", "-c", l.file, "--by", "anna", "--wait", "--timeout", "-5s", bad)
	if _, ok := errors.AsType[*usageError](err); !ok {
		t.Errorf("a negative time to wait: %v", err)
	}
	good := l.table(t, "platform\titem_id\tlabel\tnote\ngeneric\ta\tpositive\tirony\ngeneric\tb\tnegative\n")
	if out := l.command(t, "label", "--by", "anna", "--brand", "mts", "--dry-run", good); !strings.Contains(out, "2 labels are good") {
		t.Error(out)
	}
	l.Drain(t)
	if out := l.command(t, "labels"); !strings.Contains(out, "no corrected labels") {
		t.Errorf("something was sent: %s", out)
	}

	if out := l.command(t, "label", "--by", "anna", "--brand", "mts", good); !strings.Contains(out, "2 labels sent") {
		t.Error(out)
	}
	l.Drain(t)
	l.expect(t, "a", "positive anna 1")
	l.expect(t, "b", "negative anna 1 complains")
	var listed []map[string]string
	if err := json.Unmarshal([]byte(l.command(t, "labels", "--json", "--limit", "1")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 1 || listed[0]["item_id"] != "a" || listed[0]["label"] != "positive" || listed[0]["model_label"] != "negative" || listed[0]["note"] != "irony" {
		t.Errorf("listed %v", listed)
	}
	if out := l.command(t, "labels"); strings.Count(out, "\n") != 3 {
		t.Errorf("listed:\n%s", out)
	}
	rows, err := l.ClickHouse.Strings(t.Context(), "SELECT toString(model_label), toString(analyst_label), toString(mentions) FROM "+l.ClickHouse.Database()+".label_quality ORDER BY analyst_label")
	if err != nil || fmt.Sprint(rows) != "[[negative positive 1] [negative negative 1]]" {
		t.Errorf("label_quality: %v, %v", rows, err)
	}

	// An edit with the same text leaves the label, one with another takes it away, and an older correction does not come back for it.
	l.write(t, "a", angry, time.Minute)
	l.Drain(t)
	l.expect(t, "a", "positive anna 1")
	l.produce(t, l.Config.Kafka.Topics.Firehose[stream.Generic], l.Config.Kafka.Topics.Partitions.Firehose,
		fmt.Sprintf(`{"id":"b","published_at":%q,"edited_at":%q,"author":{"id":"u1"},"text":"МТС, спасибо, интернет работает отлично!"}`,
			l.day.Format(time.RFC3339), time.Now().Add(time.Minute).Format(time.RFC3339)))
	l.Drain(t)
	l.expect(t, "b", "positive  1")

	// With --wait it returns when the tables show the label, or says that they do not yet although it is sent.
	_, _, err = otklik(t, l.env, "sentiment", "label", "-c", l.file, "--by", "boris", "--wait", "--timeout", "1ns", l.table(t, "generic\tc\tmts\tneutral\n"))
	if err == nil || !strings.Contains(err.Error(), "all labels are sent, but the tables do not show 1 of them yet") {
		t.Errorf("too short a wait: %v", err)
	}
	l.Drain(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := l.Engine(t, ctx, false)
	var group errgroup.Group
	group.Go(func() error { return e.Run(ctx) })
	if out := l.command(t, "label", "--by", "boris", "--wait", l.table(t, "generic\tc\tmts\tunlabelled\n")); !strings.Contains(out, "the tables show them") {
		t.Error(out)
	}
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	l.expect(t, "c", "unlabelled boris 2")
}

// TestCorrectionsOutOfTheTopic: what others write into the topic: of unknown mentions, twice, broken, of the own voice, before its mention
// in one run, of an erased mention.
func TestCorrectionsOutOfTheTopic(t *testing.T) {
	l := newLabelled(t)
	topic := l.Config.Kafka.Topics.Labels
	correction := func(id string, to stream.Label, ago time.Duration) string {
		m := label.Message{
			MentionName: stream.MentionName{Platform: stream.Generic, ItemID: id, Brand: "mts"},
			Correction:  stream.Correction{Label: to, By: "anna", At: stream.TimeOf(time.Now().Add(-ago).Truncate(time.Hour))},
		}
		b, err := label.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	reasons := func() string {
		t.Helper()
		rows, err := l.ClickHouse.Strings(t.Context(), "SELECT reason FROM "+l.ClickHouse.Database()+".deadletters WHERE redriven_at IS NULL ORDER BY reason")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(rows)
	}

	// In one run the mention comes first, wherever the correction stood.
	older, newer := correction("a", stream.Neutral, 2*time.Hour), correction("a", stream.Positive, time.Hour)
	l.produce(t, topic, 1, newer, older, newer, correction("late", stream.Neutral, time.Hour), `{"platform":`, correction("a", stream.Negative, -48*time.Hour))
	l.write(t, "a", angry, 0)
	l.Drain(t)
	l.expect(t, "a", "positive anna 2")
	if got := reasons(); got != "[[future] [malformed_json] [unknown_mention]]" {
		t.Errorf("dead letters: %s", got)
	}
	report, err := l.ClickHouse.Verify(t.Context())
	if err != nil || report.Read != 7 || report.Mentions != 1 || report.Duplicates != 1 || report.DeadLetters != 3 || report.Other != 2 {
		t.Errorf("books %+v, %v", report, err)
	}

	// The mention arrives, and the label is put back.
	l.write(t, "late", angry, 0)
	l.Drain(t)
	l.expect(t, "late", "negative  0 complains")
	out, _, err := otklik(t, l.env, "deadletters", "redrive", "-c", l.file, "--reason", "unknown_mention", "--yes")
	if err != nil {
		t.Fatalf("redrive: %v\n%s", err, out)
	}
	l.Drain(t)
	l.expect(t, "late", "neutral anna 1")
	if got := reasons(); got != "[[future] [malformed_json]]" {
		t.Errorf("dead letters: %s", got)
	}

	// What its platform has deleted can still be labelled; text and author stay gone.
	l.produce(t, l.Config.Kafka.Topics.Firehose[stream.Generic], l.Config.Kafka.Topics.Partitions.Firehose,
		fmt.Sprintf(`{"id":"late","kind":"delete","published_at":%q}`, l.day.Add(time.Minute).Format(time.RFC3339)))
	l.Drain(t)
	l.produce(t, topic, 1, correction("late", stream.Positive, 0))
	l.Drain(t)
	l.expect(t, "late", "positive anna 2")
	rows, err := l.ClickHouse.Strings(t.Context(), "SELECT toString(erased), text, author_id, correction_note FROM "+l.ClickHouse.Database()+".mentions WHERE item_id = 'late'")
	if err != nil || fmt.Sprint(rows) != "[[true   ]]" {
		t.Errorf("the erased mention: %q, %v", rows, err)
	}
	enginetest.Recount(t, t.Context(), l.ClickHouse, l.Config)
}
