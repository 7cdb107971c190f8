package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"otklik/stream"
	"otklik/stream/window"
)

// StageBooks is the sum of the books of one stage.
type StageBooks struct {
	Stage       stream.Stage `json:"stage"`
	Records     uint64       `json:"records"`
	Read        uint64       `json:"read"`
	Mentions    uint64       `json:"mentions"`
	Unmatched   uint64       `json:"unmatched"`
	Duplicates  uint64       `json:"duplicates"`
	DeadLetters uint64       `json:"dead_letters"`
	Other       uint64       `json:"other"`
	Replayed    uint64       `json:"replayed"`
	Late        uint64       `json:"late"`
	Gaps        uint64       `json:"gaps"`
	Unbalanced  uint64       `json:"unbalanced"` // pages whose read is not the sum of their outcomes
}

// Difference is one cell in which the panes are not the recount.
type Difference struct {
	Grain    string          `json:"grain"`
	Start    stream.Time     `json:"start"`
	Brand    string          `json:"brand"`
	Platform stream.Platform `json:"platform"`
	Product  string          `json:"product"`
	Column   string          `json:"column"`
	Panes    float64         `json:"panes"`
	Recount  float64         `json:"recount"`
}

// String names the cell and both values.
func (d *Difference) String() string {
	product := d.Product
	if product == "" {
		product = "all products"
	}
	return fmt.Sprintf("%s %s %s on %s, %s, %s: panes %s, recount %s", d.Grain, d.Start, d.Brand, d.Platform, product, d.Column,
		strconv.FormatFloat(d.Panes, 'f', -1, 64), strconv.FormatFloat(d.Recount, 'f', -1, 64))
}

// Report is what Verify found. Read to Other follow the records through ingest and track: what ingest read is what became
// a mention in track, or was sorted out by one of the two.
type Report struct {
	OK             bool   `json:"ok"`
	Read           uint64 `json:"read"`
	Mentions       uint64 `json:"mentions"`
	Unmatched      uint64 `json:"unmatched"`
	Duplicates     uint64 `json:"duplicates"`
	DeadLetters    uint64 `json:"dead_letters"`
	Other          uint64 `json:"other"`
	PaneCells      uint64 `json:"pane_cells"`      // counts compared: windows × columns
	PaneMismatches uint64 `json:"pane_mismatches"` // of them differing

	Claims          uint64 `json:"claims"`           // that are not withdrawn
	ClaimMismatches uint64 `json:"claim_mismatches"` // mentions that have a claim without the priority for it, or the priority and no claim

	Records  uint64       `json:"records"`  // Kafka records that ingest read
	Replayed uint64       `json:"replayed"` // repetitions by our own producers, all stages
	Late     uint64       `json:"late"`
	Stages   []StageBooks `json:"stages"`
	// StoredMentions are the rows of mentions; the same as Mentions unless retention has dropped some.
	StoredMentions uint64 `json:"stored_mentions"`
	// Since is the start of the oldest window that was recounted, when retention has dropped older rows; else unknown.
	Since stream.Time `json:"since"`
	// Faults are sentences about the books, empty when they balance.
	Faults []string `json:"faults"`
	// Differences are the first ten differing cells, in the order of the table panes.
	Differences []Difference `json:"differences"`
}

// maxDifferences is how many differing cells a report names.
const maxDifferences = 10

// Verify proves promise 5 from the tables: the books of every stage balance, what ingest made is what track read, track
// counted as many mentions as are stored, the panes are the recount of mentions and responses, cell by cell, and the claims that of mentions. It
// reads only; what it finds while the engine runs may be a flush under way, so stop or drain it first.
func (c *Client) Verify(ctx context.Context) (Report, error) {
	r := Report{Faults: []string{}, Differences: []Difference{}}
	if err := c.verifyBooks(ctx, &r); err != nil {
		return r, fmt.Errorf("verify books: %w", err)
	}
	since, err := c.verifySince(ctx)
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	r.Since = since
	if err := c.verifyStored(ctx, &r); err != nil {
		return r, fmt.Errorf("verify stored mentions: %w", err)
	}
	if err := c.verifyPanes(ctx, &r); err != nil {
		return r, fmt.Errorf("verify panes: %w", err)
	}
	if err := c.verifyClaims(ctx, &r); err != nil {
		return r, fmt.Errorf("verify claims: %w", err)
	}
	r.OK = len(r.Faults) == 0 && r.PaneMismatches == 0 && r.ClaimMismatches == 0
	if !r.OK {
		if err := c.verifyRejected(ctx, &r); err != nil {
			return r, fmt.Errorf("verify rejected rows: %w", err)
		}
	}
	return r, nil
}

