package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Names of the users when none are configured.
const (
	WriterName    = "otklik_writer"
	AnalystName   = "otklik_analyst"
	DashboardName = "otklik_dashboard"
	DeskName      = "otklik_desk"
)

// Quota bounds what a user may ask for in an interval; zero fields are unbounded.
type Quota struct {
	Interval      time.Duration
	Queries       uint64
	ResultRows    uint64
	ReadRows      uint64
	ExecutionTime time.Duration // of all queries together
}

// User is a ClickHouse user of Otklik: for the embedded engine, which reads users at its start, field by field the User of
// deploy/embedded; for a real server see UserStatements.
type User struct {
	Name     string
	Password string            // in the clear; never printed by this package except in UserStatements
	Grants   []string          // statements without the user: "GRANT SELECT ON otklik.*"
	Revokes  []string          // likewise, "REVOKE SELECT ON otklik.posts": what the user may have held and must not hold
	Settings map[string]string // profile
	Limits   map[string]uint64 // settings that the user may lower but not raise
	Quota    Quota
}

// Credentials are the names and passwords of the users. An empty name is the default name.
type Credentials struct {
	Writer, Analyst, Dashboard, Desk                                 string
	WriterPassword, AnalystPassword, DashboardPassword, DeskPassword string
}

func (c Credentials) withDefaults() Credentials {
	for _, n := range []struct {
		name *string
		def  string
	}{{&c.Writer, WriterName}, {&c.Analyst, AnalystName}, {&c.Dashboard, DashboardName}, {&c.Desk, DeskName}} {
		if *n.name == "" {
			*n.name = n.def
		}
	}
	return c
}

// dashboardViews are the views without texts, addresses, authors and customers: all that the dashboard reader may read.
var dashboardViews = []string{
	"sentiment_1m", "sentiment_1h", "sentiment_1d", "adjusted_1h", "adjusted_1d", "panes", "rolling", "response_times", "response_pairs", "case_states",
	"share_of_voice", "audience", "community_growth", "communities", "alerts", "alert_reasons", "alert_deliveries", "claim_states", "claims_1d", "ledger", "books", "freshness", "deadletter_reasons",
	"voices", "waits", "label_quality", "label_models", "claim_queue", "compliance_1d", "contagion", "contagion_1d", "contagion_of",
}

// closedViews are views that dashboards and the desk could read before they held texts and authors.
var closedViews = []string{"claims"}

// postViews are the views with texts and addresses and without customers, which the desk works from.
var postViews = []string{"posts", "compliance"}

// DashboardViews returns the names of the views that the dashboard reader may read.
func DashboardViews() []string { return slices.Clone(dashboardViews) }

// DeskViews returns the names of the views that the desk may read: those of the dashboard reader and the ones with texts.
func DeskViews() []string { return slices.Concat(dashboardViews, postViews) }

const gibibyte = 1 << 30

// Users returns the four users: the writer owns both databases, the analyst reads every view, the dashboard reader only
// views without texts and authors, the desk these and the posts that it answers, without their authors.
func Users(database string, c Credentials) []User {
	if database == "" {
		database = DefaultDatabase
	}
	c = c.withDefaults()
	store := Store(database)
	each := func(statement string, views []string) []string {
		out := make([]string, len(views))
		for i, v := range views {
			out[i] = fmt.Sprintf("%s SELECT ON %s.%s", statement, database, v)
		}
		return out
	}
	return []User{
		{
			Name: c.Writer, Password: c.WriterPassword,
			Grants: []string{
				fmt.Sprintf("GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON %s.*", database),
				fmt.Sprintf("GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON %s.*", store),
				"GRANT CREATE TEMPORARY TABLE ON *.*",
				"GRANT SELECT ON system.tables", "GRANT SELECT ON system.columns", "GRANT SELECT ON system.databases",
				"GRANT SELECT ON system.parts", "GRANT SELECT ON system.mutations", "GRANT SELECT ON system.merges",
				"GRANT TABLE ENGINE ON *", "GRANT REMOTE, CLUSTER ON *.*",
				// Its own name only: the views are created with DEFINER = CURRENT_USER or the writer itself.
				"GRANT SET DEFINER ON " + c.Writer,
			},
			Settings: map[string]string{"max_partitions_per_insert_block": "0", "insert_deduplicate": "0"},
			Quota:    Quota{Interval: time.Minute, Queries: 60_000},
		},
		{
			Name: c.Analyst, Password: c.AnalystPassword,
			Grants: []string{fmt.Sprintf("GRANT SELECT ON %s.*", database)},
			// 2: may set settings, as clients do, but change nothing else.
			Settings: map[string]string{"readonly": "2"},
			Limits:   map[string]uint64{"max_execution_time": 600, "max_memory_usage": 2 * gibibyte},
			Quota:    Quota{Interval: time.Hour, Queries: 10_000, ExecutionTime: time.Hour},
		},
		{
			Name: c.Dashboard, Password: c.DashboardPassword,
			Grants: each("GRANT", dashboardViews), Revokes: each("REVOKE", slices.Concat(closedViews, postViews)),
			Settings: map[string]string{"readonly": "2"},
			Limits:   map[string]uint64{"max_execution_time": 60, "max_memory_usage": gibibyte},
			Quota:    Quota{Interval: time.Hour, Queries: 100_000, ExecutionTime: 4 * time.Hour},
		},
		{
			Name: c.Desk, Password: c.DeskPassword,
			Grants: each("GRANT", DeskViews()), Revokes: each("REVOKE", closedViews),
			Settings: map[string]string{"readonly": "2"},
			Limits:   map[string]uint64{"max_execution_time": 60, "max_memory_usage": gibibyte},
			Quota:    Quota{Interval: time.Hour, Queries: 100_000, ExecutionTime: 4 * time.Hour},
		},
	}
}

