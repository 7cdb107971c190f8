package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"otklik/dashboards"
	"otklik/schemas"
)

// fileRule is an alert rule as it is read back from the provisioning file.
type fileRule struct {
	UID       string `yaml:"uid"`
	Title     string `yaml:"title"`
	Condition string `yaml:"condition"`
	Data      []struct {
		RefID             string `yaml:"refId"`
		DatasourceUID     string `yaml:"datasourceUid"`
		RelativeTimeRange struct {
			From int64 `yaml:"from"`
			To   int64 `yaml:"to"`
		} `yaml:"relativeTimeRange"`
		Model struct {
			RawSQL     string `yaml:"rawSql"`
			Type       string `yaml:"type"`
			Expression string `yaml:"expression"`
			Reducer    string `yaml:"reducer"`
			Conditions []struct {
				Evaluator struct {
					Type   string    `yaml:"type"`
					Params []float64 `yaml:"params"`
				} `yaml:"evaluator"`
			} `yaml:"conditions"`
		} `yaml:"model"`
	} `yaml:"data"`
}

func readRules(t testing.TB, o dashboards.Options) map[string]*fileRule {
	t.Helper()
	files, err := dashboards.Provisioning(o)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []fileRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(files["alerting/rules.yaml"], &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]*fileRule{}
	for i := range file.Groups[0].Rules {
		r := &file.Groups[0].Rules[i]
		out[r.UID] = r
	}
	return out
}

// evaluate is the part of Grafana's alerting that the rules use: a table with text columns and one number is a set of numbers by
// label, reduce keeps them, threshold compares. It returns the values of every expression by the label of the instance.
func (r *fileRule) evaluate(t testing.TB, d *grafanaDB, at time.Time) map[string]map[string]float64 {
	t.Helper()
	values := map[string]map[string]float64{}
	for _, q := range r.Data {
		set := map[string]float64{}
		switch {
		case q.Model.RawSQL != "":
			s := &scene{
				from: at.Add(-time.Duration(q.RelativeTimeRange.From) * time.Second), to: at.Add(-time.Duration(q.RelativeTimeRange.To) * time.Second), interval: time.Minute,
			}
			sql, err := s.expand(q.Model.RawSQL)
			if err != nil {
				t.Fatalf("%s: %v", r.UID, err)
			}
			answer, err := d.query(t.Context(), q.DatasourceUID, sql)
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", r.UID, q.RefID, err, sql)
			}
			if len(answer.Meta) != 2 || !stringType.MatchString(answer.Meta[0].Type) || !numberType.MatchString(answer.Meta[1].Type) {
				t.Fatalf("%s %s: the columns are %v, not one label and one number", r.UID, q.RefID, answer.Meta)
			}
			for _, row := range answer.Data {
				if v, ok := row[1].(float64); ok {
					set[row[0].(string)] = v
				}
			}
		case q.Model.Type == "reduce":
			if q.Model.Reducer != "last" || values[q.Model.Expression] == nil {
				t.Fatalf("%s: reduce %s of %q", r.UID, q.Model.Reducer, q.Model.Expression)
			}
			set = values[q.Model.Expression]
		case q.Model.Type == "threshold":
			of, ok := values[q.Model.Expression]
			if !ok {
				t.Fatalf("%s: threshold of %q", r.UID, q.Model.Expression)
			}
			c := q.Model.Conditions[0].Evaluator
			for label, v := range of {
				set[label] = 0
				if c.Type == "gt" && v > c.Params[0] || c.Type == "lt" && v < c.Params[0] {
					set[label] = 1
				}
			}
		default:
			t.Fatalf("%s: what is %+v?", r.UID, q.Model)
		}
		values[q.RefID] = set
	}
	return values
}

