package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/ops"
	"otklik/stream/sentiment"
	"otklik/stream/sentiment/remote"
)

// externalClassifier returns the external classifier that the configuration names, with builtIn to fall back to; nil if it names none.
func externalClassifier(cfg *config.Config, builtIn sentiment.Classifier, metrics *ops.Metrics, logger *slog.Logger) (*remote.Classifier, error) {
	r := &cfg.Sentiment.Remote
	if r.URL == "" {
		return nil, nil //nolint:nilnil // "none" is no error
	}
	tls, err := r.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("sentiment.remote: %w", err)
	}
	observer, err := newClassifierObserver(metrics, logger)
	if err != nil {
		return nil, err
	}
	return remote.New(remote.Config{
		URL: r.URL, Name: r.Name, Token: remote.Token(r.Token.Reveal()), TLS: tls, BatchTexts: r.BatchTexts, Concurrency: r.Concurrency,
		Timeout: r.Timeout, Retries: r.Retries, MaxWait: r.MaxWait, Failures: r.Failures, CoolDown: r.CoolDown,
		BuiltIn: builtIn, Observer: observer,
	})
}

// classifierObserver counts and logs what an external classifier does.
type classifierObserver struct {
	metrics   *ops.Metrics
	logger    *slog.Logger
	labelled  prometheus.Counter
	fallbacks *prometheus.CounterVec
	requests  *prometheus.HistogramVec
	alone     prometheus.Gauge
}

func newClassifierObserver(metrics *ops.Metrics, logger *slog.Logger) (*classifierObserver, error) {
	labelled := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "otklik_classifier_texts_total",
		Help: "Texts labelled by the external classifier.",
	})
	fallbacks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "otklik_classifier_fallbacks_total",
		Help: "Texts labelled by the built-in model because the external classifier gave no usable answer, by reason.",
	}, []string{"reason"})
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "otklik_classifier_request_duration_seconds",
		Help:    "Time of one request to the external classifier, by result (ok, error).",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"result"})
	alone := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "otklik_classifier_left_alone",
		Help: "1 while the external classifier is left alone after failures in a row, else 0.",
	})
	o := &classifierObserver{metrics: metrics, logger: logger}
	var errs [4]error
	o.labelled, errs[0] = registered(metrics, labelled)
	o.fallbacks, errs[1] = registered(metrics, fallbacks)
	o.requests, errs[2] = registered(metrics, requests)
	o.alone, errs[3] = registered(metrics, alone)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, reason := range remote.Reasons { // a rate can be taken from the first fallback on
		o.fallbacks.WithLabelValues(string(reason))
	}
	return o, nil
}

// registered registers a collector, or returns the one that an earlier engine of the process has registered.
func registered[C prometheus.Collector](metrics *ops.Metrics, c C) (C, error) {
	err := metrics.Registry().Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if before, ok := already.ExistingCollector.(C); ok {
			return before, nil
		}
	}
	return c, err
}

// Request implements remote.Observer.
func (o *classifierObserver) Request(took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	o.requests.WithLabelValues(result).Observe(took.Seconds())
}

// Labelled implements remote.Observer.
func (o *classifierObserver) Labelled(texts int) { o.labelled.Add(float64(texts)) }

// FellBack implements remote.Observer.
func (o *classifierObserver) FellBack(texts int, reason remote.Reason) {
	o.fallbacks.WithLabelValues(string(reason)).Add(float64(texts))
}

// LeftAlone implements remote.Observer.
func (o *classifierObserver) LeftAlone(err error, coolDown time.Duration) {
	if err != nil {
		o.alone.Set(1)
		o.logger.Warn("the external classifier is left alone after failures in a row, and the built-in model labels", "error", err, "cool_down", coolDown)
		return
	}
	o.alone.Set(0)
	o.logger.Info("the external classifier answers again")
}

// Retrying implements remote.Observer.
func (o *classifierObserver) Retrying(attempt error, wait time.Duration) {
	o.metrics.Retry("classifier")
	o.logger.Warn("retrying", "target", "classifier", "error", attempt, "wait", wait)
}
