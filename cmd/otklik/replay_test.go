package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/deploy/kafka/kafkatest"
	"otklik/stream"
	"otklik/stream/firehose"
	"otklik/stream/kafka"
)

func runReplay(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := newReplayCommand()
	wrapUsage(cmd)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetIn(stdin)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

// broker starts a Kafka and returns its address and a client of it.
func broker(t *testing.T) (string, *kafka.Client) {
	t.Helper()
	k := embeddedtest.Kafka(t, embedded.KafkaConfig{Dir: t.TempDir()})
	client, err := kafka.Open(kafka.Config{Brokers: []string{k.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return k.Addr(), client
}

// contents returns how often the topic holds each value.
func contents(t *testing.T, client *kafka.Client, topic string) map[string]int {
	t.Helper()
	ranges, err := client.Ranges(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]int{}
	for number, r := range ranges {
		if r.First == r.End {
			continue
		}
		enough := errors.New("enough")
		err := client.Read(t.Context(), stream.Partition{Topic: topic, Number: number}, r.First, kafka.ReaderConfig{},
			func(_ context.Context, b kafka.Batch) error {
				for i := range b.Records {
					values[string(b.Records[i].Value)]++
				}
				if b.Next >= r.End {
					return enough
				}
				return nil
			})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	return values
}

func tweetLines(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "{\"id_str\":\"%d\"}\n", i)
	}
	return b.String()
}

func wantEachOnce(t *testing.T, got map[string]int, n int) {
	t.Helper()
	want := map[string]int{}
	for i := range n {
		want[fmt.Sprintf(`{"id_str":"%d"}`, i+1)] = 1
	}
	if !maps.Equal(got, want) {
		t.Errorf("the topic holds %d different lines instead of each of %d once", len(got), n)
	}
}

func TestReplayProducesEveryLineOnce(t *testing.T) {
	addr, client := broker(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "a.jsonl")
	if err := os.WriteFile(plain, []byte(tweetLines(1, 5000)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, tweetLines(5001, 7000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(dir, "b.jsonl.gz")
	if err := os.WriteFile(packed, zipped.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runReplay(t.Context(), strings.NewReader(tweetLines(7001, 7003)), "--platform", "twitter", "--brokers", addr, plain, packed, "-")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "7003 records produced to firehose.twitter") || !strings.Contains(out, "1 empty lines") {
		t.Errorf("the summary is %q", out)
	}
	wantEachOnce(t, contents(t, client, "firehose.twitter"), 7003)
	ranges, err := client.Ranges(t.Context(), "firehose.twitter")
	if err != nil {
		t.Fatal(err)
	}
	for number, r := range ranges {
		if n := r.End - r.First; n < 7003/int64(len(ranges)) {
			t.Errorf("partition %d holds %d records of 7003", number, n)
		}
	}
}

// interruptedReader is an input whose reader is interrupted after so many bytes.
type interruptedReader struct {
	r         io.Reader
	left      int
	interrupt func()
}

func (r *interruptedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		r.interrupt()
	}
	n, err := r.r.Read(p[:min(len(p), 4096)])
	r.left -= n
	return n, err
}

func TestReplayGoesOnAfterAnInterrupt(t *testing.T) {
	const n = 20_000
	addr, client := broker(t)
	text := tweetLines(1, n)
	line := "1"
	hint := regexp.MustCompile(`--from-line (\d+)`)
	interrupts := 0
	for _, after := range []int{100_000, 150_000, 50_000, 1 << 30} {
		ctx, cancel := context.WithCancel(t.Context())
		skipped := strings.Index(text, fmt.Sprintf("{\"id_str\":%q}", line))
		in := &interruptedReader{r: strings.NewReader(text), left: skipped + after, interrupt: cancel}
		_, err := runReplay(ctx, in, "--platform", "twitter", "--topic", "t", "--brokers", addr, "--from-line", line, "-")
		cancel()
		if err == nil {
			break
		}
		m := hint.FindStringSubmatch(err.Error())
		if !errors.Is(err, context.Canceled) || m == nil {
			t.Fatalf("the interrupt ends in %v", err)
		}
		interrupts++
		line = m[1]
	}
	if interrupts != 3 {
		t.Errorf("%d interrupts instead of 3", interrupts)
	}
	wantEachOnce(t, contents(t, client, "t"), n)
}

// failingProducer fails from a call on.
type failingProducer struct {
	calls, fail int
	got         [][]byte
}

func (p *failingProducer) Produce(_ context.Context, values [][]byte) error {
	if p.calls++; p.calls >= p.fail {
		return errors.New("message too large")
	}
	p.got = append(p.got, slices.Clone(values)...)
	return nil
}

func TestReplayNamesTheLineWhereItFailed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(name, []byte(tweetLines(1, 3*replayBatchRecords)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &failingProducer{fail: 3}
	var out bytes.Buffer
	j := &replayJob{platform: stream.Twitter, topic: "firehose.twitter", producer: p, now: time.Now, stderr: &out}
	err := j.run(t.Context(), []string{name, "later.jsonl"}, 1)
	want := fmt.Sprintf("otklik replay --platform twitter --topic firehose.twitter --from-line %d %s later.jsonl", 2*replayBatchRecords+1, name)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "message too large") {
		t.Errorf("the error is %v, which does not say\n%s", err, want)
	}
	if len(p.got) != 2*replayBatchRecords {
		t.Errorf("%d records were produced", len(p.got))
	}
}

// TestReplayNamesALineThatIsTooLong: what stands before it has been produced, and the command says how to go on behind it.
func TestReplayNamesALineThatIsTooLong(t *testing.T) {
	addr, client := broker(t)
	name := filepath.Join(t.TempDir(), "a.jsonl")
	text := tweetLines(1, 3) + `{"text":"` + strings.Repeat("x", 2<<20) + `"}` + "\n" + tweetLines(4, 5)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := runReplay(t.Context(), nil, "--platform", "twitter", "--topic", "t", "--brokers", addr, name)
	if err == nil || !strings.Contains(err.Error(), "line 4 has 2097163 bytes") || !strings.Contains(err.Error(), "leave it out with --from-line 5") ||
		!strings.Contains(err.Error(), "Nothing before line 4 is missing") {
		t.Fatalf("the error is %v", err)
	}
	if _, err := runReplay(t.Context(), nil, "--platform", "twitter", "--topic", "t", "--brokers", addr, "--from-line", "5", name); err != nil {
		t.Fatal(err)
	}
	wantEachOnce(t, contents(t, client, "t"), 5)
}

// TestReplayGoesOnBehindALineThatIsNoRecord: a line longer than any record is named once; the command that the error gives goes on behind it.
func TestReplayGoesOnBehindALineThatIsNoRecord(t *testing.T) {
	addr, client := broker(t)
	name := filepath.Join(t.TempDir(), "a.jsonl")
	text := tweetLines(1, 3) + strings.Repeat("x", firehose.MaxRecord+10) + "\n" + tweetLines(4, 5)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := runReplay(t.Context(), nil, "--platform", "twitter", "--topic", "t", "--brokers", addr, name)
	if !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), "Nothing before line 4 is missing") {
		t.Fatalf("the error is %v", err)
	}
	_, command, _ := strings.Cut(err.Error(), "otklik replay ")
	if _, err := runReplay(t.Context(), nil, strings.Fields(command)...); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	wantEachOnce(t, contents(t, client, "t"), 5)
}

func TestReplayRefusesWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"x.jsonl"},
		{"--platform", "myspace", "x.jsonl"},
		{"--platform", "vk"},
		{"--platform", "vk", "--from-line", "0", "x.jsonl"},
		{"--platform", "vk", "--rate", "-5", "x.jsonl"},
	} {
		_, err := runReplay(t.Context(), strings.NewReader(""), args...)
		if _, ok := errors.AsType[*usageError](err); !ok {
			t.Errorf("replay %v: %v", args, err)
		}
	}
}

// TestRetryNoticeOfManyPartitions: when a broker refuses for a moment, all partitions try again at once, and the user reads of it once.
func TestRetryNoticeOfManyPartitions(t *testing.T) {
	t.Parallel()
	const partitions = 8
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.SeedTopics(partitions, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	var refused atomic.Int32
	kafkatest.RefuseProduce(cluster, kerr.NotEnoughReplicas.Code, func(*kmsg.ProduceRequest) bool { return refused.Add(1) <= 3*partitions })
	lines := strings.Repeat(`{"id":"1"}`+"\n", 10*partitions)
	out, err := runReplay(t.Context(), strings.NewReader(lines), "--platform", "generic", "--topic", "raw", "--brokers", cluster.ListenAddrs()[0], "-")
	if err != nil || refused.Load() <= 3*partitions || strings.Count(out, "trying again") != 1 {
		t.Errorf("%v after %d requests:\n%s", err, refused.Load(), out)
	}
}
