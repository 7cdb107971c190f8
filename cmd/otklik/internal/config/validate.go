package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"otklik/stream"
	"otklik/stream/care"
)

// The bounds of numbers. They are far beyond any use that was measured; what lies outside is a slip of the pen.
const (
	maxPartitions   = 4096
	maxDays         = 50 * 365 // beyond it ClickHouse's DateTime, which ends in 2106, overflows
	maxMicroBatch   = 1_000_000
	maxFlushRecords = 10_000_000
	minAuthorKey    = 32 // bytes: what HMAC-SHA-256 can use, and too long to be guessed from a fingerprint
	maxTopicName    = 249
	maxReplication  = 128
	maxMicroBytes   = Size(1 << 30)
	minMicroBytes   = Size(64 << 10)
	minMemory       = Size(128 << 20)
	maxMemory       = Size(1 << 42)
	maxFlushEvery   = 10 * time.Minute
	maxFutureLimit  = 24 * time.Hour
	minHorizon      = time.Hour
	maxQuietGap     = 60 * 24 * time.Hour
	maxHorizonLimit = 90 * 24 * time.Hour
)

var (
	topicName    = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`) // org.apache.kafka.common.internals.Topic
	databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// validator checks a decoded configuration and reports each fault at its place.
type validator struct {
	*decoder

	dir string // what relative paths are relative to
}

func (v *validator) config(c *Config) {
	v.stages(c.Stages)
	v.kafka(&c.Kafka)
	v.clickhouse(&c.ClickHouse)
	v.sentiment(&c.Sentiment)
	v.care(c.Care)
	v.window(&c.Window)
	v.limits(&c.Limits, c.Care.QuietGap)
	v.privacy(&c.Privacy)
	v.alerts(&c.Alerts, c.Brands)
	v.claims(&c.Claims, c.Brands)
	if c.HTTP.Listen != "" {
		v.address("http.listen", c.HTTP.Listen, true)
	}
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
}

func (v *validator) stages(stages []stream.Stage) {
	if len(stages) == 0 {
		v.at("stages", "no stage", "name at least one of ingest, track, roll, or remove the key to run all three")
	}
	seen := make(map[stream.Stage]bool)
	for i, s := range stages {
		path := fmt.Sprintf("stages[%d]", i)
		if seen[s] {
			v.at(path, fmt.Sprintf("%s stands twice", s), "keep one")
		}
		seen[s] = true
		v.oneOf(path, string(s), words(stream.Stages)...)
	}
}

func words[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// oneOf checks a word out of a fixed set.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	best, distance := nearest(value, lower(allowed))
	hint := "write one of " + strings.Join(allowed, ", ")
	if value != "" && distance <= max(2, len(value)/3) {
		hint = fmt.Sprintf("did you mean %s?", allowed[slices.Index(lower(allowed), best)])
	}
	v.at(path, fmt.Sprintf("%q is not known", value), hint)
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// between checks a number against its bounds.
func between[N cmp.Ordered](v *validator, path string, value, low, high N) {
	if value < low || value > high {
		v.at(path, fmt.Sprintf("%v is out of range", value), fmt.Sprintf("choose from %v to %v", low, high))
	}
}

// address checks host:port; a server may leave the host out and take any free port (0).
func (v *validator) address(path, addr string, listen bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		v.at(path, fmt.Sprintf("%q is not an address", addr), "write host:port, for example 127.0.0.1:9092 or [::1]:9092")
		return
	}
	n, err := strconv.Atoi(port)
	if low := 1; err != nil || n > 65535 || n < low && (!listen || n != 0) {
		v.at(path, fmt.Sprintf("%q is not a port", port), "write a number from 1 to 65535")
	}
	if host == "" && !listen {
		v.at(path, "no host before the port", "write host:port, for example 127.0.0.1:9092")
	}
}

// addresses checks a list of servers.
func (v *validator) addresses(path string, addrs []string, what string) {
	if len(addrs) == 0 {
		v.at(path, "no "+what, "name at least one as host:port")
	}
	seen := make(map[string]bool)
	for i, addr := range addrs {
		element := fmt.Sprintf("%s[%d]", path, i)
		v.address(element, addr, false)
		if seen[addr] {
			v.at(element, addr+" stands twice", "keep one")
		}
		seen[addr] = true
	}
}

func (v *validator) kafka(k *Kafka) {
	v.addresses("kafka.brokers", k.Brokers, "broker")
	v.tls("kafka.tls", &k.TLS)
	v.sasl(k)
	v.oneOf("kafka.compression", k.Compression, "none", "gzip", "snappy", "lz4", "zstd")
	v.topics(&k.Topics)
	if !topicName.MatchString(k.GroupPrefix) {
		v.at("kafka.group_prefix", fmt.Sprintf("%q cannot begin the name of a consumer group", k.GroupPrefix), "use letters, digits, dots, dashes and underscores")
	}
}

func (v *validator) sasl(k *Kafka) {
	const path = "kafka.sasl"
	s := &k.SASL
	given := s.PasswordEnv != "" || s.PasswordFile != ""
	if s.Mechanism == "" {
		if s.User != "" || given {
			v.at(path, "no mechanism", "add mechanism: "+strings.Join([]string{Plain, ScramSHA256, ScramSHA512}, ", ")+" (one of them)")
		}
		return
	}
	v.oneOf(path+".mechanism", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	if s.User == "" {
		v.at(path+".user", "no user for "+s.Mechanism, "add user")
	}
	if !given {
		v.at(path+".password_env", "no password for "+s.Mechanism, "name an environment variable in password_env or a file in password_file")
	}
	if s.Mechanism == Plain && !k.TLS.Enabled && slices.ContainsFunc(k.Brokers, remote) {
		v.at(path+".mechanism", "PLAIN without TLS would send the password in the clear to another host", "set kafka.tls.enabled: true, or use "+ScramSHA512)
	}
}

// remote reports whether an address is not this machine.
func remote(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

func (v *validator) topics(t *Topics) {
	const path = "kafka.topics"
	users := make(map[string]string) // topic → path
	check := func(path, name string) {
		switch {
		case name == "" || name == "." || name == ".." || len(name) > maxTopicName || !topicName.MatchString(name):
			v.at(path, fmt.Sprintf("%q cannot be the name of a topic", name), "use up to 249 letters, digits, dots, dashes and underscores")
		case users[name] != "":
			v.at(path, fmt.Sprintf("the topic %s is already used by %s", name, users[name]), "give each its own topic")
		default:
			users[name] = path
		}
	}
	check(path+".mentions", t.Mentions)
	check(path+".panes", t.Panes)
	check(path+".deadletter", t.DeadLetter)
	check(path+".alerts", t.Alerts)
	check(path+".labels", t.Labels)
	check(path+".claims", t.Claims)
	check(path+".claim_status", t.Statuses)
	platforms := make([]stream.Platform, 0, len(t.Firehose))
	for p := range t.Firehose {
		platforms = append(platforms, p)
	}
	slices.Sort(platforms)
	for _, p := range platforms {
		sub := within(path+".firehose", string(p))
		if !slices.Contains(stream.Platforms, p) {
			hint := "the platforms are " + strings.Join(words(stream.Platforms), ", ")
			if best, distance := nearest(string(p), words(stream.Platforms)); distance <= 2 {
				hint = fmt.Sprintf("did you mean %s?", best)
			}
			v.at(sub, "no decoder for this platform", hint)
			continue
		}
		check(sub, t.Firehose[p])
	}
	between(v, path+".partitions.firehose", t.Partitions.Firehose, 1, maxPartitions)
	between(v, path+".partitions.mentions", t.Partitions.Mentions, 1, maxPartitions)
	between(v, path+".partitions.panes", t.Partitions.Panes, 1, maxPartitions)
	between(v, path+".partitions.deadletter", t.Partitions.DeadLetter, 1, maxPartitions)
	between(v, path+".partitions.alerts", t.Partitions.Alerts, 1, maxPartitions)
	between(v, path+".partitions.labels", t.Partitions.Labels, 1, maxPartitions)
	between(v, path+".partitions.claims", t.Partitions.Claims, 1, maxPartitions)
	between(v, path+".partitions.claim_status", t.Partitions.Statuses, 1, maxPartitions)
	if t.Replication != -1 {
		between(v, path+".replication", t.Replication, 1, maxReplication)
	}
}

// tls checks that the files of a TLS section can be used, and leaves their paths resolved.
func (v *validator) tls(path string, t *TLS) {
	if !t.Enabled {
		if t.CA != "" || t.Cert != "" || t.Key != "" || t.ServerName != "" {
			v.at(path, "certificates without encryption", "add enabled: true, or remove them")
		}
		return
	}
	t.CA, t.Cert, t.Key = resolvePath(v.dir, t.CA), resolvePath(v.dir, t.Cert), resolvePath(v.dir, t.Key)
	if t.CA != "" {
		if _, err := t.pool(); err != nil {
			v.at(path+".ca", reason(err), "name a PEM file with the authority's certificate")
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "":
		v.at(path+".key", "a key without its certificate", "add cert")
	case t.Key == "":
		v.at(path+".cert", "a certificate without its key", "add key")
	default:
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			v.at(path+".cert", "load the certificate and its key: "+reason(err), "name two PEM files that belong together")
		}
	}
}

func (t *TLS) pool() (*x509.CertPool, error) {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", t.CA)
	}
	return pool, nil
}

// Client returns the settings of a TLS client, or nil when TLS is off. The files are read anew, so a renewed certificate is
// used by the next connection that calls it.
func (t *TLS) Client() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // "off" is what a nil *tls.Config means to every client here
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pool, err := t.pool()
		if err != nil {
			return nil, err
		}
		out.RootCAs = pool
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("load the client certificate %s: %w", t.Cert, err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

func (v *validator) clickhouse(c *ClickHouse) {
	v.addresses("clickhouse.addrs", c.Addrs, "server")
	if c.HTTP != "" {
		u, err := url.Parse(c.HTTP)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			v.at("clickhouse.http", "not a URL", "write it as http://host:8123 or https://host:8443")
		case u.User != nil:
			v.at("clickhouse.http", "holds a user", "name the users below clickhouse, and their passwords in password_env or password_file")
		}
	}
	if !databaseName.MatchString(c.Database) {
		v.at("clickhouse.database", fmt.Sprintf("%q cannot be the name of a database", c.Database), "use letters, digits and underscores, beginning with a letter")
	}
	if c.Cluster != "" && !topicName.MatchString(c.Cluster) {
		v.at("clickhouse.cluster", fmt.Sprintf("%q cannot be the name of a cluster", c.Cluster), "write the name from the server's remote_servers section")
	}
	v.tls("clickhouse.tls", &c.TLS)
	seen := make(map[string]string)
	for _, login := range c.logins() {
		path := within(login.path, "user")
		switch {
		case login.User == "":
			v.at(path, "no user", "name one, or remove the key to take the default")
		case seen[login.User] != "":
			v.at(path, fmt.Sprintf("%s is already the user of %s", login.User, seen[login.User]), "give each purpose a user of its own: their rights differ")
		default:
			seen[login.User] = login.path
		}
	}
	between(v, "clickhouse.retention.figures_days", c.Retention.Figures, 1, maxDays)
}

func (v *validator) limits(l *Limits, quietGap time.Duration) {
	between(v, "limits.max_future", l.MaxFuture, 0, maxFutureLimit)
	between(v, "limits.identity_horizon", l.IdentityHorizon, minHorizon, maxHorizonLimit)
	if _, stated := v.places["limits.thread_horizon"]; stated { // else it follows from the quiet gap
		between(v, "limits.thread_horizon", l.ThreadHorizon, minHorizon, maxHorizonLimit)
	}
	if l.ThreadHorizon <= quietGap {
		v.at("limits.thread_horizon", fmt.Sprintf("%s is not longer than care.quiet_gap, %s", l.ThreadHorizon, quietGap), "add a day to the quiet gap")
	}
	between(v, "limits.micro_batch_records", l.MicroBatchRecords, 1, maxMicroBatch)
	between(v, "limits.micro_batch_bytes", l.MicroBatchBytes, minMicroBytes, maxMicroBytes)
	between(v, "limits.memory", l.Memory, minMemory, maxMemory)
	between(v, "limits.flush_interval", l.FlushInterval, 10*time.Millisecond, maxFlushEvery)
	between(v, "limits.flush_records", l.FlushRecords, 1, maxFlushRecords)
}

func (v *validator) privacy(p *Privacy) {
	between(v, "privacy.text_days", p.TextDays, 1, maxDays)
	if n := len(p.AuthorKey.Reveal()); n > 0 && n < minAuthorKey {
		path := "privacy.author_key_env"
		if p.AuthorKeyFile != "" {
			path = "privacy.author_key_file"
		}
		v.at(path, fmt.Sprintf("the key has %d bytes, fewer than %d", n, minAuthorKey), "make one with: openssl rand -hex 32")
	}
}

// care takes over the faults that the package care finds, which name keys but not lines.
func (v *validator) care(c care.Config) {
	if c.QuietGap > maxQuietGap {
		v.at("care.quiet_gap", fmt.Sprintf("%s is out of range", c.QuietGap), fmt.Sprintf("choose up to %s: threads stay in memory for longer than it", maxQuietGap))
	}
	for _, err := range leaves(c.Validate()) {
		message, hint, _ := strings.Cut(strings.TrimPrefix(err.Error(), "calendar: "), "; ")
		path := "care.calendar"
		if strings.HasPrefix(message, "quiet_gap") {
			path = "care.quiet_gap"
		} else if key, _, found := strings.Cut(message, " "); found {
			path = v.mentioned(within(path, strings.Trim(key, ":")), message)
		}
		v.at(path, message, hint)
	}
}

// mentioned returns the longest path below prefix whose text in the file occurs in the message, else prefix.
func (v *validator) mentioned(prefix, message string) string {
	best := prefix
	for path, tk := range v.places {
		if strings.HasPrefix(path, prefix) && tk.Value != "" && strings.Contains(message, tk.Value) &&
			(len(path) > len(best) || len(path) == len(best) && path < best) {
			best = path
		}
	}
	return best
}

// leaves returns the single errors that err joins, at any depth.
func leaves(err error) []error {
	switch e := err.(type) { //nolint:errorlint // the tree of joined errors is walked, not searched
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		var out []error
		for _, sub := range e.Unwrap() {
			out = append(out, leaves(sub)...)
		}
		return out
	}
	if inner, ok := errors.Unwrap(err).(interface{ Unwrap() []error }); ok {
		return leaves(errors.Join(inner.Unwrap()...))
	}
	return []error{err}
}

// window repeats the bounds of window.Config.Validate, with the keys of the file. A disorder of 0 would mean its default there.
func (v *validator) window(w *Window) {
	const week = 7 * 24 * time.Hour
	between(v, "window.max_disorder", w.MaxDisorder, time.Millisecond, week)
	between(v, "window.grace", w.Grace, 0, week)
	between(v, "window.idle_after", w.IdleAfter, time.Second, week)
}