// UserStatements returns the statements that create or change users on a real server: settings profile, user, quota, revokes and
// grants of each. They hold the passwords: never print or log them. A user without a password is refused.
func UserStatements(cluster string, users []User) ([]string, error) {
	if cluster != "" && !clusterName.MatchString(cluster) {
		return nil, fmt.Errorf("cluster %q: use letters, digits, dashes and underscores", cluster)
	}
	on := ""
	if cluster != "" {
		on = " ON CLUSTER `" + cluster + "`"
	}
	var out []string
	for _, u := range users {
		if !identifier.MatchString(u.Name) {
			return nil, fmt.Errorf("user %q: use letters, digits and underscores", u.Name)
		}
		if u.Password == "" {
			return nil, fmt.Errorf("user %s has no password: set it in the environment or a file as the configuration says", u.Name)
		}
		var settings []string
		for _, name := range slices.Sorted(maps.Keys(u.Settings)) {
			settings = append(settings, fmt.Sprintf("%s = %s", name, u.Settings[name]))
		}
		for _, name := range slices.Sorted(maps.Keys(u.Limits)) {
			settings = append(settings, fmt.Sprintf("%s = %d MAX %[2]d", name, u.Limits[name]))
		}
		profile := u.Name + "_profile"
		out = append(out,
			fmt.Sprintf("CREATE SETTINGS PROFILE IF NOT EXISTS %s%s", profile, on),
			fmt.Sprintf("ALTER SETTINGS PROFILE %s%s SETTINGS %s", profile, on, strings.Join(settings, ", ")),
			fmt.Sprintf("CREATE USER IF NOT EXISTS %s%s IDENTIFIED WITH sha256_password BY %s SETTINGS PROFILE '%s'", u.Name, on, quote(u.Password), profile),
			fmt.Sprintf("ALTER USER %s%s IDENTIFIED WITH sha256_password BY %s SETTINGS PROFILE '%s'", u.Name, on, quote(u.Password), profile),
		)
		if limits := u.Quota.limits(); limits != "" {
			out = append(out,
				fmt.Sprintf("CREATE QUOTA IF NOT EXISTS %s_quota%s", u.Name, on),
				fmt.Sprintf("ALTER QUOTA %s_quota%s FOR INTERVAL %d SECOND MAX %s TO %s", u.Name, on, int64(u.Quota.Interval/time.Second), limits, u.Name))
		}
		for _, r := range u.Revokes {
			out = append(out, strings.Replace(r, "REVOKE", "REVOKE"+on, 1)+" FROM "+u.Name)
		}
		for _, g := range u.Grants {
			out = append(out, strings.Replace(g, "GRANT", "GRANT"+on, 1)+" TO "+u.Name)
		}
	}
	return out, nil
}

func (q *Quota) limits() string {
	var out []string
	for _, l := range []struct {
		name  string
		value uint64
	}{
		{"queries", q.Queries}, {"result_rows", q.ResultRows}, {"read_rows", q.ReadRows}, {"execution_time", uint64(q.ExecutionTime / time.Second)},
	} {
		if l.value > 0 {
			out = append(out, fmt.Sprintf("%s = %d", l.name, l.value))
		}
	}
	return strings.Join(out, ", ")
}
