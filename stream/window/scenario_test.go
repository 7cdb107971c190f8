package window

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"otklik/stream"
)

var update = flag.Bool("update", false, "rewrite the expected output of the scenarios in testdata")

// A scenario is a script of commands, each followed by what it must print. t is in seconds from the start of a UTC day;
// every command is a record of its own unless it begins with "and", which belongs to the record before.
//
//	mention t=10 brand=mts label=- [products=a,b] [followers=n] [role=own|spam]   one contribution; prints "late" if it is
//	edit    t=10 brand=mts label=- to=+       the label of a mention changes
//	request t=10 brand=mts                    a message to be answered
//	answer  t=10 brand=mts after=90           the brand replies after so many seconds
//	watermark t=180                           event time has come so far
//	flush                                     prints the changed panes
//	durable                                   the flush is durable; what is closed leaves memory
//	crash [keep=n]                            back to the last durable flush; of the last one only n panes reached the table
//	                                          (the records since are read again)
//	rolling window=5m                         prints the rows of that window, all platforms, that the flushed panes change
type scenario struct {
	t       *testing.T
	out     []string
	store   *Store
	rolling *Rolling
	table   table
	flushed []Pane
	log     []string // commands since the last durable flush
	offset  int64
	safe    struct {
		offset    int64
		watermark stream.Time
	}
	watermark stream.Time
}

var scenarioConfig = Config{MaxDisorder: 2 * time.Minute}.WithDefaults()

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in testdata: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := &scenario{t: t, store: NewStore(3, scenarioConfig), rolling: NewRolling("mts", scenarioConfig), table: table{}}
			lines := bufio.NewScanner(strings.NewReader(string(data)))
			for lines.Scan() {
				line := lines.Text()
				if strings.HasPrefix(line, "  ") {
					continue // expected output, compared as a whole below
				}
				s.out = append(s.out, line)
				if line != "" && !strings.HasPrefix(line, "#") {
					s.command(line, true)
				}
			}
			got := strings.Join(s.out, "\n") + "\n"
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(data) {
				t.Errorf("%s differs (run with -update to accept); got:\n%s", name, got)
			}
		})
	}
}

func (s *scenario) printf(format string, args ...any) {
	s.out = append(s.out, "  "+fmt.Sprintf(format, args...))
}

