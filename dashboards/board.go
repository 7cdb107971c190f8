package dashboards

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"otklik/dashboards/clickhouse"
)

// FolderTitle names the folder that holds the dashboards and the alert rules; FolderUID is its identity where they are pushed, while
// provisioning makes one up.
const (
	FolderUID   = "otklik"
	FolderTitle = "Otklik"
)

// The data sources that are provisioned: in ClickHouse, DatasourceUID logs in as the dashboard reader, for all figures and the alert
// rules, and DeskDatasourceUID as the desk, for the panels that read posts; MetricsDatasourceUID is a Prometheus that scrapes the
// processes, for some panels of the dashboard Engine.
const (
	DatasourceUID         = "otklik-clickhouse"
	DeskDatasourceUID     = "otklik-desk"
	MetricsDatasourceUID  = "otklik-prometheus"
	datasourceName        = "Otklik"
	deskDatasourceName    = "Otklik desk"
	metricsDatasourceName = "Otklik metrics"
)

// tag marks the dashboards, so that each can list the others.
const tag = "otklik"

// uid returns the stable identity of the dashboard of that key in Grafana.
func uid(key string) string { return "otklik-" + key }

// board is one dashboard.
type board struct {
	key       string
	from      string // default range, to now
	refresh   string
	variables []variable
	quarters  bool // marks the beginnings of quarters
	models    bool // marks where another classifier begins
	panels    []panel
}

// boards are all dashboards, in the order of the menu.
func boards() []board {
	return []board{
		reputation(), competitors(), careDesk(), posts(), topics(), communities(), crisis(), engine(),
	}
}

const gridWidth = 24

// build returns the dashboard in one language.
func (b *board) build(w *printer, o Options) (*dashboard.Dashboard, error) { //nolint:staticcheck // file provisioning takes the classic schema only
	title, about := w.dashboard(b.key)
	d := dashboard.NewDashboard()
	d.Uid, d.Title, d.Description = new(uid(b.key)), &title, &about
	d.Tags = []string{tag}
	d.Timezone = new("browser")
	d.Editable = new(false)
	d.GraphTooltip = new(dashboard.DashboardCursorSyncCrosshair)
	d.Time = &dashboard.DashboardDashboardTime{From: b.from, To: "now"}
	d.Refresh = new(b.refresh)
	d.WeekStart = new("monday")
	d.Links = []dashboard.DashboardLink{{
		Title: w.word("more_dashboards"), Type: dashboard.DashboardLinkTypeDashboards, Icon: "external link", Tags: []string{tag}, AsDropdown: true,
		IncludeVars: true, KeepTime: true,
	}}
	for i := range b.variables {
		v, err := b.variables[i].build(w, o)
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", b.key, err)
		}
		d.Templating.List = append(d.Templating.List, *v)
	}
	d.Annotations.List = b.annotations(w)
	return d, b.lay(w, d)
}

// lay places the panels from left to right; a panel that does not fit, and a heading, begin a new line.
func (b *board) lay(w *printer, d *dashboard.Dashboard) error { //nolint:staticcheck // see build
	var x, y, height uint32
	desk := b.has(deskVariable)
	feed := func() {
		y += height
		x, height = 0, 0
	}
	ids := map[uint32]string{}
	for i := range b.panels {
		p := &b.panels[i]
		id := panelID(p.key)
		if other, taken := ids[id]; taken {
			return fmt.Errorf("dashboard %s: panels %s and %s have the id %d: rename one", b.key, other, p.key, id)
		}
		ids[id] = p.key
		if p.row {
			feed()
			title, _ := w.panel(p.key)
			d.Panels = append(d.Panels, dashboard.PanelOrRowPanel{RowPanel: &dashboard.RowPanel{
				Type: "row", Title: &title, Id: id, GridPos: &dashboard.GridPos{H: 1, W: gridWidth, X: 0, Y: y}, Panels: []dashboard.Panel{},
			}})
			y++
			continue
		}
		if x+p.w > gridWidth {
			feed()
		}
		if p.variable() == deskVariable && !desk {
			return fmt.Errorf("dashboard %s: panel %s reads posts: add deskSourceVariable", b.key, p.key)
		}
		p.desk = desk
		built, err := p.build(w, id, dashboard.GridPos{H: p.h, W: p.w, X: x, Y: y})
		if err != nil {
			return err
		}
		d.Panels = append(d.Panels, dashboard.PanelOrRowPanel{Panel: built})
		x, height = x+p.w, max(height, p.h)
	}
	return nil
}

