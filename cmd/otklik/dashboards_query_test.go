package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/dashboards"
	"otklik/schemas"
	"otklik/stream/simulate"
)

// readBoards returns the generated dashboards in English by key.
func readBoards(t testing.TB) map[string]*jsonBoard {
	t.Helper()
	texts, err := dashboards.Dashboards(dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*jsonBoard{}
	for name, text := range texts {
		var b jsonBoard
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(name, ".json")] = &b
	}
	return out
}

// form is how the variables of a dashboard are chosen.
type form string

const (
	formAll    form = "all"    // everything, or the first value where there is no All
	formSingle form = "single" // one value each
	formMulti  form = "multi"  // two values where that is possible
)

// sceneOf returns the scene of a dashboard; turn chooses among the values of the variables with fixed values.
func sceneOf(t testing.TB, d *grafanaDB, b *jsonBoard, from, to time.Time, f form, turn int) *scene {
	t.Helper()
	s := &scene{
		from: from, to: to, interval: intervalFor(to.Sub(from)), values: map[string][]string{}, allAs: map[string]string{}, options: map[string][]string{},
	}
	for _, v := range b.Templating.List {
		switch v.Type {
		case "datasource":
			s.values[v.Name] = []string{sqlText(v.Current.Value)}
		case "textbox":
			s.values[v.Name] = []string{sqlText(v.Query)}
		case "custom":
			s.values[v.Name] = []string{sqlText(v.Options[turn%len(v.Options)].Value)}
		case "query":
			sql, err := s.expand(sqlText(v.Query))
			if err != nil {
				t.Fatalf("%s, variable %s: %v", b.UID, v.Name, err)
			}
			r, err := d.query(t.Context(), s.source(v.Datasource), sql)
			if err != nil {
				t.Fatalf("%s, variable %s: %v", b.UID, v.Name, err)
			}
			for _, row := range r.Data {
				text, ok := row[0].(string)
				if !ok {
					t.Fatalf("%s, variable %s: the value %v is no text", b.UID, v.Name, row[0])
				}
				s.options[v.Name] = append(s.options[v.Name], text)
			}
			s.allAs[v.Name] = v.AllValue
			options := s.options[v.Name]
			switch {
			case f == formAll && v.IncludeAll:
				s.values[v.Name] = nil
			case len(options) == 0:
				s.values[v.Name] = []string{""}
			case f == formMulti && v.Multi && len(options) > 1:
				s.values[v.Name] = options[:2]
			default:
				s.values[v.Name] = options[:1]
			}
		default:
			t.Fatalf("%s: variable %s has the unknown type %s", b.UID, v.Name, v.Type)
		}
	}
	return s
}

var (
	numberType = regexp.MustCompile(`^(Nullable\()?(U?Int|Float|Decimal)\d+\)?$`)
	timeType   = regexp.MustCompile(`^(Nullable\()?DateTime`)
	stringType = regexp.MustCompile(`^(LowCardinality\()?(Nullable\()?(String|Enum8)`)
)

// checkShape reports what Grafana could not draw: wrong columns, wrong types, times out of order.
func checkShape(kind string, columns []string, r *result) error {
	names := make([]string, len(r.Meta))
	for i, m := range r.Meta {
		names[i] = m.Name
		if !numberType.MatchString(m.Type) && !timeType.MatchString(m.Type) && !stringType.MatchString(m.Type) {
			return fmt.Errorf("column %s has the type %s", m.Name, m.Type)
		}
	}
	for _, c := range columns {
		if !slices.Contains(names, c) {
			return fmt.Errorf("no column %s in %v", c, names)
		}
	}
	switch kind {
	case "stat":
		if len(r.Meta) != 1 || len(r.Data) > 1 {
			return fmt.Errorf("a single figure has %d columns and %d rows", len(r.Meta), len(r.Data))
		}
	case "timeseries":
		if names[0] != "time" || !timeType.MatchString(r.Meta[0].Type) {
			return fmt.Errorf("the first column is %s %s", names[0], r.Meta[0].Type)
		}
		for i := 1; i < len(r.Data); i++ {
			if r.Data[i][0].(string) < r.Data[i-1][0].(string) {
				return fmt.Errorf("%v comes after %v", r.Data[i][0], r.Data[i-1][0])
			}
		}
	case "barchart":
		if !stringType.MatchString(r.Meta[0].Type) {
			return fmt.Errorf("the first column of bars is a %s", r.Meta[0].Type)
		}
	}
	return nil
}

