package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/dashboards"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/stream/sentiment"
	"otklik/stream/simulate"
)

// The parts of Grafana and of its ClickHouse plugin that the tests need: variables, macros, and queries as the users of the data
// sources.

// grafanaDB is one database seen as Grafana sees it.
type grafanaDB struct {
	http, name string
	logins     map[string]*url.Userinfo // by the uid of the data source
	stack      *enginetest.Stack
	truth      *simulate.Truth
	now        time.Time // end of the story
}

// grafanaLogins are the users of the data sources.
func grafanaLogins(t testing.TB, server *embedded.ClickHouse) map[string]*url.Userinfo {
	t.Helper()
	return map[string]*url.Userinfo{
		dashboards.DatasourceUID:     url.UserPassword(schemas.DashboardName, password(t, server, schemas.DashboardName)),
		dashboards.DeskDatasourceUID: url.UserPassword(schemas.DeskName, password(t, server, schemas.DeskName)),
	}
}

// grafanaServer starts a ClickHouse with the users of Grafana for the databases and returns its address over both protocols.
func grafanaServer(t testing.TB, databases ...string) *embedded.ClickHouse {
	t.Helper()
	embeddedtest.Require(t)
	var users []embedded.User
	for _, database := range databases {
		for i, u := range schemas.Users(database, schemas.Credentials{}) {
			if i >= len(users) {
				users = append(users, embedded.User{Name: u.Name, Settings: u.Settings, Limits: u.Limits})
			}
			for _, g := range u.Grants {
				if !slices.Contains(users[i].Grants, g) {
					users[i].Grants = append(users[i].Grants, g)
				}
			}
		}
	}
	server, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Dir: t.TempDir(), Users: users})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

func password(t testing.TB, server *embedded.ClickHouse, user string) string {
	t.Helper()
	for _, u := range server.Users() {
		if u.Name == user {
			return u.Password
		}
	}
	t.Fatalf("no user %s", user)
	return ""
}

// simulated runs the engine over a simulation into a database of the server.
func simulated(t testing.TB, server *embedded.ClickHouse, database string, sim simulate.Config) *grafanaDB {
	t.Helper()
	cfg := config.Default()
	cfg.ClickHouse.Addrs = []string{server.Native()}
	cfg.ClickHouse.Database = database
	cfg.ClickHouse.User = schemas.WriterName
	cfg.ClickHouse.Password = config.NewSecret(password(t, server, schemas.WriterName))
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{})
	s := enginetest.NewOn(t, []string{broker.Addr()}, cfg, nil)
	classifier, err := sentiment.Default()
	if err != nil {
		t.Fatal(err)
	}
	sim.Catalogue = s.Config.Brands
	if sim.Label, err = simulate.NewLabeller(classifier, sim.Catalogue); err != nil {
		t.Fatal(err)
	}
	simulator, err := simulate.New(sim)
	if err != nil {
		t.Fatal(err)
	}
	truth := s.Feed(t, simulator, nil)
	s.Drain(t)
	if _, err := s.ClickHouse.Eraser().Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := sim.WithDefaults()
	return &grafanaDB{
		http: "http://" + server.HTTP(), name: database, logins: grafanaLogins(t, server), stack: s, truth: truth, now: d.Start.Go().Add(d.Duration),
	}
}

