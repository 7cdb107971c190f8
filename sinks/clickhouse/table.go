package clickhouse

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"otklik/stream"
	"otklik/stream/care"
	"otklik/stream/prevalence"
	"otklik/stream/task"
	"otklik/stream/window"
)

// TurnRow is a row of the table turns: a turn with its conversation and the partition of otklik.mentions.
type TurnRow = task.TurnRow

// table is one storage table as it is written.
type table[T any] struct {
	name    string
	columns []column[T]
	// rare are further columns, whose defaults are right unless a row of the block has something in them.
	rare   []column[T]
	isRare func(*T) bool
	// month is the time that PARTITION BY toYYYYMM takes; nil for a table without partitions.
	month func(*T) stream.Time
	// check finds what no single column sees; may be nil.
	check func(*T) error
	// letter gives stage and source of the dead letter of a row that ClickHouse refuses.
	letter func(*T) (stream.Stage, stream.Source, stream.Time)
	// holds names the items whose delete erases that dead letter; nil where a row says nothing of people.
	holds func(*T) (stream.Platform, []string)
	// bare gives what is stored instead of a row that ClickHouse refuses: the row without what people wrote. Nil: nothing.
	bare func(*T) *T
}

// checks returns what finds in a row that ClickHouse or the driver would refuse it, or store it wrongly without a word.
func (t *table[T]) checks() []func(*T) error {
	var out []func(*T) error
	for _, columns := range [...][]column[T]{t.columns, t.rare} {
		for i := range columns {
			if columns[i].check != nil {
				out = append(out, columns[i].check)
			}
		}
	}
	if t.check != nil {
		out = append(out, t.check)
	}
	return out
}

// place makes the index of a dead letter out of the key of a row: rows of one flush share their offset.
func place(key ...any) int32 {
	h := fnv.New32a()
	fmt.Fprintln(h, key...)
	return int32(h.Sum32() & math.MaxInt32)
}

// topicMentions and topicPanes are the topics that positions of track and roll count in.
const (
	topicMentions = "otklik.mentions"
	topicPanes    = "otklik.panes"
)

func sourceAt(topic string, partition int32, p stream.Position, key ...any) stream.Source {
	return stream.Source{
		Partition: stream.Partition{Topic: topic, Number: partition},
		Offset:    max(p.Next()-1, 0),
		Index:     place(key...),
	}
}