// verifyRejected says which rows ClickHouse has refused: where books or panes do not balance, they may be what is missing.
func (c *Client) verifyRejected(ctx context.Context, r *Report) error {
	return c.each(restoring(ctx), func(scan func(...any) error) error {
		var table, example string
		var rows uint64
		if err := scan(&table, &rows, &example); err != nil {
			return err
		}
		r.Faults = append(r.Faults, fmt.Sprintf("ClickHouse has refused %d rows of %s, for example of %s: what they hold is missing in that table; "+
			"`otklik deadletters list --reason %s` shows why", rows, table, example, reasonRejected))
		return nil
	}, "SELECT extract(detail, '^table (\\w+):') AS refused, count(), any(concat(topic, '/', toString(partition), '@', toString(source_offset))) FROM "+
		c.table("deadletters")+" FINAL WHERE reason = ? GROUP BY refused ORDER BY refused", reasonRejected)
}

func (c *Client) verifyBooks(ctx context.Context, r *Report) error {
	stages := map[stream.Stage]*StageBooks{}
	err := c.each(restoring(ctx), func(scan func(...any) error) error {
		var (
			b     StageBooks
			stage string
			pages []string
		)
		if err := scan(&stage, &b.Records, &b.Read, &b.Mentions, &b.Unmatched, &b.Duplicates, &b.DeadLetters, &b.Other, &b.Replayed,
			&b.Late, &b.Gaps, &b.Unbalanced, &pages); err != nil {
			return err
		}
		b.Stage = stream.Stage(stage)
		stages[b.Stage] = &b
		if b.Unbalanced > 0 {
			r.Faults = append(r.Faults, fmt.Sprintf("books of %s: read is not mentions + unmatched + duplicates + dead letters + other in %d pages: %s",
				stage, b.Unbalanced, strings.Join(pages, "; ")))
		}
		return nil
	}, `SELECT stage, sum(records), sum(read), sum(mentions), sum(unmatched), sum(duplicates), sum(dead_letters), sum(other), sum(replayed),
			sum(late), sum(gaps), countIf(torn),
			arraySort(groupArrayIf(3)(concat(topic, '/', toString(partition), ' ', toString(hour)), torn))
		FROM (SELECT stage, topic, partition, hour, records, read, mentions, unmatched, duplicates, dead_letters, other, replayed, late, gaps,
				read != mentions + unmatched + duplicates + dead_letters + other AS torn FROM `+c.table("ledger")+` FINAL)
		GROUP BY stage`)
	if err != nil {
		return err
	}
	ingest, track := &StageBooks{Stage: stream.StageIngest}, &StageBooks{Stage: stream.StageTrack}
	for _, s := range stream.Stages {
		b, ok := stages[s]
		if !ok {
			continue
		}
		r.Stages = append(r.Stages, *b)
		r.Replayed += b.Replayed
		switch s {
		case stream.StageIngest:
			ingest = b
		case stream.StageTrack:
			track = b
		case stream.StageRoll: // reads partials, not mentions: only its own balance counts
		}
	}
	r.Records, r.Read, r.Late = ingest.Records, ingest.Read, track.Late
	r.Mentions, r.Unmatched = track.Mentions, ingest.Unmatched+track.Unmatched
	r.Duplicates, r.DeadLetters = ingest.Duplicates+track.Duplicates, ingest.DeadLetters+track.DeadLetters
	r.Other = ingest.Other + track.Other
	if ingest.Mentions != track.Read {
		r.Faults = append(r.Faults, fmt.Sprintf("ingest made %d mentions, track has read %d of them: let track drain its topic first, else records are lost",
			ingest.Mentions, track.Read))
	}
	return nil
}

// verifySince returns the start of the oldest window of which retention cannot have dropped a row yet, or 0 when it
// cannot have dropped any: a row is kept for the period from when it was stored, which is not before its event.
func (c *Client) verifySince(ctx context.Context) (stream.Time, error) {
	var days int64
	err := c.each(restoring(ctx), func(scan func(...any) error) error { return scan(&days) },
		"SELECT toInt64OrZero(extract(name, 'figures (\\\\d+) days')) FROM "+c.table("migrations")+" FINAL WHERE version = 0")
	if err != nil {
		return 0, fmt.Errorf("read retention: %w", err)
	}
	var born, now time.Time
	if err := c.conn.QueryRow(ctx, "SELECT min(applied_at), now64(3) FROM "+c.table("migrations")+" FINAL WHERE version > 0").Scan(&born, &now); err != nil {
		return 0, fmt.Errorf("read the age of the schema: %w", err)
	}
	edge := now.Add(-time.Duration(days) * 24 * time.Hour)
	if days == 0 || born.After(edge) {
		return 0, nil
	}
	return stream.TimeOf(edge).Truncate(stream.Day) + 2*stream.Day, nil
}

