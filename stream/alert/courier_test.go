package alert_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

var noon = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

// store is a database that outlives couriers.
type store struct {
	mu         sync.Mutex
	rows       []alert.Row
	deliveries map[string]alert.Delivery
	reasons    int
	missing    bool // the mentions are not stored yet
	forgetful  bool // notes of deliveries are lost: the process dies before it writes them
}

func (s *store) Recent(context.Context, int32, int) ([]alert.Row, error) { return s.rows, nil }

func (s *store) Settled(context.Context, []string, int) ([]alert.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []alert.Delivery
	for _, d := range s.deliveries {
		out = append(out, d)
	}
	return out, nil
}

func (s *store) Explain(_ context.Context, r *alert.Row) (*alert.Reason, error) {
	n := r.Count()
	if s.missing {
		n--
	}
	return &alert.Reason{ID: r.ID(), Brand: r.Brand, Rule: r.Rule, Mentions: n}, nil
}

func (s *store) SaveReason(context.Context, *alert.Reason) error { s.reasons++; return nil }

var errDied = errors.New("died")

func (s *store) SaveDelivery(_ context.Context, d *alert.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgetful {
		return errDied
	}
	if s.deliveries == nil {
		s.deliveries = map[string]alert.Delivery{}
	}
	s.deliveries[d.Destination+d.ID+string(d.Event)] = *d
	return nil
}

// receiver is a destination that can fail.
type receiver struct {
	fails int
	got   []string
}

func (r *receiver) Send(_ context.Context, m *alert.Message) error {
	if r.fails > 0 {
		r.fails--
		return errors.New("the receiver answers 500")
	}
	r.got = append(r.got, fmt.Sprintf("%s %s %s", m.Brand, m.Platform, m.Event))
	return nil
}

func row(brand string, platform stream.Platform, after time.Duration, severity spike.Severity) alert.Row {
	return alert.Row{Brand: brand, Episode: spike.Episode{
		Platform: platform, Rule: spike.Negativity, OpenedAt: stream.TimeOf(noon.Add(after)), PeakAt: stream.TimeOf(noon.Add(after)), Severity: severity,
		Peak: spike.Counts{Negative: 20, Labelled: 25, Mentions: 25},
	}}
}

func courier(s *store, now *time.Time, d ...alert.Destination) *alert.Courier {
	return &alert.Courier{
		Store: s, Destinations: d, Policy: alert.Policy{CoolDown: time.Hour, MaxAge: 6 * time.Hour},
		Now: func() time.Time { return *now }, Logger: slog.New(slog.DiscardHandler),
	}
}

// rounds runs n rounds, a second apart or as long as the courier asks for, up to a minute.
func rounds(t *testing.T, c *alert.Courier, now *time.Time, n int) {
	t.Helper()
	for range n {
		wait, err := c.Round(t.Context())
		if err != nil && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		*now = now.Add(min(max(wait, time.Second), time.Minute))
	}
}

func want(t *testing.T, r *receiver, list ...string) {
	t.Helper()
	if !slices.Equal(r.got, list) {
		t.Errorf("got %q, want %q", r.got, list)
	}
}

func TestLifeOfAnEpisode(t *testing.T) {
	now := noon.Add(5 * time.Minute)
	s, people, machine := &store{}, &receiver{}, &receiver{}
	s.rows = []alert.Row{row("a", "", 0, spike.Notice)}
	c := courier(s, &now, alert.Destination{Name: "kafka", Sender: machine, All: true}, alert.Destination{Name: "desk", Sender: people, Severity: spike.Warning})
	rounds(t, c, &now, 2)
	want(t, machine, "a  opened")
	want(t, people)
	s.rows[0].Severity = spike.Warning // now the desk wants to know
	rounds(t, c, &now, 2)
	want(t, machine, "a  opened", "a  raised_warning")
	want(t, people, "a  opened")
	s.rows[0].Severity = spike.Critical
	rounds(t, c, &now, 2)
	s.rows[0].ClearedAt = stream.TimeOf(now)
	rounds(t, c, &now, 2)
	want(t, machine, "a  opened", "a  raised_warning", "a  raised_critical", "a  cleared")
	want(t, people, "a  opened", "a  raised_critical", "a  cleared")
	c = courier(s, &now, alert.Destination{Name: "desk", Sender: people, Severity: spike.Warning}) // another process
	rounds(t, c, &now, 2)
	want(t, people, "a  opened", "a  raised_critical", "a  cleared")
}

