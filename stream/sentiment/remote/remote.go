package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"otklik/stream"
	"otklik/stream/sentiment"
)

// Token is a bearer token. It prints as ***, whatever the verb.
type Token string

// Format implements fmt.Formatter.
func (t Token) Format(f fmt.State, _ rune) {
	if t != "" {
		_, _ = io.WriteString(f, "***") // fmt reports its own writer's error
	}
}

// Config says which classifier to ask and how patiently.
type Config struct {
	URL         string
	Name        string               // begins mentions.model; see ValidName
	Token       Token                // "" sends none
	TLS         *tls.Config          // nil trusts the system's authorities; certificates are always verified
	BatchTexts  int                  // texts in a request; default 32
	Concurrency int                  // requests on their way at once, over all callers; default 4
	Timeout     time.Duration        // of one request; default 5 s
	Retries     int                  // repetitions of a request; 0 is none
	MaxWait     time.Duration        // of one ClassifyBatch; default 30 s
	Failures    int                  // failed requests in a row after which the classifier is left alone; default 5
	CoolDown    time.Duration        // for so long; default 30 s
	BuiltIn     sentiment.Classifier // answers when the classifier does not
	Observer    Observer             // nil: nobody looks
}

func (cfg Config) withDefaults() Config {
	set := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	last := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	set(&cfg.BatchTexts, 32)
	set(&cfg.Concurrency, 4)
	set(&cfg.Failures, 5)
	last(&cfg.Timeout, 5*time.Second)
	last(&cfg.MaxWait, 30*time.Second)
	last(&cfg.CoolDown, 30*time.Second)
	cfg.Retries = max(cfg.Retries, 0)
	if cfg.Observer == nil {
		cfg.Observer = nobody{}
	}
	return cfg
}

// Reason says why texts were labelled by the built-in model.
type Reason string

// The reasons.
const (
	Open        Reason = "open"        // the classifier is left alone after failures
	Waited      Reason = "waited"      // the micro-batch has waited for MaxWait
	TimedOut    Reason = "timed_out"   // no answer within Timeout
	Unavailable Reason = "unavailable" // no connection, a connection that broke, or a 408, 425, 429 or 5xx
	Refused     Reason = "refused"     // any other status than 200
	Invalid     Reason = "invalid"     // a response that is not as agreed
)

// Reasons are all reasons.
var Reasons = []Reason{Open, Waited, TimedOut, Unavailable, Refused, Invalid}

// Observer is told what the classifier does; its methods are called by several goroutines at once.
type Observer interface {
	Request(took time.Duration, err error)       // of one request, answered or not
	Labelled(texts int)                          // by the external classifier
	FellBack(texts int, reason Reason)           // to the built-in model
	LeftAlone(err error, coolDown time.Duration) // after failures in a row, the last of which is err; nil: it answers again
	Retrying(attempt error, wait time.Duration)  // a request is repeated after wait
}

type nobody struct{}

func (nobody) Request(time.Duration, error)   {}
func (nobody) Labelled(int)                   {}
func (nobody) FellBack(int, Reason)           {}
func (nobody) LeftAlone(error, time.Duration) {}
func (nobody) Retrying(error, time.Duration)  {}

// Classifier asks the external classifier. It is safe for concurrent use.
type Classifier struct {
	cfg     Config
	client  *http.Client
	slots   chan struct{} // one per request on its way
	breaker breaker
	scratch sync.Pool // *sentiment.Scratch of the built-in model
}

