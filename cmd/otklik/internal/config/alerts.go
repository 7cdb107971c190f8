package config

import (
	"fmt"
	"slices"
	"time"

	"otklik/sinks/webhook"
	"otklik/stream/alert"
	"otklik/stream/brand"
	"otklik/stream/spike"
)

// Alerts says when an episode is one and who is told of it.
type Alerts struct {
	Sensitivity spike.Sensitivity `yaml:"sensitivity"` // low, normal or high
	// CoolDown is for how long after an episode that was told no other one of the same brand and rule is.
	CoolDown time.Duration `yaml:"cool_down"`
	// MaxAge is how old an episode may be when people are told of it, and for how long a message is tried.
	MaxAge       time.Duration      `yaml:"max_age"`
	Mutes        []AlertMute        `yaml:"mutes"`
	Destinations []AlertDestination `yaml:"destinations"`
}

// AlertMute keeps what concerns a brand and rule (empty: any) from people until a moment.
type AlertMute struct {
	Brand string `yaml:"brand"`
	Rule  string `yaml:"rule"`
	Until string `yaml:"until"` // RFC 3339
}

// AlertDestination is a receiver of messages about alert episodes.
type AlertDestination struct {
	Name       string       `yaml:"name"` // by which it is remembered what was delivered
	Kind       webhook.Kind `yaml:"kind"` // json, slack or telegram
	URL        string       `yaml:"url"`
	URLEnv     string       `yaml:"url_env"`     // name of an environment variable, where the address is a secret
	URLFile    string       `yaml:"url_file"`    // or path of a file; a newline at its end does not count
	SecretEnv  string       `yaml:"secret_env"`  // the key of the signature, or the token of the Telegram bot
	SecretFile string       `yaml:"secret_file"` //
	Chat       string       `yaml:"chat"`        // of Telegram
	Brands     []string     `yaml:"brands"`      // none: all
	Rules      []string     `yaml:"rules"`       // none: all
	Severity   string       `yaml:"severity"`    // the least: notice, warning or critical
	Quiet      AlertQuiet   `yaml:"quiet"`
	Address    Secret       `yaml:"-"`
	Secret     Secret       `yaml:"-"`
}

// AlertQuiet is the hours in which only critical episodes are told.
type AlertQuiet struct {
	From     string `yaml:"from"` // hh:mm
	To       string `yaml:"to"`
	TimeZone string `yaml:"time_zone"` // of the IANA database; default UTC
}

// DefaultAlerts is what an empty file means.
func DefaultAlerts() Alerts {
	return Alerts{Sensitivity: spike.Normal, CoolDown: 30 * time.Minute, MaxAge: 6 * time.Hour}
}

// kafkaDestination is the name under which deliveries to the topic are noted.
const kafkaDestination = "kafka"

// Policy returns what holds for all destinations. The configuration must be valid.
func (a *Alerts) Policy() alert.Policy {
	p := alert.Policy{CoolDown: a.CoolDown, MaxAge: a.MaxAge}
	for _, m := range a.Mutes {
		if until, err := time.Parse(time.RFC3339, m.Until); err == nil { // validated
			p.Mutes = append(p.Mutes, alert.Mute{Brand: m.Brand, Rule: spike.Rule(m.Rule), Until: until})
		}
	}
	return p
}

// Receivers returns the destinations with their senders.
func (a *Alerts) Receivers() ([]alert.Destination, error) {
	out := make([]alert.Destination, 0, len(a.Destinations))
	for i := range a.Destinations {
		d := &a.Destinations[i]
		hook, err := webhook.New(webhook.Config{Kind: d.Kind, URL: d.address(), Secret: d.Secret.Reveal(), Chat: d.Chat})
		if err != nil {
			return nil, fmt.Errorf("alerts.destinations[%d] (%s): %w", i, d.Name, err)
		}
		quiet, err := d.Quiet.parse()
		if err != nil {
			return nil, fmt.Errorf("alerts.destinations[%d] (%s): %w", i, d.Name, err)
		}
		severity, _ := spike.ParseSeverity(d.Severity) // "" is every severity
		rules := make([]spike.Rule, len(d.Rules))
		for j, r := range d.Rules {
			rules[j] = spike.Rule(r)
		}
		out = append(out, alert.Destination{Name: d.Name, Sender: hook, Brands: d.Brands, Rules: rules, Severity: severity, Quiet: quiet})
	}
	return out, nil
}

func (d *AlertDestination) address() string {
	if !d.Address.IsZero() {
		return d.Address.Reveal()
	}
	return d.URL
}

