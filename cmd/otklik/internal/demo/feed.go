// Package demo plays a day, or the user's own files, through a local stack and shows what becomes of it.
package demo

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"otklik/cmd/otklik/internal/engine"
	"otklik/stream"
	"otklik/stream/simulate"
)

// feedFile is the file of the data folder that says what is being played into it.
const feedFile = "feed.json"

// state is the content of feedFile: enough to go on with a feed that was interrupted.
type state struct {
	ID    string             `json:"id"`              // what is played
	Start stream.Time        `json:"start,omitempty"` // midnight of the simulated day
	Base  map[string][]int64 `json:"base"`            // end offsets of the raw topics when it began
	Done  bool               `json:"done"`
}

// loadState returns the state of the data folder; nil when nothing has been played into it.
func loadState(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, feedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // "nothing yet" is no error
	}
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read %s of data folder %s: %w; start with --fresh", feedFile, dir, err)
	}
	return &s, nil
}

// save replaces the state file in one step, so that a kill leaves the old or the new one.
func (s *state) save(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := filepath.Join(dir, feedFile+".new")
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, feedFile))
}

// source yields raw records in the order in which they are played, the same at every call of open.
type source interface {
	id() string
	// total returns the number of records, or of bytes where that is not known before.
	total() (n int64, bytes bool)
	// play calls add for every record; due is when to deliver it, counted from the beginning (0: at once).
	play(ctx context.Context, add func(p stream.Platform, value []byte, due time.Duration, done int64) error) error
}

// simulation is a simulated day.
type simulation struct {
	cfg  simulate.Config
	pace time.Duration // how long the day takes; 0 plays as fast as it can
}

func (s *simulation) id() string {
	return fmt.Sprintf("simulation seed=%d events=%d catalogue=%x", s.cfg.Seed, s.cfg.Events, catalogueHash(s.cfg))
}

func catalogueHash(cfg simulate.Config) []byte {
	text, err := json.Marshal(cfg.Catalogue) //nolint:musttag // hashed, and read by nobody
	if err != nil {
		panic(fmt.Sprintf("demo: catalogue: %v", err)) // plain data always marshals
	}
	sum := sha256.Sum256(text)
	return sum[:6]
}

func (s *simulation) total() (int64, bool) { return int64(s.cfg.Events), false }

func (s *simulation) play(_ context.Context, add func(stream.Platform, []byte, time.Duration, int64) error) error {
	sim, err := simulate.New(s.cfg)
	if err != nil {
		return err
	}
	day := s.cfg.WithDefaults().Duration
	for n := int64(1); ; n++ {
		r, ok := sim.Next()
		if !ok {
			return nil
		}
		// What comes after the end of the day (late by days) comes at its end.
		at := min(time.Duration(r.DeliveredAt-s.cfg.Start)*time.Millisecond, day)
		due := time.Duration(float64(s.pace) * float64(at) / float64(day))
		if err := add(r.Platform, bytes.Clone(r.Value), due, n); err != nil {
			return err
		}
	}
}

// files are the user's own records, one a line.
type files struct {
	root    string
	list    []file
	skipped []string // what lies beside them and is not played
	brands  []byte   // hash of the catalogue: with other brands the same records give other figures
}

type file struct {
	platform stream.Platform
	path     string
	size     int64
}

// maxLine is the longest line that is played: Kafka's limit of a record.
const maxLine = 900_000

