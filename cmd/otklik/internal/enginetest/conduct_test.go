package enginetest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
)

// TestBreachesOutliveEdits: an answer that told a telephone number is corrected by an edit, whichever version comes first. The figure
// follows the newest version, the breach stays listed.
func TestBreachesOutliveEdits(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	s.Engine(t, t.Context(), false) // makes the topics
	at := time.Now().UTC().Add(-48 * time.Hour).Truncate(24 * time.Hour).Add(9 * time.Hour)
	reply := func(id, author, text string, edited time.Duration) string {
		edit := ""
		if edited > 0 {
			edit = fmt.Sprintf(`"edited_at":%q,`, at.Add(edited).Format(time.RFC3339))
		}
		return fmt.Sprintf(`{"id":%q,"kind":"comment","published_at":%q,%s"author":{"id":%q},"parent_id":"q","parent_author":"ivan","text":%q}`,
			id, at.Add(time.Minute).Format(time.RFC3339), edit, author, text)
	}
	const good, bad = "Здравствуйте! Разбираемся, спасибо.", "Здравствуйте! Звоните мне: 8 916 123-45-67."
	send(t, s, stream.Generic,
		post("q", "ivan", "МТС, когда почините связь?", at),
		reply("clean", "mts", good, 0),
		reply("hotline", "mts", "Здравствуйте! Наша линия 8 800 250-08-90.", 0),
		reply("fixed", "mts", bad, 0), reply("fixed", "mts", good, time.Hour),
		reply("overtaken", "mts", good, time.Hour), reply("overtaken", "mts", bad, 0),
		reply("spoilt", "mts", good, 0), reply("spoilt", "mts", bad, time.Hour),
		reply("spoilt", "mts", bad, time.Hour),
	)
	s.Drain(t)
	db := s.ClickHouse.Database()
	if got := scalar(t, s, "SELECT concat(toString(answers), ' ', toString(unapproved), ' ', toString(confidential), ' ', toString(compliant), ' ', toString(corrected)) FROM "+db+".compliance_1d"); got != "5 0 1 4 2" {
		t.Errorf("answers, unapproved, confidential, compliant and corrected are %s, want 5 0 1 4 2", got)
	}
	rows, err := s.ClickHouse.Strings(t.Context(), "SELECT item_id, rule, toString(stands), toString(dateDiff('minute', published_at, broken_at)), excerpt FROM "+db+".compliance ORDER BY item_id")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"fixed phone_number 0 0", "overtaken phone_number 0 0", "spoilt phone_number 1 59"}
	for i, r := range rows {
		if got := strings.Join(r[:4], " "); i >= len(want) || got != want[i] {
			t.Errorf("breach %s, want %q", got, want)
		}
		if strings.ContainsAny(r[4], "0123456789") || !strings.Contains(r[4], "Звоните мне") {
			t.Errorf("excerpt %q", r[4])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d breaches, want %d", len(rows), len(want))
	}
}
