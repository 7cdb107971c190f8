package dashboards

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"otklik/dashboards/clickhouse"
	"otklik/schemas"
)

// kind is what a panel draws.
type kind int

const (
	number kind = iota // one figure: the query returns one row with one column
	lines              // the query returns "time" and a column for each line, or "time", a text and one figure
	bars               // as lines
	rows               // a table
	groups             // bars side by side: the query returns a text and figures
)

// panel is what one panel shows.
type panel struct {
	key    string // "dashboard.panel" in the catalogue
	kind   kind
	w, h   uint32
	sql    string
	promql string   // instead of sql: a query to Prometheus
	legend string   // of promql
	cols   []string // of the query without time and without the text that names a series; each has a style
	def    string   // definition of the data dictionary that the figure follows
	drill  string   // key of the dashboard with the posts behind the figure
	byName bool     // one line for each value of the text column; cols is the figure
	row    bool     // not a panel: a heading
	more   string   // label of the series when byName, "" is the only label
	desk   bool     // its dashboard has deskVariable
}

// ref is the data source that a dashboard's variable of that name chooses.
func ref(plugin, variable string) common.DataSourceRef {
	uid := "${" + variable + "}"
	return common.DataSourceRef{Type: &plugin, Uid: &uid}
}

const (
	clickhouseVariable = "datasource"
	deskVariable       = "desk"
	prometheusVariable = "prometheus"
)

// build returns the panel with its texts, and reports a column without a style.
func (p *panel) build(w *printer, id uint32, at dashboard.GridPos) (*dashboard.Panel, error) {
	title, about := w.panel(p.key)
	if p.def != "" {
		about += "\n\n" + w.word("definition") + ": " + w.definition(p.def)
	}
	source := ref(clickhouse.Plugin, p.variable())
	out := &dashboard.Panel{
		Id: &id, Title: &title, Description: &about, GridPos: &at, Datasource: &source,
		FieldConfig: &dashboard.FieldConfigSource{Overrides: []dashboard.DashboardFieldConfigSourceOverrides{}},
	}
	if p.promql != "" {
		source = ref("prometheus", prometheusVariable)
		out.Targets = []variants.Dataquery{prometheus.Dataquery{
			Datasource: &source, Expr: p.promql, LegendFormat: &p.legend, RefId: new("A"), Range: new(true),
		}}
	} else {
		format := clickhouse.Table
		if p.kind == lines || p.kind == bars {
			format = clickhouse.TimeSeries
		}
		out.Targets = []variants.Dataquery{clickhouse.New(source, "A", p.sql, format)}
	}
	if p.kind == lines || p.kind == bars {
		out.Interval = new("1m")
	}
	if p.drill != "" {
		out.Links = []dashboard.DashboardLink{drillLink(w, p.drill, p.desk)}
	}
	p.draw(out)
	return out, p.configure(w, out)
}

