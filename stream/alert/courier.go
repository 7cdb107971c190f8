package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/spike"
)

// Store is where a courier finds episodes and notes what it has delivered.
type Store interface {
	// Recent returns the episodes of a partition that have changed within the last days or last.
	Recent(ctx context.Context, partition int32, days int) ([]Row, error)
	// Settled returns what became of the messages about these brands within the last days.
	Settled(ctx context.Context, brands []string, days int) ([]Delivery, error)
	// Explain returns why an episode is.
	Explain(ctx context.Context, r *Row) (*Reason, error)
	SaveReason(ctx context.Context, r *Reason) error
	SaveDelivery(ctx context.Context, d *Delivery) error
}

// Sender hands a message over. It returns nil when the receiver has it.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// Observer counts what a courier does.
type Observer interface {
	// AlertEpisode is called when the machines have been told that an episode began or rose to a severity: once for each, unless a process
	// dies in that moment.
	AlertEpisode(rule, severity string)
	// AlertSettled is called when it is clear what became of a message: sent, suppressed or failed.
	AlertSettled(destination, state string)
	// AlertRefused is called for each attempt that a destination did not take.
	AlertRefused(destination string)
}

// Destination is a receiver and what it wants to be told.
type Destination struct {
	Name     string // key of its deliveries
	Sender   Sender
	All      bool           // everything, at once, whatever the policy: for machines
	Brands   []string       // none: all
	Rules    []spike.Rule   // none: all
	Severity spike.Severity // least
	Quiet    Quiet
}

// Quiet is a span of the day in which only critical episodes are told; others wait for its end. The zero value is none.
type Quiet struct {
	From, To time.Duration // since midnight; From after To spans midnight
	Zone     *time.Location
}

// Holds reports whether t lies in the quiet hours.
func (q Quiet) Holds(t time.Time) bool {
	if q.From == q.To {
		return false
	}
	if q.Zone != nil {
		t = t.In(q.Zone)
	}
	d := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	if q.From < q.To {
		return d >= q.From && d < q.To
	}
	return d >= q.From || d < q.To
}

// Mute keeps what concerns a brand and rule (empty: any) from people until a moment.
type Mute struct {
	Brand string
	Rule  spike.Rule
	Until time.Time
}

// Policy is what holds for all destinations that are not for machines.
type Policy struct {
	// CoolDown is for how long after the begin of an episode that was told no other one of the same brand and rule is.
	CoolDown time.Duration
	// MaxAge is how old the begin of an episode may be when it is told: an old firehose that is replayed alarms nobody. A
	// message that could not be delivered for so long is given up.
	MaxAge time.Duration
	Mutes  []Mute
}

// lookBack is for how many days episodes and deliveries are looked at.
const lookBack = 7

// Pauses between attempts on a destination, and how long a courier sleeps when nothing wakes it.
const (
	firstPause  = time.Second
	longest     = 5 * time.Minute
	attempt     = 10 * time.Second
	quietPause  = time.Minute
	idlePause   = 10 * time.Minute
	patience    = 10 // looks at an episode whose mentions are not all stored yet, one a second
	restartWait = 5 * time.Second
)

// Courier tells the destinations of the episodes of one partition of otklik.panes. What was delivered is noted afterwards, so a
// message is delivered once at least, also across crashes, and an episode whose messages are not all settled is found again.
type Courier struct {
	Store        Store
	Partition    int32
	Destinations []Destination
	Policy       Policy
	Wake         <-chan struct{} // tells that episodes have changed; may be nil
	Now          func() time.Time
	Logger       *slog.Logger
	Observer     Observer // may be nil

	pauses  []pause        // by destination
	waited  map[string]int // looks at an episode whose mentions are not all there, by id and event
	reasons map[string]*Reason
}

// pause is a destination that does not answer.
type pause struct {
	until    time.Time
	length   time.Duration
	attempts uint32
}

// Run delivers until ctx ends.
func (c *Courier) Run(ctx context.Context) error {
	for {
		wait, err := c.Round(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx ends the work
		}
		if err != nil {
			// The store is away or a row is out of order: nothing is lost, the next round finds it again.
			c.Logger.Warn("alerts wait", "partition", c.Partition, "error", err)
			wait = restartWait
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-c.Wake:
		}
		timer.Stop()
	}
}

// task is one message to one destination.
type task struct {
	row   *Row
	event Event
}

