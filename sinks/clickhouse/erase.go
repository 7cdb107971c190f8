package clickhouse

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"otklik/stream/claim"
)

// Eraser blanks what the table erasures names: text, author, handles and address of the mentions of an item that its
// platform deleted, the customer of its responses and cases, and the contents of the dead letters that hold it. Label, counts and times
// stay, so no figure moves.
//
// The author in turns is needed while the conversation can go on (whose message is whose decides what an answer
// answered); turns are closed to readers, and once an erased one is older than EraseTurnsAfter, by its own time and by the time it was
// stored, its author and customer become pseudonyms, in all turns of that age of the same conversation: their other
// messages and the answers to them. An old firehose that is replayed has conversations that still go on: a task that restored
// them with other authors would pair them otherwise.
//
// One process is enough; several do no harm. Not safe for concurrent use by itself.
type Eraser struct {
	client *Client
	// EraseTurnsAfter is the age at which the author of an erased turn becomes a pseudonym; Client.Eraser sets 31 days.
	EraseTurnsAfter time.Duration
	// OnClaims, if set, is told of claims before what people wrote is taken out of their rows, as the rows will be then. Every such claim
	// is told of once at least: when it returns an error, or the process dies, the next call of Erase tells of it again.
	OnClaims func(ctx context.Context, claims []claim.Row) error

	seen  time.Time // server time up to which rows were checked; zero: everything is to be checked
	turns time.Time // server time at which turns were checked
}

// eraseOverlap is how far each check looks back before the last one: the server stamps a row when its insert begins and
// shows it when the insert ends.
const eraseOverlap = 10 * time.Minute

// eraseItems is how many items one mutation names.
const eraseItems = 2000

// Eraser returns an eraser on the connections of c. Its first call looks at every row.
func (c *Client) Eraser() *Eraser { return &Eraser{client: c, EraseTurnsAfter: 31 * 24 * time.Hour} }

// erasable are the tables with personal data of an item: the columns that name the item, and what is blanked.
var erasable = []struct {
	table string
	item  []string // columns with an item id
	open  string   // true while there is something left to blank
	set   string
}{
	{
		"mentions",
		[]string{"item_id"},
		"NOT erased",
		"text = '', author_id = '', author_handle = '', author_name = '', url = '', customer_id = '', " +
			"parent_author_id = '', parent_author_handle = '', repost_author_id = '', repost_author_handle = '', " +
			"mentioned_ids = [], mentioned_handles = [], correction_note = '', breach_excerpts = arrayMap(x -> '', breach_excerpts), erased = true",
	},
	{"responses", []string{"waiting_id", "request_id"}, "customer_id != ''", "customer_id = ''"},
	{"cases", []string{"case_id"}, "customer_id != ''", "customer_id = ''"},
	{
		"claims",
		[]string{"item_id"},
		"(text != '' OR customer_id != '' OR author_handle != '' OR author_name != '' OR url != '' OR arrayExists(n -> n != '', notes))",
		"text = '', customer_id = '', author_handle = '', author_name = '', url = '', notes = []",
	},
}

// Erase blanks what is to be blanked and returns how many rows of mentions, responses, cases, claims, turns and dead letters it found open. It
// is idempotent, and cheap when nothing was deleted or delivered since the last call: a row that arrives after its
// erasure, or is written again by a replay, is caught by the next call.
func (e *Eraser) Erase(ctx context.Context) (int, error) {
	now, err := e.client.serverTime(ctx)
	if err != nil {
		return 0, fmt.Errorf("erase: %w", err)
	}
	rows := 0
	for _, t := range erasable {
		for _, column := range t.item {
			n, err := e.eraseColumn(ctx, t.table, column, t.open, t.set)
			if err != nil {
				return rows, fmt.Errorf("erase %s by %s: %w", t.table, column, err)
			}
			rows += n
		}
	}
	n, err := e.erasePersons(ctx, now)
	if err != nil {
		return rows, fmt.Errorf("erase turns: %w", err)
	}
	rows += n
	if n, err = e.eraseLetters(ctx); err != nil {
		return rows, fmt.Errorf("erase dead letters: %w", err)
	}
	e.seen = now
	return rows + n, nil
}

// found is one item that is to be erased, with the number of rows it has in a table.
type found struct {
	platform, item string
	rows           uint64
}

func (f *found) size() int { return len(f.platform) + len(f.item) }

func (e *Eraser) eraseColumn(ctx context.Context, table, column, open, set string) (int, error) {
	m := mutation{table: table, set: set, where: "(platform, " + column + ") IN (%s) AND " + open}
	if table == "claims" && e.OnClaims != nil {
		m.before = e.tellClaims
	}
	return e.mutate(ctx, m, func() ([]found, error) { return e.find(ctx, table, column, open) })
}