// command runs one line; loud is false while records are read again.
func (s *scenario) command(line string, loud bool) {
	s.t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	again := name == "and"
	if again {
		name, rest, _ = strings.Cut(rest, " ")
	}
	args := map[string]string{}
	for field := range strings.FieldsSeq(rest) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			s.t.Fatalf("%s: %q is not key=value", line, field)
		}
		args[key] = value
	}
	number := func(key string) int64 {
		if args[key] == "" {
			return 0
		}
		n, err := strconv.ParseInt(args[key], 10, 64)
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	at := day + stream.Time(number("t"))*stream.Second
	switch name {
	case "flush":
		s.flushed = s.store.Flush()
		sortPanes(s.flushed)
		for i := range s.flushed {
			s.printf("%s", describePane(&s.flushed[i]))
		}
		return
	case "durable":
		s.table.insert(s.flushed)
		s.store.Clean()
		s.printf("%d panes leave memory, %d stay", s.store.Evict(), s.store.Len())
		s.safe.offset, s.safe.watermark, s.log = s.offset, s.watermark, nil
		return
	case "crash":
		s.table.insert(s.flushed[:min(int(number("keep")), len(s.flushed))])
		s.store = NewStore(3, scenarioConfig)
		for _, row := range s.table {
			if row.End() > s.safe.watermark {
				s.store.Restore([]Pane{row})
			}
		}
		s.offset, s.watermark = s.safe.offset, s.safe.watermark
		s.store.Advance(s.watermark, stream.PositionAfter(0, s.offset-1))
		for _, line := range s.log {
			s.command(line, false)
		}
		return
	case "rolling":
		length, err := time.ParseDuration(args["window"])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		for i := range s.flushed {
			s.rolling.Apply(&s.flushed[i], stream.PositionAfter(0, s.offset))
		}
		s.rolling.Advance(s.watermark)
		for _, row := range s.rolling.Flush(nil) {
			if row.Platform == "" && row.Window == stream.Time(length.Milliseconds()) {
				s.printf("%s", describeRow(&row))
			}
		}
		return
	}
	if loud {
		s.log = append(s.log, line)
	}
	if !again {
		s.offset++
	}
	pos := stream.PositionAfter(0, s.offset-1)
	contribution := func(label string) Contribution {
		m := stream.Mention{Item: stream.Item{Platform: stream.VK, PublishedAt: at}, Brand: args["brand"]}
		m.Label = map[string]stream.Label{"+": stream.Positive, "0": stream.Neutral, "-": stream.Negative}[label]
		m.Role = map[string]stream.Role{"own": stream.Own, "spam": stream.Spam}[args["role"]]
		m.Item.Followers = stream.CountOf(number("followers"))
		if args["products"] != "" {
			m.Products = strings.Split(args["products"], ",")
		}
		return ContributionOf(&m)
	}
	respond := func(q *Request, sign int64) {
		if err := s.store.Respond(q, sign, pos); err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
	}
	waiting := Request{Brand: args["brand"], Platform: stream.VK, At: at}
	switch name {
	case "mention":
		c := contribution(args["label"])
		s.recall(&c, loud)
		if s.store.Apply(&c, pos) && loud {
			s.printf("late")
		}
	case "edit":
		before, after := contribution(args["label"]), contribution(args["to"])
		s.recall(&before, loud)
		s.store.Replace(&before, &after, pos)
	case "request":
		s.recall(&Contribution{PublishedAt: at, Brand: args["brand"], Platform: stream.VK}, loud)
		respond(&waiting, 1)
	case "answer":
		s.recall(&Contribution{PublishedAt: at, Brand: args["brand"], Platform: stream.VK}, loud)
		answered := waiting
		answered.Answered, answered.Seconds = true, float64(number("after"))
		respond(&waiting, -1)
		respond(&answered, 1)
	case "watermark":
		s.watermark = max(s.watermark, at)
		s.store.Advance(at, pos)
	default:
		s.t.Fatalf("%s: no such command", line)
	}
}

// recall fetches what memory does not hold.
func (s *scenario) recall(c *Contribution, loud bool) {
	keys := s.store.Missing(c, nil)
	if len(keys) > 0 && loud {
		s.printf("asks for %d panes", len(keys))
	}
	s.table.lookup(s.store, keys)
}

func describePane(p *Pane) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pane %s [%d,%d) %s", p.Grain, (p.Start-day)/stream.Second, (p.End()-day)/stream.Second, p.Brand)
	if p.Product != "" {
		fmt.Fprintf(&b, "/%s", p.Product)
	}
	describeCounts(&b, &p.Counts)
	if len(p.Responses) > 0 {
		fmt.Fprintf(&b, " responses=%v", p.Responses)
	}
	if p.Final {
		b.WriteString(" final")
	}
	fmt.Fprintf(&b, " rev=%d", p.Position.Next())
	return b.String()
}

func describeRow(r *RollingRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "at=%d", (r.At-day)/stream.Second)
	describeCounts(&b, &r.Counts)
	fmt.Fprintf(&b, " net=%.2f median=%.0f", r.NetSentiment, r.ResponseMedian)
	if r.Final {
		b.WriteString(" final")
	}
	return b.String()
}

func describeCounts(b *strings.Builder, c *Counts) {
	for _, f := range []struct {
		name string
		n    int64
	}{
		{"positive", c.Positive},
		{"neutral", c.Neutral},
		{"negative", c.Negative},
		{"unlabelled", c.Unlabelled},
		{"own", c.Own},
		{"spam", c.Spam},
		{"audience", c.Audience},
		{"requests", c.Requests},
		{"answered", c.Answered},
	} {
		if f.n != 0 {
			fmt.Fprintf(b, " %s=%d", f.name, f.n)
		}
	}
}
