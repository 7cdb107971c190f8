package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"otklik/stream"
	"otklik/stream/sentiment"
)

var update = flag.Bool("update", false, "rewrite the expected faults of testdata/bad")

// getenv is the environment of the tests.
func getenv(name string) string {
	return map[string]string{
		"OTKLIK_TEST_PASSWORD": "hunter2-from-the-environment",
		"OTKLIK_TEST_KEY":      "0123456789abcdef0123456789abcdef",
	}[name]
}

const wantPrefix = "# want: "

// TestBadConfigurations loads every file of testdata/bad, whose last lines hold all the faults that it must yield, in order.
func TestBadConfigurations(t *testing.T) {
	t.Chdir("testdata/bad")
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files (%v), want at least 40", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			cfg, err := Load(file, getenv)
			if err == nil || cfg != nil {
				t.Fatalf("Load returned %v and the error %v, want faults only", cfg, err)
			}
			var got []string
			for _, f := range Faults(err) {
				got = append(got, f.Error())
			}
			if strings.Join(got, "\n") != err.Error() {
				t.Errorf("Faults and Error differ:\n%q\n%v", got, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is printed: %v", err)
			}
			text, want := splitWant(t, file)
			if *update {
				text += wantPrefix + strings.Join(got, "\n"+wantPrefix) + "\n"
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(want) == 0 {
				t.Fatal("the file states no expected fault")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// splitWant separates the text of a file from the faults that it states.
func splitWant(t *testing.T, file string) (text string, want []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if fault, ok := strings.CutPrefix(line, wantPrefix); ok {
			want = append(want, strings.TrimSuffix(fault, "\n"))
		} else {
			b.WriteString(line)
		}
	}
	return b.String(), want
}

// TestEveryFaultSaysWhereAndWhat reads the stated faults as a user would.
func TestEveryFaultSaysWhereAndWhat(t *testing.T) {
	t.Chdir("testdata/bad")
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		_, err := Load(file, getenv)
		for _, f := range Faults(err) {
			if f.File == "" || f.Line == 0 || f.Column == 0 || f.Message == "" {
				t.Errorf("%s: a fault without its place: %v", file, f)
			}
			if f.Hint == "" && !strings.Contains(f.Message, "expected") {
				t.Errorf("%s: a fault without advice: %v", file, f)
			}
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	cfg, err := Load("", getenv)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Brands.Brands) != 3 || cfg.File() != "" {
		t.Errorf("defaults: %d brands, file %q", len(cfg.Brands.Brands), cfg.File())
	}
	for _, addr := range []string{cfg.HTTP.Listen, cfg.Kafka.Brokers[0], cfg.ClickHouse.Addrs[0]} {
		if remote(addr) {
			t.Errorf("the default %s is beyond loopback", addr)
		}
	}
	if got := cfg.Kafka.Group(stream.StageTrack); got != "otklik.track" {
		t.Errorf("group of track: %s", got)
	}
}

// write stores a configuration in a folder of its own and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "otklik.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Load(write(t, text), getenv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAFileOverridesWhatItNamesAndNothingElse(t *testing.T) {
	cfg := load(t, `
# a comment alone is no fault, nor is a section whose keys are commented out
log:
stages: [track]
kafka:
  brokers: &hosts ["127.0.0.1:19092", "[::1]:19092"]
  topics:
    firehose: {twitter: raw.tweets}
    partitions: {mentions: 32}
clickhouse:
  addrs: *hosts
limits: {flush_interval: 250ms, micro_batch_bytes: 1MiB}
care:
  quiet_gap: 24h
  calendar:
    zone: Europe/Moscow
    hours: {mon-fri: ["09:00-13:00", "14:00-18:00"]}
`)
	want := Default()
	want.Stages = []stream.Stage{stream.StageTrack}
	want.Kafka.Brokers = []string{"127.0.0.1:19092", "[::1]:19092"}
	want.ClickHouse.Addrs = want.Kafka.Brokers
	want.Kafka.Topics.Firehose[stream.Twitter] = "raw.tweets"
	want.Kafka.Topics.Partitions.Mentions = 32
	want.Limits.FlushInterval = 250 * time.Millisecond
	want.Limits.MicroBatchBytes = 1 << 20
	want.Care.QuietGap, want.Limits.ThreadHorizon = 24*time.Hour, 48*time.Hour
	want.Care.Calendar.Zone = "Europe/Moscow"
	want.Care.Calendar.Hours = map[string][]string{"mon-fri": {"09:00-13:00", "14:00-18:00"}}
	want.Brands, want.file = cfg.Brands, cfg.file
	if diff := cmp.Diff(want, cfg, cmp.AllowUnexported(Config{}, Catalogue{}, block{}, Secret{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "\n# nothing\n", "---\n"} {
		cfg := load(t, text)
		if cfg.Fingerprint() != mustDefault(t).Fingerprint() {
			t.Errorf("%q: another fingerprint than the defaults", text)
		}
	}
}

func mustDefault(t *testing.T) *Config {
	t.Helper()
	cfg, err := Load("", getenv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent.yaml"), getenv)
	if err == nil || !strings.Contains(err.Error(), "deploy/otklik.yaml") || len(Faults(err)) != 1 {
		t.Errorf("Load: %v", err)
	}
}

func TestInlineCatalogue(t *testing.T) {
	cfg := load(t, `
catalogue:
  inline:
    brands:
      - key: alpha
        name: Alpha
        own: true
        aliases: [alpha, альфа]
log: {level: debug}
`)
	if len(cfg.Brands.Brands) != 1 || cfg.Brands.Brands[0].Key != "alpha" {
		t.Errorf("brands: %+v", cfg.Brands.Brands)
	}
}

func TestSecretsAreReadAndNeverShown(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "analyst"), []byte("hunter2-from-a-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "otklik.yaml")
	if err := os.WriteFile(path, []byte(`
kafka:
  sasl: {mechanism: PLAIN, user: otklik, password_env: OTKLIK_TEST_PASSWORD}
clickhouse:
  analyst: {password_file: analyst}
privacy: {author_key_env: OTKLIK_TEST_KEY}
sentiment: {remote: {url: "https://classifier.example/v1", name: far, token_env: OTKLIK_TEST_PASSWORD}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, getenv)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Kafka.SASL.Password.Reveal(); got != "hunter2-from-the-environment" {
		t.Errorf("password from the environment: %q", got)
	}
	if got := cfg.ClickHouse.Analyst.Password.Reveal(); got != "hunter2-from-a-file" {
		t.Errorf("password from a file: %q", got)
	}
	if got := cfg.Sentiment.Remote.Token.Reveal(); got != "hunter2-from-the-environment" || !cfg.Sentiment.Remote.TLS.Enabled {
		t.Errorf("token: %q, TLS %v", got, cfg.Sentiment.Remote.TLS.Enabled)
	}
	if got := cfg.Privacy.AuthorKey.Reveal(); got != getenv("OTKLIK_TEST_KEY") {
		t.Errorf("author key: %q", got)
	}

	secret := cfg.Kafka.SASL.Password
	asYAML, errYAML := yaml.Marshal(map[string]any{"a": secret, "b": cfg.Kafka})
	asJSON, errJSON := json.Marshal(map[string]any{"a": secret, "b": &secret})
	if errYAML != nil || errJSON != nil {
		t.Fatal(errYAML, errJSON)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "a", secret, "b", cfg.Kafka.SASL)
	shown := []string{string(asYAML), string(asJSON), logged.String(), fmt.Sprint(secret, cfg)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, *cfg), fmt.Sprintf(verb, &secret))
	}
	for _, text := range shown {
		for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), getenv("OTKLIK_TEST_KEY")} {
			if strings.Contains(text, leak) {
				t.Errorf("a secret is shown in %.300s", text)
			}
		}
	}
	if !strings.Contains(string(asYAML), hidden) || Secret.String(Secret{}) != "" {
		t.Errorf("secrets show as %s, and as nothing when there is none: %s", hidden, asYAML)
	}
}

func TestFingerprintCoversWhatChangesResults(t *testing.T) {
	base := mustDefault(t).Fingerprint()
	if base != mustDefault(t).Fingerprint() {
		t.Fatal("the fingerprint of the same configuration differs")
	}
	for _, text := range []string{
		"kafka: {topics: {partitions: {mentions: 9}}}",
		"kafka: {topics: {partitions: {panes: 9}}}",
		"care: {quiet_gap: 71h}",
		"care: {calendar: {zone: Europe/Moscow}}",
		"care: {calendar: {holidays: [\"2026-01-01\"]}}",
		"window: {max_disorder: 3m}",
		"window: {grace: 1m}",
		"limits: {max_future: 6m}",
		"limits: {identity_horizon: 47h}",
		"privacy: {author_key_env: OTKLIK_TEST_KEY}",
		"sentiment: {remote: {url: \"http://127.0.0.1:1/\", name: far}}",
		"catalogue:\n  inline:\n    brands:\n      - {key: alpha, name: Alpha, own: true, aliases: [alpha]}",
	} {
		if load(t, text).Fingerprint() == base {
			t.Errorf("the same fingerprint with %s", text)
		}
	}
	for _, text := range []string{
		"stages: [ingest]", "kafka: {brokers: [\"127.0.0.1:1\"], group_prefix: x}", "log: {level: debug}",
		"limits: {flush_interval: 2s, flush_records: 10, micro_batch_records: 5}", "clickhouse: {retention: {figures_days: 5}}",
		"privacy: {text_days: 30}", "sentiment: {remote: {batch_texts: 5}}", "clickhouse: {password_env: OTKLIK_TEST_PASSWORD}",
	} {
		if load(t, text).Fingerprint() != base {
			t.Errorf("another fingerprint with %s", text)
		}
	}
}

// The weights decide, not the name or the place of the file.
func TestModelFile(t *testing.T) {
	builtIn, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	whole := builtIn.Encode()
	path := write(t, "sentiment: {model: mine.bin}\n")
	file := filepath.Join(filepath.Dir(path), "mine.bin")
	for name, b := range map[string][]byte{"damaged": whole[:len(whole)/2], "not a sentiment model of this version": []byte("OTKLIKSENT1\n and weights")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, getenv); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "sentiment.model") {
			t.Errorf("%v, want %q", err, name)
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, getenv)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cfg.Sentiment.Classifier()
	if err != nil || m == builtIn || m.Name() != builtIn.Name() {
		t.Errorf("loaded %v, %v", m, err)
	}
	base := mustDefault(t)
	if m, err := base.Sentiment.Classifier(); err != nil || m != builtIn {
		t.Errorf("without the key: %v, %v", m, err)
	}
	if cfg.Fingerprint() == base.Fingerprint() {
		t.Error("the same fingerprint with a model")
	}
	before := cfg.Fingerprint()
	cfg.Sentiment.ModelFile = "elsewhere.bin"
	if cfg.Fingerprint() != before {
		t.Error("the place of the file is in the fingerprint")
	}
}

// The example is what an operator copies: it must be valid, name every key, and show the defaults.
func TestShippedExample(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "deploy", "otklik.yaml")
	cfg, err := Load(path, getenv)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(reflect.TypeFor[Config]()) {
		if !regexp.MustCompile(`(?m)(^|[ {#])` + key + `:`).Match(data) {
			t.Errorf("the key %s is not described", key)
		}
	}
	want := mustDefault(t)
	want.file, want.Care, want.Brands = cfg.file, cfg.Care, cfg.Brands // the desk's hours are the operator's own
	if diff := cmp.Diff(want, cfg, cmp.AllowUnexported(Config{}, Catalogue{}, block{}, Secret{})); diff != "" {
		t.Errorf("the example states other values than the defaults (-default +example):\n%s", diff)
	}
}

// keys returns every key of a configuration type, once.
func keys(t reflect.Type) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		out = append(out, f.name)
		if sub := t.FieldByIndex(f.index).Type; sub.Kind() == reflect.Struct && sub != blockType {
			out = append(out, keys(sub)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestKeysAreSnakeCase(t *testing.T) {
	for _, key := range keys(reflect.TypeFor[Config]()) {
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(key) {
			t.Errorf("the key %s is not in snake case", key)
		}
	}
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "otklik.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(path, getenv)
		if (cfg == nil) == (err == nil) || err != nil && len(Faults(err)) == 0 {
			t.Errorf("Load returned %v and %v", cfg, err)
		}
	})
}

// TestByteOrderMark: what some editors put before a file is no part of its first key.
func TestByteOrderMark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "otklik.yaml")
	if err := os.WriteFile(file, []byte("\ufeffstages: [ingest]\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file, getenv)
	if err != nil || len(cfg.Stages) != 1 {
		t.Errorf("stages %v, error %v", cfg, err)
	}
}