func (c *Client) verifyStored(ctx context.Context, r *Report) error {
	if err := c.conn.QueryRow(restoring(ctx), "SELECT count() FROM "+c.table("mentions")+" FINAL").Scan(&r.StoredMentions); err != nil {
		return err
	}
	if r.Since == 0 && r.StoredMentions != r.Mentions {
		r.Faults = append(r.Faults, fmt.Sprintf("track counted %d mentions, the table mentions holds %d", r.Mentions, r.StoredMentions))
	}
	return nil
}

// recounted are the columns of panes with the sum over mentions that each must be; m is a row of mentions.
var recounted = []struct{ column, value string }{
	{"positive", "customer AND label = 'positive'"},
	{"neutral", "customer AND label = 'neutral'"},
	{"negative", "customer AND label = 'negative'"},
	{"unlabelled", "customer AND label = 'unlabelled'"},
	{"own", "role = 'own'"},
	{"spam", "role = 'spam'"},
	{"reposts", "customer AND kind = 'repost'"},
	{"questions", "customer AND question"},
	{"complaints", "customer AND complaint"},
	{"severe", "customer AND severity >= 2"},
	{"advocacy", "customer AND advocacy"},
	{"needs_answer", "customer AND needs_answer"},
	{"audience", "customer * ifNull(followers, 0)"},
	{"likes", "customer * ifNull(likes, 0)"},
	{"shares", "customer * ifNull(shares, 0)"},
	{"views", "customer * ifNull(views, 0)"},
}

// paneSums are the further columns of panes that responses must give: how many requests, how many answered, and the sum of
// the waiting times in milliseconds with their number.
var paneSums = []string{"requests", "answered", "waits", "waited_ms"}

// verifyPanes recounts month by month, so that memory stays bounded however long the store is.
func (c *Client) verifyPanes(ctx context.Context, r *Report) error {
	var months []uint32
	err := c.each(ctx, func(scan func(...any) error) error {
		var m uint32
		if err := scan(&m); err != nil {
			return err
		}
		months = append(months, m)
		return nil
	}, fmt.Sprintf(`SELECT DISTINCT month FROM (
			SELECT toYYYYMM(published_at) AS month FROM %s
			UNION ALL SELECT toYYYYMM(start) FROM %s
			UNION ALL SELECT toYYYYMM(assumeNotNull(waiting_since)) FROM %s WHERE waiting_since IS NOT NULL)
		ORDER BY month`, c.table("mentions"), c.table("panes"), c.table("responses")))
	if err != nil {
		return err
	}
	for _, m := range months {
		if r.Since != 0 && int64(m) < int64(r.Since.Go().Year()*100+int(r.Since.Go().Month())) {
			continue
		}
		if err := c.verifyMonth(ctx, r, m); err != nil {
			return fmt.Errorf("month %d: %w", m, err)
		}
	}
	return nil
}

