package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"otklik/cmd/otklik/internal/config"
	"otklik/stream"
	"otklik/stream/firehose"
	"otklik/stream/kafka"
)

// newReplayCommand returns `otklik replay`.
func newReplayCommand() *cobra.Command {
	var configPath, platform, topic string
	var brokers []string
	var rate float64
	var from int
	cmd := &cobra.Command{
		Use:   "replay --platform P FILE…",
		Short: "Produce raw platform JSON from files to the firehose topic",
		Long: `Reads raw records, one a line, and produces them to the platform's firehose topic in their order, spread evenly over its
partitions and without a key. "-" is the standard input; gzip is recognised by its content; Mastodon's server-sent events
are put together. The topic is created if it does not exist. Empty lines are left out.

A line counts as produced when all in-sync replicas of the broker have it. On Ctrl-C the lines in flight are finished,
and the command says how to go on: with --from-line, which counts the lines of the first file from 1. So nothing is lost and
nothing is sent twice. If the broker goes away, the command waits for it.

Platforms: ` + platformList() + `.`,
		Example: `  otklik replay --platform twitter day/twitter.jsonl
  otklik replay --platform vk --rate 500 --brokers 127.0.0.1:9092 monday.jsonl.gz tuesday.jsonl.gz
  zcat dump.gz | otklik replay --platform reddit -
  otklik replay --platform twitter --from-line 120001 day/twitter.jsonl`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := firehose.New(stream.Platform(platform)); err != nil {
				return usagef(cmd, "--platform %s is not known; use one of %s", platform, platformList())
			}
			if from < 1 {
				return usagef(cmd, "--from-line is %d: lines are counted from 1", from)
			}
			if !(rate >= 0 && rate <= 1e7) {
				return usagef(cmd, "--rate is %v: it must be between 0 (no limit) and 10000000 records a second", rate)
			}
			cfg, err := loadConfig(cmd, configPath)
			if err != nil {
				return err
			}
			if len(brokers) > 0 {
				cfg.Kafka.Brokers = brokers
			}
			if topic == "" {
				topic = cfg.Kafka.Topics.Firehose[stream.Platform(platform)]
			}
			if topic == "" {
				topic = "firehose." + platform
			}
			producer, err := openProducer(cmd, cfg, topic)
			if err != nil {
				return fmt.Errorf("replay: %w", err)
			}
			defer producer.client.Close()
			job := &replayJob{
				platform: stream.Platform(platform), topic: topic, brokers: cfg.Kafka.Brokers, config: configPath, rate: rate, producer: producer, now: time.Now,
				stdin: cmd.InOrStdin(), stderr: cmd.ErrOrStderr(),
			}
			return job.run(cmd.Context(), args, from)
		},
	}
	addConfigFlag(cmd, &configPath)
	f := cmd.Flags()
	f.StringVarP(&platform, "platform", "p", "", "`name` of the platform whose records these are")
	f.StringVar(&topic, "topic", "", "`name` of the topic (default: the platform's firehose topic of the configuration)")
	f.StringSliceVar(&brokers, "brokers", nil, "`addresses` of Kafka brokers, host:port (default: those of the configuration)")
	f.Float64Var(&rate, "rate", 0, "`records` a second; 0 is as fast as the broker takes them")
	f.IntVar(&from, "from-line", 1, "`number` of the first line of the first file to produce")
	if err := cmd.MarkFlagRequired("platform"); err != nil {
		panic(err) // the flag is defined above
	}
	if err := cmd.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions(platformNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
	return cmd
}

// producer takes records; Produce returns when all of them are safe.
type producer interface {
	Produce(ctx context.Context, values [][]byte) error
}

// topicProducer spreads records evenly over the partitions of a topic.
type topicProducer struct {
	client *kafka.Client
	outbox *kafka.Outbox
	next   int
}

