package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/ops"
	"otklik/schemas"
)

// yearOfData fills a database with a year of three brands: two million mentions, 1.6 million rows of panes, 400,000 responses, as
// many cases, and the books of the year. It ends now.
//
//nolint:dupword // columns
const yearOfData = `
INSERT INTO {s}.mentions (brand, published_at, platform, item_id, version_id, kind, role, via, label, negative_score, model, products, severity, audience_factor,
	severity_factor, product_factor, claim_threshold, complaint, root_id, needs_answer, advocacy, author_id, followers, thread, text, url, lang, received_at, source_topic, partition, first_position, position)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], now64(3) - toIntervalMillisecond(intDiv(number * 31536000000, 2000000)),
	['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + cityHash64(number) % 5], toString(number), 'v', 'post', 'customer', 1,
	CAST(1 + cityHash64(number, 1) % 3, 'Enum8(\'unlabelled\' = 0, \'positive\' = 1, \'neutral\' = 2, \'negative\' = 3)') AS said, 0.5,
	if(number < 1000000, 'b:2', 'a:1'), [['internet', 'calls', 'billing', 'roaming', 'tv'][1 + cityHash64(number, 2) % 5]], cityHash64(number, 3) % 4 AS hard,
	(said = 'negative') * (1 + cityHash64(number, 7) % 4), (said = 'negative') * (1 + hard) * 0.75, said = 'negative', 8, said = 'negative' AND number % 4 = 0,
	if(number % 5 > 0, toString(5 * intDiv(number, 5)), ''), cityHash64(number, 4) % 5 = 0,
	cityHash64(number, 5) % 20 = 0, toString(cityHash64(number, 6) % 300000), cityHash64(number, 7) % 5000, toString(intDiv(number, 5)),
	repeat('a word of a post ', 6), concat('https://example.com/', toString(number)), 'en', now64(3), 'firehose.twitter', number % 8, number, number
FROM numbers(2000000);

INSERT INTO {s}.panes (grain, brand, start, platform, product, partition, positive, neutral, negative, advocacy, needs_answer, requests, answered, is_final, position)
SELECT '1h', ['alpha', 'beta', 'gamma'][1 + number % 3], toStartOfHour(now()) - toIntervalHour(intDiv(number, 150)),
	['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + intDiv(number, 3) % 5], ['', '', 'internet', 'calls', 'billing'][1 + intDiv(number, 15) % 5], intDiv(number, 75) % 2 + 2 * (intDiv(number, 15) % 5 = 1),
	cityHash64(number) % 4, cityHash64(number, 1) % 4, cityHash64(number, 2) % 4, 1, 1, 1, 1, true, 1
FROM numbers(1200000);

INSERT INTO {s}.panes (grain, brand, start, platform, product, partition, positive, neutral, negative, advocacy, needs_answer, requests, answered, is_final, position)
SELECT '1d', ['alpha', 'beta', 'gamma'][1 + number % 3], toStartOfDay(now()) - toIntervalDay(intDiv(number, 540)),
	['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + intDiv(number, 3) % 5], ['', 'internet', 'calls', 'billing', 'roaming', 'tv'][1 + intDiv(number, 15) % 6], intDiv(number, 90) % 6,
	cityHash64(number) % 20, cityHash64(number, 1) % 20, cityHash64(number, 2) % 20, 3, 3, 3, 2, true, 1
FROM numbers(197100);

INSERT INTO {s}.panes (grain, brand, start, platform, product, partition, positive, neutral, negative, is_final, position)
SELECT '1m', ['alpha', 'beta', 'gamma'][1 + number % 3], toStartOfMinute(now()) - toIntervalMinute(intDiv(number, 15)),
	['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + intDiv(number, 3) % 5], '', number % 8, 1, 1, 1, true, 1
FROM numbers(202900);

INSERT INTO {s}.responses (brand, platform, thread, response_key, customer_id, response_id, response_at, waiting_id, waiting_since, waiting_seconds, business_seconds,
	approved, is_first, position)
SELECT ['alpha', 'beta', 'gamma'][1 + n % 3], ['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + cityHash64(n) % 5], toString(intDiv(n, 5)), toString(n),
	toString(cityHash64(n, 6) % 300000), if(open, '', concat('r', toString(n))), if(open, NULL, since + toIntervalSecond(wait)), toString(n), since, if(open, NULL, wait), if(open, NULL, wait / 2),
	true, n % 2 = 0, n
FROM (SELECT number * 5 AS n, now64(3) - toIntervalMillisecond(intDiv(number * 31536000000, 400000)) AS since, cityHash64(number, 9) % 40000 AS wait, cityHash64(number, 8) % 8 = 0 AS open
	FROM numbers(400000));

INSERT INTO {s}.cases (brand, platform, thread, case_id, cycle, opened_at, unanswered_since, messages, position)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], ['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + cityHash64(number) % 5], toString(number), concat('c', toString(number)), 1 + number % 6 = 0,
	now64(3) - toIntervalMillisecond(intDiv(number * 31536000000, 400000)) AS at, if(number % 8 = 0, at, NULL), 1, number
FROM numbers(400000);

INSERT INTO {s}.claims (brand, platform, item_id, id, published_at, version_at, detected_at, opened_at, product, severity, followers, blogger, audience_factor, severity_factor,
	product_factor, priority, threshold, department, state, handed_over_at, resolved_at, last_resolved_at, resolutions, reopenings, reopen_seconds, thread, customer_id, partition, position)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], ['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + cityHash64(number) % 5], toString(number), concat('claim', toString(number)),
	now64(3) - toIntervalMillisecond(intDiv(number * 31536000000, 2000000)) AS at, at, at + toIntervalSecond(20), at + toIntervalSecond(20), 'internet', 2, cityHash64(number, 7) % 5000,
	number % 1000 = 0, 2, 2, 1, 4, 4, 'care', if(number % 300 = 0, 'resolved', 'open'), at + toIntervalSecond(4000), if(number % 300 = 0, at + toIntervalSecond(9000), NULL) AS done, done,
	if(done IS NULL, [], [toUnixTimestamp64Milli(done)]), if(done IS NULL, [], [0]), 259200, toString(intDiv(number, 5)), toString(cityHash64(number, 6) % 300000), intDiv(number, 5) % 8, 1
FROM numbers(2000000) WHERE number % 100 = 0;

INSERT INTO {s}.turns (partition, thread, brand, platform, at, item_id, author_id, customer_id, own, flags, position)
SELECT intDiv(number, 5) % 8, toString(intDiv(number, 5)), ['alpha', 'beta', 'gamma'][1 + number % 3], ['twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + cityHash64(number) % 5],
	now64(3) - toIntervalMillisecond(intDiv(number * 31536000000, 2000000)), toString(number), toString(cityHash64(number, 6) % 300000), toString(cityHash64(number, 6) % 300000), false, 4, number
FROM numbers(2000000);

INSERT INTO {s}.rolling (brand, platform, window_seconds, at, positive, neutral, negative, adjusted_state, adjusted_by, loyal_share, adjusted_negative_share, adjusted_negative_share_low,
	adjusted_negative_share_high, is_final, revision)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], ['', '', '', '', '', 'twitter', 'vk', 'telegram', 'youtube', 'reddit'][1 + intDiv(number, 6) % 10] AS place, [3600, 86400][1 + intDiv(number, 3) % 2],
	toStartOfMinute(now()) - toIntervalMinute(5 * intDiv(number, 60) + if(place = '', intDiv(number, 6) % 5, 0)), 40, 30, 30, 'ok', 'b:2', 0.7, 0.28, 0.2, 0.35, true, 1
FROM numbers(6307200);

INSERT INTO {s}.alerts (brand, platform, rule, opened_at, cleared_at, negatives, labelled, baseline_negatives, revision)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], '', 'negativity_spike', now64(3) - toIntervalHour(number * 12), if(number = 0, NULL, now64(3) - toIntervalHour(number * 12 - 2)), 50, 80, 8, 1
FROM numbers(730);

INSERT INTO {s}.communities (brand, platform, account, at, event_id, members, joined_count, left_count, position)
SELECT ['alpha', 'beta', 'gamma'][1 + number % 3], ['vk', 'telegram'][1 + intDiv(number, 3) % 2], toString(number % 12), now64(3) - toIntervalMinute(number * 5), toString(number),
	100000 - number, number % 3, number % 2, 1
FROM numbers(105000);

INSERT INTO {s}.ledger (stage, topic, partition, hour, records, read, mentions, position)
SELECT ['ingest', 'track', 'roll'][1 + number % 3], concat('firehose.', toString(intDiv(number, 3) % 5)), intDiv(number, 15) % 4, toStartOfHour(now()) - toIntervalHour(intDiv(number, 60)), 30, 30, 30, 1
FROM numbers(525600);

INSERT INTO {s}.progress (stage, topic, partition, position, watermark)
SELECT ['ingest', 'track', 'roll'][1 + number % 3], concat('t', toString(intDiv(number, 3) % 5)), intDiv(number, 15), 1000, now64(3) - toIntervalSecond(number) FROM numbers(60);

INSERT INTO {s}.deadletters (stage, topic, partition, source_offset, source_index, reason, detail, at, payload)
SELECT 'ingest', 'firehose.vk', 0, number, 0, 'malformed_json', '', now64(3) - toIntervalMinute(number * 25), '{' FROM numbers(20000)`