var mentionTable = table[stream.MentionRow]{
	name:  "mentions",
	month: func(r *stream.MentionRow) stream.Time { return r.Item.PublishedAt },
	check: func(r *stream.MentionRow) error {
		if r.Label < stream.Unlabelled || r.Label > stream.Negative {
			return fmt.Errorf("column label: no such label %d", r.Label)
		}
		if r.Role > stream.Spam {
			return fmt.Errorf("column role: no such role %d", r.Role)
		}
		if r.Item.PublishedAt == 0 {
			return errors.New("column published_at is unknown")
		}
		return nil
	},
	letter: func(r *stream.MentionRow) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, r.Source, r.ReceivedAt
	},
	holds: func(r *stream.MentionRow) (stream.Platform, []string) {
		return r.Item.Platform, []string{r.Item.Identity()}
	},
	bare: func(r *stream.MentionRow) *stream.MentionRow {
		bare := *r
		i := &bare.Item
		i.Text, i.AuthorName, i.URL, i.Lang = "", "", "", ""
		for _, a := range []*stream.Account{&i.Author, &i.ParentAuthor, &i.RepostAuthor, &i.Wall} {
			a.Name = ""
		}
		i.Mentions = nil
		bare.Corrections = withoutNotes(bare.Corrections)
		bare.Breaches = withoutExcerpts(bare.Breaches)
		return &bare
	},
	rare:   slices.Concat(correctionColumns, breachColumns),
	isRare: func(r *stream.MentionRow) bool { return hasCorrection(r) || len(r.Breaches) > 0 },
	columns: []column[stream.MentionRow]{
		keyWord("brand", func(r *stream.MentionRow) string { return r.Brand }),
		moment("published_at", func(r *stream.MentionRow) stream.Time { return r.Item.PublishedAt }),
		keyWord("platform", func(r *stream.MentionRow) string { return string(r.Item.Platform) }),
		key("item_id", func(r *stream.MentionRow) string { return r.Item.Identity() }),
		plain("version_id", func(r *stream.MentionRow) string { return r.Item.ID }),
		word("kind", func(r *stream.MentionRow) string { return string(r.Item.Kind) }),
		plain("role", func(r *stream.MentionRow) int8 { return int8(r.Role) }),
		plain("via", func(r *stream.MentionRow) uint8 { return uint8(r.Via) }),
		plain("label", func(r *stream.MentionRow) int8 { return int8(r.Label) }),
		plain("positive_score", func(r *stream.MentionRow) float32 { return r.Scores.Positive }),
		plain("neutral_score", func(r *stream.MentionRow) float32 { return r.Scores.Neutral }),
		plain("negative_score", func(r *stream.MentionRow) float32 { return r.Scores.Negative }),
		word("model", func(r *stream.MentionRow) string { return r.Model }),
		list("products", func(r *stream.MentionRow) []string { return r.Products }),
		plain("severity", func(r *stream.MentionRow) uint8 { return r.Severity }),
		plain("audience_factor", func(r *stream.MentionRow) float64 { return r.Factors.Audience }),
		plain("severity_factor", func(r *stream.MentionRow) float64 { return r.Factors.Severity }),
		plain("product_factor", func(r *stream.MentionRow) float64 { return r.Factors.Product }),
		plain("claim_threshold", func(r *stream.MentionRow) float64 { return r.Factors.Threshold }),
		plain("question", func(r *stream.MentionRow) bool { return r.Has(stream.Question) }),
		plain("complaint", func(r *stream.MentionRow) bool { return r.Has(stream.Complaint) }),
		plain("needs_answer", func(r *stream.MentionRow) bool { return r.Has(stream.NeedsAnswer) }),
		plain("approved", func(r *stream.MentionRow) bool { return r.Has(stream.Approved) }),
		plain("automatic", func(r *stream.MentionRow) bool { return r.Has(stream.Automatic) }),
		plain("advocacy", func(r *stream.MentionRow) bool { return r.Has(stream.Advocacy) }),
		plain("author_id", func(r *stream.MentionRow) string { return r.Item.Author.ID }),
		plain("author_handle", func(r *stream.MentionRow) string { return r.Item.Author.Name }),
		plain("author_name", func(r *stream.MentionRow) string { return r.Item.AuthorName }),
		count("followers", func(r *stream.MentionRow) stream.Count { return r.Item.Followers }),
		plain("community", func(r *stream.MentionRow) bool { return r.Item.Community }),
		plain("bot", func(r *stream.MentionRow) bool { return r.Item.Bot }),
		plain("customer_id", func(r *stream.MentionRow) string { return r.Customer }),
		plain("thread", func(r *stream.MentionRow) string { return r.Item.Thread }),
		plain("paired", func(r *stream.MentionRow) bool { return r.Item.Paired }),
		plain("parent_id", func(r *stream.MentionRow) string { return r.Item.ParentID }),
		maybeMoment("parent_at", func(r *stream.MentionRow) stream.Time { return r.Item.ParentAt }),
		plain("parent_author_id", func(r *stream.MentionRow) string { return r.Item.ParentAuthor.ID }),
		plain("parent_author_handle", func(r *stream.MentionRow) string { return r.Item.ParentAuthor.Name }),
		plain("root_id", func(r *stream.MentionRow) string { return r.Item.RootID }),
		plain("repost_of", func(r *stream.MentionRow) string { return r.Item.RepostOf }),
		plain("repost_author_id", func(r *stream.MentionRow) string { return r.Item.RepostAuthor.ID }),
		plain("repost_author_handle", func(r *stream.MentionRow) string { return r.Item.RepostAuthor.Name }),
		plain("wall_id", func(r *stream.MentionRow) string { return r.Item.Wall.ID }),
		plain("wall_handle", func(r *stream.MentionRow) string { return r.Item.Wall.Name }),
		flat("mentioned_ids", func(r *stream.MentionRow, all []string) []string {
			for i := range r.Item.Mentions {
				all = append(all, r.Item.Mentions[i].ID)
			}
			return all
		}),
		flat("mentioned_handles", func(r *stream.MentionRow, all []string) []string {
			for i := range r.Item.Mentions {
				all = append(all, r.Item.Mentions[i].Name)
			}
			return all
		}),
		plain("text", func(r *stream.MentionRow) string { return r.Item.Text }),
		word("lang", func(r *stream.MentionRow) string { return r.Item.Lang }),
		plain("url", func(r *stream.MentionRow) string { return r.Item.URL }),
		count("likes", func(r *stream.MentionRow) stream.Count { return r.Item.Likes }),
		count("shares", func(r *stream.MentionRow) stream.Count { return r.Item.Shares }),
		count("views", func(r *stream.MentionRow) stream.Count { return r.Item.Views }),
		maybeMoment("edited_at", func(r *stream.MentionRow) stream.Time { return r.Item.EditedAt }),
		flat("versions", versions),
		moment("received_at", func(r *stream.MentionRow) stream.Time { return r.ReceivedAt }),
		word("source_topic", func(r *stream.MentionRow) string { return r.Source.Partition.Topic }),
		plain("source_partition", func(r *stream.MentionRow) int32 { return r.Source.Partition.Number }),
		plain("source_offset", func(r *stream.MentionRow) int64 { return r.Source.Offset }),
		plain("source_index", func(r *stream.MentionRow) int32 { return r.Source.Index }),
		plain("partition", func(r *stream.MentionRow) int32 { return r.Partition }),
		plain("first_position", func(r *stream.MentionRow) uint64 { return uint64(r.FirstPosition) }),
		plain("position", func(r *stream.MentionRow) uint64 { return uint64(r.Position) }),
		plain("answer", func(r *stream.MentionRow) bool { return r.Has(stream.Answer) }),
	},
}