// openProducer connects to the brokers and makes sure that the topic exists.
func openProducer(cmd *cobra.Command, cfg *config.Config, topic string) (*topicProducer, error) {
	tls, err := cfg.Kafka.TLS.Client()
	if err != nil {
		return nil, err
	}
	retries := &retryNotice{w: cmd.ErrOrStderr(), brokers: cfg.Kafka.Brokers}
	kcfg := kafka.Config{Brokers: cfg.Kafka.Brokers, TLS: tls, Compression: cfg.Kafka.Compression, OnRetry: retries.show}
	if s := cfg.Kafka.SASL; s.Mechanism != "" {
		kcfg.SASL = &kafka.SASL{Mechanism: s.Mechanism, User: s.User, Password: s.Password.Reveal()}
	}
	client, err := kafka.Open(kcfg)
	if err != nil {
		return nil, err
	}
	t := kafka.Topic{Name: topic, Partitions: cfg.Kafka.Topics.Partitions.Firehose, Replication: cfg.Kafka.Topics.Replication}
	if err := client.EnsureTopics(cmd.Context(), []kafka.Topic{t}); err != nil {
		client.Close()
		return nil, err
	}
	counts, err := client.Partitions(cmd.Context())
	if err == nil && counts[topic] == 0 {
		err = fmt.Errorf("topic %s has no partition with a leader; is the cluster healthy?", topic)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return &topicProducer{client: client, outbox: client.Outbox(topic, counts[topic])}, nil
}

// Produce sends the records round robin, in their order on each partition.
func (p *topicProducer) Produce(ctx context.Context, values [][]byte) error {
	for _, v := range values {
		p.outbox.AddTo(int32(p.next%p.outbox.Partitions()), nil, v)
		p.next++
	}
	return p.outbox.Send(ctx)
}

// retryNotice tells the user once in a while that the broker is away.
type retryNotice struct {
	brokers []string

	mu   sync.Mutex // each partition tries again by itself
	w    io.Writer
	last time.Time
}

func (r *retryNotice) show(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) < 5*time.Second {
		return
	}
	r.last = time.Now()
	// Whether somebody reads this makes no difference to the work.
	_, _ = fmt.Fprintf(r.w, "replay: %s at %s: %v; trying again\n", what, strings.Join(r.brokers, ","), err)
}

// Limits of one batch of `otklik replay`.
const (
	replayBatchRecords = 2000
	replayBatchBytes   = 2 << 20
	// replayAlone is the size of a record from which on it is sent by itself: a broker may refuse it.
	replayAlone = 900_000
)

// graceTime is how long the lines in flight are waited for after an interrupt.
const graceTime = 20 * time.Second

// replayJob is one run of `otklik replay`.
type replayJob struct {
	platform stream.Platform
	topic    string
	brokers  []string
	config   string // file; empty: none
	rate     float64
	producer producer
	now      func() time.Time
	stdin    io.Reader
	stderr   io.Writer

	batch   [][]byte
	bytes   int
	sent    int
	empty   int
	started time.Time
}

