package enginetest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/label"
	"otklik/stream/simulate"
)

// judged is a mention as it is without corrections.
type judged struct {
	stream.MentionName

	published, textSince stream.Time
	label                string
	products             []string
	customer, grave      bool // grave: a complaint if it is negative
}

// judgedMentions reads the mentions of a stack.
func judgedMentions(t *testing.T, s *enginetest.Stack) []judged {
	t.Helper()
	rows, err := s.ClickHouse.Strings(t.Context(), `SELECT platform, item_id, brand, toString(toUnixTimestamp64Milli(published_at)), toString(text_since), toString(label),
			arrayStringConcat(products, ' '), toString(toUInt8(role = 'customer')), toString(toUInt8(severity > 0 OR notEmpty(products) OR bitAnd(via, 14) != 0))
		FROM `+schemas.Store(s.ClickHouse.Database())+`.mentions FINAL ORDER BY platform, item_id, brand`)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]judged, len(rows))
	for i, r := range rows {
		j := &out[i]
		j.Platform, j.ItemID, j.Brand, j.label = stream.Platform(r[0]), r[1], r[2], r[5]
		if _, err := fmt.Sscan(r[3], (*int64)(&j.published)); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(r[4], (*int64)(&j.textSince)); err != nil {
			t.Fatal(err)
		}
		j.products, j.customer, j.grave = strings.Fields(r[6]), r[7] == "1", r[8] == "1"
	}
	return out
}

// desk hands out corrections and knows what they must come to.
type desk struct {
	rng      *rand.Rand
	from, to stream.Time // of the story
	said     map[stream.MentionName][]stream.Correction
}

// correct draws a correction: long before the story or after it, so that edits are newer than the former; at times one that was
// sent before. Each of a mention has a time of its own.
func (d *desk) correct(m *judged) label.Message {
	said := d.said[m.MentionName]
	if len(said) > 0 && d.rng.IntN(4) == 0 {
		c := said[d.rng.IntN(len(said))]
		return label.Message{MentionName: m.MentionName, Correction: c}
	}
	c := stream.Correction{Label: stream.Label(d.rng.IntN(4)), By: []string{"anna", "Борис К."}[d.rng.IntN(2)], Note: "because"}
	for c.At == 0 || slices.ContainsFunc(said, func(o stream.Correction) bool { return o.At == c.At }) {
		c.At = d.to + stream.Time(d.rng.IntN(60_000))
		if d.rng.IntN(3) == 0 {
			c.At = d.from - stream.Day - stream.Time(d.rng.IntN(60_000))
		}
	}
	d.said[m.MentionName] = append(said, c)
	return label.Message{MentionName: m.MentionName, Correction: c}
}

// counts returns the correction of a mention that counts in the end.
func (d *desk) counts(m *judged) (best stream.Correction, ok bool) {
	for _, c := range d.said[m.MentionName] {
		if m.customer && c.At >= m.textSince && c.At > best.At {
			best, ok = c, true
		}
	}
	return best, ok
}

// revise changes the panes of the truth as the corrections do.
func (d *desk) revise(truth *simulate.Truth, mentions []judged) {
	type key struct {
		grain    string
		start    stream.Time
		brand    string
		platform stream.Platform
		product  string
	}
	cells := map[key]*simulate.Cell{}
	for i := range truth.Panes {
		c := &truth.Panes[i]
		cells[key{c.Grain, c.Start, c.Brand, c.Platform, c.Product}] = c
	}
	count := func(c *simulate.Cell, label string) *int64 {
		return map[string]*int64{"positive": &c.Positive, "neutral": &c.Neutral, "negative": &c.Negative, "unlabelled": &c.Unlabelled}[label]
	}
	for i := range mentions {
		m := &mentions[i]
		said, ok := d.counts(m)
		if !ok {
			continue
		}
		for grain, span := range map[string]stream.Time{"1m": stream.Minute, "1h": stream.Hour, "1d": stream.Day} {
			for _, product := range append([]string{""}, m.products...) {
				c := cells[key{grain, m.published.Truncate(span), m.Brand, m.Platform, product}]
				*count(c, m.label)--
				*count(c, said.Label.String())++
			}
		}
	}
}

// lines are the mentions as the table must show them.
func (d *desk) lines(mentions []judged) []string {
	out := make([]string, len(mentions))
	for i := range mentions {
		m := &mentions[i]
		now, by, at, note := m.label, "", "", ""
		if c, ok := d.counts(m); ok {
			now, by, at, note = c.Label.String(), c.By, c.At.Go().Format("2006-01-02 15:04:05.000"), c.Note
		}
		out[i] = fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s|%t", m.Platform, m.ItemID, m.Brand, m.label, now, by, at, note, m.customer && m.grave && now == "negative")
	}
	slices.Sort(out)
	return out
}

// TestCorrections mixes corrections into a load of edits, duplicates and late records, tears flushes, lets zombies flush, and compares the
// tables with the truth, revised by the corrections. What was refused because its mention had not come yet is put back.
func TestCorrections(t *testing.T) {
	t.Parallel()
	for seed := range uint64(enginetest.Number(t, "OTKLIK_SEEDS", 1)) {
		seed += uint64(enginetest.Number(t, "OTKLIK_SEED", 2))
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			corrections(t, seed)
		})
	}
}

