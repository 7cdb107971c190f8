// Package config reads otklik.yaml: defaults, then a strict decode, then validation. Every fault of the file is reported at
// once, each with its line and with what to do about it; secrets come from the environment or from files and are never
// printed.
package config

import (
	"time"

	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/window"
)

// Config is the configuration of a service. Load returns it complete and valid; the keys are described in
// deploy/otklik.yaml.
type Config struct {
	Stages     []stream.Stage `yaml:"stages"`
	Kafka      Kafka          `yaml:"kafka"`
	ClickHouse ClickHouse     `yaml:"clickhouse"`
	Catalogue  Catalogue      `yaml:"catalogue"`
	Sentiment  Sentiment      `yaml:"sentiment"`
	Care       care.Config    `yaml:"care"`
	Window     Window         `yaml:"window"`
	Limits     Limits         `yaml:"limits"`
	Privacy    Privacy        `yaml:"privacy"`
	Alerts     Alerts         `yaml:"alerts"`
	Claims     claim.Config   `yaml:"claims"`
	HTTP       HTTP           `yaml:"http"`
	Log        Log            `yaml:"log"`

	// Brands is the catalogue that Catalogue names, parsed and valid.
	Brands *brand.Catalogue `yaml:"-"`

	file string // where it was read from; "" for the defaults
}

// Schema returns the options of schemas.Migrate that the configuration states.
func (c *Config) Schema() schemas.Options {
	return schemas.Options{
		Database:  c.ClickHouse.Database,
		Cluster:   c.ClickHouse.Cluster,
		Retention: schemas.Retention{FigureDays: c.ClickHouse.Retention.Figures, TextDays: c.Privacy.TextDays},
	}
}

// File returns the path the configuration was read from, "" for the built-in defaults.
func (c *Config) File() string { return c.file }

// Kafka names the brokers, how to talk to them, and the topics.
type Kafka struct {
	Brokers []string `yaml:"brokers"` // host:port, any of the cluster
	TLS     TLS      `yaml:"tls"`
	SASL    SASL     `yaml:"sasl"`
	// Compression of what Otklik produces: none, gzip, snappy, lz4 or zstd.
	Compression string `yaml:"compression"`
	Topics      Topics `yaml:"topics"`
	// GroupPrefix begins the names of the consumer groups: "<prefix>.ingest", "<prefix>.track", "<prefix>.roll".
	GroupPrefix string `yaml:"group_prefix"`
}

// Group returns the name of the consumer group of a stage.
func (k *Kafka) Group(s stream.Stage) string { return k.GroupPrefix + "." + string(s) }

// Topics names the topics and, for those that Otklik creates, their size. The partition counts of keyed topics never
// change once data is in them: the key decides the partition, and state belongs to a partition.
type Topics struct {
	Firehose   map[stream.Platform]string `yaml:"firehose"` // raw JSON; platforms that are left out are firehose.<platform>
	Mentions   string                     `yaml:"mentions"`
	Panes      string                     `yaml:"panes"`
	DeadLetter string                     `yaml:"deadletter"`
	Labels     string                     `yaml:"labels"` // corrections of labels: schemas/label.schema.json
	Alerts     string                     `yaml:"alerts"`
	Claims     string                     `yaml:"claims"`       // claims for the care department: schemas/claim.schema.json
	Statuses   string                     `yaml:"claim_status"` // what it says of them: schemas/claim_status.schema.json
	Partitions Partitions                 `yaml:"partitions"`
	// Replication is the replication factor of the topics that Otklik creates; -1 takes the broker's default.
	Replication int `yaml:"replication"`
}

// Partitions are the partition counts of the topics that Otklik creates.
type Partitions struct {
	Firehose   int `yaml:"firehose"` // of each firehose.<platform> that does not exist yet
	Mentions   int `yaml:"mentions"` // the most processes that can share the stage track
	Panes      int `yaml:"panes"`    // the most processes that can share the stage roll
	DeadLetter int `yaml:"deadletter"`
	Labels     int `yaml:"labels"`
	Alerts     int `yaml:"alerts"`
	Claims     int `yaml:"claims"`
	Statuses   int `yaml:"claim_status"`
}

// TLS says whether a connection is encrypted and with which certificates. Paths are relative to the configuration file.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CA         string `yaml:"ca"`          // PEM file of the authorities to trust; "" for those of the system
	Cert       string `yaml:"cert"`        // PEM file of the client's certificate; "" for none
	Key        string `yaml:"key"`         // PEM file of its key
	ServerName string `yaml:"server_name"` // name that the server's certificate must carry; "" for the host connected to
}

// The SASL mechanisms.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// SASL is how Otklik logs in to Kafka. An empty Mechanism means that it does not.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // Plain, ScramSHA256 or ScramSHA512
	User         string `yaml:"user"`
	PasswordEnv  string `yaml:"password_env"`  // name of an environment variable
	PasswordFile string `yaml:"password_file"` // or path of a file; a newline at its end does not count
	Password     Secret `yaml:"-"`
}

// ClickHouse names the servers, the users and how long data is kept.
type ClickHouse struct {
	Addrs    []string `yaml:"addrs"` // host:port of the native protocol, any of the cluster
	HTTP     string   `yaml:"http"`  // base URL of the HTTP interface, for `otklik sql`
	Database string   `yaml:"database"`
	Cluster  string   `yaml:"cluster"` // "" for a single server, else the cluster of the Replicated and Distributed tables
	TLS      TLS      `yaml:"tls"`

	Login     `yaml:",inline"` // the writer
	Analyst   Login            `yaml:"analyst"`   // reads every view: `otklik sql`
	Dashboard Login            `yaml:"dashboard"` // reads the views without texts and authors: Grafana
	Desk      Login            `yaml:"desk"`      // reads the posts too, without their authors: Grafana's panels of posts
	Retention Retention        `yaml:"retention"`
}