// result is an answer of ClickHouse.
type result struct {
	Meta []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"meta"`
	Data       [][]any `json:"data"`
	Rows       int     `json:"rows"`
	Statistics struct {
		Elapsed  float64 `json:"elapsed"`
		RowsRead int64   `json:"rows_read"`
	} `json:"statistics"`
}

// query runs SQL as the user of a data source with the database as the default one, as the plugin does.
func (d *grafanaDB) query(ctx context.Context, source, sql string) (*result, error) {
	login, ok := d.logins[source]
	if !ok {
		return nil, fmt.Errorf("there is no data source %q", source)
	}
	q := url.Values{"database": {d.name}, "default_format": {"JSONCompact"}, "output_format_json_quote_64bit_integers": {"0"}, "date_time_output_format": {"iso"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.http+"/?"+q.Encode(), strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	secret, _ := login.Password()
	request.SetBasicAuth(login.Username(), secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	var r result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%w: %.200s", err, text)
	}
	return &r, nil
}

// number returns the only value of a query; ok is false when it is NULL or there is no row.
func (r *result) number() (v float64, ok bool) {
	if len(r.Data) == 0 || len(r.Data[0]) == 0 {
		return 0, false
	}
	v, ok = r.Data[0][0].(float64)
	return v, ok
}

// scene is what a query depends on besides the data: time range, interval and the values of the variables.
type scene struct {
	from, to time.Time
	interval time.Duration
	values   map[string][]string // of variables; nil is All
	allAs    map[string]string   // what All stands for where it is not every option
	options  map[string][]string
}

// source returns the uid of the data source that a variable chooses.
func (s *scene) source(d datasource) string {
	return strings.Join(s.values[strings.Trim(d.UID, "${}")], ",")
}

// variable is what Grafana puts in the place of a variable.
func (s *scene) variable(name, format string) (string, bool) {
	if name == "__timezone" {
		return quoteIf(format, []string{"Europe/Moscow"}), true
	}
	values, known := s.values[name]
	if !known {
		return "", false
	}
	if values == nil {
		if as := s.allAs[name]; as != "" {
			return as, true // a value of All that is given is not formatted
		}
		values = s.options[name]
	}
	return quoteIf(format, values), true
}

// quoteIf formats values: "singlequote" as quoted SQL texts, else as Grafana's default for several values.
func quoteIf(format string, values []string) string {
	if format == "singlequote" {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = "'" + strings.ReplaceAll(v, "'", `\'`) + "'"
		}
		return strings.Join(quoted, ",")
	}
	if len(values) == 1 {
		return values[0]
	}
	return "{" + strings.Join(values, ",") + "}"
}