func corrections(t *testing.T, seed uint64) {
	t.Helper()
	const events = 600
	calm := enginetest.New(t, nil)
	truth := calm.Feed(t, restless(t, calm, seed, events), nil)
	calm.Drain(t)
	mentions := judgedMentions(t, calm)

	s := enginetest.New(t, func(cfg *config.Config) {
		cfg.Kafka.Topics.Partitions.Labels = 2
		if seed%2 == 0 { // memory forgets within the day: much is looked up
			cfg.Limits.IdentityHorizon = time.Hour
		}
	})
	f := newFaults(t, s, seed)
	f.feed(restless(t, s, seed, events))
	var labels []job
	for n := range s.Config.Kafka.Topics.Partitions.Labels {
		labels = append(labels, job{stream.StageIngest, stream.Partition{Topic: s.Config.Kafka.Topics.Labels, Number: int32(n)}})
	}
	f.work = append(f.work, labels...)
	d := &desk{rng: f.rng, from: truth.Start, to: truth.End, said: map[stream.MentionName][]stream.Correction{}}
	values := map[stream.Source][]byte{}
	send := func(value []byte) {
		p := labels[f.rng.IntN(len(labels))].partition
		values[stream.SourceOf(p, 0, int64(len(f.log.partitions[p])))] = value
		f.log.add(p, truth.End+stream.Hour, nil, value)
	}
	for n := range 320 {
		f.step()
		if n < 100 {
			continue
		}
		m := d.correct(&mentions[f.rng.IntN(len(mentions))])
		value, err := label.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		send(value)
		if n%3 == 0 {
			f.stepOn(labels[f.rng.IntN(len(labels))])
		}
	}
	send([]byte(`{"platform":"vk"`))
	send([]byte(`{"platform":"vk","item_id":"1","brand":"nobody","label":"negative","by":"anna","at":"2020-01-01T00:00:00Z"}`))
	f.drain()
	refused := refusedLabels(t, s)
	again := 0
	for _, source := range slices.SortedFunc(maps.Keys(refused), func(a, b stream.Source) int { return strings.Compare(a.String(), b.String()) }) {
		if refused[source] == "unknown_mention" {
			send(values[source])
			again++
		}
	}
	f.drain()
	t.Logf("%d torn flushes, %d zombies, %d began anew; %d corrections, %d put back", f.crashes, f.revived, f.stale, len(values)-again, again)
	if again == 0 || f.crashes == 0 {
		t.Error("the test shows nothing")
	}
	if _, err := s.ClickHouse.Eraser().Erase(t.Context()); err != nil {
		t.Fatal(err)
	}

	refused = refusedLabels(t, s)
	dead := map[string]int64{}
	accepted := map[string]bool{}
	for source, value := range values {
		b := &truth.Verify
		b.Records++
		b.Read++
		switch reason := refused[source]; {
		case reason != "":
			b.DeadLetters++
			dead[reason]++
		case accepted[string(value)]:
			b.Duplicates++
		default:
			b.Other++
			accepted[string(value)] = true
		}
	}
	for reason, n := range dead {
		at := slices.IndexFunc(truth.DeadLetters, func(r simulate.Reason) bool { return r.Reason == reason })
		if at >= 0 {
			truth.DeadLetters[at].Count += n
		} else {
			truth.DeadLetters = append(truth.DeadLetters, simulate.Reason{Reason: reason, Count: n})
		}
	}
	d.revise(truth, mentions)
	enginetest.Compare(t, t.Context(), s.ClickHouse, truth)
	enginetest.Recount(t, t.Context(), s.ClickHouse, s.Config)

	rows, err := s.ClickHouse.Strings(t.Context(), `SELECT platform, item_id, brand, toString(model_label), toString(label), corrected_by, ifNull(toString(corrected_at), ''),
			if(erased AND corrected_at IS NOT NULL, 'because', correction_note), toString(complaint) FROM `+s.ClickHouse.Database()+`.mentions`)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(rows))
	for i := range rows {
		got[i] = strings.Join(rows[i], "|")
	}
	slices.Sort(got)
	differ := 0
	for i, want := range d.lines(mentions) {
		if i >= len(got) || got[i] != want {
			if differ++; differ <= 10 {
				t.Errorf("mention\nwant %s\n got %s", want, got[min(i, len(got)-1)])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d mentions differ", differ, len(got))
	}
	if n := scalar(t, s, "SELECT toString(sum(mentions)) FROM "+s.ClickHouse.Database()+".label_quality"); n == "0" {
		t.Error("label_quality is empty")
	}
}

// refusedLabels returns the reasons of the dead letters of the topic of the labels by the source of their record.
func refusedLabels(t *testing.T, s *enginetest.Stack) map[stream.Source]string {
	t.Helper()
	rows, err := s.ClickHouse.Strings(t.Context(), "SELECT topic, toString(partition), toString(source_offset), reason FROM "+s.ClickHouse.Database()+
		".deadletters WHERE topic = ?", s.Config.Kafka.Topics.Labels)
	if err != nil {
		t.Fatal(err)
	}
	out := map[stream.Source]string{}
	for _, r := range rows {
		source := stream.Source{Partition: stream.Partition{Topic: r[0]}}
		if _, err := fmt.Sscan(r[1], &source.Partition.Number); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(r[2], &source.Offset); err != nil {
			t.Fatal(err)
		}
		if out[source] != "" {
			t.Errorf("%s has two dead letters", source)
		}
		out[source] = r[3]
	}
	return out
}
