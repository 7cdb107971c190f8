package dashboards

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"

	"otklik/schemas"
)

// TestQueryTimeout: the plugin's driver asks for max_execution_time five seconds above the time-out of the data source, and ClickHouse
// refuses every query of a user whose limit is lower.
func TestQueryTimeout(t *testing.T) {
	files, err := Provisioning(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Datasources []struct {
			JSONData struct {
				Username     string `yaml:"username"`
				QueryTimeout string `yaml:"queryTimeout"`
			} `yaml:"jsonData"`
		} `yaml:"datasources"`
	}
	if err := yaml.Unmarshal(files["datasources/otklik.yaml"], &file); err != nil {
		t.Fatal(err)
	}
	limits := map[string]uint64{}
	for _, u := range schemas.Users(schemas.DefaultDatabase, schemas.Credentials{Dashboard: DefaultUser, Desk: DefaultDeskUser}) {
		limits[u.Name] = u.Limits["max_execution_time"]
	}
	found := 0
	for _, d := range file.Datasources {
		if d.JSONData.Username == "" {
			continue // not ClickHouse
		}
		found++
		seconds, err := strconv.ParseUint(d.JSONData.QueryTimeout, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if limit := limits[d.JSONData.Username]; seconds+5 > limit {
			t.Errorf("%s: a time-out of %d s asks for %d s of %d", d.JSONData.Username, seconds, seconds+5, limit)
		}
	}
	if found != 2 {
		t.Errorf("%d data sources of ClickHouse", found)
	}
}

// TestSummaries: a manager reads no NaN while there is no past to compare with.
func TestSummaries(t *testing.T) {
	human := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	funcs := template.FuncMap{"humanize": human, "humanizePercentage": human, "humanizeDuration": human, "humanizeTimestamp": human}
	type value struct{ Value float64 }
	for _, lang := range Langs {
		group, err := alertGroupOf(&printer{lang: lang}, Options{Lang: lang, Target: DefaultTarget})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range group.Rules {
			// Grafana defines the same two variables before the text.
			text, err := template.New("").Funcs(funcs).Option("missingkey=error").Parse("{{ $labels := .Labels }}{{ $values := .Values }}" + r.Annotations["summary"])
			if err != nil {
				t.Fatalf("%s: %v", r.UID, err)
			}
			for _, baseline := range []float64{41, math.NaN()} {
				var out strings.Builder
				if err := text.Execute(&out, map[string]any{
					"Labels": map[string]string{"brand": "mts", "stage": "mts", "topic": "mts"},
					"Values": map[string]value{nameFigure: {7}, nameBaseline: {baseline}, nameSince: {1e9}},
				}); err != nil {
					t.Fatalf("%s: %v", r.UID, err)
				}
				if got := out.String(); strings.Contains(got, "NaN") || strings.Contains(got, "41") == math.IsNaN(baseline) || !strings.Contains(got, "mts") {
					t.Errorf("%s, baseline %v: %s", r.UID, baseline, got)
				}
			}
		}
	}
}

// TestMessage: a message leads to the dashboard whether Grafana's address ends with a slash, as its own does, or not.
func TestMessage(t *testing.T) {
	funcs := template.FuncMap{"reReplaceAll": func(pattern, with, text string) string {
		return regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}}
	for _, lang := range Langs {
		text, err := template.New("").Funcs(funcs).Parse(messageTemplate(&printer{lang: lang}) + `{{ template "otklik.message" . }}`)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"http://grafana.example/", "http://grafana.example"} {
			var out strings.Builder
			alert := map[string]any{"Labels": map[string]string{"severity": "critical"}, "Annotations": map[string]string{"dashboard": "/d/otklik-crisis"}}
			if err := text.Execute(&out, map[string]any{"ExternalURL": address, "Alerts": []any{alert}}); err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(": %s/d/otklik-crisis\n", strings.TrimSuffix(address, "/")); !strings.Contains(out.String(), want) {
				t.Errorf("%s: the message lacks %q:%s", address, want, out.String())
			}
		}
	}
}

// TestOneFolder: the rules and the dashboards find the same folder, by its title, whichever Grafana provisions first.
func TestOneFolder(t *testing.T) {
	files, err := Provisioning(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rules alertFile
	var dashboards struct {
		Providers []map[string]any `yaml:"providers"`
	}
	for name, v := range map[string]any{"alerting/rules.yaml": &rules, "dashboards/otklik.yaml": &dashboards} {
		if err := yaml.Unmarshal(files[name], v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, p := range dashboards.Providers {
		if p["folder"] != rules.Groups[0].Folder || p["folderUid"] != nil {
			t.Errorf("dashboards go to %v, uid %v; rules to %s", p["folder"], p["folderUid"], rules.Groups[0].Folder)
		}
	}
}