// versions appends the versions of a mention that were delivered: that of its row alone, unless it says otherwise.
func versions(r *stream.MentionRow, all []int64) []int64 {
	if len(r.Versions) == 0 {
		return append(all, int64(r.Item.EditedAt))
	}
	for _, v := range r.Versions {
		all = append(all, int64(v))
	}
	return all
}

// countColumns are the columns of window.Counts, the same in panes and rolling.
func countColumns[T any](counts func(*T) *window.Counts) []column[T] {
	out := make([]column[T], 0, len(countFields))
	for _, f := range countFields {
		out = append(out, plain(f.name, func(r *T) int64 { return *f.field(counts(r)) }))
	}
	return out
}

// countFields names every count of a pane in the order of the columns.
var countFields = []struct {
	name  string
	field func(*window.Counts) *int64
}{
	{"positive", func(c *window.Counts) *int64 { return &c.Positive }},
	{"neutral", func(c *window.Counts) *int64 { return &c.Neutral }},
	{"negative", func(c *window.Counts) *int64 { return &c.Negative }},
	{"unlabelled", func(c *window.Counts) *int64 { return &c.Unlabelled }},
	{"own", func(c *window.Counts) *int64 { return &c.Own }},
	{"spam", func(c *window.Counts) *int64 { return &c.Spam }},
	{"reposts", func(c *window.Counts) *int64 { return &c.Reposts }},
	{"questions", func(c *window.Counts) *int64 { return &c.Questions }},
	{"complaints", func(c *window.Counts) *int64 { return &c.Complaints }},
	{"severe", func(c *window.Counts) *int64 { return &c.Severe }},
	{"advocacy", func(c *window.Counts) *int64 { return &c.Advocacy }},
	{"needs_answer", func(c *window.Counts) *int64 { return &c.NeedsAnswer }},
	{"audience", func(c *window.Counts) *int64 { return &c.Audience }},
	{"likes", func(c *window.Counts) *int64 { return &c.Likes }},
	{"shares", func(c *window.Counts) *int64 { return &c.Shares }},
	{"views", func(c *window.Counts) *int64 { return &c.Views }},
	{"requests", func(c *window.Counts) *int64 { return &c.Requests }},
	{"answered", func(c *window.Counts) *int64 { return &c.Answered }},
}