// BenchmarkDashboards measures every panel at the default range of its dashboard on a year of data:
//
//	go test ./cmd/otklik -run '^$' -bench Dashboards -benchtime 1x
//
// It prints a table of milliseconds (of the server, the best of three in each pass; with -benchtime 3x of three passes) and rows read, and fails
// when a panel takes longer than 300 ms. Beside it stands the time at a range of two years. OTKLIK_BENCH_TABLE names a file for the table.
func BenchmarkDashboards(b *testing.B) {
	server := grafanaServer(b, "year")
	cfg := config.Default()
	cfg.ClickHouse.Addrs, cfg.ClickHouse.Database, cfg.ClickHouse.User = []string{server.Native()}, "year", schemas.WriterName
	cfg.ClickHouse.Password = config.NewSecret(password(b, server, schemas.WriterName))
	ch, err := engine.ConnectClickHouse(b.Context(), cfg, ops.NewMetrics(nil), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer ch.Close()
	if _, err := schemas.Migrate(b.Context(), ch, schemas.Options{Database: "year"}); err != nil {
		b.Fatal(err)
	}
	for statement := range strings.SplitSeq(strings.ReplaceAll(yearOfData, "{s}", schemas.Store("year")), ";\n") {
		if err := ch.Exec(b.Context(), statement); err != nil {
			b.Fatalf("%v\n%s", err, statement)
		}
	}
	d := &grafanaDB{http: "http://" + server.HTTP(), name: "year", logins: grafanaLogins(b, server), now: time.Now()}
	type line struct {
		panel string
		ms    float64 // at the default range
		rows  int64
		long  float64 // milliseconds at two years
	}
	spans := map[string]time.Duration{"now-24h": 24 * time.Hour, "now-7d": 7 * 24 * time.Hour, "now-30d": 30 * 24 * time.Hour}
	best := map[string]*line{}
	for b.Loop() {
		for key, board := range readBoards(b) {
			s := sceneOf(b, d, board, d.now.Add(-spans[board.Time.From]), d.now, formAll, 0)
			two := sceneOf(b, d, board, d.now.Add(-2*365*24*time.Hour), d.now, formAll, 0)
			for i := range board.Panels {
				p := &board.Panels[i]
				if len(p.Targets) == 0 || p.Targets[0].Expr != "" {
					continue
				}
				sql, err := s.expand(p.Targets[0].RawSQL)
				if err != nil {
					b.Fatal(err)
				}
				name := key + ": " + p.Title
				if best[name] == nil {
					best[name] = &line{panel: name, ms: math.Inf(1), long: math.Inf(1)}
				}
				l := best[name]
				for range 3 {
					r, err := d.query(b.Context(), s.source(p.Targets[0].Datasource), sql)
					if err != nil {
						b.Fatalf("%s: %v", name, err)
					}
					l.ms, l.rows = min(l.ms, 1000*r.Statistics.Elapsed), r.Statistics.RowsRead
				}
				if sql, err = two.expand(p.Targets[0].RawSQL); err != nil {
					b.Fatal(err)
				}
				r, err := d.query(b.Context(), two.source(p.Targets[0].Datasource), sql)
				if err != nil {
					b.Fatalf("%s over two years: %v", name, err)
				}
				l.long = min(l.long, 1000*r.Statistics.Elapsed)
			}
		}
	}
	lines := slices.SortedFunc(maps.Values(best), func(x, y *line) int { return cmp.Compare(y.ms, x.ms) })
	var table strings.Builder
	table.WriteString("| panel | ms | rows read | ms at two years |\n|---|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(&table, "| %s | %.0f | %d | %.0f |\n", l.panel, l.ms, l.rows, l.long)
		if l.ms > 300 {
			b.Errorf("%s takes %.0f ms", l.panel, l.ms)
		}
	}
	b.ReportMetric(lines[0].ms, "slowest-ms")
	if name := os.Getenv("OTKLIK_BENCH_TABLE"); name != "" {
		if err := os.WriteFile(name, []byte(table.String()), 0o600); err != nil {
			b.Fatal(err)
		}
	} else {
		b.Log("\n" + table.String())
	}
}
