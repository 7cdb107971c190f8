package roll

import (
	"context"

	"otklik/stream"
	"otklik/stream/alert"
	"otklik/stream/spike"
	"otklik/stream/window"
)

// Alerts keeps alert episodes.
type Alerts interface {
	// AlertHistory returns what the watches of these brands are restored from: the windows from one time on, the hours from another
	// on, and the episodes that lasted beyond the first of the windows.
	AlertHistory(ctx context.Context, brands []string, windows, hours stream.Time) (*alert.History, error)
	// WriteAlerts makes rows durable. It retries transient errors until ctx ends.
	WriteAlerts(ctx context.Context, rows []alert.Row) error
}

// spikes are the watches of the brands of a partition; nil when no alerts are kept.
type spikes struct {
	alerts      Alerts
	sensitivity spike.Sensitivity
	changed     func()
	watches     map[string]*spike.Watch
	rows        []alert.Row
}

func newSpikes(cfg *Config) *spikes {
	if cfg.Alerts == nil {
		return nil
	}
	return &spikes{alerts: cfg.Alerts, sensitivity: cfg.Sensitivity, changed: cfg.OnAlerts, watches: map[string]*spike.Watch{}}
}

// restore begins to watch brands that the task has not met before.
func (s *spikes) restore(ctx context.Context, brands []string, watermark stream.Time) error {
	if s == nil {
		return nil
	}
	history := &alert.History{}
	if watermark > 0 {
		windows, hours := spike.Since(watermark)
		var err error
		if history, err = s.alerts.AlertHistory(ctx, brands, windows, hours); err != nil {
			return err
		}
	}
	told := map[string][]spike.Episode{}
	for i := range history.Rows {
		told[history.Rows[i].Brand] = append(told[history.Rows[i].Brand], history.Rows[i].Episode)
	}
	for _, brand := range brands {
		s.watches[brand] = spike.NewWatch(s.sensitivity)
	}
	for i := range history.Windows {
		f := &history.Windows[i]
		s.watches[f.Brand].Window(f.Platform, f.At, f.Counts)
	}
	for i := range history.Hours {
		f := &history.Hours[i]
		s.watches[f.Brand].Hour(f.Platform, f.At, f.Counts)
	}
	for _, brand := range brands {
		s.watches[brand].Restore(watermark, told[brand])
	}
	return nil
}

// observe gives a brand's rows to its watch and collects the episodes that have changed.
func (s *spikes) observe(brand string, rows []window.RollingRow, partition int32, position stream.Position, watermark stream.Time) {
	if s == nil {
		return
	}
	w := s.watches[brand]
	for i := range rows {
		r := &rows[i]
		c := spike.Counts{Negative: r.Negative, Labelled: r.Labelled(), Mentions: r.Mentions()}
		switch {
		case r.Window == spike.Length:
			w.Window(r.Platform, r.At, c)
		case r.Window == stream.Hour && r.At%stream.Hour == 0:
			w.Hour(r.Platform, r.At-stream.Hour, c)
		}
	}
	for _, e := range w.Flush(nil, watermark) {
		s.rows = append(s.rows, alert.Row{Brand: brand, Episode: e, Partition: partition, Revision: alert.Revision(position, watermark)})
	}
}

// pending reports whether there are episodes to write.
func (s *spikes) pending() bool { return s != nil && len(s.rows) > 0 }

// flush makes the episodes durable. It comes before the progress is written: a replay makes those again that were not.
func (s *spikes) flush(ctx context.Context) error {
	if !s.pending() {
		return nil
	}
	if err := s.alerts.WriteAlerts(ctx, s.rows); err != nil {
		return err
	}
	s.rows = s.rows[:0]
	if s.changed != nil {
		s.changed()
	}
	return nil
}
