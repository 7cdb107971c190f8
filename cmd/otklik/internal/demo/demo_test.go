package demo

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/local"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/stream"
	"otklik/stream/brand"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFiles finds records by the names of files and of folders, plain and compressed, and names what it leaves out.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "vk", "day.jsonl"), "{\"a\":1}\n\n{\"a\":2}")
	write(t, filepath.Join(dir, "notes.jsonl"), "{}\n")
	write(t, filepath.Join(dir, "README.md"), "text")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("{\"b\":1}\r\n{\"b\":2}\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "twitter-2026.jsonl.gz"), packed.String())

	f, err := openFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	linked, err := openFiles(link)
	if err != nil {
		t.Fatal(err)
	}
	bytesOf := func(f *files) int64 { n, _ := f.total(); return n }
	if len(linked.list) != len(f.list) || bytesOf(linked) != bytesOf(f) {
		t.Errorf("behind a link there are %+v, want %+v", linked.list, f.list)
	}
	if len(f.skipped) != 1 || filepath.Base(f.skipped[0]) != "notes.jsonl" {
		t.Errorf("skipped %v", f.skipped)
	}
	got := map[stream.Platform][]string{}
	err = f.play(t.Context(), func(p stream.Platform, value []byte, _ time.Duration, _ int64) error {
		got[p] = append(got[p], string(value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := strings.Join(got[stream.VK], " "); v != `{"a":1} {"a":2}` {
		t.Errorf("vk: %s", v)
	}
	if v := strings.Join(got[stream.Twitter], " "); v != `{"b":1} {"b":2}` {
		t.Errorf("twitter: %s", v)
	}
	if _, err := openFiles(filepath.Join(dir, "notes.jsonl")); err == nil {
		t.Error("a file whose name says no platform was taken")
	}
	write(t, filepath.Join(dir, "long", "vk.jsonl"), strings.Repeat("x", maxLine+1))
	long, err := openFiles(filepath.Join(dir, "long"))
	if err != nil {
		t.Fatal(err)
	}
	err = long.play(t.Context(), func(stream.Platform, []byte, time.Duration, int64) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a line too long for Kafka: %v", err)
	}
}

// TestOwnRecords: with another catalogue the same records are played anew and give its figures.
func TestOwnRecords(t *testing.T) {
	t.Parallel()
	embeddedtest.Require(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in", "generic.jsonl"), `{"id":"1","published_at":"2026-03-02T09:00:00Z","text":"North Air has lost my bag","author":{"id":"7"}}`+"\n")
	var out bytes.Buffer
	o := Options{
		Input: filepath.Join(dir, "in"), Catalogue: brand.Example(), Once: true, Out: &out, Logger: slog.New(slog.DiscardHandler),
		DefaultDir: func(input string) (string, error) { return filepath.Join(dir, input), nil },
	}
	if err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "Nothing names a brand of the catalogue") {
		t.Errorf("no word about the catalogue:\n%s", out.String())
	}
	out.Reset()
	o.Catalogue = &brand.Catalogue{Brands: []brand.Brand{{Key: "northair", Name: "North Air", Own: true, Aliases: []string{"north air"}}}}
	if err := Run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "mentions 1 +") {
		t.Errorf("another catalogue gave:\n%s", out.String())
	}
}

// TestDemo plays a small day, starts again on the same folder, and runs the queries that the demo recommends.
func TestDemo(t *testing.T) {
	t.Parallel()
	embeddedtest.Require(t)
	var out bytes.Buffer
	o := Options{
		Catalogue: brand.Example(), Data: t.TempDir(), Once: true, Answer: true, Seed: 3, Events: 1500, Out: &out, Logger: slog.New(slog.DiscardHandler),
	}
	for _, want := range []string{"The books balance", "holds it already"} {
		out.Reset()
		if err := Run(t.Context(), o); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
	cfg := config.Default()
	release, err := local.Attach(t.Context(), o.Data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	cfg.ClickHouse.Login = cfg.ClickHouse.Analyst // as `otklik sql` does
	ch, err := engine.ConnectClickHouse(t.Context(), cfg, ops.NewMetrics(nil), o.Logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ch.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, q := range Queries(o.Catalogue) {
		if strings.ContainsAny(q, "\"$`") {
			t.Errorf("cannot be pasted into a shell: %s", q)
		}
		q = strings.NewReplacer("FROM ", "FROM "+cfg.ClickHouse.Database+".").Replace(q)
		rows, err := ch.Strings(context.WithoutCancel(t.Context()), q)
		if err != nil || len(rows) == 0 {
			t.Errorf("%s: %d rows, %v", q, len(rows), err)
		}
	}
}

// TestHandling: what the care department says of a claim follows from its id, and is in order.
func TestHandling(t *testing.T) {
	t.Parallel()
	kinds := map[int]bool{}
	for n := range 200 {
		id := strconv.Itoa(n)
		said, again := handling(id, stream.Hour), handling(id, stream.Hour)
		if !slices.Equal(said, again) {
			t.Fatalf("%v, then %v", said, again)
		}
		for i := range said {
			if said[i].At <= stream.Hour || i > 0 && said[i].At <= said[i-1].At {
				t.Errorf("claim %s: %v", id, said)
			}
		}
		kinds[len(said)] = true
	}
	if len(kinds) < 3 {
		t.Errorf("only %d kinds of course", len(kinds))
	}
}
