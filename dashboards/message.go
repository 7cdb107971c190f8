package dashboards

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed messages.yaml
var messagesText []byte

// text is one text in every language.
type text map[Lang]string

// entry is the texts of a dashboard, a panel or an alert rule.
type entry map[Lang]struct {
	Title string `yaml:"title"`
	Text  string `yaml:"text"`
}

// messages is the catalogue of all texts.
type messages struct {
	Definitions map[string]text  `yaml:"definitions"` // of figures, as in the data dictionary
	Dashboards  map[string]entry `yaml:"dashboards"`
	Panels      map[string]entry `yaml:"panels"`  // "dashboard.panel"
	Columns     map[string]text  `yaml:"columns"` // heading of a column of a query
	Values      map[string]text  `yaml:"values"`  // "column.value": what is shown instead of a value
	Words       map[string]text  `yaml:"words"`
	Alerts      map[string]entry `yaml:"alerts"` // text is the summary, a template of Grafana's alerting
}

// catalogue returns the messages; the file is part of the program, so a fault of it is a bug.
var catalogue = sync.OnceValue(func() *messages {
	var m messages
	if err := yaml.UnmarshalWithOptions(messagesText, &m, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("dashboards: messages.yaml: %v", err))
	}
	return &m
})

// printer hands out the texts of one language and notes what is missing.
type printer struct {
	lang    Lang
	missing []string
	used    map[string]bool
}

func (p *printer) note(kind, key, s string) string {
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[kind+" "+key] = true
	if s == "" {
		p.missing = append(p.missing, fmt.Sprintf("%s %s in %s", kind, key, p.lang))
	}
	return s
}

func (p *printer) definition(key string) string {
	return p.note("definition", key, catalogue().Definitions[key][p.lang])
}

func (p *printer) column(key string) string {
	return p.note("column", key, catalogue().Columns[key][p.lang])
}

func (p *printer) value(key string) string {
	return p.note("value", key, catalogue().Values[key][p.lang])
}

func (p *printer) word(key string) string { return p.note("word", key, catalogue().Words[key][p.lang]) }

func (p *printer) dashboard(key string) (title, text string) {
	e := catalogue().Dashboards[key][p.lang]
	return p.note("dashboard", key, e.Title), p.note("dashboard", key, e.Text)
}

func (p *printer) panel(key string) (title, text string) {
	e := catalogue().Panels[key][p.lang]
	return p.note("panel", key, e.Title), p.note("panel", key, e.Text)
}

func (p *printer) alert(key string) (title, text string) {
	e := catalogue().Alerts[key][p.lang]
	return p.note("alert", key, e.Title), p.note("alert", key, e.Text)
}

// err reports the texts that are missing.
func (p *printer) err() error {
	if len(p.missing) == 0 {
		return nil
	}
	return fmt.Errorf("messages.yaml lacks: %q", p.missing)
}

// PanelTitle returns the title of the panel of that key ("dashboard.panel"); empty when there is none.
func PanelTitle(key string, l Lang) string { return catalogue().Panels[key][l].Title }