var paneTable = table[window.Pane]{
	name:  "panes",
	month: func(r *window.Pane) stream.Time { return r.Start },
	check: func(r *window.Pane) error {
		if r.Grain > window.Day {
			return fmt.Errorf("column grain: no such grain %d", r.Grain)
		}
		for _, s := range r.Responses {
			if math.IsNaN(s) || math.IsInf(s, 0) {
				return errors.New("column responses holds a number that is not finite")
			}
		}
		return nil
	},
	letter: func(r *window.Pane) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, sourceAt(topicMentions, r.Partition, r.Position, "panes", r.Key), r.Start
	},
	columns: append([]column[window.Pane]{
		plain("grain", func(r *window.Pane) int8 { return int8(r.Grain) }),
		keyWord("brand", func(r *window.Pane) string { return r.Brand }),
		moment("start", func(r *window.Pane) stream.Time { return r.Start }),
		keyWord("platform", func(r *window.Pane) string { return string(r.Platform) }),
		word("product", func(r *window.Pane) string { return r.Product }),
		plain("partition", func(r *window.Pane) int32 { return r.Partition }),
		list("responses", func(r *window.Pane) []float64 { return r.Responses }),
		plain("is_final", func(r *window.Pane) bool { return r.Final }),
		plain("position", func(r *window.Pane) uint64 { return uint64(r.Position) }),
	}, countColumns(func(r *window.Pane) *window.Counts { return &r.Counts })...),
}

func shareColumns(name string, share func(*window.RollingRow) *window.Share) []column[window.RollingRow] {
	return []column[window.RollingRow]{
		number(name, func(r *window.RollingRow) float64 { return share(r).Value }),
		number(name+"_low", func(r *window.RollingRow) float64 { return share(r).Low }),
		number(name+"_high", func(r *window.RollingRow) float64 { return share(r).High }),
	}
}

// adjustedColumns are those of the shares that the errors of the classifier are taken out of.
func adjustedColumns() []column[window.RollingRow] {
	out := make([]column[window.RollingRow], 0, 14)
	out = append(out,
		plain("adjusted_state", func(r *window.RollingRow) int8 { return int8(r.Adjusted.State) }),
		word("adjusted_by", func(r *window.RollingRow) string { return r.AdjustedBy }))
	for _, s := range []struct {
		name  string
		share func(*window.RollingRow) *prevalence.Share
	}{
		{"adjusted_positive_share", func(r *window.RollingRow) *prevalence.Share { return &r.Adjusted.Positive }},
		{"adjusted_neutral_share", func(r *window.RollingRow) *prevalence.Share { return &r.Adjusted.Neutral }},
		{"adjusted_negative_share", func(r *window.RollingRow) *prevalence.Share { return &r.Adjusted.Negative }},
		{"adjusted_net_sentiment", func(r *window.RollingRow) *prevalence.Share { return &r.Adjusted.Net }},
	} {
		out = append(out,
			number(s.name, func(r *window.RollingRow) float64 { return s.share(r).Value }),
			number(s.name+"_low", func(r *window.RollingRow) float64 { return s.share(r).Low }),
			number(s.name+"_high", func(r *window.RollingRow) float64 { return s.share(r).High }))
	}
	return out
}