// New returns a classifier. It sends nothing yet.
func New(cfg Config) (*Classifier, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("external classifier: its URL is not http://host/path or https://host/path")
	}
	if !ValidName(cfg.Name) {
		return nil, fmt.Errorf("external classifier: the name %q is not up to 64 letters, digits and . _ : / @ + -", cfg.Name)
	}
	if cfg.BuiltIn == nil {
		return nil, errors.New("external classifier: no built-in model to fall back to")
	}
	cfg = cfg.withDefaults()
	settings := cfg.TLS.Clone()
	if settings != nil {
		settings.InsecureSkipVerify = false
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, ForceAttemptHTTP2: true, TLSHandshakeTimeout: cfg.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           cfg.Concurrency, MaxIdleConnsPerHost: cfg.Concurrency, IdleConnTimeout: 90 * time.Second,
	}
	c := &Classifier{
		cfg: cfg, slots: make(chan struct{}, cfg.Concurrency),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	c.breaker = breaker{limit: cfg.Failures, coolDown: cfg.CoolDown, turned: func(err error) { cfg.Observer.LeftAlone(err, cfg.CoolDown) }}
	c.scratch.New = func() any { return new(sentiment.Scratch) }
	return c, nil
}

// Close closes idle connections. The classifier can still be used.
func (c *Classifier) Close() { c.client.CloseIdleConnections() }

// Name implements sentiment.Classifier: the configured name. The name that counts for a label is that of its Result.
func (c *Classifier) Name() string { return c.cfg.Name }

// Classify implements sentiment.Classifier with a request of its own, and waits for it for at most MaxWait. It cannot say
// whether the built-in model answered: where that matters, ask ClassifyBatch.
func (c *Classifier) Classify(text, lang string, target sentiment.Target, _ *sentiment.Scratch) (stream.Label, stream.Scores) {
	results, err := c.ClassifyBatch(context.Background(), []sentiment.Request{{Text: text, Lang: lang, Target: target}})
	if err != nil {
		return stream.Unlabelled, stream.Scores{} // not reached: the background context never ends
	}
	return results[0].Label, results[0].Scores
}

// errWaited ends what has not been answered within MaxWait.
var errWaited = errors.New("waited for long enough")

// ClassifyBatch implements sentiment.BatchClassifier. It takes MaxWait at most, and the time of the built-in model.
func (c *Classifier) ClassifyBatch(ctx context.Context, requests []sentiment.Request) ([]sentiment.Result, error) {
	results := make([]sentiment.Result, len(requests))
	waiting, cancel := context.WithTimeoutCause(ctx, c.cfg.MaxWait, errWaited)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(c.cfg.Concurrency)
	for from := 0; from < len(requests); {
		to := c.chunk(requests, from)
		asked, answers := requests[from:to], results[from:to]
		group.Go(func() error { return c.label(ctx, waiting, asked, answers) })
		from = to
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}

// maxRequest bounds the bytes of text in one request; a longer text goes alone.
const maxRequest = 1 << 20

// chunk returns the end of the request that begins with requests[from].
func (c *Classifier) chunk(requests []sentiment.Request, from int) int {
	n := 0
	for to := from; to < len(requests); to++ {
		n += len(requests[to].Text)
		if to-from == c.cfg.BatchTexts || to > from && n > maxRequest {
			return to
		}
	}
	return len(requests)
}

// label labels the texts of one request: with the external classifier until waiting ends, else with the built-in model. Its error
// is that of ctx.
func (c *Classifier) label(ctx, waiting context.Context, requests []sentiment.Request, results []sentiment.Result) error {
	err := c.ask(waiting, requests, results)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		c.cfg.Observer.Labelled(len(requests))
		return nil
	}
	s := c.scratch.Get().(*sentiment.Scratch) //nolint:forcetypeassert // the pool holds nothing else
	defer c.scratch.Put(s)
	model := c.cfg.BuiltIn.Name()
	for i := range requests {
		r := &requests[i]
		label, scores := c.cfg.BuiltIn.Classify(r.Text, r.Lang, r.Target, s)
		results[i] = sentiment.Result{Label: label, Scores: scores, Model: model}
	}
	c.cfg.Observer.FellBack(len(requests), reasonOf(err))
	return nil
}

// fault is why a request had no usable answer.
type fault struct {
	reason Reason
	err    error
}

// Error implements error.
func (f *fault) Error() string { return fmt.Sprintf("ask the external classifier: %v", f.err) }

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

