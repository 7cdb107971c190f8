package config

import (
	"fmt"
	"net"
	"net/url"
	"time"

	"otklik/stream/sentiment"
	classifier "otklik/stream/sentiment/remote"
)

// Sentiment says who labels mentions: the built-in model, unless ModelFile or Remote name another.
type Sentiment struct {
	ModelFile string `yaml:"model"` // path of a model file instead of the built-in one; "" is the built-in one
	Remote    Remote `yaml:"remote"`

	// Model is the model of ModelFile, read and whole; nil where ModelFile is empty.
	Model *sentiment.Model `yaml:"-"`
}

// Classifier returns the model that labels in this process: that of ModelFile, else the built-in one.
func (s *Sentiment) Classifier() (*sentiment.Model, error) {
	if s.Model != nil {
		return s.Model, nil
	}
	return sentiment.Default()
}

// Remote is an external classifier that speaks the protocol of the package stream/sentiment/remote. An empty URL means that
// there is none.
type Remote struct {
	URL  string `yaml:"url"`  // http or https
	Name string `yaml:"name"` // begins the value of mentions.model; another name is another classifier
	TLS  TLS    `yaml:"tls"`  // enabled by an https URL

	TokenEnv  string `yaml:"token_env"`  // name of an environment variable
	TokenFile string `yaml:"token_file"` // or path of a file; a newline at its end does not count
	// Token is the bearer token; the zero Secret sends none.
	Token Secret `yaml:"-"`

	BatchTexts  int           `yaml:"batch_texts"` // in one request
	Concurrency int           `yaml:"concurrency"` // requests of this process on their way at once
	Timeout     time.Duration `yaml:"timeout"`     // of one request
	Retries     int           `yaml:"retries"`     // of one request
	// MaxWait is how long one micro-batch waits for labels. What has none by then is labelled by the built-in model.
	MaxWait time.Duration `yaml:"max_wait"`
	// Failures is after how many failed requests in a row the classifier is left alone, CoolDown for how long.
	Failures int           `yaml:"failures"`
	CoolDown time.Duration `yaml:"cool_down"`
}

func defaultSentiment() Sentiment {
	return Sentiment{Remote: Remote{
		BatchTexts: 32, Concurrency: 4, Timeout: 5 * time.Second, Retries: 2, MaxWait: 30 * time.Second, Failures: 5, CoolDown: 30 * time.Second,
	}}
}

// The bounds of the external classifier. A task that hangs is ended after ten minutes; a wait stays far below.
const (
	maxBatchTexts  = 4096
	maxConcurrency = 256
	minRemoteWait  = 10 * time.Millisecond
	maxRemoteWait  = 5 * time.Minute
	maxRetries     = 20
	maxFailures    = 1000
	maxCoolDown    = time.Hour
)

func (v *validator) sentiment(s *Sentiment) {
	const path = "sentiment.remote"
	r := &s.Remote
	between(v, path+".batch_texts", r.BatchTexts, 1, maxBatchTexts)
	between(v, path+".concurrency", r.Concurrency, 1, maxConcurrency)
	between(v, path+".timeout", r.Timeout, minRemoteWait, maxRemoteWait)
	between(v, path+".retries", r.Retries, 0, maxRetries)
	between(v, path+".max_wait", r.MaxWait, minRemoteWait, maxRemoteWait)
	between(v, path+".failures", r.Failures, 1, maxFailures)
	between(v, path+".cool_down", r.CoolDown, minRemoteWait, maxCoolDown)
	if r.URL == "" {
		if r.Name != "" || r.TokenEnv != "" || r.TokenFile != "" || r.TLS != (TLS{}) {
			v.at(path, "no url", "add url: https://host/path, or remove the other keys")
		}
		return
	}
	if r.Name == "" {
		v.at(path+".name", "no name", "add name: it stands in mentions.model and tells whose label a row has")
	} else if !classifier.ValidName(r.Name) {
		v.at(path+".name", fmt.Sprintf("%q cannot be the name of a classifier", r.Name), "use up to 64 letters, digits and . _ : / @ + -")
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		v.at(path+".url", "not a URL", "write it as https://host/path")
		return
	case u.User != nil || u.RawQuery != "":
		v.at(path+".url", "holds a user or a query", "put the secret into token_env or token_file")
		return
	case u.Scheme == "https":
		r.TLS.Enabled = true
	case r.TLS != (TLS{}):
		v.at(path+".tls", "certificates for a URL without encryption", "begin the url with https://, or remove them")
		return
	case (r.TokenEnv != "" || r.TokenFile != "") && remote(net.JoinHostPort(u.Hostname(), "0")):
		v.at(path+".url", "would send the token in the clear to another host", "begin it with https://")
	}
	v.tls(path+".tls", &r.TLS)
}
