package dashboards

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// fakeGrafana keeps what is put into it, as Grafana does, and adds fields of its own.
type fakeGrafana struct {
	t       *testing.T
	things  map[string]any // by the path they are read from
	writes  int
	refuses int // answer every write with this status; 0 accepts
}

// ServeHTTP answers like Grafana's API.
func (f *fakeGrafana) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := func(code int, v any) {
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			f.t.Error(err)
		}
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		reply(http.StatusUnauthorized, map[string]any{"message": "who are you?"})
		return
	}
	if r.Method == http.MethodGet {
		if v, ok := f.things[r.URL.Path]; ok {
			reply(http.StatusOK, v)
		} else {
			reply(http.StatusNotFound, map[string]any{"message": "not found"})
		}
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	v, err := decode(text)
	if err != nil {
		f.t.Error(err)
	}
	if f.refuses != 0 {
		reply(f.refuses, map[string]any{"message": "no"})
		return
	}
	f.writes++
	body := object(f.t, v)
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/folders":
		id, _ := body["uid"].(string)
		f.things["/api/folders/"+id] = body
	case r.Method == http.MethodPost && r.URL.Path == "/api/dashboards/db":
		d := stored(f.t, object(f.t, body["dashboard"]))
		id, _ := d["uid"].(string)
		d["id"], d["version"] = 7, 3
		f.things["/api/dashboards/uid/"+id] = map[string]any{"dashboard": d, "meta": map[string]any{"folderUid": body["folderUid"]}}
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/api/v1/provisioning/"):
		if r.Header.Get("X-Disable-Provenance") != "true" {
			f.t.Error("what is pushed could not be edited in Grafana")
		}
		body["provenance"] = ""
		if text, ok := body["template"].(string); ok {
			body["template"] = strings.TrimSpace(text)
		}
		f.things[r.URL.Path] = body
	default:
		f.t.Errorf("unexpected %s %s", r.Method, r.URL.Path)
	}
	reply(http.StatusOK, map[string]any{"status": "success"})
}

// stored is a dashboard as Grafana keeps it (apps/dashboard/pkg/migration, frontend_defaults.go): with an annotation query of its own
// and options of variables, without nulls, and with the panels in the order of the grid.
func stored(t *testing.T, d map[string]any) map[string]any {
	t.Helper()
	d, _ = withoutNulls(d).(map[string]any)
	annotations := object(t, d["annotations"])
	annotations["list"] = slices.Insert(list(annotations["list"]), 0, any(map[string]any{"builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard"}))
	for _, v := range list(object(t, d["templating"])["list"]) {
		if v := object(t, v); v["type"] != "textbox" && v["options"] == nil {
			v["options"] = []any{}
		}
	}
	slices.SortStableFunc(list(d["panels"]), func(a, b any) int {
		p, q := object(t, object(t, a)["gridPos"]), object(t, object(t, b)["gridPos"])
		return cmp.Or(cmp.Compare(whole(t, p["y"]), whole(t, q["y"])), cmp.Compare(whole(t, p["x"]), whole(t, q["x"])))
	})
	return d
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if value != nil {
				out[key] = withoutNulls(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutNulls(v[i])
		}
		return out
	default:
		return v
	}
}

// TestPush: everything is pushed once, then nothing; a change pushes what changed; refusals say what to do.
func TestPush(t *testing.T) {
	f := &fakeGrafana{t: t, things: map[string]any{}}
	server := httptest.NewServer(f)
	defer server.Close()
	g := &Grafana{URL: server.URL + "/", Token: "secret"}

	if _, err := g.Push(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "data source otklik-clickhouse is missing") {
		t.Errorf("without a data source: %v", err)
	}
	f.things["/api/datasources/uid/"+DatasourceUID] = map[string]any{"uid": DatasourceUID}
	if _, err := g.Push(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "data source otklik-desk is missing") {
		t.Errorf("without the data source of the desk: %v", err)
	}
	f.things["/api/datasources/uid/"+DeskDatasourceUID] = map[string]any{"uid": DeskDatasourceUID}
	changed, err := g.Push(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(changed) != 1+8+1+1 || f.writes != len(changed) {
		t.Errorf("pushed %d things with %d writes: %v", len(changed), f.writes, changed)
	}
	changed, err = g.Push(t.Context(), Options{})
	if err != nil || len(changed) > 0 {
		t.Errorf("the second push changed %v, %v", changed, err)
	}
	changed, err = g.Push(t.Context(), Options{Target: 80})
	if err != nil || !slices.Equal(changed, []string{"dashboard reputation", "alert rules otklik"}) {
		t.Errorf("another target changed %v, %v", changed, err)
	}
	changed, err = g.Push(t.Context(), Options{Target: 80, Lang: Russian})
	if err != nil || len(changed) != 8+1+1 {
		t.Errorf("another language changed %v, %v", changed, err)
	}
	f.refuses = http.StatusForbidden
	if _, err := g.Push(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "role Editor") {
		t.Errorf("a refused write: %v", err)
	}
	g.Token = "wrong"
	if _, err := g.Push(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "the token is not valid") {
		t.Errorf("a wrong token: %v", err)
	}
}