// mutation is how the rows of items are blanked.
type mutation struct {
	table, set, where string                                          // where has a place for the list of (platform, item)
	before            func(ctx context.Context, names []string) error // if not nil, is told the literals of the items first
}

// mutate blanks the rows of the items that find returns, until it returns all that are left, and returns their number.
func (e *Eraser) mutate(ctx context.Context, m mutation, find func() ([]found, error)) (int, error) {
	c := e.client
	rows := 0
	for {
		items, err := find()
		if err != nil {
			return rows, err
		}
		for some := range portions(items, eraseItems, (*found).size) {
			names := make([]string, len(some))
			for i, f := range some {
				names[i] = "(" + quote(f.platform) + ", " + quote(f.item) + ")"
				rows += int(f.rows)
			}
			if m.before != nil {
				if err := m.before(ctx, names); err != nil {
					return rows, err
				}
			}
			// Literal keys: a mutation with a subquery is refused on replicated tables. The mutation is waited for.
			err := c.conn.Exec(driver.Context(ctx, driver.WithSettings(driver.Settings{"mutations_sync": 2})),
				"ALTER TABLE "+c.local(m.table)+c.onCluster()+" UPDATE "+m.set+" WHERE "+fmt.Sprintf(m.where, strings.Join(names, ", ")))
			if err != nil {
				return rows, err
			}
		}
		if len(items) < findLimit {
			return rows, nil
		}
	}
}

// findLimit bounds the items of one search; more are found by the next after these were erased.
const findLimit = 20_000

// since is the condition that a row may not have been looked at; everything while nothing was.
func (e *Eraser) since() (condition string, everything bool) {
	if e.seen.IsZero() {
		return "1", true
	}
	return fmt.Sprintf("written_at >= toDateTime(%d, 'UTC')", e.seen.Add(-eraseOverlap).Unix()), false
}

// find returns items that have open rows in a table: those whose erasure was written since the last check against all
// rows, and those whose rows were written since against all erasures.
func (e *Eraser) find(ctx context.Context, table, column, open string) ([]found, error) {
	c := e.client
	since, everything := e.since()
	search := func(rows, erasures string) string {
		return fmt.Sprintf("SELECT platform, %[1]s AS item, count() AS rows FROM %[2]s WHERE %[3]s AND %[4]s AND (platform, %[1]s) GLOBAL IN "+
			"(SELECT platform, item_id FROM %[5]s WHERE %[6]s) GROUP BY platform, item", column, c.table(table), open, rows, c.table("erasures"), erasures)
	}
	queries := []string{search("1", since)}
	if !everything {
		queries = append(queries, search(since, "1"))
	}
	return e.found(ctx, queries)
}

// found runs queries of platform, item and number of rows. The number of an item that several find is the largest.
func (e *Eraser) found(ctx context.Context, queries []string) ([]found, error) {
	var out []found
	err := e.client.each(ctx, func(scan func(...any) error) error {
		var f found
		if err := scan(&f.platform, &f.item, &f.rows); err != nil {
			return err
		}
		out = append(out, f)
		return nil
	}, fmt.Sprintf("SELECT platform, item, max(rows) FROM (%s) GROUP BY platform, item LIMIT %d", strings.Join(queries, " UNION ALL "), findLimit))
	return out, err
}

// serverTime returns the clock that written_at is taken from.
func (c *Client) serverTime(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := c.conn.QueryRow(ctx, "SELECT now('UTC')").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("read the time of the server: %w", err)
	}
	return now, nil
}

// local returns the name of the table that a mutation works on.
func (c *Client) local(name string) string {
	if c.cfg.Cluster != "" {
		return c.table(name + "_local")
	}
	return c.table(name)
}

func (c *Client) onCluster() string {
	if c.cfg.Cluster != "" {
		return " ON CLUSTER `" + c.cfg.Cluster + "`"
	}
	return ""
}

// quote writes s as a ClickHouse string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// portions splits a list of what the text of one query names: at most that many, and no more bytes than ClickHouse reads of a query (its
// setting max_query_size is 256 KiB). Every byte of an id may become two (quote), and the longest id has 2 KiB.
func portions[T any](list []T, most int, size func(*T) int) iter.Seq[[]T] {
	const bytes, each = 100 << 10, 16 // each: what stands between names
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			n, sum := 1, each+size(&list[0])
			for ; n < min(len(list), most); n++ {
				if sum += each + size(&list[n]); sum > bytes {
					break
				}
			}
			if !yield(list[:n:n]) {
				return
			}
			list = list[n:]
		}
	}
}
