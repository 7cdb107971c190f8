// Package dashboards generates Grafana's dashboards, alert rules and provisioning files for Otklik.
//
// Files returns everything as files. The queries are written against the reading views of package schemas; texts, in every
// language, come from messages.yaml; what a figure looks like (unit, colour, thresholds) is written once per column in style.go,
// so it is the same on every panel.
package dashboards

import (
	"cmp"
	"fmt"
	"net"
	"regexp"

	"otklik/schemas"
)

// Lang is a language of the texts.
type Lang string

// The languages.
const (
	English Lang = "en"
	Russian Lang = "ru"
)

// Langs are all languages, English first.
var Langs = []Lang{English, Russian}

// ParseLang returns the language of that code; its error names the codes.
func ParseLang(code string) (Lang, error) {
	for _, l := range Langs {
		if string(l) == code {
			return l, nil
		}
	}
	return "", fmt.Errorf("language %q: there are %v", code, Langs)
}

// Options say what to generate. Only Lang is needed.
type Options struct {
	Lang Lang
	// Brands that the dashboards open with and the alert rules keep to; where a dashboard chooses one brand it opens with the first.
	// Without any it opens with the one that is talked about most, and the rules watch all.
	Brands []string
	// Target for the loyal share in percent; 0 is DefaultTarget.
	Target float64
	// Database of the reading views; "" is schemas.DefaultDatabase.
	Database string
	// Server is host and port of ClickHouse's native protocol as Grafana reaches it; "" is DefaultServer.
	Server string
	// User of ClickHouse that Grafana logs in as; "" is DefaultUser. Its password comes from PasswordEnv of Grafana's environment.
	User string
	// DeskUser is the user for panels of posts; "" is DefaultDeskUser. Its password comes from DeskPasswordEnv.
	DeskUser string
	// Runbook is the address of the runbook that alerts point to; "" is DefaultRunbook.
	Runbook string
}

// Defaults of Options.
const (
	DefaultServer   = "clickhouse:9000"
	DefaultUser     = "dashboard"
	DefaultDeskUser = "desk"
	DefaultRunbook  = "deploy/RUNBOOK.md"
)

// The environment variables of Grafana that hold the passwords of the data sources.
const (
	PasswordEnv     = "OTKLIK_DASHBOARD_PASSWORD" //nolint:gosec // the name of a variable
	DeskPasswordEnv = "OTKLIK_DESK_PASSWORD"      //nolint:gosec // as above
	PrometheusEnv   = "OTKLIK_PROMETHEUS_URL"     // http://host:port
)

var (
	brandKey     = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// withDefaults returns o with its unset fields set, and reports what cannot be generated.
func (o Options) withDefaults() (Options, error) {
	o.Lang = cmp.Or(o.Lang, English)
	o.Target = cmp.Or(o.Target, DefaultTarget)
	o.Database = cmp.Or(o.Database, schemas.DefaultDatabase)
	o.Server = cmp.Or(o.Server, DefaultServer)
	o.User = cmp.Or(o.User, DefaultUser)
	o.DeskUser = cmp.Or(o.DeskUser, DefaultDeskUser)
	o.Runbook = cmp.Or(o.Runbook, DefaultRunbook)
	if _, err := ParseLang(string(o.Lang)); err != nil {
		return o, err
	}
	if !(o.Target > 0 && o.Target < 100) { // also what is not a number
		return o, fmt.Errorf("target %v: give a loyal share in percent, between 0 and 100", o.Target)
	}
	for _, b := range o.Brands {
		if !brandKey.MatchString(b) {
			return o, fmt.Errorf("brand %q: give the key of a brand of the catalogue", b)
		}
	}
	if !databaseName.MatchString(o.Database) {
		return o, fmt.Errorf("database %q: give a name of letters, digits and underscores, beginning with a letter", o.Database)
	}
	if o.User == o.DeskUser {
		return o, fmt.Errorf("ClickHouse user %s: the panels of posts need a user of their own, whose rights differ", o.User)
	}
	if _, port, err := net.SplitHostPort(o.Server); err != nil || port == "" {
		return o, fmt.Errorf("ClickHouse %q: give host:port of its native protocol", o.Server)
	}
	return o, nil
}

// DefaultTarget is the loyal share in percent that the dashboards and alert rules compare with.
const DefaultTarget = 50