// run replays the files, the first one from a line on.
func (j *replayJob) run(ctx context.Context, files []string, from int) error {
	j.started = j.now()
	for i, name := range files {
		done, err := j.file(ctx, name, from)
		if err != nil {
			next, where := done+1, ""
			if errors.Is(err, errTooLarge) {
				next, where = next+1, " behind it" // no topic takes that line
			}
			return fmt.Errorf("replay %s: %w\nNothing before line %d is missing. Go on%s with:\n  %s", name, err, done+1, where,
				j.continuation(files[i:], next))
		}
		from = 1
	}
	elapsed := max(j.now().Sub(j.started), time.Millisecond)
	_, err := fmt.Fprintf(j.stderr, "%s: %d records produced to %s in %s (%.0f/s), %d empty lines left out\n",
		j.platform, j.sent, j.topic, elapsed.Round(time.Millisecond), float64(j.sent)/elapsed.Seconds(), j.empty)
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// continuation is the command that goes on where this one ended.
func (j *replayJob) continuation(files []string, line int) string {
	args := []string{"otklik replay --platform", string(j.platform), "--topic", j.topic}
	if len(j.brokers) > 0 {
		args = append(args, "--brokers", strings.Join(j.brokers, ","))
	}
	if j.config != "" {
		args = append(args, "-c", j.config)
	}
	if j.rate > 0 {
		args = append(args, "--rate", fmt.Sprint(j.rate))
	}
	args = append(args, "--from-line", strconv.Itoa(line))
	return strings.Join(append(args, files...), " ")
}

// file replays one file and returns the last line before which everything has been produced.
func (j *replayJob) file(ctx context.Context, name string, from int) (done int, err error) {
	done = from - 1
	input, size, closeInput, err := j.open(name)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, closeInput()) }()
	bar := newProgress(j.stderr, size, name, true)
	r, err := gunzip(bufio.NewReaderSize(&barReader{input, bar}, 1<<16))
	if err != nil {
		return done, err
	}
	lines := &recordReader{r: r, limit: firehose.MaxRecord, events: j.platform == stream.Mastodon}
	for {
		record, line, err := lines.next()
		if errors.Is(err, errTooLarge) && line < from {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			// What was read is good; the line that cannot be read is where to go on.
			if sendErr := j.send(ctx); sendErr != nil {
				return done, errors.Join(err, sendErr)
			}
			return max(done, lines.line-1), fmt.Errorf("line %d: %w", lines.line, err)
		}
		last := err != nil
		alone := !last && line >= from && len(record) > replayAlone
		if alone {
			if err := j.send(ctx); err != nil {
				return done, err
			}
			done = max(done, line-1)
		}
		switch {
		case last || line < from:
		case len(bytes.TrimSpace(record)) == 0:
			j.empty++
		default:
			j.batch = append(j.batch, bytes.Clone(record))
			j.bytes += len(record)
		}
		if !last && !alone && !j.full() && ctx.Err() == nil {
			continue
		}
		if err := j.send(ctx); err != nil {
			if alone {
				err = fmt.Errorf("line %d has %d bytes: %w\nLet the topic take it (max.message.bytes), or leave it out with --from-line %d", line, len(record), err, line+1)
			}
			return done, err
		}
		if !last {
			done = max(done, line)
		}
		if last {
			return done, bar.Finish()
		}
		if err := ctx.Err(); err != nil {
			return done, fmt.Errorf("stopped after line %d: %w", done, err)
		}
		if err := j.pace(ctx); err != nil {
			return done, fmt.Errorf("stopped after line %d: %w", done, err)
		}
	}
}

// full reports whether the batch is due. With a rate, a batch holds at most a tenth of a second.
func (j *replayJob) full() bool {
	records := replayBatchRecords
	if j.rate > 0 {
		records = min(records, max(1, int(j.rate/10)))
	}
	return len(j.batch) >= records || j.bytes >= replayBatchBytes
}

// send produces the batch. An interrupt does not end it, it only bounds the time it may take.
func (j *replayJob) send(ctx context.Context) error {
	if len(j.batch) == 0 {
		return nil
	}
	unbroken, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(graceTime, cancel) })
	defer stop()
	if err := j.producer.Produce(unbroken, j.batch); err != nil {
		return fmt.Errorf("produce %d records (some of them may have arrived): %w", len(j.batch), err)
	}
	j.sent += len(j.batch)
	clear(j.batch)
	j.batch, j.bytes = j.batch[:0], 0
	return nil
}

// pace waits until the next record is due.
func (j *replayJob) pace(ctx context.Context) error {
	if j.rate == 0 {
		return nil
	}
	due := j.started.Add(time.Duration(float64(j.sent) / j.rate * float64(time.Second)))
	wait := due.Sub(j.now())
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open opens an input; its size is -1 where it is not known.
func (j *replayJob) open(name string) (io.Reader, int64, func() error, error) {
	if name == "-" {
		return j.stdin, -1, func() error { return nil }, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, nil, errors.Join(err, f.Close())
	}
	size := int64(-1)
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, f.Close, nil
}

// gunzip returns r, or what it holds if that is gzip.
func gunzip(r *bufio.Reader) (*bufio.Reader, error) {
	magic, err := r.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return r, nil
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(z, 1<<16), nil
}

// barReader shows on a bar how much has been read.
type barReader struct {
	r   io.Reader
	bar *progressbar.ProgressBar
}

// Read implements io.Reader.
func (b *barReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	// A bar that cannot be drawn (a file that grows beyond its size) is no reason to stop.
	_ = b.bar.Add(n)
	return n, err
}
