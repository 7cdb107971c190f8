package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"otklik/schemas"
	"otklik/stream/brand"
)

// object and list read generic JSON.
func object(t *testing.T, v any) map[string]any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func generate(t *testing.T, l Lang) map[string]map[string]any {
	t.Helper()
	files, err := Dashboards(Options{Lang: l})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for name, text := range files {
		v, err := decode(text)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(name, ".json")] = object(t, v)
	}
	return out
}

func whole(t *testing.T, v any) int64 {
	t.Helper()
	n, ok := v.(json.Number)
	if !ok {
		t.Fatalf("%v is no number", v)
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestCommitted: the files in deploy/grafana are what the code generates. `otklik dashboards --out deploy/grafana` writes them.
func TestCommitted(t *testing.T) {
	var o Options
	for _, b := range brand.Example().Brands {
		if b.Own {
			o.Brands = append(o.Brands, b.Key)
		}
	}
	files, err := Files(o, Langs)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := Check("../deploy/grafana", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("run `otklik dashboards --out deploy/grafana`; these differ: %v", stale)
	}
}

// TestLayout: no panel overlaps another or the edge, every identity is unique and the same in every language, and every panel has
// title, description and unit.
func TestLayout(t *testing.T) {
	ids := map[string]int64{}
	uids := map[string]string{}
	for _, l := range Langs {
		for key, d := range generate(t, l) {
			id, _ := d["uid"].(string)
			if other, taken := uids[id]; taken && other != key || id != uid(key) || len(id) > 40 {
				t.Errorf("%s has the uid %q", key, id)
			}
			uids[id] = key
			taken := map[[2]int64]string{}
			seen := map[int64]bool{}
			for n, raw := range list(d["panels"]) {
				p := object(t, raw)
				title, _ := p["title"].(string)
				name := key + ": " + title
				g := object(t, p["gridPos"])
				x, y, w, h := whole(t, g["x"]), whole(t, g["y"]), whole(t, g["w"]), whole(t, g["h"])
				if w < 1 || h < 1 || x+w > gridWidth {
					t.Errorf("%s lies at %v", name, g)
				}
				for i := x; i < x+w; i++ {
					for j := y; j < y+h; j++ {
						if other := taken[[2]int64{i, j}]; other != "" {
							t.Fatalf("%s overlaps %s", name, other)
						}
						taken[[2]int64{i, j}] = name
					}
				}
				panel := whole(t, p["id"])
				if seen[panel] {
					t.Errorf("%s: the id %d is taken", name, panel)
				}
				seen[panel] = true
				place := fmt.Sprint(key, n)
				if before, known := ids[place]; known && before != panel {
					t.Errorf("%s has another id in %s", name, l)
				}
				ids[place] = panel
				if p["type"] == "row" {
					continue
				}
				about, _ := p["description"].(string)
				defaults := object(t, object(t, p["fieldConfig"])["defaults"])
				unit, _ := defaults["unit"].(string)
				if title == "" || about == "" || unit == "" {
					t.Errorf("%s: title %q, description %q, unit %q", name, title, about, unit)
				}
				if n < 4 && (key == "reputation" || key == "care") && y != 0 {
					t.Errorf("%s is not in the first row", name)
				}
			}
		}
	}
}

// TestCatalogue: nothing is missing in any language, nothing is left over, and the English definitions are those of the data
// dictionary.
func TestCatalogue(t *testing.T) {
	w := map[Lang]*printer{}
	for _, l := range Langs {
		w[l] = &printer{lang: l}
		o, err := Options{Lang: l}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range boards() {
			if _, err := b.build(w[l], o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := alertGroupOf(w[l], o); err != nil {
			t.Fatal(err)
		}
		messageTemplate(w[l])
		if err := w[l].err(); err != nil {
			t.Error(err)
		}
	}
	c := catalogue()
	check := func(kind, key string, texts int) {
		if texts != len(Langs) {
			t.Errorf("%s %s is there in %d languages", kind, key, texts)
		}
		if !w[English].used[kind+" "+key] {
			t.Errorf("nothing uses the %s %s", kind, key)
		}
	}
	for kind, texts := range map[string]map[string]text{"definition": c.Definitions, "column": c.Columns, "value": c.Values, "word": c.Words} {
		for key, m := range texts {
			if kind == "column" && key == "hour_of_week" {
				continue // its columns are the hours
			}
			check(kind, key, len(m))
		}
	}
	for kind, entries := range map[string]map[string]entry{"dashboard": c.Dashboards, "panel": c.Panels, "alert": c.Alerts} {
		for key, m := range entries {
			check(kind, key, len(m))
			for l, e := range m {
				if l == Russian && !regexp.MustCompile(`[а-яё]`).MatchString(e.Title+e.Text) {
					t.Errorf("%s %s in Russian: %+v", kind, key, e)
				}
			}
		}
	}
	dictionary, err := os.ReadFile("../schemas/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for key, m := range c.Definitions {
		if !bytes.Contains(dictionary, []byte("| "+m[English]+" |")) {
			t.Errorf("the definition %s is not that of schemas/README.md", key)
		}
	}
}

// TestColours: what is bad is never green, and one column looks the same on every panel.
func TestColours(t *testing.T) {
	for key, d := range generate(t, English) {
		text, err := canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`(?i)"[^"]*(green|\bred\b)[^"]*"`).Find(text); found != nil {
			t.Errorf("%s uses %s", key, found)
		}
	}
	for _, c := range []string{"negative_share", "negatives", "dead_letters", "left_members"} {
		drawn := styles[c].base
		if steps := styles[c].steps; len(steps) > 0 {
			drawn = steps[len(steps)-1].colour
		}
		if drawn != colourBad {
			t.Errorf("%s is drawn in %s", c, drawn)
		}
	}
}

var boardAddress = regexp.MustCompile(`/d/([a-z-]+)(\?[^"]*)?`)

// TestLinks: every link leads to a dashboard that is generated, and names variables that it has.
func TestLinks(t *testing.T) {
	all := generate(t, English)
	variables := map[string][]string{}
	for key, d := range all {
		for _, v := range list(object(t, d["templating"])["list"]) {
			name, _ := object(t, v)["name"].(string)
			variables[uid(key)] = append(variables[uid(key)], name)
		}
	}
	check := func(from, address string) {
		m := boardAddress.FindStringSubmatch(address)
		if m == nil {
			t.Errorf("%s: %s leads nowhere", from, address)
			return
		}
		names, known := variables[m[1]]
		if !known {
			t.Errorf("%s: there is no dashboard %s", from, m[1])
		}
		for _, v := range regexp.MustCompile(`var-(\w+)=`).FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(names, v[1]) {
				t.Errorf("%s: %s has no variable %s", from, m[1], v[1])
			}
		}
		for _, v := range regexp.MustCompile(`\$\{(\w+):queryparam\}`).FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(names, v[1]) {
				t.Errorf("%s: %s has no variable %s", from, m[1], v[1])
			}
			if !slices.Contains(variables[uid(from)], v[1]) {
				t.Errorf("%s has no variable %s to hand over to %s", from, v[1], m[1])
			}
		}
	}
	var walk func(from string, v any)
	links := 0
	walk = func(from string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if address, ok := v["url"].(string); ok && strings.HasPrefix(address, "/") {
				links++
				check(from, address)
			}
			for _, inner := range v {
				walk(from, inner)
			}
		case []any:
			for _, inner := range v {
				walk(from, inner)
			}
		}
	}
	for key, d := range all {
		walk(key, d)
	}
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
	group, err := alertGroupOf(&printer{lang: English}, Options{Runbook: DefaultRunbook})
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../deploy/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range group.Rules {
		r := &group.Rules[i]
		check(r.Title, r.Annotations["dashboard"])
		_, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if !bytes.Contains(runbook, []byte(`<a id="`+anchor+`"></a>`)) {
			t.Errorf("the runbook has no section %s", anchor)
		}
		d := all[strings.TrimPrefix(r.DashboardUID, "otklik-")]
		if !slices.ContainsFunc(list(d["panels"]), func(p any) bool { return whole(t, object(t, p)["id"]) == r.PanelID }) {
			t.Errorf("%s: %s has no panel %d", r.Title, r.DashboardUID, r.PanelID)
		}
	}
}