var rollingTable = table[window.RollingRow]{
	name:  "rolling",
	month: func(r *window.RollingRow) stream.Time { return r.At },
	letter: func(r *window.RollingRow) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageRoll, sourceAt(topicPanes, 0, r.Revision, "rolling", r.RollingKey), r.At
	},
	columns: func() []column[window.RollingRow] {
		out := []column[window.RollingRow]{
			keyWord("brand", func(r *window.RollingRow) string { return r.Brand }),
			word("platform", func(r *window.RollingRow) string { return string(r.Platform) }),
			plain("window_seconds", func(r *window.RollingRow) uint32 { return uint32(r.Window / stream.Second) }),
			moment("at", func(r *window.RollingRow) stream.Time { return r.At }),
			number("net_sentiment", func(r *window.RollingRow) float64 { return r.NetSentiment }),
			number("net_sentiment_polar", func(r *window.RollingRow) float64 { return r.NetPolar }),
			number("response_median_seconds", func(r *window.RollingRow) float64 { return r.ResponseMedian }),
			number("response_p90_seconds", func(r *window.RollingRow) float64 { return r.ResponseP90 }),
			plain("is_final", func(r *window.RollingRow) bool { return r.Final }),
			plain("revision", func(r *window.RollingRow) uint64 { return uint64(r.Revision) }),
		}
		out = append(out, countColumns(func(r *window.RollingRow) *window.Counts { return &r.Counts })...)
		out = append(out, shareColumns("positive_share", func(r *window.RollingRow) *window.Share { return &r.PositiveShare })...)
		out = append(out, shareColumns("neutral_share", func(r *window.RollingRow) *window.Share { return &r.NeutralShare })...)
		out = append(out, shareColumns("negative_share", func(r *window.RollingRow) *window.Share { return &r.NegativeShare })...)
		out = append(out, shareColumns("loyal_share", func(r *window.RollingRow) *window.Share { return &r.LoyalShare })...)
		return append(out, adjustedColumns()...)
	}(),
}

var responseTable = table[care.Response]{
	name: "responses",
	letter: func(r *care.Response) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, sourceAt(topicMentions, -1, r.Position, "responses", r.Key, r.ID), max(r.WaitingSince, r.ResponseAt)
	},
	holds: func(r *care.Response) (stream.Platform, []string) {
		return r.Platform, []string{r.WaitingID, r.RequestID}
	},
	columns: []column[care.Response]{
		keyWord("brand", func(r *care.Response) string { return r.Brand }),
		keyWord("platform", func(r *care.Response) string { return string(r.Platform) }),
		plain("thread", func(r *care.Response) string { return r.Thread }),
		key("response_key", func(r *care.Response) string { return r.ID }),
		plain("customer_id", func(r *care.Response) string { return r.Customer }),
		plain("request_id", func(r *care.Response) string { return r.RequestID }),
		maybeMoment("request_at", func(r *care.Response) stream.Time { return r.RequestAt }),
		plain("response_id", func(r *care.Response) string { return r.ResponseID }),
		maybeMoment("response_at", func(r *care.Response) stream.Time { return r.ResponseAt }),
		span("direct_seconds", func(r *care.Response) stream.Count { return r.Direct }),
		plain("waiting_id", func(r *care.Response) string { return r.WaitingID }),
		maybeMoment("waiting_since", func(r *care.Response) stream.Time { return r.WaitingSince }),
		span("waiting_seconds", func(r *care.Response) stream.Count { return r.Waiting }),
		span("business_seconds", func(r *care.Response) stream.Count { return r.Business }),
		plain("responder", func(r *care.Response) string { return r.Responder }),
		plain("approved", func(r *care.Response) bool { return r.Approved }),
		plain("automatic", func(r *care.Response) bool { return r.Automatic }),
		plain("is_first", func(r *care.Response) bool { return r.First }),
		plain("position", func(r *care.Response) uint64 { return uint64(r.Position) }),
		plain("is_deleted", func(r *care.Response) uint8 { return bit(r.Deleted) }),
	},
}