// quiet are the panels that have nothing to show on a single simulated day, and why.
var quiet = map[string]string{
	"reputation.open_alerts":     "the episode has cleared by the end of the day",
	"reputation.growth":          "there is no day before",
	"care.rate":                  "no request is older than 24 hours",
	"communities.members":        "the simulator's platforms state no members",
	"communities.growth":         "as above",
	"communities.members_series": "as above",
}

// TestDashboardsOnData runs every query of every dashboard as the user of its data source, and compares the key figures with the truth; then
// the alert rules on a crisis and on a calm day.
func TestDashboardsOnData(t *testing.T) {
	server := grafanaServer(t, "crisis", "calm")
	bad := simulate.DefaultProportions()
	bad.Malformed = 0.05
	crisis := simulated(t, server, "crisis", simulate.Config{Seed: 7, Events: 8000, Proportions: &bad})
	calm := simulated(t, server, "calm", simulate.Config{Seed: 8, Events: 5000, Duration: 15*time.Hour + 20*time.Minute})
	boards := readBoards(t)
	enrich(t, crisis)
	t.Run("queries", func(t *testing.T) {
		for key, b := range boards {
			to := crisis.now
			if key == "engine" {
				to = time.Now() // the books are kept by the time of the records
			}
			for turn, f := range []form{formAll, formSingle, formMulti} {
				for _, span := range []time.Duration{24 * time.Hour, time.Hour, 2 * 365 * 24 * time.Hour} {
					if span != 24*time.Hour && f != formAll {
						continue
					}
					runBoard(t, crisis, key, b, sceneOf(t, crisis, b, to.Add(-span), to, f, turn), span == 24*time.Hour && f == formAll)
				}
			}
		}
	})
	t.Run("truth", func(t *testing.T) { compareWithTruth(t, crisis, boards) })
	t.Run("claims", func(t *testing.T) { checkClaims(t, crisis, boards) })
	t.Run("classifiers", func(t *testing.T) { checkClassifiers(t, crisis, boards) })
	t.Run("adjusted", func(t *testing.T) { checkAdjusted(t, crisis, boards) })
	t.Run("alerts", func(t *testing.T) { testAlerts(t, crisis, calm) })
}

// runBoard runs every query of a dashboard in a scene. With full every panel must have something to show.
func runBoard(t *testing.T, d *grafanaDB, key string, b *jsonBoard, s *scene, full bool) {
	t.Helper()
	run := func(name string, source datasource, sql string) *result {
		expanded, err := s.expand(sql)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		r, err := d.query(t.Context(), s.source(source), expanded)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, expanded)
			return nil
		}
		return r
	}
	for i := range b.Panels {
		p := &b.Panels[i]
		for _, target := range p.Targets {
			if target.Expr != "" {
				continue
			}
			name := key + ": " + p.Title
			r := run(name, target.Datasource, target.RawSQL)
			if r == nil {
				continue
			}
			var columns []string
			for _, o := range p.FieldConfig.Overrides {
				if o.Matcher.ID == "byName" {
					columns = append(columns, o.Matcher.Options)
				}
			}
			if err := checkShape(p.Type, columns, r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			empty := len(r.Data) == 0 || p.Type == "stat" && r.Data[0][0] == nil
			if _, may := quiet[panelKey(key, p.Title)]; full && empty && !may {
				t.Errorf("%s shows nothing:\n%s", name, target.RawSQL)
			}
		}
	}
	for _, a := range b.Annotations.List {
		r := run(key+": annotation "+a.Name, a.Target.Datasource, a.Target.RawSQL)
		if r != nil && (r.Meta[0].Name != "time" || !timeType.MatchString(r.Meta[0].Type)) {
			t.Errorf("%s: annotation %s begins with %s %s", key, a.Name, r.Meta[0].Name, r.Meta[0].Type)
		}
	}
}

// panelKey finds the key of a panel of that title.
func panelKey(board, title string) string {
	for _, key := range slices.Sorted(maps.Keys(quiet)) {
		if strings.HasPrefix(key, board+".") && dashboards.PanelTitle(key, dashboards.English) == title {
			return key
		}
	}
	return ""
}