// TestViews: every query reads views that the user of its data source may read, and no table; only those that read posts go to the
// data source of the desk, and the alert rules do not.
func TestViews(t *testing.T) {
	check := func(name, source, sql string) {
		open := map[string][]string{
			"${" + clickhouseVariable + "}": schemas.DashboardViews(), DatasourceUID: schemas.DashboardViews(), "${" + deskVariable + "}": schemas.DeskViews(),
		}[source]
		posts := false
		for _, m := range regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+([a-z_0-9.]+)`).FindAllStringSubmatch(sql, -1) {
			if !slices.Contains(open, m[1]) {
				t.Errorf("%s reads %s from %q", name, m[1], source)
			}
			posts = posts || !slices.Contains(schemas.DashboardViews(), m[1])
		}
		if posts != (source == "${"+deskVariable+"}") {
			t.Errorf("%s asks %s", name, source)
		}
	}
	seen := 0
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			sql, _ := v["rawSql"].(string)
			if v["type"] == "query" {
				sql, _ = v["query"].(string)
			}
			if sql != "" {
				source, _ := object(t, v["datasource"])["uid"].(string)
				check(name, source, sql)
				seen++
			}
			if title, ok := v["title"].(string); ok {
				name += " " + title
			}
			for _, inner := range v {
				walk(name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(name, inner)
			}
		}
	}
	for key, d := range generate(t, English) {
		walk(key, d)
		var names []string
		for _, v := range list(object(t, d["templating"])["list"]) {
			name, _ := object(t, v)["name"].(string)
			names = append(names, name)
		}
		for _, raw := range list(d["panels"]) {
			p := object(t, raw)
			if p["type"] == "row" {
				continue
			}
			source, _ := object(t, p["datasource"])["uid"].(string)
			if name := strings.Trim(source, "${}"); !slices.Contains(names, name) {
				t.Errorf("%s: %v: no variable %q", key, p["title"], name)
			}
			for _, target := range list(p["targets"]) {
				if object(t, object(t, target)["datasource"])["uid"] != source && object(t, target)["rawSql"] != nil {
					t.Errorf("%s: %v and its query have two data sources", key, p["title"])
				}
			}
		}
	}
	if seen < 80 {
		t.Errorf("only %d queries were found", seen)
	}
	for _, r := range rules(0.5) {
		check(r.key, DatasourceUID, query(r.base))
	}
}

// TestProvisioning: the files are what Grafana reads, and what provisioning would expand from the environment is there on purpose.
func TestProvisioning(t *testing.T) {
	files, err := Provisioning(Options{Lang: Russian, Brands: []string{"alpha", "beta"}, Target: 80, Server: "db:9440", User: "reader", DeskUser: "helper", Database: "figures"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		var v map[string]any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if fmt.Sprint(v["apiVersion"]) != "1" {
			t.Errorf("%s: apiVersion %v", name, v["apiVersion"])
		}
	}
	for _, want := range []string{"host: db", "port: 9440", "username: reader", "defaultDatabase: figures", "password: $OTKLIK_DASHBOARD_PASSWORD", "username: helper", "password: $OTKLIK_DESK_PASSWORD"} {
		if !bytes.Contains(files["datasources/otklik.yaml"], []byte(want)) {
			t.Errorf("the data source lacks %q:\n%s", want, files["datasources/otklik.yaml"])
		}
	}
	var rules alertFile
	if err := yaml.Unmarshal(files["alerting/rules.yaml"], &rules); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rules.Groups[0].Rules {
		if seen[r.UID] || len(r.UID) > 40 {
			t.Errorf("the uid %s is taken or too long", r.UID)
		}
		seen[r.UID] = true
		for name, value := range r.Labels {
			if strings.Contains(value, "$") {
				t.Errorf("%s: the label %s would be expanded: %s", r.UID, name, value)
			}
		}
		for name, value := range r.Annotations {
			if strings.Contains(value, "${") {
				t.Errorf("%s: the annotation %s would be expanded: %s", r.UID, name, value)
			}
		}
		if last := r.Data[len(r.Data)-1].RefID; r.Condition != last {
			t.Errorf("%s: the condition is %s, the last expression %s", r.UID, r.Condition, last)
		}
		sql, _ := r.Data[0].Model["rawSql"].(string)
		if strings.HasPrefix(sql, "SELECT toString(brand)") != strings.Contains(sql, "brand IN ('alpha', 'beta')") {
			t.Errorf("%s does not keep to the brands", r.UID)
		}
	}
	if len(seen) != 10 || !bytes.Contains(files["alerting/rules.yaml"], []byte("< 0.8")) {
		t.Errorf("%d rules; the target must be 0.8", len(seen))
	}
}

// TestOptions: what cannot be generated is refused with a reason.
func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Lang: "de"}, {Target: 100}, {Target: -1}, {Brands: []string{"alpha", "a' OR 1"}}, {Brands: []string{""}}, {User: "desk"}, {Server: "nohost"}, {Server: "host:"},
	} {
		if _, err := Files(o, Langs); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	d, err := Dashboards(Options{Brands: []string{"alpha", "beta"}, Target: 82.5})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(d["reputation.json"], []byte(`"82.5"`)) {
		t.Error("the target is not in the dashboard")
	}
	for file, want := range map[string]any{
		"reputation.json": "alpha", "care.json": "alpha", "posts.json": []any{"alpha", "beta"}, "communities.json": []any{"alpha", "beta"}, "competitors.json": []any{"$__all"},
	} {
		v, err := decode(d[file])
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list(object(t, object(t, v)["templating"])["list"]) {
			if v := object(t, v); v["name"] == "brand" {
				if diff := cmp.Diff(want, object(t, v["current"])["value"]); diff != "" {
					t.Errorf("%s opens with another brand: %s", file, diff)
				}
			}
		}
	}
}

// TestWrite: files are written once, and what is not generated any more is found and removed.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"dashboards/en/a.json": []byte("{}\n"), "provisioning/x.yaml": []byte("x\n")}
	changed, err := Write(dir, files)
	if err != nil || len(changed) != 2 {
		t.Fatalf("%v, %v", changed, err)
	}
	if err := os.WriteFile(dir+"/dashboards/en/old.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/provisioning/x.yaml", []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"provisioning/x.yaml", "dashboards/en/old.json"}
	stale, err := Check(dir, files)
	if err != nil || cmp.Diff(want, stale) != "" {
		t.Errorf("stale are %v, %v", stale, err)
	}
	changed, err = Write(dir, files)
	if err != nil || cmp.Diff(want, changed) != "" {
		t.Errorf("changed were %v, %v", changed, err)
	}
	if stale, err = Check(dir, files); err != nil || len(stale) > 0 {
		t.Errorf("stale are %v, %v", stale, err)
	}
}