// TestReceiverFails has a receiver that fails, and processes that die between two attempts and between delivery and note.
func TestReceiverFails(t *testing.T) {
	now := noon.Add(5 * time.Minute)
	s, r, other := &store{}, &receiver{fails: 4}, &receiver{}
	s.rows = []alert.Row{row("a", "", 0, spike.Notice), row("b", "", 0, spike.Notice)}
	s.rows[0].ClearedAt = stream.TimeOf(noon.Add(4 * time.Minute))
	make2 := func() *alert.Courier {
		return courier(s, &now, alert.Destination{Name: "desk", Sender: r}, alert.Destination{Name: "other", Sender: other})
	}
	rounds(t, make2(), &now, 2)
	want(t, r)
	want(t, other, "a  opened", "a  cleared", "b  opened") // is not held up
	rounds(t, make2(), &now, 1)                            // died between two attempts
	s.forgetful = true
	rounds(t, make2(), &now, 5)
	if len(r.got) == 0 {
		t.Fatal("nothing is delivered")
	}
	s.forgetful = false
	r.got = nil
	rounds(t, make2(), &now, 5)
	want(t, r, "a  opened", "a  cleared", "b  opened")
}

// slow is a receiver that does not answer for a while; at first longer than anybody waits.
type slow struct {
	receiver

	hangs int
}

