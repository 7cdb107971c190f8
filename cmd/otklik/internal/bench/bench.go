// Package bench measures the engine on the machine it runs on: the speed of each step of the way of a record, what the steps
// cost, how long a record takes until its row can be read, and what a track partition keeps in memory.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/local"
	"otklik/stream"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
)

// Options say what to measure.
type Options struct {
	Dir    string // data folder, empty or absent before
	Events int    // tweets to fill the topic with
	// Naming are shares of the tweets that name a brand. For the first all steps and the latency are measured, for each further one
	// fetching and the whole pipeline, on data of its own.
	Naming     []float64
	Latency    time.Duration // how long the load of half the rate lasts; 0 leaves the latency out
	ProfileDir string        // folder for the profiles of the whole pipeline; "" takes none
	Config     *config.Config
	Logger     *slog.Logger
	// Progress is told what is being done; may be nil.
	Progress func(what string)
}

// Result is one run: every figure in it was measured on the same data in the same minutes.
type Result struct {
	Machine      Machine   `json:"machine"`
	Events       int       `json:"events"`
	EventBytes   int       `json:"event_bytes"` // mean size of a tweet
	Naming       float64   `json:"naming"`      // share of the tweets that name a brand
	Steps        []Step    `json:"steps"`
	Reader       Step      `json:"reader"`             // fetch and discard with the engine's own reader, which the steps after the first read with
	Ratio        float64   `json:"pipeline_to_fetch"`  // rate of the last step to that of the first
	ReaderRatio  float64   `json:"pipeline_to_reader"` // rate of the last step to that of Reader
	StartSeconds float64   `json:"start_seconds"`      // from the start of the engine to its first record: not in the steps
	Mentions     int64     `json:"mentions"`           // rows that the pipeline made
	Cost         []Cost    `json:"cost"`
	Peak         Memory    `json:"peak_memory"`
	Latency      *Latency  `json:"latency,omitempty"`
	Further      []*Result `json:"further,omitempty"` // of the further shares
}

// Machine is where a run was made.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// Step is one of the four measurements.
type Step struct {
	Name       string  `json:"step"`
	Seconds    float64 `json:"seconds"`
	EventsRate float64 `json:"events_per_second"`
	MBRate     float64 `json:"megabytes_per_second"` // of tweets, 10⁶ bytes
	ProcessCPU float64 `json:"process_cpu_seconds_per_million"`
	ServerCPU  float64 `json:"clickhouse_cpu_seconds_per_million"`
}

// CPU is what a million events cost in both processes, in seconds of one core.
func (s *Step) CPU() float64 { return s.ProcessCPU + s.ServerCPU }

// Cost is the part of the processor time of the whole pipeline that a step of the way takes.
type Cost struct {
	What  string  `json:"what"`
	Share float64 `json:"share"`
}

// Memory is resident memory in bytes.
type Memory struct {
	Process    uint64 `json:"process_bytes"`
	ClickHouse uint64 `json:"clickhouse_bytes"`
}

// The names of the steps.
const (
	StepFetch    = "fetch and discard with kafka-go"
	StepReader   = "fetch and discard with the engine's reader"
	StepDecode   = "decode"
	StepMatch    = "decode, match, classify"
	StepPipeline = "whole pipeline into ClickHouse"
)

// partitions of the raw topic.
const partitions = 4

// run is one benchmark under way.
type run struct {
	Options
	naming     float64
	full       bool // all steps
	stack      *local.Stack
	classifier sentiment.Classifier
	tweets     *simulate.Tweets
	topic      string
	bytes      int64 // of the tweets in the topic
	mentions   int64 // that ingest has made
	server     int   // process id of ClickHouse
	result     Result
}

