package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/ops"
)

var (
	metricName   = regexp.MustCompile(`otklik_[a-z0-9_]+`)
	byLabels     = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	matchedLabel = regexp.MustCompile(`[{,]\s*([a-z_]+)\s*(?:=|!=|=~|!~)\s*"`)
	legendLabel  = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
)

// TestDashboardsMetrics: every metric and every label that a query to Prometheus names is exposed by an engine that runs, with an
// external classifier that fails.
func TestDashboardsMetrics(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", http.StatusServiceUnavailable) }))
	t.Cleanup(server.Close)
	s := enginetest.New(t, func(cfg *config.Config) {
		r := &cfg.Sentiment.Remote
		r.URL, r.Name = server.URL, "far"
		r.Timeout, r.Retries, r.MaxWait, r.Failures, r.CoolDown = 500*time.Millisecond, 1, time.Second, 2, time.Minute
	})
	s.Feed(t, s.Simulation(t, 5, 300), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := s.Engine(t, ctx, false)
	var group errgroup.Group
	group.Go(func() error { return e.Run(ctx) })
	enginetest.Await(t, ctx, e, time.Minute)
	labels := exposed(t, e.Metrics)
	cancel()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	asked := 0
	for key, b := range readBoards(t) {
		for i := range b.Panels {
			for _, target := range b.Panels[i].Targets {
				if target.Expr == "" {
					continue
				}
				asked++
				name := key + ": " + b.Panels[i].Title
				metrics := metricName.FindAllString(target.Expr, -1)
				if len(metrics) == 0 {
					t.Errorf("%s names no metric of Otklik: %s", name, target.Expr)
				}
				var wanted, kept []string
				for _, m := range byLabels.FindAllStringSubmatch(target.Expr, -1) {
					for l := range strings.SplitSeq(m[1], ",") {
						kept = append(kept, strings.TrimSpace(l))
					}
				}
				wanted = append(wanted, kept...)
				for _, m := range matchedLabel.FindAllStringSubmatch(target.Expr, -1) {
					wanted = append(wanted, m[1])
				}
				for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
					wanted = append(wanted, m[1])
					if !slices.Contains(kept, m[1]) {
						t.Errorf("%s: the legend names %s, which the query does not keep: %s", name, m[1], target.Expr)
					}
				}
				for _, metric := range metrics {
					have, ok := labels[metric]
					if !ok {
						t.Errorf("%s: a running engine does not expose %s", name, metric)
						continue
					}
					for _, l := range wanted {
						if !slices.Contains(have, l) {
							t.Errorf("%s: %s has no label %s, it has %v", name, metric, l, have)
						}
					}
				}
			}
		}
	}
	if asked < 8 {
		t.Errorf("only %d queries to Prometheus were found", asked)
	}
}

// exposed returns the labels of every series of the registry by its name.
func exposed(t *testing.T, m *ops.Metrics) map[string][]string {
	t.Helper()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			labels := []string{}
			for _, l := range metric.GetLabel() {
				labels = append(labels, l.GetName())
			}
			name := f.GetName()
			if metric.GetHistogram() == nil {
				out[name] = labels
				continue
			}
			out[name+"_sum"], out[name+"_count"], out[name+"_bucket"] = labels, labels, append(slices.Clone(labels), "le")
		}
	}
	return out
}