func reasonOf(err error) Reason {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.reason
	}
	return Waited
}

// The pauses between attempts.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Second
)

// ask sends the request, repeats it while that makes sense, and reads the answer into results.
func (c *Classifier) ask(ctx context.Context, requests []sentiment.Request, results []sentiment.Result) error {
	body, err := encode(requests)
	if err != nil {
		return &fault{Invalid, err}
	}
	pauses := &pauses{exponential: backoff.NewExponentialBackOff()}
	pauses.exponential.InitialInterval, pauses.exponential.MaxInterval = firstPause, maxPause
	var cause error // what the last attempt that was sent ended with
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		retry, after, err := c.attempt(ctx, body, results)
		if f, ok := errors.AsType[*fault](err); ok && f.reason != Open {
			cause = err
		}
		pauses.asked = after
		if err != nil && !retry {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithBackOff(pauses), backoff.WithMaxTries(uint(c.cfg.Retries)+1), backoff.WithMaxElapsedTime(c.cfg.MaxWait),
		backoff.WithNotify(c.cfg.Observer.Retrying))
	if err != nil && cause != nil {
		return cause // and not that it was not sent again
	}
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok { // returned as it is when the attempts are used up
		err = permanent.Err
	}
	return err
}

// pauses are the pauses between attempts: growing, or as long as the server asked for.
type pauses struct {
	exponential *backoff.ExponentialBackOff
	asked       time.Duration
}

// NextBackOff implements backoff.BackOff.
func (p *pauses) NextBackOff() time.Duration { return max(p.asked, p.exponential.NextBackOff()) }

// Reset implements backoff.BackOff.
func (p *pauses) Reset() { p.exponential.Reset() }

// attempt sends the request once. retry says whether another attempt makes sense, and after how long the server wants it.
func (c *Classifier) attempt(ctx context.Context, body []byte, results []sentiment.Result) (retry bool, after time.Duration, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return false, 0, context.Cause(ctx)
	}
	start := time.Now()
	if !c.breaker.allow(start) {
		return false, 0, &fault{Open, errors.New("it is left alone after failures")}
	}
	retry, after, err = c.send(ctx, body, results)
	now := time.Now()
	switch {
	case err == nil:
		c.breaker.done(now, succeeded, nil)
	case ctx.Err() != nil:
		c.breaker.done(now, abandoned, nil)
		return false, 0, context.Cause(ctx)
	default:
		c.breaker.done(now, failed, err)
	}
	c.cfg.Observer.Request(now.Sub(start), err)
	return retry, after, err
}

// send is one exchange with the server.
func (c *Classifier) send(ctx context.Context, body []byte, results []sentiment.Result) (retry bool, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return false, 0, &fault{Refused, err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "otklik")
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(c.cfg.Token))
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return true, 0, broken(ctx, err)
	}
	defer resp.Body.Close() // a close that fails costs the connection, nothing else
	if resp.StatusCode != http.StatusOK {
		f := &fault{Refused, fmt.Errorf("status %d", resp.StatusCode)}
		if passing(resp.StatusCode) {
			f.reason = Unavailable
			return true, retryAfter(resp.Header), f
		}
		return false, 0, f
	}
	limit := int64(maxResponse + maxResponseText*len(results))
	got, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return true, 0, broken(ctx, err)
	}
	if int64(len(got)) > limit {
		return false, 0, &fault{Invalid, fmt.Errorf("%w: more than %d bytes", errInvalid, limit)}
	}
	if err := decode(got, c.cfg.Name, results); err != nil {
		return false, 0, &fault{Invalid, err}
	}
	return false, 0, nil
}

// broken makes a fault of an error of the connection. The address and what stands in it stay out of the message.
func broken(ctx context.Context, err error) *fault {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if ctx.Err() != nil {
		return &fault{TimedOut, errors.New("no answer in time")}
	}
	return &fault{Unavailable, err}
}

// passing reports whether a status says that the server may answer later.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// retryAfter reads the header in seconds, its common form; 0 without it.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}