// recountQuery returns the query whose rows are the windows of a month with, per column, what panes says and what the
// recount gives.
func (c *Client) recountQuery(month uint32, since stream.Time) (query string, columns []string) {
	n := len(recounted) + len(paneSums)
	columns = make([]string, 0, n)
	fromPanes, fromMentions, fromResponses := make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
	sums, differs := make([]string, 0, n), make([]string, 0, n)
	for _, f := range recounted {
		columns = append(columns, f.column)
		fromPanes = append(fromPanes, fmt.Sprintf("p.%s AS p_%[1]s, 0 AS m_%[1]s", f.column))
		fromMentions = append(fromMentions, fmt.Sprintf("0 AS p_%s, toInt64(%s) AS m_%[1]s", f.column, f.value))
		fromResponses = append(fromResponses, fmt.Sprintf("0 AS p_%s, 0 AS m_%[1]s", f.column))
	}
	for i, name := range paneSums {
		columns = append(columns, name)
		fromMentions = append(fromMentions, fmt.Sprintf("0 AS p_%s, 0 AS m_%[1]s", name))
		fromPanes = append(fromPanes, fmt.Sprintf("toInt64(%s) AS p_%s, 0 AS m_%[2]s",
			[]string{"p.requests", "p.answered", "length(p.responses)", "arraySum(x -> round(x * 1000), p.responses)"}[i], name))
		fromResponses = append(fromResponses, fmt.Sprintf("0 AS p_%s, toInt64(%s) AS m_%[1]s", name,
			[]string{"1", "response_id != ''", "grain = '1m' AND waiting_seconds IS NOT NULL", "if(grain = '1m', round(ifNull(waiting_seconds, 0) * 1000), 0)"}[i]))
	}
	for _, name := range columns {
		sums = append(sums, fmt.Sprintf("sum(p_%s) AS panes_%[1]s, sum(m_%[1]s) AS recount_%[1]s", name))
		differs = append(differs, fmt.Sprintf("(panes_%s != recount_%[1]s)", name)) // != binds weaker than +
	}
	values := make([]string, 0, 2*len(columns))
	for _, name := range columns {
		values = append(values, "panes_"+name, "recount_"+name)
	}
	// A window begins at the multiple of its length at or before the moment.
	begin := func(moment string) string {
		return fmt.Sprintf("fromUnixTimestamp64Milli(toUnixTimestamp64Milli(%[1]s) - positiveModulo(toUnixTimestamp64Milli(%[1]s), span), 'UTC')", moment)
	}
	grains := make([]string, len(paneGrains))
	for i, g := range paneGrains {
		grains[i] = fmt.Sprintf("('%s', toInt64(%d))", g, int64(g.Span()))
	}
	each := "arrayJoin([" + strings.Join(grains, ", ") + "]) AS g, g.1 AS grain, g.2 AS span"
	query = fmt.Sprintf(`SELECT grain, start, brand, platform, product, [%[1]s] AS cells, %[2]s AS differs
		FROM (
			SELECT grain, start, brand, platform, product, %[3]s
			FROM (
				SELECT toString(p.grain) AS grain, p.start AS start, p.brand AS brand, p.platform AS platform, p.product AS product, %[4]s
				FROM %[5]s AS p FINAL WHERE toYYYYMM(p.start) = %[6]d
				UNION ALL
				SELECT grain, %[7]s AS start, brand, platform, product, %[8]s
				FROM (SELECT published_at, brand, platform, role, label, kind, question, complaint, severity, advocacy, needs_answer,
					followers, likes, shares, views, role = 'customer' AS customer, %[9]s, arrayJoin(arrayPushFront(arrayMap(x -> toString(x), products), '')) AS product
					FROM %[10]s FINAL WHERE toYYYYMM(published_at) = %[6]d)
				UNION ALL
				SELECT grain, %[11]s AS start, brand, platform, '' AS product, %[12]s
				FROM (SELECT brand, platform, response_id, waiting_seconds, assumeNotNull(waiting_since) AS since, %[9]s FROM %[13]s FINAL
					WHERE waiting_id != '' AND waiting_since IS NOT NULL AND toYYYYMM(assumeNotNull(waiting_since)) = %[6]d)
			)
			GROUP BY grain, start, brand, platform, product
		)
		WHERE start >= %[14]s`,
		strings.Join(values, ", "), strings.Join(differs, " + "), strings.Join(sums, ", "),
		strings.Join(fromPanes, ", "), c.table("panes"), month,
		begin("published_at"), strings.Join(fromMentions, ", "), each, c.table("mentions"),
		begin("since"), strings.Join(fromResponses, ", "), c.table("responses"), literal(since))
	return query, columns
}

// paneGrains are the lengths of windows that are recounted.
var paneGrains = window.Grains

func (c *Client) verifyMonth(ctx context.Context, r *Report, month uint32) error {
	query, columns := c.recountQuery(month, r.Since)
	var windows, mismatches uint64
	if err := c.conn.QueryRow(restoring(ctx), "SELECT count(), toUInt64(sum(differs)) FROM ("+query+")").Scan(&windows, &mismatches); err != nil {
		return err
	}
	r.PaneCells += windows * uint64(len(columns))
	r.PaneMismatches += mismatches
	if mismatches == 0 || len(r.Differences) >= maxDifferences {
		return nil
	}
	return c.each(restoring(ctx), func(scan func(...any) error) error {
		var (
			d        Difference
			platform string
			start    time.Time
			cells    []int64
			differs  uint64
		)
		if err := scan(&d.Grain, &start, &d.Brand, &platform, &d.Product, &cells, &differs); err != nil {
			return err
		}
		d.Start, d.Platform = stream.Time(start.UnixMilli()), stream.Platform(platform)
		for i, name := range columns {
			if d.Column, d.Panes, d.Recount = name, float64(cells[2*i]), float64(cells[2*i+1]); d.Panes != d.Recount && len(r.Differences) < maxDifferences {
				r.Differences = append(r.Differences, d)
			}
		}
		return nil
	}, "SELECT grain, start, brand, platform, product, arrayMap(x -> toInt64(x), cells), toUInt64(differs) FROM ("+query+
		") WHERE differs > 0 ORDER BY grain, brand, start, platform, product LIMIT "+strconv.Itoa(maxDifferences))
}
