package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/local"
	"otklik/cmd/otklik/internal/ops"
	"otklik/sinks/clickhouse"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
)

// Options say what to play and where.
type Options struct {
	Input     string // the user's own records; "" simulates a day
	Catalogue *brand.Catalogue
	Data      string // data folder; "" is one under the user's cache folder
	Fresh     bool   // forget what the data folder holds
	Once      bool   // end when everything has gone through
	Answer    bool   // play the care department, too: answer the claims
	Seed      uint64
	Events    int
	Pace      time.Duration // how long the simulated day takes; 0 plays as fast as it can
	Out       io.Writer
	Terminal  bool   // Out is a terminal
	Program   string // how this program was called, for the commands to go on with; "" is "otklik"
	Logger    *slog.Logger
	// DefaultDir returns the data folder when Data is empty: input is "" or the identity of the user's own records.
	DefaultDir func(input string) (string, error)
}

// ErrUnbalanced says that verify does not hold.
var ErrUnbalanced = errors.New("the books do not balance: see `otklik verify`")

// Run plays the demo. With Once it returns when everything has gone through, wrapping ErrUnbalanced if verify does not hold;
// otherwise it serves until ctx ends.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{Options: o}
	if err := d.choose(); err != nil {
		return err
	}
	cfg := d.config()
	defer ops.PaceCollector(int64(cfg.Limits.Memory))()
	stack, err := local.Open(ctx, d.Data, cfg, o.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close(context.WithoutCancel(ctx))) }()
	d.stack = stack
	if _, err := fmt.Fprintf(o.Out, "Kafka on %s, ClickHouse on %s (HTTP %s), data in %s\n", stack.Broker(), stack.Native(), stack.HTTP(), d.Data); err != nil {
		return err
	}
	classifier, err := sentiment.Default()
	if err != nil {
		return err
	}
	if d.engine, err = engine.New(ctx, engine.Options{
		Config: stack.Config, Kafka: stack.Kafka, ClickHouse: stack.ClickHouse, Classifier: classifier, Metrics: stack.Metrics, Logger: o.Logger,
	}); err != nil {
		return err
	}
	return d.serve(ctx)
}

// demo is one run.
type demo struct {
	Options
	source source
	state  *state
	stack  *local.Stack
	engine *engine.Engine
}

// choose settles what is played and in which data folder.
func (d *demo) choose() error {
	input := ""
	if d.Input != "" {
		f, err := openFiles(d.Input)
		if err != nil {
			return err
		}
		for _, name := range f.skipped {
			if _, err := fmt.Fprintf(d.Out, "skipping %s: neither its name nor its folder's is a platform\n", name); err != nil {
				return err
			}
		}
		f.brands = catalogueHash(simulate.Config{Catalogue: d.Catalogue})
		d.source, input = f, f.id()
	}
	if d.Data == "" {
		var err error
		if d.Data, err = d.DefaultDir(input); err != nil {
			return err
		}
	}
	var err error
	if d.Data, err = filepath.Abs(d.Data); err != nil {
		return err
	}
	if d.Fresh {
		if err := forget(d.Data); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return err
	}
	if d.state, err = loadState(d.Data); err != nil {
		return err
	}
	if d.source == nil {
		sim := &simulation{pace: d.Pace, cfg: simulate.Config{Seed: d.Seed, Events: d.Events, Catalogue: d.Catalogue, Start: yesterday()}}
		if d.state != nil && d.state.ID == sim.id() {
			sim.cfg.Start = d.state.Start // go on with the day that was begun
		}
		d.source = sim
	}
	return nil
}

// forget removes what a demo keeps in its data folder, and nothing else that may lie there.
func forget(dir string) error {
	for _, name := range []string{feedFile, "clickhouse", "kafka"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("begin afresh: %w", err)
		}
	}
	return nil
}

// yesterday is the last midnight but one in Moscow, where the story plays: the day is over, so nothing of it is in the future.
func yesterday() stream.Time {
	const moscow = 3 * stream.Hour
	return (stream.TimeOf(time.Now()) + moscow).Truncate(stream.Day) - stream.Day - moscow
}

