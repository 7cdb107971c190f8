package schemas_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/schemas"
	"otklik/sinks/clickhouse"
	"otklik/sinks/sinktest"
	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/window"
)

var update = flag.Bool("update", false, "write the generated part of README.md")

func TestMain(m *testing.M) {
	flag.Parse()
	embeddedtest.Main(m)
}

// connect returns a client of an empty database on the shared server.
func connect(t testing.TB) *clickhouse.Client {
	t.Helper()
	db := embeddedtest.ClickHouse(t)
	c, err := clickhouse.Open(t.Context(), clickhouse.Config{Addrs: []string{db.Native}, Database: db.Name, User: db.User, Password: db.Password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(c.Exec(ctx, "DROP DATABASE IF EXISTS "+schemas.Store(db.Name)+" SYNC"), c.Close()); err != nil {
			t.Errorf("drop the store of the test: %v", err)
		}
	})
	return c
}

func migrate(t testing.TB, c *clickhouse.Client, o schemas.Options) []schemas.Applied {
	t.Helper()
	o.Database = c.Database()
	applied, err := schemas.Migrate(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

func fresh(applied []schemas.Applied) (n int) {
	for _, a := range applied {
		if a.New {
			n++
		}
	}
	return n
}

func TestMigrateIsSafeToRepeat(t *testing.T) {
	c := connect(t)
	if err := schemas.Check(t.Context(), c, c.Database()); !errors.Is(err, schemas.ErrSchema) || !strings.Contains(err.Error(), "otklik migrate") {
		t.Errorf("check of an empty database: %v", err)
	}
	plan := migrate(t, c, schemas.Options{DryRun: true})
	if fresh(plan) != len(plan) {
		t.Errorf("dry run on an empty database: %d of %d are new", fresh(plan), len(plan))
	}
	if err := schemas.Check(t.Context(), c, c.Database()); err == nil {
		t.Error("a dry run applied the schema")
	}
	if first := migrate(t, c, schemas.Options{}); fresh(first) != len(first) {
		t.Errorf("first run: %d of %d are new", fresh(first), len(first))
	}
	if again := migrate(t, c, schemas.Options{}); fresh(again) != 0 {
		t.Errorf("second run: %d are new", fresh(again))
	}
	if err := schemas.Check(t.Context(), c, c.Database()); err != nil {
		t.Error(err)
	}
	changed := migrate(t, c, schemas.Options{Retention: schemas.Retention{FigureDays: 100, TextDays: 10}})
	if fresh(changed) != 1 {
		t.Errorf("other retention: %d are new, want 1", fresh(changed))
	}
	got, err := c.Strings(t.Context(), "SELECT create_table_query LIKE '%toIntervalDay(100)%' AND create_table_query LIKE '%toIntervalDay(10)%' FROM system.tables WHERE database = ? AND name = 'mentions'",
		schemas.Store(c.Database()))
	if err != nil || len(got) != 1 || got[0][0] != "1" {
		t.Errorf("retention of mentions: %v, %v", got, err)
	}
}

// TestTextsAreDropped: what people wrote is gone when its time has come, and what was counted stays.
func TestTextsAreDropped(t *testing.T) {
	c := connect(t)
	migrate(t, c, schemas.Options{Retention: schemas.Retention{FigureDays: 100, TextDays: 10}})
	mentions, letters := schemas.Store(c.Database())+".mentions", schemas.Store(c.Database())+".deadletters"
	for _, query := range []string{
		"INSERT INTO " + mentions + ` (brand, platform, item_id, published_at, label, text, author_id, author_name, author_handle, url, position, written_at)
			SELECT 'mts', 'vk', toString(number), now64(3), 'negative', 'words', 'a', 'Name', 'handle', 'https://example.com', 1, now() - INTERVAL 8 + number DAY FROM numbers(4)`,
		"INSERT INTO " + letters + ` (stage, topic, partition, source_offset, reason, detail, at, key, payload, items, written_at)
			SELECT 'ingest', 'firehose.vk', 0, number, ['no_time', 'no_time', 'no_time', 'rejected_row'][number + 1], 'words', now64(3), 'k', 'words', ['1'], now() - INTERVAL 8 + number DAY FROM numbers(4)`,
		"OPTIMIZE TABLE " + mentions + " FINAL",
		"OPTIMIZE TABLE " + letters + " FINAL",
	} {
		if err := c.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"SELECT groupArray(item_id) FROM (SELECT item_id FROM " + mentions + " WHERE text != '' ORDER BY item_id)":                                   "['0','1']",
		"SELECT count() FROM " + mentions + " WHERE text = '' AND author_name = '' AND author_handle = '' AND url = '' AND label = 'negative'":       "2",
		"SELECT groupArray(source_offset) FROM (SELECT source_offset FROM " + letters + " WHERE payload != '' AND key != '' ORDER BY source_offset)": "[0,1]",
		"SELECT groupArray(source_offset) FROM (SELECT source_offset FROM " + letters + " WHERE notEmpty(items) ORDER BY source_offset)":             "[0,1]",
		"SELECT groupArray(source_offset) FROM (SELECT source_offset FROM " + letters + " WHERE detail != '' ORDER BY source_offset)":                "[0,1,3]",
		"SELECT countIf(reason != '') FROM " + letters: "4",
	} {
		got, err := c.Strings(t.Context(), "SELECT toString(*) FROM ("+query+")")
		if err != nil || len(got) != 1 || got[0][0] != want {
			t.Errorf("%s: %v, %v; want %s", query, got, err, want)
		}
	}
}

func TestMigrateRaces(t *testing.T) {
	c := connect(t)
	g, ctx := errgroup.WithContext(t.Context())
	for range 4 {
		g.Go(func() error {
			_, err := schemas.Migrate(ctx, c, schemas.Options{Database: c.Database()})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := schemas.Check(t.Context(), c, c.Database()); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	for _, test := range []struct{ name, row, want string }{
		{"another checksum", "2, '0002_views.sql', 'abc'", "another 0002_views.sql"},
		{"newer", "999, '0999_later.sql', 'abc'", "0999_later.sql"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t)
			migrate(t, c, schemas.Options{})
			if err := c.Exec(t.Context(), "INSERT INTO "+schemas.Store(c.Database())+".migrations SELECT "+test.row+", now64(3) + INTERVAL 1 SECOND"); err != nil {
				t.Fatal(err)
			}
			_, err := schemas.Migrate(t.Context(), c, schemas.Options{Database: c.Database()})
			if !errors.Is(err, schemas.ErrSchema) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("migrate: %v", err)
			}
			if err := schemas.Check(t.Context(), c, c.Database()); !errors.Is(err, schemas.ErrSchema) {
				t.Errorf("check: %v", err)
			}
		})
	}
}

func TestMigrateRejectsOptions(t *testing.T) {
	for _, o := range []schemas.Options{
		{Database: "a; DROP DATABASE b"}, {Cluster: "x`"}, {Definer: "a b"}, {Retention: schemas.Retention{FigureDays: 10}},
	} {
		if _, err := schemas.Migrate(t.Context(), nil, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestClusterStatements has the engine parse every statement of the cluster variant.
func TestClusterStatements(t *testing.T) {
	c := connect(t)
	applied, err := schemas.Migrate(t.Context(), c, schemas.Options{Database: c.Database(), Cluster: "main-1", DryRun: true, Definer: "writer"})
	if err != nil {
		t.Fatal(err)
	}
	users, err := schemas.UserStatements("main-1", schemas.Users("otklik", schemas.Credentials{WriterPassword: "a'b", AnalystPassword: "b", DashboardPassword: "c", DeskPassword: "d"}))
	if err != nil {
		t.Fatal(err)
	}
	replicated, distributed := 0, 0
	for _, a := range append(applied, schemas.Applied{Name: "users", Statements: users}) {
		for _, s := range a.Statements {
			if _, err := c.Strings(t.Context(), "EXPLAIN AST "+s); err != nil {
				t.Errorf("%s: %v\n%s", a.Name, err, s)
			}
			if !strings.Contains(s, "ON CLUSTER `main-1`") {
				t.Errorf("%s runs on one server only:\n%s", a.Name, s)
			}
			replicated += strings.Count(s, "ReplicatedReplacingMergeTree(")
			distributed += strings.Count(s, "Distributed(")
		}
	}
	if replicated == 0 || replicated != distributed {
		t.Errorf("%d replicated tables, %d distributed", replicated, distributed)
	}
}

// asked returns what stands behind FROM to read a table or a view, with a value for each of its parameters.
func asked(table schemas.Table) string {
	var values []string
	for _, p := range table.Parameters {
		value := "'x'"
		if p.Type != "String" {
			value = "now64(3, 'UTC')"
		}
		values = append(values, p.Name+" = "+value)
	}
	if len(values) == 0 {
		return table.Name
	}
	return table.Name + "(" + strings.Join(values, ", ") + ")"
}

// TestEveryColumnExplainsItself compares what the migrations say with what the engine has, and finds columns without comment.
func TestEveryColumnExplainsItself(t *testing.T) {
	c := connect(t)
	migrate(t, c, schemas.Options{})
	rows, err := c.Strings(t.Context(), `SELECT if(database = ?, 'view ', 'table ') || table, name, type, comment FROM system.columns
		WHERE database IN (?, ?) AND table != 'migrations' ORDER BY database, table, position`, c.Database(), c.Database(), schemas.Store(c.Database()))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]schemas.Column{}
	for _, r := range rows {
		have[r[0]] = append(have[r[0]], schemas.Column{Name: r[1], Type: r[2], Comment: r[3]})
		if r[3] == "" {
			t.Errorf("%s.%s has no comment", r[0], r[1])
		}
	}
	tables, err := schemas.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		name := "table " + table.Name
		if table.View {
			name = "view " + table.Name
		}
		if table.Comment == "" {
			t.Errorf("%s has no comment", name)
		}
		if table.Name == "migrations" {
			continue
		}
		if len(table.Parameters) > 0 { // the engine knows its columns only once it is asked
			described, err := c.Strings(t.Context(), "DESCRIBE TABLE (SELECT * FROM "+c.Database()+"."+asked(table)+")")
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range described {
				have[name] = append(have[name], schemas.Column{Name: r[0], Type: r[1], Comment: table.Columns[min(i, len(table.Columns)-1)].Comment})
			}
		}
		if len(have[name]) != len(table.Columns) {
			t.Errorf("%s: the engine has %d columns, the migrations declare %d", name, len(have[name]), len(table.Columns))
			continue
		}
		for i, column := range table.Columns {
			if have[name][i] != column {
				t.Errorf("%s: the engine has %+v, the migrations declare %+v", name, have[name][i], column)
			}
		}
		delete(have, name)
	}
	for name := range have {
		t.Errorf("%s is not declared by the migrations", name)
	}
}

const marker = "do not edit below -->\n"

func TestDictionary(t *testing.T) {
	want, err := schemas.Dictionary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, got, ok := strings.Cut(string(text), marker)
	if !ok {
		t.Fatalf("README.md lacks the line with %q", marker)
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(head+marker+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Error("the generated part of README.md is not what the migrations say: run go test ./schemas -run TestDictionary -update")
	}
}

// TestWorkedQueries runs every query of README.md, as the analyst, on rows that each of them must find.
func TestWorkedQueries(t *testing.T) {
	c, server, database := ownServer(t)
	fill(t, c)
	analyst := login(t, server, database, schemas.AnalystName)
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```sql\n")[1:]
	if len(blocks) != 15 {
		t.Errorf("%d worked queries, want 15", len(blocks))
	}
	for _, b := range blocks {
		query, _, _ := strings.Cut(b, ";\n```")
		rows, err := analyst.Strings(t.Context(), query)
		if err != nil {
			t.Errorf("%v\n%s", err, query)
		} else if len(rows) == 0 {
			t.Errorf("no rows:\n%s", query)
		}
	}
}

// ownServer starts a server with the users of the schema, for grants are read at its start.
func ownServer(t *testing.T) (writer *clickhouse.Client, server *embedded.ClickHouse, database string) {
	t.Helper()
	embeddedtest.Require(t)
	database = "otklik"
	var users []embedded.User
	for _, u := range schemas.Users(database, schemas.Credentials{}) {
		users = append(users, embedded.User{
			Name: u.Name, Password: u.Password, Grants: u.Grants, Settings: u.Settings, Limits: u.Limits,
			Quota: embedded.Quota{Interval: u.Quota.Interval, Queries: u.Quota.Queries, ExecutionTime: u.Quota.ExecutionTime},
		})
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
	writer = login(t, server, database, schemas.WriterName)
	migrate(t, writer, schemas.Options{})
	return writer, server, database
}

func login(t *testing.T, server *embedded.ClickHouse, database, name string) *clickhouse.Client {
	t.Helper()
	cfg := clickhouse.Config{Addrs: []string{server.Native()}, Database: database, DefaultDatabase: database, User: name}
	if name == schemas.WriterName {
		cfg.DefaultDatabase = ""
	}
	for _, u := range server.Users() {
		if u.Name == name {
			cfg.Password = u.Password
		}
	}
	c, err := clickhouse.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// fill writes a few rows into every table that has a writer.
func fill(t *testing.T, c *clickhouse.Client) {
	t.Helper()
	key := care.Key{Platform: stream.VK, Brand: "north", Thread: "thread-1"}
	b := &clickhouse.Batch{
		Responses: []care.Response{
			{
				Key: key, ID: "w1", Customer: "c1", WaitingID: "w1", WaitingSince: sinktest.Base, Waiting: stream.CountOf(90_000),
				Business: stream.CountOf(60_000), ResponseID: "a1", ResponseAt: sinktest.Base + 90*stream.Second, First: true, Position: 5,
			},
			{Key: key, ID: "w2", Customer: "c2", WaitingID: "w2", WaitingSince: sinktest.Base + stream.Hour, Position: 6},
		},
		Cases: []care.Case{{Key: key, ID: "w2", Customer: "c2", Cycle: 1, OpenedAt: sinktest.Base, UnansweredSince: sinktest.Base, Messages: 1, Position: 6}},
		Ledger: []stream.LedgerRow{{
			LedgerKey: stream.LedgerKey{Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions"}, Hour: sinktest.Base},
			Books:     stream.Books{Records: 3, Read: 3, Mentions: 3}, Position: 9,
		}},
		Communities: []stream.CommunityRow{{Brand: "north", Platform: stream.VK, Account: "club1", At: sinktest.Base, EventID: "e", Joined: 2, Position: 1}},
		DeadLetters: []stream.DeadLetter{{Stage: stream.StageIngest, Reason: "malformed_json", At: sinktest.Base, Payload: []byte("{")}},
		Erasures:    []stream.ErasureRow{{Platform: stream.VK, ItemID: "gone", At: sinktest.Base, Position: 1}},
		Rolling:     []window.RollingRow{{RollingKey: window.RollingKey{Brand: "north", Window: stream.Hour, At: sinktest.Base}, Revision: 1}},
		Progress: []stream.Progress{{
			Stage: stream.StageTrack, Partition: stream.Partition{Topic: "otklik.mentions"}, Position: 9, Watermark: sinktest.Base + 2*stream.Day,
		}},
	}
	for i := range 20 {
		b.Mentions = append(b.Mentions, sinktest.Mention(i, stream.Position(i+1)))
	}
	own := sinktest.Mention(20, 21)
	own.Role, own.Flags, own.Label = stream.Own, stream.Answer, stream.Unlabelled
	own.Breaches = []stream.Breach{{Rule: "unapproved_account", Excerpt: "hello"}}
	b.Mentions = append(b.Mentions, own)
	for _, product := range []string{"", "internet"} {
		for day := range 2 {
			p := sinktest.Pane(0, 3, 9, 5)
			p.Grain, p.Start, p.Product, p.Responses = window.Day, sinktest.Base.Truncate(stream.Day)+stream.Time(day)*stream.Day, product, nil
			b.Panes = append(b.Panes, p)
		}
	}
	if err := c.Writer().Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// TestGrants: the analyst reads every view and no table, the dashboard reader only the views without texts, authors and
// customers, the desk these and posts, which has texts and addresses.
func TestGrants(t *testing.T) {
	c, server, database := ownServer(t)
	fill(t, c)
	analyst := login(t, server, database, schemas.AnalystName)
	readers := []struct {
		name   string
		client *clickhouse.Client
		views  []string
		sees   []string // personal columns
	}{
		{"dashboard", login(t, server, database, schemas.DashboardName), schemas.DashboardViews(), nil},
		{"desk", login(t, server, database, schemas.DeskName), schemas.DeskViews(), []string{"posts.text", "posts.url"}},
	}
	tables, err := schemas.Tables()
	if err != nil {
		t.Fatal(err)
	}
	denied := func(err error) bool { return err != nil && strings.Contains(err.Error(), "Not enough privileges") }
	personal := map[string]bool{
		"text": true, "author_id": true, "author_name": true, "author_handle": true, "customer_id": true, "thread": true, "responder": true, "payload": true, "url": true,
	}
	for _, table := range tables {
		query := "SELECT COLUMNS('.*') FROM " + asked(table)
		if !table.View {
			query = "SELECT COLUMNS('.*') FROM " + schemas.Store(database) + "." + table.Name
		}
		if _, err := analyst.Strings(t.Context(), query); table.View && err != nil || !table.View && !denied(err) {
			t.Errorf("analyst: %s: %v", table.Name, err)
		}
		for _, r := range readers {
			open := table.View && slices.Contains(r.views, table.Name)
			if _, err := r.client.Strings(t.Context(), query); open && err != nil || !open && !denied(err) {
				t.Errorf("%s: %s: %v", r.name, table.Name, err)
			}
			for _, column := range table.Columns {
				if open && personal[column.Name] && !slices.Contains(r.sees, table.Name+"."+column.Name) {
					t.Errorf("%s sees %s.%s", r.name, table.Name, column.Name)
				}
			}
		}
	}
	for _, statement := range []string{"INSERT INTO " + schemas.Store(database) + ".topics (topic) VALUES ('x')", "DROP VIEW mentions", "CREATE TABLE x (a Int8) ENGINE = Memory"} {
		if err := analyst.Exec(t.Context(), statement); err == nil {
			t.Errorf("analyst may: %s", statement)
		}
	}
	rows, err := analyst.Strings(t.Context(), "SELECT count() FROM mentions")
	if err != nil || rows[0][0] != "21" {
		t.Errorf("analyst counts %v mentions, %v", rows, err)
	}
}