// Round delivers what is due once and returns after which time there may be more. Destinations are served in parallel, each in the
// order of the episodes; one that fails waits alone, one that does not answer holds the others up for one attempt.
func (c *Courier) Round(ctx context.Context) (time.Duration, error) {
	if c.pauses == nil {
		c.pauses, c.waited = make([]pause, len(c.Destinations)), map[string]int{}
	}
	c.reasons = map[string]*Reason{}
	rows, err := c.Store.Recent(ctx, c.Partition, lookBack)
	if err != nil || len(rows) == 0 {
		return idlePause, err
	}
	var brands []string
	for i := range rows {
		if !slices.Contains(brands, rows[i].Brand) {
			brands = append(brands, rows[i].Brand)
		}
	}
	list, err := c.Store.Settled(ctx, brands, lookBack)
	if err != nil {
		return 0, err
	}
	settled := map[string]Delivery{}
	for _, d := range list {
		settled[d.Destination+" "+d.ID+" "+string(d.Event)] = d
	}
	wait := idlePause
	due := make([][]task, len(c.Destinations))
	for i := range c.Destinations {
		d := &c.Destinations[i]
		for j := range rows {
			again, err := c.plan(ctx, d, &rows[j], rows, settled, &due[i])
			if err != nil {
				return 0, err
			}
			wait = min(wait, again)
		}
	}
	for i := range due {
		held := map[*Row]bool{} // the end of an episode is not told before its begin
		due[i] = slices.DeleteFunc(due[i], func(t task) bool {
			if held[t.row] {
				return true
			}
			again, failed := c.explain(ctx, t)
			if failed != nil {
				err = errors.Join(err, failed)
			}
			wait = min(wait, again)
			held[t.row] = again < idlePause
			return held[t.row]
		})
	}
	group, gctx := errgroup.WithContext(ctx)
	pauses := make([]time.Duration, len(due))
	for i := range due {
		group.Go(func() (err error) {
			pauses[i], err = c.serve(gctx, i, due[i])
			return err
		})
	}
	err = errors.Join(err, group.Wait())
	for _, p := range pauses {
		wait = min(wait, p)
	}
	return wait, err
}

// plan appends what a destination is to be told of an episode now, and notes what the policy forbids. It returns after which time
// there may be more.
func (c *Courier) plan(ctx context.Context, d *Destination, r *Row, rows []Row, settled map[string]Delivery, due *[]task) (time.Duration, error) {
	if !d.All && (r.Severity < d.Severity || len(d.Brands) > 0 && !slices.Contains(d.Brands, r.Brand) || len(d.Rules) > 0 && !slices.Contains(d.Rules, r.Rule)) {
		return idlePause, nil
	}
	id := r.ID()
	of := func(e Event) (Delivery, bool) {
		x, ok := settled[d.Name+" "+id+" "+string(e)]
		return x, ok
	}
	opened, known := of(Opened)
	if !known {
		if r.Withdrawn {
			return idlePause, nil // nobody was told
		}
		if !d.All {
			if why := c.forbidden(d, r, rows, settled); why != "" {
				return idlePause, c.settle(ctx, d, r, Opened, Suppressed, why, 0, settled)
			}
			if r.Severity < spike.Critical && d.Quiet.Holds(c.Now()) {
				return quietPause, nil
			}
		}
		*due = append(*due, task{r, Opened})
		// For the others of this round it is as good as told.
		settled[d.Name+" "+id+" "+string(Opened)] = Delivery{State: Sent, Note: r.Severity.String()}
		if r.ClearedAt == 0 {
			return idlePause, nil
		}
		opened = settled[d.Name+" "+id+" "+string(Opened)]
	}
	if opened.State != Sent {
		return idlePause, nil
	}
	next := Event("")
	told, _ := spike.ParseSeverity(opened.Note)
	switch {
	case r.Withdrawn:
		next = Withdrawn
	case r.ClearedAt != 0:
		next = Cleared
	case r.Severity > told && r.Severity == spike.Critical:
		next = RaisedCritical
	case r.Severity > told && r.Severity == spike.Warning:
		next = RaisedWarning
	}
	if next == "" {
		return idlePause, nil
	}
	if _, ok := of(next); ok {
		return idlePause, nil
	}
	if !d.All && next != RaisedCritical && d.Quiet.Holds(c.Now()) {
		return quietPause, nil
	}
	*due = append(*due, task{r, next})
	return idlePause, nil
}

