package care

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"otklik/stream"
)

var update = flag.Bool("update", false, "rewrite the expected rows of testdata/*.txt")

// TestScenarios plays the scripts of testdata. A script is a list of steps, each followed by the rows that it must print:
//
//	config gap=72h zone=Europe/Moscow hours=09:00-18:00     (before the first turn; hours are those of Monday to Friday)
//	turn t=2T10:00 id=1 customer=anna needs                  a customer's turn; t is day-of-March-2026 T time, UTC
//	own t=2T11:00 id=2 by=agent [to=anna] [parent=1] [parent-at=2T10:00] [unapproved] [automatic]
//	flush                                                    prints what Flush returns
//	state                                                    prints all rows, and checks that any order of turns gives the same
//
// A turn prints how it changes the responses: "-" before the rows that no longer hold, "+" before those that do now.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d scripts, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(data) && !*update {
				t.Errorf("got:\n%s\nwant:\n%s", got, data)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	t.Helper()
	var (
		out   strings.Builder
		cfg   Config
		book  *Book
		turns []Turn
		key   = Key{Platform: stream.VK, Brand: "mts", Thread: "wall1_1"}
	)
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue // a row expected
		}
		fmt.Fprintln(&out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		args := map[string]string{}
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			args[k] = v
		}
		if words[0] == "config" {
			cfg.Calendar.Zone = args["zone"]
			if hours := args["hours"]; hours != "" {
				cfg.Calendar.Hours = map[string][]string{"mon-fri": strings.Split(hours, ",")}
			}
			gap, err := time.ParseDuration(args["gap"])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			cfg.QuietGap = gap
			continue
		}
		if book == nil {
			book = NewBook(mustEvaluator(t, cfg))
		}
		switch words[0] {
		case "turn", "own":
			turn := Turn{
				ItemID: args["id"], At: scenarioTime(t, args["t"]), Author: args["customer"], Customer: args["customer"],
				ParentID: args["parent"], Own: words[0] == "own", Position: position(len(turns)),
			}
			if v, ok := args["parent-at"]; ok {
				turn.ParentAt = scenarioTime(t, v)
			}
			if turn.Own {
				turn.Author, turn.Customer, turn.Flags = args["by"], args["to"], stream.Approved
			}
			for name, set := range map[string]stream.Flags{"needs": stream.NeedsAnswer, "automatic": stream.Automatic} {
				if _, ok := args[name]; ok {
					turn.Flags |= set
				}
			}
			if _, ok := args["unapproved"]; ok {
				turn.Flags &^= stream.Approved
			}
			turns = append(turns, turn)
			change := book.Apply(key, turn)
			if change.Known {
				fmt.Fprintln(&out, "  known")
			}
			for _, r := range change.Removed {
				fmt.Fprintln(&out, "  -", responseLine(r))
			}
			for _, r := range change.Added {
				fmt.Fprintln(&out, "  +", responseLine(r))
			}
		case "flush":
			responses, cases, rows := book.Flush()
			for _, r := range responses {
				fmt.Fprintf(&out, "  %s @%s\n", responseLine(r), r.Position)
			}
			for _, c := range cases {
				fmt.Fprintf(&out, "  %s @%s\n", caseLine(c), c.Position)
			}
			fmt.Fprintf(&out, "  turns=%d\n", len(rows))
		case "state":
			state := stateLines(mustEvaluator(t, cfg), key, turns)
			rng := rand.New(rand.NewPCG(1, 1))
			for range 20 {
				rng.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
				if again := stateLines(mustEvaluator(t, cfg), key, turns); again != state {
					t.Fatalf("%s: another order of the turns gives other rows:\n%s\n%s", line, state, again)
				}
			}
			out.WriteString(state)
		default:
			t.Fatalf("unknown step %q", line)
		}
	}
	return out.String()
}

func stateLines(e *Evaluator, key Key, turns []Turn) string {
	var out strings.Builder
	responses, cases := e.Evaluate(key, turns)
	for _, r := range responses {
		fmt.Fprintln(&out, " ", responseLine(r))
	}
	for _, c := range cases {
		fmt.Fprintln(&out, " ", caseLine(c))
	}
	return out.String()
}

func scenarioTime(t *testing.T, s string) stream.Time {
	t.Helper()
	day, clock, ok := strings.Cut(s, "T")
	at, err := time.Parse("2006-01-2 15:04:05", "2026-03-"+day+" "+clock+":00"[:max(0, 8-len(clock))])
	if !ok || err != nil {
		t.Fatalf("time %q: want 2T10:00 or 2T10:00:30 (%v)", s, err)
	}
	return stream.TimeOf(at)
}

func responseLine(r Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "response %s customer=%s", r.ID, r.Customer)
	if r.WaitingID != "" {
		fmt.Fprintf(&b, " waiting=%s since=%s", r.WaitingID, timeWord(r.WaitingSince))
	}
	if r.ResponseID != "" {
		fmt.Fprintf(&b, " answer=%s at=%s by=%s", r.ResponseID, timeWord(r.ResponseAt), r.Responder)
	}
	if r.RequestID != "" {
		fmt.Fprintf(&b, " request=%s", r.RequestID)
	}
	countWord(&b, "direct", r.Direct)
	countWord(&b, "waited", r.Waiting)
	countWord(&b, "business", r.Business)
	boolWord(&b, "unapproved", r.ResponseID != "" && !r.Approved)
	boolWord(&b, "automatic", r.Automatic)
	boolWord(&b, "first", r.First)
	boolWord(&b, "deleted", r.Deleted)
	return b.String()
}

func caseLine(c Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "case %s customer=%s cycle=%d opened=%s quiet=%s messages=%d answers=%d", c.ID, c.Customer, c.Cycle, timeWord(c.OpenedAt), timeWord(c.QuietAt), c.Messages, c.Answers)
	if c.FirstResponseAt != 0 {
		fmt.Fprintf(&b, " answered=%s by=%s", timeWord(c.FirstResponseAt), c.Responder)
	}
	countWord(&b, "first", c.FirstResponse)
	countWord(&b, "business", c.FirstBusiness)
	if c.UnansweredSince != 0 {
		fmt.Fprintf(&b, " unanswered=%s", timeWord(c.UnansweredSince))
	}
	boolWord(&b, "deleted", c.Deleted)
	return b.String()
}

func timeWord(t stream.Time) string { return strings.TrimSuffix(t.Go().Format("2T15:04:05"), ":00") }

func countWord(b *strings.Builder, name string, c stream.Count) {
	if c.Known() {
		fmt.Fprintf(b, " %s=%s", name, time.Duration(c.Value())*time.Millisecond)
	}
}

func boolWord(b *strings.Builder, name string, set bool) {
	if set {
		b.WriteString(" " + name)
	}
}