// viewRead finds the views that a query reads.
var viewRead = regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+([a-z_0-9.]+)`)

// variable is the name of the variable that chooses the panel's data source: that of the desk where the query reads a view that the
// dashboard reader may not read.
func (p *panel) variable() string {
	open := schemas.DashboardViews()
	for _, m := range viewRead.FindAllStringSubmatch(p.sql, -1) {
		if !slices.Contains(open, m[1]) {
			return deskVariable
		}
	}
	return clickhouseVariable
}

// drillLink leads to another dashboard with the time range and the variables of this one, which has deskVariable with desk.
func drillLink(w *printer, to string, desk bool) dashboard.DashboardLink {
	title, _ := w.dashboard(to)
	link := dashboard.NewDashboardLink()
	link.Title, link.Type, link.Icon = title, dashboard.DashboardLinkTypeLink, "dashboard"
	link.Url, link.Tags = new(drillAddress(to, desk)), []string{}
	return *link
}

func drillAddress(to string, desk bool) string {
	address := "/d/" + uid(to) + "?${__url_time_range}&${" + clickhouseVariable + ":queryparam}&${brand:queryparam}&${platform:queryparam}"
	if desk && slices.ContainsFunc(boards(), func(b board) bool { return b.key == to && b.has(deskVariable) }) {
		address += "&${" + deskVariable + ":queryparam}"
	}
	return address
}

// draw sets the type of the panel and its options.
func (p *panel) draw(out *dashboard.Panel) {
	legend := common.VizLegendOptions{
		DisplayMode: common.LegendDisplayModeList, Placement: common.LegendPlacementBottom, ShowLegend: true, Calcs: []string{},
	}
	tooltip := common.VizTooltipOptions{Mode: common.TooltipDisplayModeMulti, Sort: common.SortOrderDescending}
	switch p.kind {
	case number:
		out.Type = "stat"
		options := stat.NewOptions()
		options.GraphMode, options.ColorMode, options.TextMode = common.BigValueGraphModeNone, common.BigValueColorModeBackgroundSolid, common.BigValueTextModeValue
		options.JustifyMode, options.Orientation = common.BigValueJustifyModeAuto, common.VizOrientationAuto
		options.WideLayout, options.PercentChangeColorMode = true, common.PercentChangeColorModeStandard
		// Every column, so that a text is shown too.
		options.ReduceOptions = common.ReduceDataOptions{Calcs: []string{"lastNotNull"}, Fields: new("/.*/"), Values: new(false)}
		out.Options = options
	case lines, bars:
		out.Type = "timeseries"
		out.Options = timeseries.Options{Legend: legend, Tooltip: tooltip}
	case rows:
		out.Type = "table"
		options := table.NewOptions()
		options.ShowHeader, options.Footer, options.CellHeight = true, nil, new(common.TableCellHeightSm)
		out.Options = options
	case groups:
		out.Type = "barchart"
		options := barchart.NewOptions()
		options.Orientation, options.Stacking, options.ShowValue = common.VizOrientationAuto, common.StackingModeNone, common.VisibilityModeAlways
		options.BarWidth, options.GroupWidth, options.XTickLabelMaxLength = 0.9, 0.7, 24
		options.Legend, options.Tooltip = legend, tooltip
		out.Options = options
	}
}

// configure sets defaults and one override for each column.
func (p *panel) configure(w *printer, out *dashboard.Panel) error {
	if len(p.cols) == 0 {
		return fmt.Errorf("panel %s: no columns", p.key)
	}
	figures := p.cols
	if p.kind == groups {
		figures = p.cols[1:]
	}
	first, ok := styles[figures[0]]
	if !ok {
		return fmt.Errorf("panel %s: column %s has no style", p.key, figures[0])
	}
	defaults := &out.FieldConfig.Defaults
	defaults.Unit = new(unitOf(w, first.unit))
	defaults.NoValue = new(w.word("no_value"))
	defaults.Color = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassicByName}
	defaults.Custom = p.custom()
	if p.kind == number || p.byName {
		// One figure: what it looks like are the defaults.
		decorate(w, defaults, figures[0], &first)
		if p.kind == number {
			defaults.Mappings = append(defaults.Mappings, unknown(w.word("no_value"), colourNeutral))
		}
		if p.byName {
			name := "${__field.labels." + p.more + "}"
			defaults.DisplayName = &name
			defaults.Color = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassicByName}
		}
		return nil
	}
	if p.promql != "" {
		decorate(w, defaults, figures[0], &first)
		defaults.DisplayName = nil
		return nil
	}
	for _, c := range p.cols {
		s, ok := styles[c]
		if !ok {
			return fmt.Errorf("panel %s: column %s has no style", p.key, c)
		}
		out.FieldConfig.Overrides = append(out.FieldConfig.Overrides, dashboard.DashboardFieldConfigSourceOverrides{
			Matcher: dashboard.MatcherConfig{Id: "byName", Options: c}, Properties: p.properties(w, c, &s),
		})
	}
	if p.kind == rows && slices.Contains(p.cols, "weekday") {
		s := styles["hour_of_week"]
		decorate(w, defaults, "hour_of_week", &s)
		defaults.DisplayName = nil
		defaults.Mappings = append(defaults.Mappings, unknown("–", colourNone))
		properties := []dashboard.DynamicConfigValue{{Id: "custom.cellOptions", Value: map[string]any{"type": "color-background", "mode": "basic"}}}
		out.FieldConfig.Overrides = append(out.FieldConfig.Overrides, dashboard.DashboardFieldConfigSourceOverrides{
			Matcher: dashboard.MatcherConfig{Id: "byRegexp", Options: "^[0-2][0-9]$"}, Properties: properties,
		})
	}
	return nil
}

// custom returns the drawing defaults of the panel's type; nil where it has none.
func (p *panel) custom() any {
	switch p.kind {
	case lines:
		return common.GraphFieldConfig{
			DrawStyle: new(common.GraphDrawStyleLine), LineInterpolation: new(common.LineInterpolationLinear), LineWidth: new(2.0),
			FillOpacity: new(0.0), ShowPoints: new(common.VisibilityModeAuto), PointSize: new(4.0), SpanNulls: &common.BoolOrFloat64{Bool: new(false)},
		}
	case bars:
		return common.GraphFieldConfig{
			DrawStyle: new(common.GraphDrawStyleBars), LineWidth: new(1.0), FillOpacity: new(70.0), ShowPoints: new(common.VisibilityModeNever),
			BarAlignment: new(common.BarAlignmentAfter),
		}
	case rows:
		// Not the SDK's type: its union of cell options cannot say "auto" alone.
		return map[string]any{"align": common.FieldTextAlignmentAuto, "cellOptions": map[string]any{"type": "auto"}, "inspect": false, "filterable": true}
	case groups:
		return barchart.FieldConfig{FillOpacity: new(int32(80)), LineWidth: new(int32(1))}
	case number:
	}
	return nil
}

// unitOf returns the unit as Grafana writes it.
func unitOf(w *printer, unit string) string {
	if unit == unitPoints {
		return "suffix:" + w.word("points") // Grafana puts a space before it
	}
	return unit
}

// decorate applies a style to a field configuration.
func decorate(w *printer, f *dashboard.FieldConfig, column string, s *style) {
	f.DisplayName = new(w.column(column))
	f.Unit = new(unitOf(w, s.unit))
	if s.decimals >= 0 && s.unit != unitText && s.unit != unitTime && (s.decimals > 0 || s.unit != unitCount) {
		f.Decimals = new(float64(s.decimals))
	}
	if m := mappings(w, column, s); m != nil {
		f.Mappings = m
	}
	if s.scale {
		f.Min, f.Max = new(0.0), new(1.0)
	}
	f.Thresholds = thresholds(s)
	f.Color = colour(s)
}

func mappings(w *printer, column string, s *style) []dashboard.ValueMapping {
	var out []dashboard.ValueMapping
	if len(s.values) > 0 {
		options := map[string]dashboard.ValueMappingResult{}
		for i, v := range s.values {
			options[v] = dashboard.ValueMappingResult{Text: new(w.value(column + "." + v)), Index: new(int32(i))}
		}
		out = append(out, dashboard.ValueMapping{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}})
	}
	if s.empty {
		out = append(out, dashboard.ValueMapping{SpecialValueMap: &dashboard.SpecialValueMap{
			Type: dashboard.MappingTypeSpecialValue, Options: dashboard.DashboardSpecialValueMapOptions{
				Match: dashboard.SpecialValueMatchEmpty, Result: dashboard.ValueMappingResult{Text: new(w.value(column + ".empty"))},
			},
		}})
	}
	return out
}

// unknown words NULL and takes it out of the thresholds, which count it as the lowest value.
func unknown(text, colour string) dashboard.ValueMapping {
	return dashboard.ValueMapping{SpecialValueMap: &dashboard.SpecialValueMap{
		Type: dashboard.MappingTypeSpecialValue, Options: dashboard.DashboardSpecialValueMapOptions{
			Match: dashboard.SpecialValueMatchNull, Result: dashboard.ValueMappingResult{Text: &text, Color: &colour},
		},
	}}
}

func thresholds(s *style) *dashboard.ThresholdsConfig {
	base := s.base
	if base == "" {
		base = colourPlain
	}
	t := &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: []dashboard.Threshold{{Color: base}}}
	for _, st := range s.steps {
		t.Steps = append(t.Steps, dashboard.Threshold{Value: new(st.from), Color: st.colour})
	}
	return t
}

func colour(s *style) *dashboard.FieldColor {
	switch {
	case len(s.steps) > 0:
		return &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdThresholds}
	case s.base != "":
		return &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(s.base)}
	default:
		return &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassicByName}
	}
}

// properties returns the style as properties of an override.
func (p *panel) properties(w *printer, column string, s *style) []dashboard.DynamicConfigValue {
	var f dashboard.FieldConfig
	decorate(w, &f, column, s)
	if p.kind == rows {
		f.Mappings = append(f.Mappings, unknown("–", colourNone))
	}
	set := map[string]any{"displayName": *f.DisplayName, "unit": *f.Unit}
	if f.Decimals != nil {
		set["decimals"] = *f.Decimals
	}
	if f.Mappings != nil {
		set["mappings"] = f.Mappings
	}
	if s.scale && p.kind != rows {
		set["min"] = 0
	}
	if p.kind != rows || len(s.steps) > 0 {
		set["color"], set["thresholds"] = f.Color, f.Thresholds
	}
	switch p.kind {
	case lines, bars:
		if len(s.steps) > 0 { // a line keeps one colour
			set["color"] = dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(s.steps[len(s.steps)-1].colour)}
		}
		if s.dashed {
			set["custom.lineStyle"] = map[string]any{"fill": "dash", "dash": []int{8, 6}}
		}
		if s.bound {
			set["custom.lineWidth"] = 0
			set["custom.hideFrom"] = common.HideSeriesConfig{Legend: true, Tooltip: true}
			set["custom.showPoints"] = common.VisibilityModeNever
			set["color"] = dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(bandColour(column))}
		}
		if s.below != "" {
			set["custom.fillBelowTo"] = w.column(s.below)
			set["custom.fillOpacity"] = 18
		}
	case rows:
		if s.width > 0 {
			set["custom.width"] = s.width
		}
		if s.cell {
			set["custom.cellOptions"] = map[string]any{"type": "color-background", "mode": "basic"}
		}
		if s.link != "" {
			link := dashboard.NewDashboardLink()
			link.Title, link.Type, link.Url, link.TargetBlank, link.Tags = w.word("open_post"), dashboard.DashboardLinkTypeLink, new(s.link), true, []string{}
			set["links"] = []dashboard.DashboardLink{*link}
		}
		if column == "product" && p.drill != "" {
			link := dashboard.NewDashboardLink()
			title, _ := w.dashboard(p.drill)
			link.Title, link.Type, link.Url, link.Tags = title, dashboard.DashboardLinkTypeLink, new(drillAddress(p.drill, p.desk)+"&var-product=${__value.raw}"), []string{}
			set["links"] = []dashboard.DashboardLink{*link}
		}
	case number, groups:
	}
	out := make([]dashboard.DynamicConfigValue, 0, len(set))
	for _, id := range slices.Sorted(maps.Keys(set)) {
		out = append(out, dashboard.DynamicConfigValue{Id: id, Value: set[id]})
	}
	return out
}

// bandColour is the colour of the line that a band of uncertainty belongs to.
func bandColour(column string) string {
	if strings.HasPrefix(column, "adjusted_") {
		return styles["adjusted_loyal_share"].base
	}
	for _, label := range []string{"positive", "neutral", "negative"} {
		if column == label+"_low" || column == label+"_high" {
			return styles[label+"_share"].base
		}
	}
	return colourNeutral
}