// panelID is the same for a panel in every version and language, so that links to it hold: 31 bits of the FNV-1a hash of its key.
func panelID(key string) uint32 {
	h := fnv.New32a()
	if _, err := h.Write([]byte(key)); err != nil {
		panic(err) // a hash never fails
	}
	return h.Sum32()>>1 | 1
}

// heading is a line between groups of panels.
func heading(key string) panel { return panel{key: key, row: true} }

// variable is one of the choices at the top of a dashboard.
type variable struct {
	name    string
	sql     string   // options from the data
	values  []string // or these, worded by the catalogue ("name.value")
	current string   // of values, or of a text box
	plugin  string   // or a data source of this plugin
	box     bool     // or a text box
	multi   bool
	all     bool
	own     bool   // brands: opens with those of the options though it offers All
	allAs   string // what All stands for in a query; "" is every option
	hidden  bool
}

// build returns the variable in one language.
func (v *variable) build(w *printer, o Options) (*dashboard.VariableModel, error) {
	m := &dashboard.VariableModel{Name: v.name, Label: new(w.word("variable_" + v.name)), Hide: new(dashboard.VariableHideDontHide)}
	if v.hidden {
		m.Hide = new(dashboard.VariableHideHideVariable)
	}
	one := func(value, label string) *dashboard.VariableOption {
		return &dashboard.VariableOption{
			Selected: new(true), Text: dashboard.StringOrArrayOfString{String: &label}, Value: dashboard.StringOrArrayOfString{String: &value},
		}
	}
	switch {
	case v.plugin != "":
		m.Type = dashboard.VariableTypeDatasource
		m.Query = &dashboard.StringOrMap{String: &v.plugin}
		m.Refresh, m.Regex = new(dashboard.VariableRefreshOnDashboardLoad), new("")
		m.Options = []dashboard.VariableOption{}
		switch v.name {
		case clickhouseVariable:
			m.Current = one(DatasourceUID, datasourceName)
		case deskVariable:
			m.Current = one(DeskDatasourceUID, deskDatasourceName)
		case prometheusVariable:
			m.Current = one(MetricsDatasourceUID, metricsDatasourceName)
		}
	case v.box:
		m.Type = dashboard.VariableTypeTextbox
		m.Query, m.Current = &dashboard.StringOrMap{String: &v.current}, one(v.current, v.current)
		m.Options = []dashboard.VariableOption{*m.Current}
	case len(v.values) > 0:
		m.Type = dashboard.VariableTypeCustom
		if !slices.Contains(v.values, v.current) {
			return nil, fmt.Errorf("variable %s: %q is no value", v.name, v.current)
		}
		var list []string
		for _, value := range v.values {
			label := w.value(v.name + "." + value)
			list = append(list, label+" : "+value)
			option := one(value, label)
			option.Selected = new(value == v.current)
			m.Options = append(m.Options, *option)
			if value == v.current {
				m.Current = one(value, label)
			}
		}
		m.Query = &dashboard.StringOrMap{String: new(strings.Join(list, ","))}
		m.Multi, m.IncludeAll = new(false), new(false)
	default:
		source := ref(clickhouse.Plugin, clickhouseVariable)
		m.Type, m.Datasource = dashboard.VariableTypeQuery, &source
		m.Query = &dashboard.StringOrMap{String: new(strings.TrimSpace(v.sql))}
		m.Refresh, m.Sort, m.Regex = new(dashboard.VariableRefreshOnTimeRangeChanged), new(dashboard.VariableSortDisabled), new("")
		m.Multi, m.IncludeAll = &v.multi, &v.all
		m.Options = []dashboard.VariableOption{}
		if v.allAs != "" {
			m.AllValue = &v.allAs
		}
		switch {
		case v.own && v.multi && len(o.Brands) > 0:
			m.Current = &dashboard.VariableOption{
				Selected: new(true), Text: dashboard.StringOrArrayOfString{ArrayOfString: o.Brands}, Value: dashboard.StringOrArrayOfString{ArrayOfString: o.Brands},
			}
		case v.all && v.multi:
			m.Current = &dashboard.VariableOption{
				Selected: new(true), Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{w.word("all")}},
				Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
			}
		case v.all:
			m.Current = one("$__all", w.word("all"))
		case v.own && len(o.Brands) > 0:
			m.Current = one(o.Brands[0], o.Brands[0])
		}
	}
	return m, nil
}