// config is the configuration of a small stack on one machine.
func (d *demo) config() *config.Config {
	cfg := config.Default()
	cfg.Brands = d.Catalogue
	cfg.Kafka.Topics.Partitions = config.Partitions{Firehose: 2, Mentions: 4, Panes: 2, DeadLetter: 1, Labels: 1, Alerts: 1, Claims: 1, Statuses: 1}
	cfg.Limits.FlushInterval = 500 * time.Millisecond
	cfg.Window.IdleAfter = 5 * time.Second
	cfg.HTTP.Listen = "127.0.0.1:0"
	return cfg
}

// serve runs the engine, the feed and the display together.
func (d *demo) serve(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(gctx)
	defer stop()
	group.Go(func() error { return d.engine.Run(running) })
	group.Go(func() error {
		lost, why := d.stack.Lost()
		select {
		case <-running.Done():
			return nil
		case <-lost:
			return fmt.Errorf("ClickHouse has ended: %w", why())
		}
	})
	health := &ops.Health{}
	health.Report("engine", nil)
	server := &ops.Server{Addr: d.stack.Config.HTTP.Listen, Metrics: d.stack.Metrics, Health: health, Log: slog.New(slog.DiscardHandler)}
	if err := server.Listen(ctx); err != nil {
		return err
	}
	group.Go(func() error { return server.Run(running) })
	group.Go(func() error {
		defer stop()
		if err := d.playAndShow(running); err != nil {
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		if d.Once {
			return nil
		}
		_, err := fmt.Fprintf(d.Out, "\nServing: metrics on http://%s/metrics. Ctrl-C ends it; the data stay.\n", server.Bound())
		<-running.Done()
		return err
	})
	return group.Wait()
}

// playAndShow plays what is left of the feed, waits until everything has gone through, and prints the result.
func (d *demo) playAndShow(ctx context.Context) error {
	began := time.Now()
	if err := d.play(ctx); err != nil {
		return err
	}
	if err := d.drain(ctx); err != nil {
		return err
	}
	if d.Answer {
		if err := d.answerClaims(ctx); err != nil {
			return err
		}
	}
	if err := d.engine.Erase(ctx); err != nil {
		return err
	}
	report, err := d.stack.ClickHouse.Verify(ctx)
	if err != nil {
		return err
	}
	if err := d.result(ctx, &report, time.Since(began)); err != nil {
		return err
	}
	if !report.OK {
		return ErrUnbalanced
	}
	return nil
}

// play feeds the source into the topics, from where an interrupted run had come, and shows how far it is.
func (d *demo) play(ctx context.Context) error {
	if d.state != nil && d.state.ID == d.source.id() && d.state.Done {
		_, err := fmt.Fprintln(d.Out, "This folder holds it already; --fresh plays it again.")
		return err
	}
	if d.state == nil || d.state.ID != d.source.id() {
		base, err := d.engine.Ends(ctx)
		if err != nil {
			return err
		}
		d.state = &state{ID: d.source.id(), Base: base}
		if sim, ok := d.source.(*simulation); ok {
			d.state.Start = sim.cfg.Start
		}
		if err := d.state.save(d.Data); err != nil {
			return err
		}
	}
	feed, err := d.engine.NewFeed(ctx, d.state.Base)
	if err != nil {
		return err
	}
	view := newView(d)
	playing, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(playing)
	group.Go(func() error {
		defer stop()
		p := &player{feed: feed, done: view.advance}
		return p.run(gctx, d.source)
	})
	group.Go(func() error { return view.run(gctx) })
	if err := group.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.state.Done = true
	return d.state.save(d.Data)
}

// drain waits until every stage has made durable what was fed.
func (d *demo) drain(ctx context.Context) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := d.engine.Drained(ctx)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// result prints the figures, the verdict and what to ask next.
func (d *demo) result(ctx context.Context, report *clickhouse.Report, took time.Duration) error {
	all, err := load(ctx, d.stack.ClickHouse, d.Catalogue)
	if err != nil {
		return err
	}
	episodes, err := d.alerts(ctx)
	if err != nil {
		return err
	}
	verdict := "The books balance: "
	if !report.OK {
		verdict = "The books do NOT balance: "
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\nShares of the labelled mentions with 95 %% intervals; voice is the share of voice; response times from the customer's first unanswered message.\n\n%sread %d = mentions %d + about no tracked brand %d + duplicates %d + dead letters %d + other kinds %d; %d pane cells recounted, %d differ; %d claims, %d differ.\n",
		summary(all, d.Catalogue), verdict, report.Read, report.Mentions, report.Unmatched, report.Duplicates, report.DeadLetters, report.Other,
		report.PaneCells, report.PaneMismatches, report.Claims, report.ClaimMismatches)
	if report.Mentions == 0 && report.Unmatched > 0 {
		b.WriteString("\nNothing names a brand of the catalogue: name yours with --catalogue FILE.\n")
	}
	b.WriteString(episodes)
	fmt.Fprintf(&b, "\n%d records in %s.\n\nTo go on with:\n", report.Records, took.Round(100*time.Millisecond))
	for _, q := range Queries(d.Catalogue) {
		fmt.Fprintf(&b, "  %s sql --data %s %q\n", cmp.Or(d.Program, "otklik"), d.Data, q)
	}
	_, err = io.WriteString(d.Out, b.String())
	return err
}

// Queries are three queries to begin with, about the own brand of the catalogue. They hold no double quotes and no "$", so that
// they can be pasted into a shell.
func Queries(catalogue *brand.Catalogue) []string {
	own := catalogue.Brands[0].Key
	for i := range catalogue.Brands {
		if catalogue.Brands[i].Own {
			own = catalogue.Brands[i].Key
			break
		}
	}
	return []string{
		"SELECT start, sum(negative) AS negatives, round(sum(negative) / sum(positive + neutral + negative), 3) AS share FROM sentiment_1h " +
			"WHERE brand = '" + own + "' GROUP BY start ORDER BY start",
		"SELECT published_at, platform, followers, severity, text FROM mentions WHERE brand = '" + own + "' AND label = 'negative' AND role = 'customer' " +
			"ORDER BY followers DESC NULLS LAST LIMIT 10",
		"SELECT brand, platform, count() AS waiting, min(waiting_since) AS oldest FROM responses WHERE waiting_id != '' AND response_id = '' " +
			"GROUP BY brand, platform ORDER BY waiting DESC",
	}
}

// view is the progress bar and the live table.
type view struct {
	demo   *demo
	screen screen
	bar    *progressbar.ProgressBar
	drawn  bytes.Buffer
	bytes  bool
	done   chan int64
}

func newView(d *demo) *view {
	total, inBytes := d.source.total()
	v := &view{demo: d, screen: screen{out: d.Out, terminal: d.Terminal, printed: time.Now()}, bytes: inBytes, done: make(chan int64, 1)}
	v.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(&v.drawn), progressbar.OptionSetWidth(40), progressbar.OptionShowBytes(inBytes),
		progressbar.OptionShowCount(), progressbar.OptionSetDescription("playing"), progressbar.OptionThrottle(0))
	return v
}

// advance notes how far the feed is; it never waits.
func (v *view) advance(n int64) {
	select {
	case <-v.done:
	default:
	}
	select {
	case v.done <- n:
	default:
	}
}

// run redraws the view until ctx ends.
func (v *view) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return v.screen.clear()
		case <-tick.C:
		}
		select {
		case n := <-v.done:
			if err := v.bar.Set64(n); err != nil {
				return err
			}
		default:
		}
		all, err := load(ctx, v.demo.stack.ClickHouse, v.demo.Catalogue)
		if err != nil {
			if ctx.Err() != nil {
				return v.screen.clear()
			}
			v.demo.Logger.Warn("the live table waits", "error", err)
			continue
		}
		line := v.drawn.String()
		v.drawn.Reset()
		if at := strings.LastIndexByte(line, '\r'); at >= 0 {
			line = line[at+1:]
		}
		claims, err := v.demo.claimsLine(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return v.screen.clear()
			}
			v.demo.Logger.Warn("the count of claims waits", "error", err)
		}
		if err := v.screen.draw(strings.TrimSpace(line) + "\n" + live(all, v.demo.Catalogue) + "\n" + claims); err != nil {
			return err
		}
	}
}