// firing returns the labels of the instances that fire.
func (r *fileRule) firing(t testing.TB, d *grafanaDB, at time.Time) []string {
	t.Helper()
	values := r.evaluate(t, d, at)
	var out []string
	for _, label := range slices.Sorted(maps.Keys(values[r.Condition])) {
		if values[r.Condition][label] == 1 {
			out = append(out, label)
			// What the summary of a firing alert speaks of must be there.
			for _, name := range []string{"figure", "since"} {
				if _, ok := values[name][label]; !ok {
					t.Errorf("%s of %s fires without %s", r.UID, label, name)
				}
			}
		}
	}
	return out
}

// loyalShare is the truth of a whole story.
func loyalShare(d *grafanaDB, brand string) float64 {
	for i := range d.truth.Brands {
		if b := &d.truth.Brands[i]; b.Brand == brand {
			return float64(b.Positive+b.Neutral) / float64(b.Labelled())
		}
	}
	return 0
}

// testAlerts evaluates the rules on the day of the outage, where each fires at the time when it should, and on a day that is over
// before the outage begins, where none does.
func testAlerts(t *testing.T, crisis, calm *grafanaDB) {
	t.Helper()
	// The labels, and so the shares, are those of the shipped model: the target lies between the two days.
	rules := readRules(t, dashboards.Options{Brands: []string{"mts"}, Target: 50 * (loyalShare(crisis, "mts") + loyalShare(calm, "mts"))})
	clock := time.Now()
	height := crisis.now.Add(-6*time.Hour - 30*time.Minute) // 17:30 in Moscow
	r, err := calm.query(t.Context(), dashboards.DatasourceUID, "SELECT toUnixTimestamp(min(watermark)) FROM freshness")
	if err != nil {
		t.Fatal(err)
	}
	mark, _ := r.number()
	slowest := time.Unix(int64(mark), 0) // of the calm day: platforms are read at different speed when a day is replayed
	store := schemas.Store(crisis.name)
	unbalance := fmt.Sprintf(`INSERT INTO %s.ledger (stage, topic, partition, hour, records, read, mentions, position)
		VALUES ('track', 'otklik.mentions', 99, toStartOfHour(now()), 10, 10, 9, 1)`, store)
	if err := crisis.stack.ClickHouse.Exec(t.Context(), unbalance); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rule     string
		bad      time.Time // when to look at the day of the outage
		good     time.Time // when to look at the calm day
		instance string    // that fires; "" for any
	}{
		{"otklik-spike", height, calm.now, "mts"},
		{"otklik-sla", height, calm.now, "mts"},
		{"otklik-oldest", crisis.now.Add(6 * time.Hour), calm.now, "mts"},
		{"otklik-share", crisis.now, calm.now, "mts"},
		{"otklik-claims", crisis.now.Add(6 * time.Hour), calm.now, "mts"},
		{"otklik-breach", crisis.now, calm.now.Add(3 * 24 * time.Hour), "mts"}, // a day has some; they are over by then
		{"otklik-silence", clock.Add(6 * time.Hour), clock, "firehose.twitter"},
		{"otklik-freshness", crisis.now.Add(2 * time.Hour), slowest.Add(5 * time.Minute), "track"},
		{"otklik-balance", clock, clock, "track"},
		{"otklik-deadletters", clock, clock, ""},
	} {
		r := rules[test.rule]
		if r == nil {
			t.Errorf("there is no rule %s", test.rule)
			continue
		}
		delete(rules, test.rule)
		if got := r.firing(t, crisis, test.bad); len(got) == 0 || test.instance != "" && !slices.Contains(got, test.instance) {
			t.Errorf("%s: %v fire on the day of the outage: %v", test.rule, got, r.evaluate(t, crisis, test.bad))
		}
		if got := r.firing(t, calm, test.good); len(got) > 0 {
			t.Errorf("%s: %v fire on the calm day: %v", test.rule, got, r.evaluate(t, calm, test.good))
		}
	}
	if len(rules) > 0 {
		t.Errorf("rules without a test: %v", slices.Sorted(maps.Keys(rules)))
	}
}