// The variables that dashboards share.
func sourceVariable() variable { return variable{name: clickhouseVariable, plugin: clickhouse.Plugin} }

// deskSourceVariable chooses the data source of the panels that read posts.
func deskSourceVariable() variable { return variable{name: deskVariable, plugin: clickhouse.Plugin} }

// brandVariable offers the brands, the most talked about first. A dashboard opens with the brands of the options, without them with
// All where that is offered and else with the first.
func brandVariable(multi bool) variable {
	return variable{
		name: "brand", multi: multi, all: multi, own: true,
		sql: "SELECT brand FROM panes WHERE grain = '1d' AND product = '' AND start >= $__toTime - INTERVAL 400 DAY AND start <= $__toTime\n" +
			"GROUP BY brand ORDER BY sum(positive + neutral + negative + unlabelled) DESC, brand",
	}
}

// competitorVariable is brandVariable that opens with all brands, to compare them.
func competitorVariable() variable {
	v := brandVariable(true)
	v.own = false
	return v
}

func platformVariable() variable {
	return variable{
		name: "platform", multi: true, all: true,
		sql: "SELECT platform FROM panes WHERE grain = '1d' AND product = '' AND start >= $__toTime - INTERVAL 400 DAY AND start <= $__toTime\n" +
			"GROUP BY platform ORDER BY platform",
	}
}

// productVariable chooses a product; All is the rows of panes that count every mention.
func productVariable() variable {
	return variable{
		name: "product", all: true, allAs: "''",
		sql: "SELECT product FROM panes WHERE grain = '1d' AND product != '' AND start >= $__toTime - INTERVAL 400 DAY AND start <= $__toTime\n" +
			"GROUP BY product ORDER BY product",
	}
}

func clockVariable() variable {
	return variable{name: "clock", values: []string{"calendar", "business"}, current: "calendar"}
}

// annotations are the marks on the time series: alert episodes, and quarters and changes of the classifier where they matter.
func (b *board) annotations(w *printer) []dashboard.AnnotationQuery {
	source := ref(clickhouse.Plugin, clickhouseVariable)
	add := func(name, colour, sql string) dashboard.AnnotationQuery {
		target := source
		return dashboard.AnnotationQuery{
			Name: w.word("annotation_" + name), Datasource: &target, Enable: true, IconColor: colour,
			Target: clickhouse.New(source, "Anno", sql, clickhouse.Table),
		}
	}
	var list []dashboard.AnnotationQuery
	if b.has("brand") {
		list = append(list, add("alerts", colourBad, alertAnnotation))
	}
	if b.quarters {
		list = append(list, add("quarters", colourNeutral, quarterAnnotation))
	}
	if b.models {
		list = append(list, add("models", colourMark, modelAnnotation))
	}
	return list
}

// has reports whether the dashboard has the variable.
func (b *board) has(name string) bool {
	return slices.ContainsFunc(b.variables, func(v variable) bool { return v.name == name })
}