func (q *AlertQuiet) parse() (alert.Quiet, error) {
	if q.From == "" && q.To == "" {
		return alert.Quiet{}, nil
	}
	var out alert.Quiet
	for _, x := range []struct {
		text string
		to   *time.Duration
	}{{q.From, &out.From}, {q.To, &out.To}} {
		t, err := time.Parse("15:04", x.text)
		if err != nil {
			return out, fmt.Errorf("%q is no time of day: write hh:mm in quotes", x.text)
		}
		*x.to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	zone, err := time.LoadLocation(q.TimeZone)
	if err != nil {
		return out, fmt.Errorf("time zone %q is not known: write one such as Europe/Moscow", q.TimeZone)
	}
	out.Zone = zone
	return out, nil
}

// secretAddress checks the address that comes from the environment or a file, and does not show it.
func (v *validator) secretAddress(path string, d *AlertDestination) {
	if d.Address.IsZero() {
		return
	}
	if _, err := webhook.New(webhook.Config{Kind: webhook.JSON, URL: d.Address.Reveal()}); err != nil {
		from := ".url_env"
		if d.URLEnv == "" {
			from = ".url_file"
		}
		v.at(path+from, "what it holds is not an address of HTTP", "put one in such as https://host/path")
	}
}

// alerts checks the section of alerts against itself and the brands of the catalogue (nil: not readable).
func (v *validator) alerts(a *Alerts, brands *brand.Catalogue) {
	known := func(path, key string) {
		if key != "" && brands != nil && brands.Brand(key) == nil {
			v.at(path, fmt.Sprintf("the catalogue has no brand %q", key), "write the key of a brand of the catalogue, or leave it out for all brands")
		}
	}
	v.oneOf("alerts.sensitivity", string(a.Sensitivity), string(spike.Low), string(spike.Normal), string(spike.High))
	between(v, "alerts.cool_down", a.CoolDown, 0, 7*24*time.Hour)
	between(v, "alerts.max_age", a.MaxAge, time.Minute, 7*24*time.Hour)
	for i, m := range a.Mutes {
		path := fmt.Sprintf("alerts.mutes[%d]", i)
		known(path+".brand", m.Brand)
		if m.Rule != "" {
			v.oneOf(path+".rule", m.Rule, words(spike.Rules)...)
		}
		if _, err := time.Parse(time.RFC3339, m.Until); err != nil {
			v.at(path+".until", fmt.Sprintf("%q is no moment", m.Until), `write one such as "2026-03-01T18:00:00+03:00"`)
		}
	}
	names := append(make([]string, 0, 1+len(a.Destinations)), kafkaDestination)
	for i := range a.Destinations {
		d := &a.Destinations[i]
		path := fmt.Sprintf("alerts.destinations[%d]", i)
		switch {
		case d.Name == "":
			v.at(path+".name", "no name", "give every destination a name of its own: deliveries are remembered by it")
		case slices.Contains(names, d.Name):
			v.at(path+".name", fmt.Sprintf("%q stands twice or is the topic's", d.Name), "choose another name")
		}
		names = append(names, d.Name)
		v.oneOf(path+".kind", string(d.Kind), string(webhook.JSON), string(webhook.Slack), string(webhook.Telegram))
		if d.Severity != "" {
			v.oneOf(path+".severity", d.Severity, spike.Notice.String(), spike.Warning.String(), spike.Critical.String())
		}
		for j, key := range d.Brands {
			known(fmt.Sprintf("%s.brands[%d]", path, j), key)
		}
		for j, r := range d.Rules {
			v.oneOf(fmt.Sprintf("%s.rules[%d]", path, j), r, words(spike.Rules)...)
		}
		if _, err := d.Quiet.parse(); err != nil {
			v.at(path+".quiet", err.Error(), "give from and to, such as \"22:00\" and \"07:00\", and time_zone")
		}
		named := d.URL != "" || d.URLEnv != "" || d.URLFile != ""
		if d.Kind != webhook.Telegram && !named {
			v.at(path+".url", "no address", "give url, or url_env or url_file where it is a secret")
		}
		if d.URL != "" && (d.URLEnv != "" || d.URLFile != "") {
			v.at(path+".url", "more than one address", "keep one of url, url_env and url_file")
		}
		if d.Kind == webhook.Telegram && (d.Chat == "" || d.SecretEnv == "" && d.SecretFile == "") {
			v.at(path, "Telegram needs a bot and a chat", "give secret_env or secret_file with the token of the bot, and chat")
		}
		if d.URL != "" {
			if _, err := webhook.New(webhook.Config{Kind: webhook.JSON, URL: d.URL}); err != nil {
				v.at(path+".url", "not an address of HTTP", "write https://host/path")
			}
		}
		v.secretAddress(path, d)
	}
}