// compareWithTruth asks the panels for the figures that the simulator knows.
func compareWithTruth(t *testing.T, d *grafanaDB, boards map[string]*jsonBoard) {
	t.Helper()
	for _, total := range d.truth.Brands {
		var waits []float64
		for i := range d.truth.Responses {
			r := &d.truth.Responses[i]
			if r.Brand == total.Brand && r.WaitingID != "" && r.WaitingMS != nil {
				waits = append(waits, float64(*r.WaitingMS)/1000)
			}
		}
		labelled := float64(total.Labelled())
		want := map[string]float64{
			"reputation.loyal": float64(total.Positive+total.Neutral) / labelled,
			"reputation.net":   float64(total.Positive-total.Negative) / labelled,
			"reputation.voice": total.ShareOfVoice,
			"care.answered":    float64(total.Answered),
			"care.open":        float64(total.Requested - total.Answered),
			"posts.count":      float64(total.Negative),
		}
		want["care.brand_answers"] = float64(total.Answers)
		if total.Brand != "mts" && total.Answers > 0 { // to which enrich adds a breach
			want["care.unapproved"], want["care.confidential"] = float64(total.Unapproved), float64(total.Confidential)
			want["care.compliance"] = float64(total.Compliant) / float64(total.Answers)
		}
		for _, panel := range slices.Sorted(maps.Keys(want)) {
			key, _, _ := strings.Cut(panel, ".")
			// Some posts are older than the story, answers come after it.
			s := sceneOf(t, d, boards[key], d.now.Add(-7*24*time.Hour), d.now.Add(4*24*time.Hour), formAll, 0)
			s.values["brand"] = []string{total.Brand}
			got, ok := askPanel(t, d, boards[key], panel, s)
			if !ok || math.Abs(got-want[panel]) > 1e-9 {
				t.Errorf("%s of %s: %v, the truth is %v", panel, total.Brand, got, want[panel])
			}
		}
		// The median of all answered waits, on the table of platforms' first column of the desk.
		sql := "SELECT quantileExactInclusiveOrNull(0.5)(waiting_seconds) FROM waits WHERE brand = '" + total.Brand + "'"
		r, err := d.query(t.Context(), dashboards.DatasourceUID, sql)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := r.number(); math.Abs(got-median(waits)) > 1e-6 {
			t.Errorf("median wait of %s: %v, the truth is %v", total.Brand, got, median(waits))
		}
	}
	s := sceneOf(t, d, boards["engine"], time.Now().Add(-24*time.Hour), time.Now(), formAll, 0)
	if got, _ := askPanel(t, d, boards["engine"], "engine.balance", s); got != 1 {
		t.Errorf("the books balance: %v", got)
	}
	var dead int64
	for _, r := range d.truth.DeadLetters {
		dead += r.Count
	}
	if got, _ := askPanel(t, d, boards["engine"], "engine.dead", s); int64(got) != dead {
		t.Errorf("dead letters: %v, the truth is %d", got, dead)
	}
}