// forbidden returns why people are not told of the begin of an episode, "" if they are.
func (c *Courier) forbidden(d *Destination, r *Row, rows []Row, settled map[string]Delivery) string {
	now := c.Now()
	if age := now.Sub(r.OpenedAt.Go()); c.Policy.MaxAge > 0 && age > c.Policy.MaxAge {
		return fmt.Sprintf("it began %s ago", age.Truncate(time.Minute))
	}
	for _, m := range c.Policy.Mutes {
		if (m.Brand == "" || m.Brand == r.Brand) && (m.Rule == "" || m.Rule == r.Rule) && now.Before(m.Until) {
			return "muted until " + m.Until.UTC().Format(time.RFC3339)
		}
	}
	for i := range rows {
		o := &rows[i]
		if o.Brand != r.Brand || o.Rule != r.Rule || o.Withdrawn || o.OpenedAt == r.OpenedAt && o.Platform == r.Platform {
			continue
		}
		if r.Platform != "" && o.Platform == "" && o.OpenedAt < r.OpenedAt+stream.Hour && (o.ClearedAt == 0 || o.ClearedAt > r.OpenedAt) {
			return "part of " + o.ID() + ", all platforms together"
		}
		told, ok := settled[d.Name+" "+o.ID()+" "+string(Opened)]
		apart := r.OpenedAt - o.OpenedAt
		if ok && told.State == Sent && o.Platform == r.Platform && max(apart, -apart) < stream.Time(c.Policy.CoolDown.Milliseconds()) {
			return "cooling down after " + o.ID()
		}
	}
	return ""
}

// explain makes the reason of a message, once for all destinations. A duration below idlePause says that it is to be tried again.
func (c *Courier) explain(ctx context.Context, t task) (time.Duration, error) {
	if t.event == Withdrawn {
		return idlePause, nil
	}
	key := t.row.ID() + " " + string(t.event)
	if c.reasons[key] != nil {
		return idlePause, nil
	}
	reason, err := c.Store.Explain(ctx, t.row)
	if err != nil {
		return firstPause, err
	}
	// Track tells roll of a mention before it stores it: the reason waits for the mentions that the figures hold.
	if reason.Mentions < t.row.Count() && c.waited[key] < patience {
		c.waited[key]++
		return firstPause, nil
	}
	delete(c.waited, key)
	if err := c.Store.SaveReason(ctx, reason); err != nil {
		return firstPause, err
	}
	c.reasons[key] = reason
	return idlePause, nil
}

// serve sends what is due to one destination, in order, and returns when it is to be tried again.
func (c *Courier) serve(ctx context.Context, i int, due []task) (time.Duration, error) {
	d, p := &c.Destinations[i], &c.pauses[i]
	if len(due) == 0 {
		return idlePause, nil
	}
	if left := p.until.Sub(c.Now()); left > 0 {
		return left, nil
	}
	for _, t := range due {
		message := NewMessage(t.row, t.event, c.reasons[t.row.ID()+" "+string(t.event)])
		once, cancel := context.WithTimeout(ctx, attempt)
		err := d.Sender.Send(once, message)
		cancel()
		if ctx.Err() != nil {
			return idlePause, ctx.Err()
		}
		p.attempts++
		if err != nil {
			if c.Observer != nil {
				c.Observer.AlertRefused(d.Name)
			}
			if age := c.Now().Sub(t.row.OpenedAt.Go()); !d.All && c.Policy.MaxAge > 0 && age > c.Policy.MaxAge {
				c.Logger.Error("an alert is given up: check the destination", "destination", d.Name, "alert", message.ID, "event", string(t.event), "error", err)
				if err := c.settle(ctx, d, t.row, t.event, Failed, err.Error(), p.attempts, nil); err != nil {
					return idlePause, err
				}
				continue
			}
			p.length = min(max(2*p.length, firstPause), longest)
			p.until = c.Now().Add(p.length)
			c.Logger.Warn("an alert waits for its destination", "destination", d.Name, "alert", message.ID, "event", string(t.event), "again_in", p.length.String(), "error", err)
			return p.length, nil
		}
		if err := c.settle(ctx, d, t.row, t.event, Sent, t.row.Severity.String(), p.attempts, nil); err != nil {
			return idlePause, err
		}
		*p = pause{}
	}
	return idlePause, nil
}

// settle notes what became of a message.
func (c *Courier) settle(ctx context.Context, d *Destination, r *Row, e Event, s State, note string, attempts uint32, settled map[string]Delivery) error {
	x := Delivery{ID: r.ID(), Event: e, Destination: d.Name, Brand: r.Brand, Rule: r.Rule, State: s, Note: note, Attempts: attempts, At: stream.TimeOf(c.Now())}
	if settled != nil {
		settled[d.Name+" "+x.ID+" "+string(e)] = x
	}
	if err := c.Store.SaveDelivery(ctx, &x); err != nil || c.Observer == nil {
		return err
	}
	c.Observer.AlertSettled(d.Name, s.String())
	if d.All && s == Sent && (e == Opened || e == RaisedWarning || e == RaisedCritical) {
		c.Observer.AlertEpisode(string(r.Rule), r.Severity.String())
	}
	return nil
}
