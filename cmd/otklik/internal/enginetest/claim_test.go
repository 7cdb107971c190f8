package enginetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/enginetest"
	"otklik/schemas"
	"otklik/stream"
	"otklik/stream/claim"
	"otklik/stream/kafka"
	"otklik/stream/label"
)

// Texts whose labels and severity the test leans on; it checks that they are what it needs.
const (
	grave = "МТС ужас, связь отвратительная, украли деньги, буду жаловаться"
	mild  = "МТС, интернет ужасно медленный, очень плохо"
	fine  = "МТС, спасибо, связь отличная, очень доволен"
)

// claimStory is what a run of the test tells.
type claimStory struct {
	*faults

	raw, labels, statuses job
	at                    stream.Time // noon of the story
}

func newClaimStory(t *testing.T, seed uint64) *claimStory {
	t.Helper()
	s := enginetest.New(t, nil)
	f := newFaults(t, s, seed)
	topics := &s.Config.Kafka.Topics
	partition := func(topic string) job { return job{stream.StageIngest, stream.Partition{Topic: topic}} }
	c := &claimStory{
		faults: f, raw: partition(topics.Firehose[stream.Generic]), labels: partition(topics.Labels), statuses: partition(topics.Statuses),
		at: stream.TimeOf(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)),
	}
	f.raw[c.raw.partition] = stream.Generic
	f.work = append(f.work, c.raw, c.labels, c.statuses)
	f.log.now = c.at + stream.Hour
	return c
}

// post appends a version of a post; minutes after noon it is published, edited minutes later if edited is not 0. It is delivered a minute late.
func (c *claimStory) post(id, text string, minute, edited int, followers int64, more string) {
	at := c.at + stream.Time(minute)*stream.Minute
	version, delivered := "", at+stream.Minute
	if edited > 0 {
		delivered += stream.Time(edited) * stream.Minute
		version = fmt.Sprintf(`"edited_at":%q,`, (at + stream.Time(edited)*stream.Minute).String())
	}
	c.log.add(c.raw.partition, delivered, nil, fmt.Appendf(nil, `{"id":%q,"published_at":%q,%s"author":{"id":"author of %s","name":"name","handle":"handle","followers":%d},"url":"https://example.com/%s","text":%q%s}`,
		id, at.String(), version, id, followers, id, text, more))
}