var caseTable = table[care.Case]{
	name: "cases",
	letter: func(r *care.Case) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, sourceAt(topicMentions, -1, r.Position, "cases", r.Key, r.ID), r.OpenedAt
	},
	holds: func(r *care.Case) (stream.Platform, []string) { return r.Platform, []string{r.ID} },
	columns: []column[care.Case]{
		keyWord("brand", func(r *care.Case) string { return r.Brand }),
		keyWord("platform", func(r *care.Case) string { return string(r.Platform) }),
		plain("thread", func(r *care.Case) string { return r.Thread }),
		key("case_id", func(r *care.Case) string { return r.ID }),
		plain("customer_id", func(r *care.Case) string { return r.Customer }),
		plain("cycle", func(r *care.Case) uint32 { return r.Cycle }),
		moment("opened_at", func(r *care.Case) stream.Time { return r.OpenedAt }),
		maybeMoment("first_response_at", func(r *care.Case) stream.Time { return r.FirstResponseAt }),
		span("first_response_seconds", func(r *care.Case) stream.Count { return r.FirstResponse }),
		span("first_business_seconds", func(r *care.Case) stream.Count { return r.FirstBusiness }),
		maybeMoment("last_customer_at", func(r *care.Case) stream.Time { return r.LastCustomerAt }),
		maybeMoment("last_answer_at", func(r *care.Case) stream.Time { return r.LastAnswerAt }),
		maybeMoment("unanswered_since", func(r *care.Case) stream.Time { return r.UnansweredSince }),
		maybeMoment("quiet_at", func(r *care.Case) stream.Time { return r.QuietAt }),
		plain("messages", func(r *care.Case) uint32 { return r.Messages }),
		plain("answers", func(r *care.Case) uint32 { return r.Answers }),
		plain("responder", func(r *care.Case) string { return r.Responder }),
		plain("position", func(r *care.Case) uint64 { return uint64(r.Position) }),
		plain("is_deleted", func(r *care.Case) uint8 { return bit(r.Deleted) }),
	},
}

var turnTable = table[TurnRow]{
	name:  "turns",
	month: func(r *TurnRow) stream.Time { return r.At },
	letter: func(r *TurnRow) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageTrack, sourceAt(topicMentions, r.Partition, r.Position, "turns", r.Key, r.ItemID), r.At
	},
	// An answer names the customer, who is the author of what it answers.
	holds: func(r *TurnRow) (stream.Platform, []string) { return r.Platform, []string{r.ItemID, r.ParentID} },
	columns: []column[TurnRow]{
		plain("partition", func(r *TurnRow) int32 { return r.Partition }),
		plain("thread", func(r *TurnRow) string { return r.Thread }),
		keyWord("brand", func(r *TurnRow) string { return r.Brand }),
		keyWord("platform", func(r *TurnRow) string { return string(r.Platform) }),
		moment("at", func(r *TurnRow) stream.Time { return r.At }),
		key("item_id", func(r *TurnRow) string { return r.ItemID }),
		plain("author_id", func(r *TurnRow) string { return r.Author }),
		plain("customer_id", func(r *TurnRow) string { return r.Customer }),
		plain("parent_id", func(r *TurnRow) string { return r.ParentID }),
		maybeMoment("parent_at", func(r *TurnRow) stream.Time { return r.ParentAt }),
		plain("own", func(r *TurnRow) bool { return r.Own }),
		plain("flags", func(r *TurnRow) uint16 { return uint16(r.Flags) }),
		plain("position", func(r *TurnRow) uint64 { return uint64(r.Position) }),
	},
}
