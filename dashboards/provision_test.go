package dashboards

import (
	"strconv"
	"testing"

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