// openFiles finds the records at path: a file <platform>.jsonl[.gz], a folder of such files, or a folder with a folder for each
// platform.
func openFiles(path string) (*files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	f := &files{root: path}
	if !info.IsDir() {
		p, ok := platformOf(path)
		if !ok {
			return nil, fmt.Errorf("input %s: the name does not say the platform; call it <platform>.jsonl or <platform>.jsonl.gz, with a platform of %v",
				path, stream.Platforms)
		}
		f.list = append(f.list, file{platform: p, path: path, size: info.Size()})
		return f, nil
	}
	// The separator makes a link to a folder that folder.
	err = filepath.WalkDir(path+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p, ok := platformOf(name)
		if parent := stream.Platform(filepath.Base(filepath.Dir(name))); !ok && isRecords(name) && slices.Contains(stream.Platforms, parent) {
			p, ok = parent, true
		}
		if !ok {
			if isRecords(name) {
				f.skipped = append(f.skipped, name)
			}
			return nil
		}
		info, err := os.Stat(name) // of a link, its file
		if err != nil {
			return err
		}
		f.list = append(f.list, file{platform: p, path: name, size: info.Size()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", path, err)
	}
	if len(f.list) == 0 {
		return nil, fmt.Errorf("input %s: no records found; put files <platform>.jsonl[.gz] there, or folders named after platforms (%v) with .jsonl files",
			path, stream.Platforms)
	}
	return f, nil
}

func isRecords(name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	return strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".ndjson")
}

// platformOf reads the platform off the name of a file: twitter.jsonl, twitter-2026-03.jsonl.gz.
func platformOf(name string) (stream.Platform, bool) {
	if !isRecords(name) {
		return "", false
	}
	stem := filepath.Base(name)
	stem = stem[:strings.IndexAny(stem+".", ".-_")]
	return stream.Platform(stem), slices.Contains(stream.Platforms, stream.Platform(stem))
}

func (f *files) id() string {
	hash := sha256.New()
	for _, x := range f.list {
		fmt.Fprintf(hash, "%s %s %d\n", x.platform, x.path, x.size)
	}
	hash.Write(f.brands)
	return "input " + hex.EncodeToString(hash.Sum(nil)[:8])
}

func (f *files) total() (int64, bool) {
	var n int64
	for _, x := range f.list {
		n += x.size
	}
	return n, true
}

func (f *files) play(ctx context.Context, add func(stream.Platform, []byte, time.Duration, int64) error) error {
	var before int64
	for _, x := range f.list {
		if err := x.play(ctx, before, add); err != nil {
			return fmt.Errorf("input %s: %w", x.path, err)
		}
		before += x.size
	}
	return nil
}

// counter counts the bytes read from a file: progress, also of a compressed one.
type counter struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (x *file) play(ctx context.Context, before int64, add func(stream.Platform, []byte, time.Duration, int64) error) (err error) {
	f, err := os.Open(x.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	count := &counter{r: f}
	var r io.Reader = count
	if strings.HasSuffix(x.path, ".gz") {
		z, err := gzip.NewReader(count)
		if err != nil {
			return err
		}
		r = z
	}
	lines := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("line %d: %w", n, err)
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) > maxLine:
			return fmt.Errorf("line %d has %d bytes, more than Kafka takes in a record (%d): split or remove it", n, len(line), maxLine)
		case len(bytes.TrimSpace(line)) > 0:
			if err := add(x.platform, line, 0, before+count.n); err != nil {
				return err
			}
		}
		if end {
			return ctx.Err()
		}
	}
}

// player plays a source into the topics.
type player struct {
	feed *engine.Feed
	done func(n int64) // progress
}

// batchRecords is how many records are produced together at most.
const batchRecords = 1000

// run plays the source from where its last run was interrupted.
func (p *player) run(ctx context.Context, src source) error {
	began := time.Now()
	first := true
	err := src.play(ctx, func(platform stream.Platform, value []byte, due time.Duration, done int64) error {
		if !p.feed.Add(platform, value) {
			return ctx.Err() // it is there already
		}
		if first { // the clock of an interrupted feed goes on here
			began, first = time.Now().Add(-due), false
		}
		if wait := time.Until(began.Add(due)); wait > 20*time.Millisecond {
			if err := p.feed.Send(ctx); err != nil {
				return err
			}
			p.done(done)
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		} else if p.feed.Queued() >= batchRecords {
			if err := p.feed.Send(ctx); err != nil {
				return err
			}
			p.done(done)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return p.feed.Send(ctx)
}