func (r *slow) Send(ctx context.Context, m *alert.Message) error {
	if r.hangs > 0 {
		r.hangs--
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(9 * time.Second) // in the bubble of the test
	return r.receiver.Send(ctx, m)
}

// TestReceiverIsSlow: a receiver that hangs is given up for the moment and tried again; one that is only slow has the message at once. Another
// destination has its message before.
func TestReceiverIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s, r, other := &store{}, &slow{hangs: 2}, &receiver{}
		s.rows = []alert.Row{row("a", "", began.Sub(noon), spike.Notice)}
		c := courier(s, &began, alert.Destination{Name: "desk", Sender: r}, alert.Destination{Name: "other", Sender: other})
		c.Now = time.Now
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(time.Second)
		synctest.Wait()
		want(t, other, "a  opened")
		time.Sleep(2*time.Minute - time.Second)
		synctest.Wait()
		want(t, &r.receiver, "a  opened")
		want(t, other, "a  opened")
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// counts is an observer.
type counts struct {
	mu  sync.Mutex
	all map[string]int
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[what]++
}

func (c *counts) AlertEpisode(rule, severity string)     { c.add("episode " + rule + " " + severity) }
func (c *counts) AlertSettled(destination, state string) { c.add(destination + " " + state) }
func (c *counts) AlertRefused(destination string)        { c.add(destination + " refused") }

func TestCourierCounts(t *testing.T) {
	now := noon.Add(5 * time.Minute)
	s, seen := &store{}, &counts{all: map[string]int{}}
	s.rows = []alert.Row{row("a", "", 0, spike.Notice), row("b", "", -24*time.Hour, spike.Critical)}
	hook := &receiver{fails: 2}
	run := func() {
		c := courier(s, &now, alert.Destination{Name: "kafka", Sender: &receiver{}, All: true}, alert.Destination{Name: "desk", Sender: hook})
		c.Observer = seen
		rounds(t, c, &now, 6)
	}
	run()
	s.rows[0].Severity = spike.Warning
	run()
	s.rows[0].ClearedAt = stream.TimeOf(now)
	run() // another process counts nothing again
	want := map[string]int{
		"episode negativity_spike notice": 1, "episode negativity_spike warning": 1, "episode negativity_spike critical": 1,
		"kafka sent": 4, "desk sent": 3, "desk suppressed": 1, "desk refused": 2,
	}
	if diff := cmp.Diff(want, seen.all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPolicy(t *testing.T) {
	quiet := alert.Quiet{From: 22 * time.Hour, To: 7 * time.Hour, Zone: time.FixedZone("", 10*3600)} // noon UTC is 22:00 there
	for name, c := range map[string]struct {
		rows   []alert.Row
		dest   alert.Destination
		policy alert.Policy
		now    time.Duration
		want   []string
	}{
		"old":           {rows: []alert.Row{row("a", "", -24*time.Hour, spike.Critical)}, policy: alert.Policy{MaxAge: time.Hour}},
		"muted":         {rows: []alert.Row{row("a", "", 0, spike.Notice), row("b", "", 0, spike.Notice)}, policy: alert.Policy{Mutes: []alert.Mute{{Brand: "a", Until: noon.Add(time.Hour)}}}, want: []string{"b  opened"}},
		"cooling down":  {rows: []alert.Row{row("a", "", 0, spike.Notice), row("a", "", 20*time.Minute, spike.Notice)}, now: 30 * time.Minute, policy: alert.Policy{CoolDown: time.Hour}, want: []string{"a  opened"}},
		"platform":      {rows: []alert.Row{row("a", "", 0, spike.Notice), row("a", "vk", 5*time.Minute, spike.Notice)}, now: 6 * time.Minute, want: []string{"a  opened"}},
		"platform only": {rows: []alert.Row{row("a", "vk", 5*time.Minute, spike.Notice)}, now: 6 * time.Minute, want: []string{"a vk opened"}},
		"brands":        {rows: []alert.Row{row("a", "", 0, spike.Notice), row("b", "", 0, spike.Notice)}, dest: alert.Destination{Brands: []string{"b"}}, want: []string{"b  opened"}},
		"rules":         {rows: []alert.Row{row("a", "", 0, spike.Notice)}, dest: alert.Destination{Rules: []spike.Rule{spike.Volume}}},
		"quiet":         {rows: []alert.Row{row("a", "", 0, spike.Notice), row("b", "", 0, spike.Critical)}, dest: alert.Destination{Quiet: quiet}, want: []string{"b  opened"}},
		"after quiet":   {rows: []alert.Row{row("a", "", 0, spike.Notice)}, dest: alert.Destination{Quiet: quiet}, now: 9*time.Hour + time.Minute, want: []string{"a  opened"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon.Add(c.now)
			r := &receiver{}
			c.dest.Name, c.dest.Sender = "desk", r
			k := courier(&store{rows: c.rows}, &now, c.dest)
			k.Policy = c.policy
			rounds(t, k, &now, 3)
			want(t, r, c.want...)
		})
	}
}

// TestReasonWaits checks that a message waits until the mentions that the figures hold are stored, but not for ever, and that nothing
// is told of what was withdrawn before it was told.
func TestReasonWaits(t *testing.T) {
	now := noon.Add(5 * time.Minute)
	s, r := &store{missing: true}, &receiver{}
	s.rows = []alert.Row{row("a", "", 0, spike.Notice), row("b", "", 0, spike.Notice)}
	s.rows[1].Withdrawn = true
	c := courier(s, &now, alert.Destination{Name: "desk", Sender: r})
	rounds(t, c, &now, 3)
	want(t, r)
	s.missing = false
	rounds(t, c, &now, 2)
	want(t, r, "a  opened")
	s.rows[0].Withdrawn = true
	rounds(t, c, &now, 2)
	want(t, r, "a  opened", "a  withdrawn")
	s.rows, s.missing = []alert.Row{row("c", "", 0, spike.Notice)}, true
	rounds(t, c, &now, 12)
	want(t, r, "a  opened", "a  withdrawn", "c  opened")
}

func TestIDIsTheSameOnReplay(t *testing.T) {
	a, b := row("a", "", 0, spike.Notice), row("a", "", 0, spike.Critical)
	b.Revision, b.ClearedAt = 7, 9
	if a.ID() != b.ID() || len(a.ID()) != 24 {
		t.Errorf("ids %q and %q of one episode", a.ID(), b.ID())
	}
	if c := row("a", "vk", 0, spike.Notice); c.ID() == a.ID() {
		t.Error("two episodes have one id")
	}
}