// said appends a correction of a label.
func (c *claimStory) said(t *testing.T, id string, l stream.Label, minute int) {
	t.Helper()
	value, err := label.Append(nil, &label.Message{
		MentionName: stream.MentionName{Platform: stream.Generic, ItemID: id, Brand: "mts"},
		Correction:  stream.Correction{Label: l, By: "anna", At: c.at + stream.Time(minute)*stream.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.log.add(c.labels.partition, c.at+2*stream.Hour, nil, value)
}

// answers appends statuses of the claim about a post, as "state minute" each.
func (c *claimStory) answers(t *testing.T, id string, list ...string) {
	t.Helper()
	for _, text := range list {
		name, minute, _ := strings.Cut(text, " ")
		state, ok := stream.ParseClaimState(name)
		var n int
		if _, err := fmt.Sscan(minute, &n); err != nil || !ok {
			t.Fatalf("%q: %v", text, err)
		}
		a := claim.Answer{
			Claim:       claim.IDOf(&stream.MentionName{Platform: stream.Generic, ItemID: id, Brand: "mts"}),
			ClaimStatus: stream.ClaimStatus{State: state, By: "desk", At: c.at + stream.Time(n)*stream.Minute, Note: "note of " + text},
		}
		value, err := a.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.log.add(c.statuses.partition, c.at+8*stream.Hour, nil, value)
	}
}

// creep lets every stage but roll do a few records at a time, and tears most flushes.
func (c *claimStory) creep() {
	if c.rng.IntN(3) == 0 {
		c.erase(func() bool { return c.rng.IntN(3) == 0 })
	}
	for _, j := range c.work {
		if j.stage == stream.StageRoll || c.owners[j] == nil && len(c.log.partitions[j.partition]) == 0 {
			continue
		}
		if len(c.zombies) > 0 && c.rng.IntN(6) == 0 {
			c.rise()
		}
		o := c.owner(j)
		c.process(j, o, 1+c.rng.IntN(4))
		switch {
		case o.torn:
		case c.rng.IntN(5) == 0:
			c.zombies = append(c.zombies, zombie{j, o})
			delete(c.owners, j)
		default:
			c.flush(j, o, cut(c.rng.IntN(int(cuts))), c.rng.IntN(6) == 0)
		}
		if o.torn {
			delete(c.owners, j)
		}
	}
}

// erase carries out the deletes, as a process that may end when a part of its messages is sent, or all and no row is changed yet.
func (c *claimStory) erase(ends func() bool) {
	c.t.Helper()
	topics := &c.Config.Kafka.Topics
	out := newMemout(c.log, topics.Claims, topics.Partitions.Claims, c.rng, ends)
	eraser := c.ClickHouse.Eraser()
	eraser.OnClaims = func(ctx context.Context, rows []claim.Row) error {
		if err := claim.Tell(ctx, out, rows); err != nil || !ends() {
			return err
		}
		return errCrash
	}
	if _, err := eraser.Erase(c.t.Context()); err != nil && !errors.Is(err, errCrash) {
		c.t.Fatal(err)
	}
}

// tell plays the story. With trouble, flushes are torn and zombies rise on the way.
func (c *claimStory) tell(t *testing.T, trouble int) {
	t.Helper()
	c.post("blogger", grave, 0, 0, 20_000, "")
	c.post("small", grave, 1, 0, 10, "")
	c.post("mild", mild, 2, 0, 10, "")
	c.post("better", grave, 3, 0, 10, "")
	c.post("better", fine, 3, 5, 10, "")
	c.post("worse", fine, 4, 0, 10, "")
	c.post("worse", grave, 4, 5, 10, "")
	c.post("wrong", grave, 5, 0, 10, "")
	c.post("wavering", grave, 6, 0, 10, "")
	c.post("competitor", strings.ReplaceAll(grave, "МТС", "Билайн"), 7, 0, 20_000, "")
	c.post("gone", grave, 8, 0, 10, "")
	c.post("small", grave, 1, 0, 10, "") // a duplicate
	c.log.add(c.raw.partition, c.at+20*stream.Minute, nil, fmt.Appendf(nil, `{"id":"reply","kind":"comment","published_at":%q,"author":{"id":"mts","handle":"mts"},"parent_id":"blogger","thread":"blogger","text":"МТС: напишите подробности, разберёмся"}`,
		(c.at+20*stream.Minute).String()))
	c.log.add(c.raw.partition, c.at+30*stream.Minute, nil, fmt.Appendf(nil, `{"id":"gone","kind":"delete","published_at":%q}`, (c.at+30*stream.Minute).String()))
	c.log.add(c.raw.partition, c.at+6*stream.Hour, nil, fmt.Appendf(nil, `{"id":"again","kind":"comment","published_at":%q,"author":{"id":"author of blogger"},"parent_id":"reply","thread":"blogger","text":"МТС, связь так и не работает"}`,
		(c.at+6*stream.Hour).String()))
	for range trouble {
		c.creep()
	}
	c.drain()
	c.said(t, "wrong", stream.Positive, 60)
	c.said(t, "wavering", stream.Positive, 60)
	c.said(t, "wavering", stream.Negative, 70)
	c.answers(t, "blogger", "resolved 300", "accepted 40", "needs_details 30", "accepted 40")
	c.answers(t, "small", "reopened 50", "accepted 20", "resolved 40", "resolved 60")
	c.answers(t, "gone", "rejected 90")
	c.answers(t, "better", "accepted 90")
	unknown := strings.Repeat("0", 16)
	for _, bad := range []string{
		`{"claim_id":"` + unknown + `","status":"accepted","at":"2026-03-02T12:00:00Z","by":"desk"}`, `{"claim_id":"x","status":"accepted"}`, `{`,
		`{"claim_id":"` + unknown + `","status":"accepted","at":"2026-03-09T12:00:00Z","by":"desk"}`,
		`{"claim_id":"` + claim.IDOf(&stream.MentionName{Platform: stream.Generic, ItemID: "small", Brand: "mts"}) + `","status":"accepted","at":"2006-03-02T12:00:00Z","by":"desk"}`,
	} {
		c.log.add(c.statuses.partition, c.at+8*stream.Hour, nil, []byte(bad))
	}
	for range trouble {
		c.creep()
	}
	c.drain()
	c.erase(func() bool { return false })
	report, err := c.ClickHouse.Verify(t.Context())
	if err != nil || !report.OK || report.Claims != 5 || report.ClaimMismatches != 0 {
		t.Errorf("verify: %d claims, %d mismatches, %v, %v, %v", report.Claims, report.ClaimMismatches, report.Faults, report.Differences, err)
	}
}

// rows returns the table claims without what depends on the partition, and the dead letters of the statuses.
func (c *claimStory) rows(t *testing.T) []string {
	t.Helper()
	store := schemas.Store(c.ClickHouse.Database())
	var out []string
	for _, query := range []string{
		"SELECT formatRowNoNewline('JSONEachRow', * EXCEPT (position, partition, written_at)) FROM " + store + ".claims FINAL ORDER BY item_id",
		"SELECT concat(reason, ' ', toString(source_offset)) FROM " + store + ".deadletters FINAL ORDER BY source_offset, reason",
		"SELECT concat(item_id, ' ', toString(label), ' ', toString(priority)) FROM " + store + ".mentions FINAL ORDER BY item_id",
	} {
		rows, err := c.ClickHouse.Strings(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			out = append(out, r[0])
		}
	}
	return out
}

// TestClaimStory tells one story three times, calmly and with torn flushes and zombies: claims are opened, flagged, withdrawn by an edit and by
// a correction, answered in any order and twice, and erased, and the tables are the same.
func TestClaimStory(t *testing.T) {
	t.Parallel()
	calm := newClaimStory(t, 1)
	calm.tell(t, 0)
	want := calm.rows(t)
	calmClaims(t, calm)
	for seed := range uint64(enginetest.Number(t, "OTKLIK_SEEDS", 2)) {
		c := newClaimStory(t, seed+uint64(enginetest.Number(t, "OTKLIK_SEED", 2)))
		c.tell(t, 12)
		t.Logf("%d torn flushes, %d zombies, %d began anew", c.crashes, c.revived, c.stale)
		if got := c.rows(t); !slices.Equal(got, want) {
			t.Errorf("torn:\n%s\ncalm:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if c.crashes < 10 {
			t.Error("the test shows nothing")
		}
		messages(t, c)
	}
}

// calmClaims checks what the readers see.
func calmClaims(t *testing.T, c *claimStory) {
	t.Helper()
	db := c.ClickHouse.Database()
	rows, err := c.ClickHouse.Strings(t.Context(), `SELECT concat(item_id, ' ', toString(state), if(blogger, ' blogger', ''), ' ', toString(revision), if(text = '', ' no text', ''), if(customer_id = '', ' nobody', ''),
			' ', toString(toInt64(collection_lag_seconds)), ' ', toString(resolved_cycles), ' ', toString(reopened_cycles)) FROM `+db+`.claims ORDER BY item_id`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, r[0])
	}
	want := []string{
		"better withdrawn 3 60 0 0",
		"blogger resolved blogger 4 60 1 1", // the customer wrote again an hour after the resolution
		"gone rejected 2 no text nobody 60 0 0",
		"small resolved 5 60 2 1",
		"wavering open 3 60 0 0",
		"worse open 1 60 0 0",
		"wrong withdrawn 2 60 0 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("claims\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	stages := scalar(t, c.Stack, `SELECT toString(tuple(first_reaction_at, reaction_seconds, first_reaction_seconds, details_seconds, hand_over_seconds, handling_seconds, first_resolution_seconds,
		full_resolution_seconds)) FROM `+db+`.claim_states WHERE item_id = 'blogger'`)
	if want := "('2026-03-02 12:20:00.000',1140,1200,600,1200,15600,18000,18000)"; stages != want {
		t.Errorf("stages %s, want %s", stages, want)
	}
	days := scalar(t, c.Stack, `SELECT toString(tuple(sum(claims), sum(withdrawn), sum(bloggers), sum(reacted), sum(handed_over), sum(resolved), sum(waiting), sum(resolved_cycles), sum(reopened_cycles), max(reopen_rate),
		max(median_hand_over_seconds))) FROM `+db+`.claims_1d`)
	if !strings.HasPrefix(days, "(5,2,1,1,2,2,2,3,2,0.66") || !strings.HasSuffix(days, ",1200)") {
		t.Errorf("claims_1d: %s", days)
	}
	// The same definition in Go and in SQL, to the last bit.
	for what, query := range map[string]string{
		"priorities of mentions and claims differ": `FROM ` + db + `.claims AS c INNER JOIN ` + db + `.mentions AS m USING (brand, platform, item_id) WHERE c.state != 'withdrawn' AND c.priority != m.priority`,
		"factors that are not the formula": `FROM ` + db + `.mentions WHERE role = 'customer' AND label = 'negative'
			AND severity_factor != (1 + severity) * ((1 + if(corrected_at IS NULL, toFloat64(negative_score), 1)) / 2)`,
		"posts without their priority": `FROM ` + db + `.posts WHERE (label = 'negative') != (priority > 0)`,
	} {
		if n := scalar(t, c.Stack, "SELECT toString(count()) "+query); n != "0" {
			t.Errorf("%s: %s", what, n)
		}
	}
	messages(t, c)
}

// messages checks that a reader who keeps the message about every claim that counts has what its row tells, and nothing of what was erased.
func messages(t *testing.T, c *claimStory) {
	t.Helper()
	newest := map[string]claim.Message{}
	for p, records := range c.log.partitions {
		if p.Topic != c.Config.Kafka.Topics.Claims {
			continue
		}
		for i := range records {
			var m claim.Message
			if err := json.Unmarshal(records[i].Value, &m); err != nil || m.ID != string(records[i].Key) {
				t.Fatalf("%s: %v", records[i].Value, err)
			}
			if kept := newest[m.ID]; m.Revision > kept.Revision || m.Revision == kept.Revision && (m.Erased || !kept.Erased) {
				newest[m.ID] = m
			}
			notes := slices.ContainsFunc(m.Statuses, func(s claim.MessageStatus) bool { return s.Note != "" })
			if m.Erased && (m.Text != "" || m.AuthorID != "" || m.AuthorHandle != "" || m.AuthorName != "" || m.URL != "" || m.ConversationKey != "" || notes) {
				t.Errorf("an erased claim is told of with what people wrote: %s", records[i].Value)
			}
		}
	}
	rows, err := c.ClickHouse.Strings(t.Context(), "SELECT id, concat(toString(state), ' ', toString(revision), if(item_id = 'gone', ' erased', '')) FROM "+c.ClickHouse.Database()+".claims")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(newest) {
		t.Errorf("messages about %d claims, %d are stored", len(newest), len(rows))
	}
	for _, r := range rows {
		m := newest[r[0]]
		got := fmt.Sprintf("%s %d", m.State, m.Revision)
		if m.Erased {
			got += " erased"
		}
		if got != r[1] {
			t.Errorf("claim %s is told as %s, and is %s", r[0], got, r[1])
		}
	}
}

// TestDeletedClaimIsTold: the department hears of the delete of a post whose claim it has.
func TestDeletedClaimIsTold(t *testing.T) {
	t.Parallel()
	s := enginetest.New(t, nil)
	s.Engine(t, t.Context(), false) // makes the topics
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, records := range [][]string{
		{post("gone", "u1", grave, at), post("stays", "u2", grave, at)},
		{fmt.Sprintf(`{"id":"gone","kind":"delete","published_at":%q}`, at.Add(time.Hour).Format(time.RFC3339))},
	} {
		send(t, s, stream.Generic, records...)
		if err := s.Engine(t, t.Context(), true).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p := stream.Partition{Topic: s.Config.Kafka.Topics.Claims}
	ranges, err := s.Kafka.Ranges(t.Context(), p.Topic)
	if err != nil {
		t.Fatal(err)
	}
	read := errors.New("read to the end")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	err = s.Kafka.Read(ctx, p, 0, kafka.ReaderConfig{}, func(_ context.Context, b kafka.Batch) error {
		for i := range b.Records {
			var m claim.Message
			if err := json.Unmarshal(b.Records[i].Value, &m); err != nil {
				return err
			}
			got = append(got, fmt.Sprintf("%s %d %s erased=%t text=%t author=%t", m.ItemID, m.Revision, m.State, m.Erased, m.Text != "", m.AuthorID != ""))
		}
		if b.Next >= ranges[p.Number].End {
			return read
		}
		return nil
	})
	if !errors.Is(err, read) {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := []string{"gone 1 open erased=false text=true author=true", "gone 1 open erased=true text=false author=false", "stays 1 open erased=false text=true author=true"}
	if !slices.Equal(got, want) {
		t.Errorf("messages\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