// Run fills a topic and measures the four steps and the latency, then the further shares.
func Run(ctx context.Context, o Options) (*Result, error) {
	if len(o.Naming) == 0 {
		return nil, errors.New("bench: no share of tweets that name a brand; 1 is the hardest case")
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if err := emptyDir(o.Dir); err != nil {
		return nil, err
	}
	cfg := o.Config
	cfg.HTTP.Listen = ""
	cfg.Kafka.Topics.Partitions.Firehose = partitions
	topic := cfg.Kafka.Topics.Firehose[stream.Twitter]
	cfg.Kafka.Topics.Firehose = map[stream.Platform]string{stream.Twitter: topic}
	classifier, err := sentiment.Default()
	if err != nil {
		return nil, err
	}
	first := &run{Options: o, naming: o.Naming[0], full: true, topic: topic, classifier: classifier}
	if err := first.run(ctx); err != nil {
		return nil, err
	}
	for n, share := range o.Naming[1:] {
		r := &run{Options: o, naming: share, topic: topic, classifier: classifier}
		r.Dir, r.ProfileDir, r.Latency = filepath.Join(o.Dir, fmt.Sprintf("naming-%d", n+2)), "", 0
		if err := r.run(ctx); err != nil {
			return nil, err
		}
		first.result.Further = append(first.result.Further, &r.result)
	}
	return &first.result, nil
}

// run measures one share on data of its own.
func (r *run) run(ctx context.Context) (err error) {
	r.result = Result{Machine: thisMachine(), Events: r.Events, Naming: r.naming}
	r.tweets, err = simulate.NewTweets(simulate.TweetConfig{Seed: 1, MatchShare: r.naming, Catalogue: r.Config.Brands})
	if err != nil {
		return err
	}
	if r.stack, err = local.Open(ctx, r.Dir, r.Config, r.Logger); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stack.Close(context.WithoutCancel(ctx))) }()
	if r.server, err = serverPID(r.Dir); err != nil {
		return err
	}
	return r.measure(ctx)
}

func (r *run) measure(ctx context.Context) error {
	e, err := engine.New(ctx, engine.Options{ // creates the topics
		Config: r.Config, Kafka: r.stack.Kafka, ClickHouse: r.stack.ClickHouse, Classifier: r.classifier, Metrics: r.stack.Metrics, Logger: r.Logger,
	})
	if err != nil {
		return err
	}
	r.Progress(fmt.Sprintf("filling %s with %d tweets, of which %g %% name a brand", r.topic, r.Events, 100*r.naming))
	if err := r.fill(ctx); err != nil {
		return err
	}
	r.result.EventBytes = int(r.bytes / int64(max(r.Events, 1)))
	for _, step := range []struct {
		name string
		to   *Step
		full bool // measured for the first share only
		read reading
		work func() (func(value []byte, at stream.Time), error)
	}{
		{StepFetch, nil, false, r.plainly, discarding},
		{StepReader, &r.result.Reader, false, r.reading, discarding},
		{StepDecode, nil, true, r.reading, r.decoding},
		{StepMatch, nil, true, r.reading, r.matching},
	} {
		if step.full && !r.full {
			continue
		}
		r.Progress(step.name)
		measured, err := r.readAll(ctx, step.name, step.read, step.work)
		if err != nil {
			return err
		}
		if step.to != nil {
			*step.to = measured
			continue
		}
		r.result.Steps = append(r.result.Steps, measured)
	}
	r.Progress(StepPipeline)
	if err := r.pipeline(ctx, e); err != nil {
		return err
	}
	steps := r.result.Steps
	whole := steps[len(steps)-1].EventsRate
	r.result.Ratio, r.result.ReaderRatio = whole/steps[0].EventsRate, whole/r.result.Reader.EventsRate
	r.result.Cost = costs(&r.result.Reader, steps)
	return nil
}

// costs divides the processor time of the whole pipeline by the differences between the steps.
func costs(reader *Step, steps []Step) []Cost {
	if len(steps) != 4 || steps[3].CPU() == 0 {
		return nil
	}
	whole := steps[3].CPU()
	part := func(what string, seconds float64) Cost { return Cost{What: what, Share: seconds / whole} }
	return []Cost{
		part("fetch, broker included", reader.ProcessCPU),
		part("decode", steps[1].ProcessCPU-reader.ProcessCPU),
		part("match and classify", steps[2].ProcessCPU-steps[1].ProcessCPU),
		part("mentions through the broker, track, roll, rows on their way", steps[3].ProcessCPU-steps[2].ProcessCPU),
		part("ClickHouse", steps[3].ServerCPU),
	}
}

// step is what was used from before to after.
func (r *run) step(name string, before, after usage) Step {
	seconds := after.at.Sub(before.at).Seconds()
	millions := float64(r.Events) / 1e6
	return Step{
		Name: name, Seconds: seconds, EventsRate: float64(r.Events) / seconds, MBRate: float64(r.bytes) / 1e6 / seconds,
		ProcessCPU: (after.process - before.process).Seconds() / millions, ServerCPU: (after.server - before.server).Seconds() / millions,
	}
}

// settle makes the steps comparable: none pays for the garbage of the one before.
func settle() {
	runtime.GC()
	debug.FreeOSMemory()
}

// emptyDir refuses a folder that holds something: the figures of two runs would mix, and a demo's data would be lost in them.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("bench: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("bench: the folder %s is not empty; name one that is empty or does not exist, or leave --data out", filepath.Clean(dir))
	}
	return nil
}