// Login is a user of ClickHouse.
type Login struct {
	User         string `yaml:"user"`
	PasswordEnv  string `yaml:"password_env"`  // name of an environment variable
	PasswordFile string `yaml:"password_file"` // or path of a file; a newline at its end does not count
	Password     Secret `yaml:"-"`
}

// Retention is for how many days rows are kept, counted from when Otklik stored them, so that an old firehose that is replayed
// is kept as long as a new one. How long texts are kept is Privacy.TextDays.
type Retention struct {
	Figures int `yaml:"figures_days"` // mentions without their texts, panes, responses, cases, books
}

// Catalogue says where the brand catalogue stands: in a file, or below the key inline. With neither it is the shipped
// example.
type Catalogue struct {
	File   string `yaml:"file"` // relative to the configuration file
	Inline block  `yaml:"inline"`
}

// Window is window.Config with the keys of the file; convert it with window.Config(w).
type Window struct {
	MaxDisorder time.Duration `yaml:"max_disorder"`
	Grace       time.Duration `yaml:"grace"`
	IdleAfter   time.Duration `yaml:"idle_after"`
}

// Limits bound memory, batches and what counts as a plausible record.
type Limits struct {
	// MaxFuture is how far the time of an item may lie after its record's timestamp before the record is a dead letter.
	MaxFuture time.Duration `yaml:"max_future"`
	// IdentityHorizon is for how much event time track remembers identities in memory; older ones are looked up in
	// ClickHouse.
	IdentityHorizon time.Duration `yaml:"identity_horizon"`
	// ThreadHorizon is how long after its last turn track keeps a thread in memory; it exceeds
	// care.quiet_gap, and where the file does not state it, it is that plus a day.
	ThreadHorizon time.Duration `yaml:"thread_horizon"`
	// MicroBatchRecords bounds what a task processes between two look-ups in ClickHouse, MicroBatchBytes a fetch; fetches that wait are
	// processed together.
	MicroBatchRecords int  `yaml:"micro_batch_records"`
	MicroBatchBytes   Size `yaml:"micro_batch_bytes"`
	// FlushInterval and FlushRecords: a task flushes when either is reached.
	FlushInterval time.Duration `yaml:"flush_interval"`
	FlushRecords  int           `yaml:"flush_records"`
	// Memory is how far the heap may grow before garbage is collected more often than it need be; state that does not fit
	// exceeds it.
	Memory Size `yaml:"memory"`
}

// Privacy says what is kept of persons.
type Privacy struct {
	AuthorKeyEnv  string `yaml:"author_key_env"`  // name of an environment variable
	AuthorKeyFile string `yaml:"author_key_file"` // or path of a file; a newline at its end does not count
	// AuthorKey keys the hash that replaces author ids; the zero Secret leaves ids as they are.
	AuthorKey Secret `yaml:"-"`
	// TextDays is after how many days texts, names and addresses, and the contents of dead letters, are dropped.
	TextDays int `yaml:"text_days"`
}

// HTTP is the server of /metrics, /healthz, /readyz and pprof.
type HTTP struct {
	Listen string `yaml:"listen"` // host:port; "" switches it off
}

// Log is how the process logs.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// Default returns the configuration of an empty file: brokers and ClickHouse on this machine, the example catalogue.
func Default() *Config {
	return &Config{
		Stages: append([]stream.Stage(nil), stream.Stages...),
		Kafka: Kafka{
			Brokers: []string{"127.0.0.1:9092"},
			Topics: Topics{
				Firehose:    defaultFirehose(),
				Mentions:    "otklik.mentions",
				Panes:       "otklik.panes",
				DeadLetter:  "otklik.deadletter",
				Labels:      "otklik.labels",
				Alerts:      "otklik.alerts",
				Claims:      "otklik.claims",
				Statuses:    "otklik.claim_status",
				Partitions:  Partitions{Firehose: 4, Mentions: 8, Panes: 4, DeadLetter: 1, Labels: 1, Alerts: 1, Claims: 1, Statuses: 1},
				Replication: -1,
			},
			Compression: "none",
			GroupPrefix: "otklik",
		},
		ClickHouse: ClickHouse{
			Addrs:     []string{"127.0.0.1:9000"},
			HTTP:      "http://127.0.0.1:8123",
			Database:  "otklik",
			Login:     Login{User: "otklik"},
			Analyst:   Login{User: "analyst"},
			Dashboard: Login{User: "dashboard"},
			Desk:      Login{User: "desk"},
			Retention: Retention{Figures: schemas.DefaultRetention.FigureDays},
		},
		Sentiment: defaultSentiment(),
		Care:      care.Config{}.WithDefaults(),
		Window:    Window(window.Config{}.WithDefaults()),
		Limits: Limits{
			MaxFuture:         5 * time.Minute,
			IdentityHorizon:   48 * time.Hour,
			ThreadHorizon:     96 * time.Hour,
			MicroBatchRecords: 5000,
			MicroBatchBytes:   256 << 10,
			FlushInterval:     time.Second,
			FlushRecords:      100_000,
			Memory:            1 << 30,
		},
		Alerts:  DefaultAlerts(),
		Claims:  claim.DefaultConfig(),
		Privacy: Privacy{TextDays: schemas.DefaultRetention.TextDays},
		HTTP:    HTTP{Listen: "127.0.0.1:9464"},
		Log:     Log{Level: "info", Format: "text"},
	}
}

func defaultFirehose() map[stream.Platform]string {
	topics := make(map[stream.Platform]string, len(stream.Platforms))
	for _, p := range stream.Platforms {
		topics[p] = "firehose." + string(p)
	}
	return topics
}