var (
	bracedVariable = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}`)
	plainVariable  = regexp.MustCompile(`\$(\w+)`)
	leftOver       = regexp.MustCompile(`\$[\w{]`)
)

// expand does what the plugin's front end (conditions, variables) and back end (macros) do to a query; see the plugin's
// documentation, https://grafana.com/docs/plugins/grafana-clickhouse-datasource/latest/.
func (s *scene) expand(sql string) (string, error) {
	sql, err := s.conditions(sql)
	if err != nil {
		return "", err
	}
	sql = bracedVariable.ReplaceAllStringFunc(sql, func(m string) string {
		g := bracedVariable.FindStringSubmatch(m)
		if v, ok := s.variable(g[1], g[2]); ok {
			return v
		}
		return m
	})
	seconds := strconv.FormatInt(max(int64(s.interval.Seconds()), 1), 10)
	from, to := fmt.Sprintf("toDateTime(%d)", s.from.Unix()), fmt.Sprintf("toDateTime(%d)", s.to.Unix())
	for _, m := range []struct {
		name string
		with func(arg string) string
	}{
		{"$__timeFilter(", func(c string) string { return c + " >= " + from + " AND " + c + " <= " + to }},
		{"$__timeInterval(", func(c string) string {
			return "toStartOfInterval(toDateTime(" + c + "), INTERVAL " + seconds + " second)"
		}},
	} {
		for {
			at := strings.Index(sql, m.name)
			if at < 0 {
				break
			}
			args, end, err := arguments(sql, at+len(m.name)-1)
			if err != nil || len(args) != 1 {
				return "", fmt.Errorf("%s needs one argument: %q, %w", m.name, args, err)
			}
			sql = sql[:at] + m.with(strings.TrimSpace(args[0])) + sql[end:]
		}
	}
	sql = strings.NewReplacer("$__fromTime", from, "$__toTime", to, "$__interval_s", seconds).Replace(sql)
	if rest := leftOver.FindString(sql); rest != "" {
		return "", fmt.Errorf("%q is neither a variable nor a macro that the test knows: %s", rest, sql)
	}
	return sql, nil
}

// conditions replaces $__conditionalAll(condition, $variable): 1=1 when the variable is All or empty.
func (s *scene) conditions(sql string) (string, error) {
	const macro = "$__conditionalAll("
	for {
		at := strings.LastIndex(sql, macro)
		if at < 0 {
			return sql, nil
		}
		args, end, err := arguments(sql, at+len(macro)-1)
		if err != nil || len(args) != 2 {
			return "", fmt.Errorf("%s has the arguments %q: %w", macro, args, err)
		}
		name := plainVariable.FindStringSubmatch(strings.TrimSpace(args[1]))
		if name == nil {
			return "", fmt.Errorf("%s: %q is no variable", macro, args[1])
		}
		values, known := s.values[name[1]]
		if !known {
			return "", fmt.Errorf("%s: the dashboard has no variable %s", macro, name[1])
		}
		with := args[0]
		if values == nil || strings.Join(values, ",") == "" {
			with = "1=1"
		}
		sql = sql[:at] + with + sql[end:]
	}
}

// arguments splits what stands in the parentheses that open at a position; end is behind them.
func arguments(sql string, open int) (args []string, end int, err error) {
	depth, begin := 0, open+1
	for i := open; i < len(sql); i++ {
		switch sql[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return append(args, sql[begin:i]), i + 1, nil
			}
		case ',':
			if depth == 1 {
				args, begin = append(args, sql[begin:i]), i+1
			}
		}
	}
	return nil, 0, fmt.Errorf("the parenthesis at %d does not close", open)
}

// intervalFor is what Grafana takes for $__interval on a panel of 1,000 points: a round span that is not below a minute.
func intervalFor(span time.Duration) time.Duration {
	for _, d := range []time.Duration{
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if span/d <= 1000 {
			return d
		}
	}
	return 24 * time.Hour
}

// datasource is a reference to a data source.
type datasource struct {
	UID string `json:"uid"`
}

// jsonBoard is a dashboard as it is read back from its JSON.
type jsonBoard struct {
	UID    string `json:"uid"`
	Panels []struct {
		ID          int64  `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct {
			H, W, X, Y int
		} `json:"gridPos"`
		Targets []struct {
			RefID        string     `json:"refId"`
			Datasource   datasource `json:"datasource"`
			RawSQL       string     `json:"rawSql"`
			Expr         string     `json:"expr"`
			LegendFormat string     `json:"legendFormat"`
			Format       *int       `json:"format"`
		} `json:"targets"`
		FieldConfig struct {
			Defaults struct {
				Unit        string `json:"unit"`
				DisplayName string `json:"displayName"`
			} `json:"defaults"`
			Overrides []struct {
				Matcher struct {
					ID      string `json:"id"`
					Options string `json:"options"`
				} `json:"matcher"`
			} `json:"overrides"`
		} `json:"fieldConfig"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string     `json:"name"`
			Type       string     `json:"type"`
			Datasource datasource `json:"datasource"`
			Current    struct {
				Value json.RawMessage `json:"value"`
			} `json:"current"`
			Query      json.RawMessage `json:"query"`
			Multi      bool            `json:"multi"`
			IncludeAll bool            `json:"includeAll"`
			AllValue   string          `json:"allValue"`
			Options    []struct {
				Value json.RawMessage `json:"value"`
			} `json:"options"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name   string `json:"name"`
			Target struct {
				Datasource datasource `json:"datasource"`
				RawSQL     string     `json:"rawSql"`
			} `json:"target"`
		} `json:"list"`
	} `json:"annotations"`
	Time struct {
		From string `json:"from"`
	} `json:"time"`
}

// sqlText returns a JSON string; variables that are no queries have other forms.
func sqlText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