// checkAdjusted: the adjusted share stands inside its interval beside the raw share of the same hour, or a state says why it does not.
func checkAdjusted(t *testing.T, d *grafanaDB, boards map[string]*jsonBoard) {
	t.Helper()
	s := sceneOf(t, d, boards["reputation"], d.now.Add(-24*time.Hour), d.now, formAll, 0)
	brand := s.values["brand"][0]
	raw, err := d.query(t.Context(), dashboards.DatasourceUID, `SELECT start, (sum(positive) + sum(neutral)) / sum(labelled) AS loyal FROM sentiment_1h
		WHERE product = '' AND labelled > 0 AND brand = '`+brand+`' GROUP BY start`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{}
	for _, row := range raw.Data {
		want[row[0].(string)] = row[1].(float64)
	}
	windows := askRows(t, d, boards["reputation"], "reputation.adjusted_windows", s)
	standing := 0
	for _, w := range windows {
		loyal, _ := w["loyal_share"].(float64)
		if math.Abs(loyal-want[w["start"].(string)]) > 1e-9 {
			t.Errorf("%v: the raw loyal share is %v, of the panes it is %v", w["start"], loyal, want[w["start"].(string)])
		}
		adjusted, there := w["adjusted_loyal_share"].(float64)
		low, _ := w["adjusted_loyal_share_low"].(float64)
		high, _ := w["adjusted_loyal_share_high"].(float64)
		if there != (w["adjusted_state"] == "ok") || there && !(low <= adjusted && adjusted <= high) {
			t.Errorf("%v: adjusted %v from %v to %v, state %v", w["start"], adjusted, low, high, w["adjusted_state"])
		}
		if there {
			standing++
		}
	}
	if len(windows) < 20 || standing == 0 {
		t.Errorf("%d windows, in %d of them the adjusted share stands", len(windows), standing)
	}
	for _, row := range askRows(t, d, boards["competitors"], "competitors.adjusted", sceneOf(t, d, boards["competitors"], d.now.Add(-24*time.Hour), d.now, formAll, 0)) {
		if row["brand"] == brand && row["adjusted_state"] == "ok" {
			text := askRows(t, d, boards["reputation"], "reputation.adjusted", s)[0]["adjusted_loyal"].(string)
			if share := fmt.Sprintf("%g %%", math.Round(1000*row["adjusted_loyal_share"].(float64))/10); !strings.HasPrefix(text, share) {
				t.Errorf("Reputation says %q, Competitors %s", text, share)
			}
		}
	}
}

// anotherModel labels from the hour on in which the newest alert of the story was opened.
const anotherModel = "another:2"

// enrich adds what no simulation brings: claims with what became of them, ten of which the first four are handed over an hour after
// their post, three resolved an hour later and one opened again; an answer that tells a phone number; and another classifier in the
// middle of the story.
//
//nolint:dupword // columns
func enrich(t *testing.T, d *grafanaDB) {
	t.Helper()
	store := schemas.Store(d.name)
	for _, statement := range []string{
		"TRUNCATE TABLE " + store + ".claims",
		`INSERT INTO ` + store + `.claims (brand, platform, item_id, id, published_at, version_at, detected_at, opened_at, products, severity, followers, blogger,
			audience_factor, severity_factor, product_factor, priority, threshold, department, state, handed_over_at, resolved_at, last_resolved_at, resolutions, reopenings,
			reopen_seconds, thread, customer_id, position)
		SELECT brand, platform, item_id, concat('claim ', item_id), published_at, published_at, published_at + toIntervalSecond(20) AS seen, seen, products, severity, followers, nth = 5,
			2, 3, 1.5, 9, 8, 'care', multiIf(nth <= 2, 'resolved', nth = 3, 'reopened', nth = 4, 'accepted', 'open'),
			if(nth <= 4, published_at + toIntervalSecond(3600), NULL), if(nth <= 3, published_at + toIntervalSecond(7200), NULL) AS done, done,
			if(done IS NULL, [], [toUnixTimestamp64Milli(assumeNotNull(done))]), if(done IS NULL, [], [if(nth = 3, toUnixTimestamp64Milli(assumeNotNull(done)) + 1000, 0)]),
			0, thread, author_id, 1000000000000000000
		FROM (SELECT *, row_number() OVER (ORDER BY published_at DESC, item_id) AS nth FROM ` + store + `.mentions FINAL
			WHERE brand = 'mts' AND role = 'customer' AND label = 'negative' AND item_id IN (SELECT waiting_id FROM ` + store + `.responses WHERE response_at IS NOT NULL)
				AND published_at <= (SELECT max(opened_at) FROM ` + d.name + `.alerts)
			ORDER BY published_at DESC, item_id LIMIT 10)`,
		`ALTER TABLE ` + store + `.mentions UPDATE breach_rules = ['phone_number'], breach_versions = [ifNull(toUnixTimestamp64Milli(edited_at), 0)], breach_excerpts = ['call us at ***']
			WHERE item_id = (SELECT max(item_id) FROM ` + store + `.mentions WHERE brand = 'mts' AND role = 'own' AND answer) SETTINGS mutations_sync = 2`,
		"ALTER TABLE " + store + ".mentions UPDATE model = '" + anotherModel + "' WHERE published_at >= (SELECT toStartOfHour(max(opened_at)) FROM " + d.name + ".alerts) SETTINGS mutations_sync = 2",
	} {
		if err := d.stack.ClickHouse.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// checkClaims asks the panels of claims for what enrich has put in.
func checkClaims(t *testing.T, d *grafanaDB, boards map[string]*jsonBoard) {
	t.Helper()
	for panel, want := range map[string]float64{
		"care.claims": 10, "care.claims_open": 8, "care.reopen": 1.0 / 3, "posts.claims": 8, "posts.bloggers": 1, "posts.not_received": 6, "crisis.claims": 10, "crisis.received": 0.4,
	} {
		key, _, _ := strings.Cut(panel, ".")
		s := sceneOf(t, d, boards[key], d.now.Add(-24*time.Hour), d.now, formAll, 0)
		if got, _ := askPanel(t, d, boards[key], panel, s); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", panel, got, want)
		}
	}
	s := sceneOf(t, d, boards["care"], d.now.Add(-24*time.Hour), d.now, formAll, 0)
	got := map[any][2]any{}
	for _, row := range askRows(t, d, boards["care"], "care.stages", s) {
		got[row["claim_stage"]] = [2]any{row["reached"], row["median_seconds"]}
	}
	for stage, want := range map[string][2]any{"1": {10.0, 20.0}, "5": {3.0, 3600.0}, "6": {3.0, 7200.0}, "7": {3.0, 7200.0}} {
		if got[stage] != want {
			t.Errorf("stage %s: %v, want %v", stage, got[stage], want)
		}
	}
	told := 0
	for _, row := range askRows(t, d, boards["care"], "care.breaches", s) {
		if row["breach_rule"] == "phone_number" && row["excerpt"] == "call us at ***" && row["stands"] == 1.0 {
			told++
		}
	}
	judged, _ := askPanel(t, d, boards["care"], "care.brand_answers", s)
	compliance, _ := askPanel(t, d, boards["care"], "care.compliance", s)
	if confidential, _ := askPanel(t, d, boards["care"], "care.confidential", s); told != 1 || confidential < 1 || judged < 10 || compliance > 1-1/judged || compliance <= 0 {
		t.Errorf("%d answers are listed with a phone number; %v of %v tell something confidential, compliance %v", told, confidential, judged, compliance)
	}
	posts := boards["posts"]
	for turn, state := range []string{"all", "waiting", "claims"} {
		s := sceneOf(t, d, posts, d.now.Add(-24*time.Hour), d.now, formAll, 0)
		s.values["state"] = []string{state}
		queue := askRows(t, d, posts, "posts.queue", s)
		if len(queue) == 0 || state == "claims" && len(queue) != 8 {
			t.Errorf("the queue of %s (%d) has %d rows", state, turn, len(queue))
		}
		bloggers := 0
		for _, row := range queue {
			if row["blogger"] == 1.0 {
				bloggers++
			}
			if state == "claims" && (row["claim_state"] == "none" || row["claim_state"] == "resolved" || row["post"] == "") {
				t.Errorf("the queue of claims in work has %v", row)
			}
		}
		if state == "claims" && bloggers != 1 {
			t.Errorf("%d claims in work are by bloggers", bloggers)
		}
	}
}

// checkClassifiers: the trends carry one mark for each brand where another classifier takes over.
func checkClassifiers(t *testing.T, d *grafanaDB, boards map[string]*jsonBoard) {
	t.Helper()
	r, err := d.query(t.Context(), dashboards.DatasourceUID, "SELECT toStartOfHour(max(opened_at)) FROM alerts")
	if err != nil {
		t.Fatal(err)
	}
	since := r.Data[0][0].(string)
	for key, brands := range map[string]int{"reputation": 1, "competitors": len(d.truth.Brands)} {
		b := boards[key]
		s := sceneOf(t, d, b, d.now.Add(-24*time.Hour), d.now, formAll, 0)
		marks := 0
		for _, a := range b.Annotations.List {
			if !strings.Contains(a.Target.RawSQL, "label_models") {
				continue
			}
			sql, err := s.expand(a.Target.RawSQL)
			if err != nil {
				t.Fatal(err)
			}
			r, err := d.query(t.Context(), s.source(a.Target.Datasource), sql)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range r.Data {
				marks++
				if row[0] != since || !strings.HasSuffix(row[2].(string), "→ "+anotherModel) {
					t.Errorf("%s: the mark is %v, another classifier begins at %s", key, row, since)
				}
			}
		}
		if marks != brands {
			t.Errorf("%s has %d marks, want %d", key, marks, brands)
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return values[n/2]
	default:
		return (values[n/2-1] + values[n/2]) / 2
	}
}

// askPanel returns the figure of a panel.
func askPanel(t testing.TB, d *grafanaDB, b *jsonBoard, panel string, s *scene) (float64, bool) {
	t.Helper()
	return panelResult(t, d, b, panel, s).number()
}

// askRows returns the rows of a panel by column.
func askRows(t testing.TB, d *grafanaDB, b *jsonBoard, panel string, s *scene) []map[string]any {
	t.Helper()
	r := panelResult(t, d, b, panel, s)
	out := make([]map[string]any, len(r.Data))
	for i, row := range r.Data {
		out[i] = map[string]any{}
		for j, v := range row {
			out[i][r.Meta[j].Name] = v
		}
	}
	return out
}

func panelResult(t testing.TB, d *grafanaDB, b *jsonBoard, panel string, s *scene) *result {
	t.Helper()
	title := dashboards.PanelTitle(panel, dashboards.English)
	for i := range b.Panels {
		if b.Panels[i].Title != title {
			continue
		}
		sql, err := s.expand(b.Panels[i].Targets[0].RawSQL)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.query(t.Context(), s.source(b.Panels[i].Targets[0].Datasource), sql)
		if err != nil {
			t.Fatalf("%s: %v", panel, err)
		}
		return r
	}
	t.Fatalf("no panel %s (%q)", panel, title)
	return nil
}
