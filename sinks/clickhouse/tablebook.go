package clickhouse

import "otklik/stream"

// The tables of the books and of the machinery: ledger, progress, communities, erasures, dead letters.

var ledgerTable = table[stream.LedgerRow]{
	name: "ledger",
	letter: func(r *stream.LedgerRow) (stream.Stage, stream.Source, stream.Time) {
		return r.Stage, sourceAt(r.Partition.Topic, r.Partition.Number, r.Position, "ledger", r.Hour), r.Hour
	},
	columns: []column[stream.LedgerRow]{
		keyWord("stage", func(r *stream.LedgerRow) string { return string(r.Stage) }),
		keyWord("topic", func(r *stream.LedgerRow) string { return r.Partition.Topic }),
		plain("partition", func(r *stream.LedgerRow) int32 { return r.Partition.Number }),
		moment("hour", func(r *stream.LedgerRow) stream.Time { return r.Hour }),
		plain("records", func(r *stream.LedgerRow) uint64 { return r.Records }),
		plain("read", func(r *stream.LedgerRow) uint64 { return r.Read }),
		plain("mentions", func(r *stream.LedgerRow) uint64 { return r.Mentions }),
		plain("unmatched", func(r *stream.LedgerRow) uint64 { return r.Unmatched }),
		plain("duplicates", func(r *stream.LedgerRow) uint64 { return r.Duplicates }),
		plain("dead_letters", func(r *stream.LedgerRow) uint64 { return r.DeadLetters }),
		plain("other", func(r *stream.LedgerRow) uint64 { return r.Other }),
		plain("replayed", func(r *stream.LedgerRow) uint64 { return r.Replayed }),
		plain("late", func(r *stream.LedgerRow) uint64 { return r.Late }),
		plain("gaps", func(r *stream.LedgerRow) uint64 { return r.Gaps }),
		plain("position", func(r *stream.LedgerRow) uint64 { return uint64(r.Position) }),
	},
}

var progressTable = table[stream.Progress]{
	name: "progress",
	letter: func(r *stream.Progress) (stream.Stage, stream.Source, stream.Time) {
		return r.Stage, sourceAt(r.Partition.Topic, r.Partition.Number, r.Position, "progress"), r.Watermark
	},
	columns: []column[stream.Progress]{
		keyWord("stage", func(r *stream.Progress) string { return string(r.Stage) }),
		keyWord("topic", func(r *stream.Progress) string { return r.Partition.Topic }),
		plain("partition", func(r *stream.Progress) int32 { return r.Partition.Number }),
		plain("position", func(r *stream.Progress) uint64 { return uint64(r.Position) }),
		plain("last_offset", func(r *stream.Progress) int64 { return r.Last.Offset }),
		plain("last_hash", func(r *stream.Progress) uint64 { return r.Last.Hash }),
		maybeMoment("watermark", func(r *stream.Progress) stream.Time { return r.Watermark }),
		marks("source_topics", func(m *stream.SourceMark) string { return m.Partition.Topic }),
		marks("source_partitions", func(m *stream.SourceMark) int32 { return m.Partition.Number }),
		marks("source_offsets", func(m *stream.SourceMark) int64 { return m.Offset }),
		marks("source_indexes", func(m *stream.SourceMark) int32 { return m.Index }),
		marks("source_event_times", func(m *stream.SourceMark) int64 { return int64(m.EventTime) }),
	},
}

func marks[V any](name string, value func(*stream.SourceMark) V) column[stream.Progress] {
	return flat(name, func(r *stream.Progress, all []V) []V {
		for i := range r.Sources {
			all = append(all, value(&r.Sources[i]))
		}
		return all
	})
}

var communityTable = table[stream.CommunityRow]{
	name:  "communities",
	month: func(r *stream.CommunityRow) stream.Time { return r.At },
	letter: func(r *stream.CommunityRow) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageIngest, sourceAt("firehose."+string(r.Platform), -1, r.Position, "communities", r.Account, r.EventID), r.At
	},
	columns: []column[stream.CommunityRow]{
		word("brand", func(r *stream.CommunityRow) string { return r.Brand }),
		keyWord("platform", func(r *stream.CommunityRow) string { return string(r.Platform) }),
		key("account", func(r *stream.CommunityRow) string { return r.Account }),
		moment("at", func(r *stream.CommunityRow) stream.Time { return r.At }),
		plain("event_id", func(r *stream.CommunityRow) string { return r.EventID }),
		count("members", func(r *stream.CommunityRow) stream.Count { return r.Members }),
		plain("joined_count", func(r *stream.CommunityRow) uint32 { return r.Joined }),
		plain("left_count", func(r *stream.CommunityRow) uint32 { return r.Left }),
		count("views", func(r *stream.CommunityRow) stream.Count { return r.Views }),
		plain("position", func(r *stream.CommunityRow) uint64 { return uint64(r.Position) }),
	},
}

var erasureTable = table[stream.ErasureRow]{
	name: "erasures",
	letter: func(r *stream.ErasureRow) (stream.Stage, stream.Source, stream.Time) {
		return stream.StageIngest, sourceAt("firehose."+string(r.Platform), -1, r.Position, "erasures", r.ItemID), r.At
	},
	columns: []column[stream.ErasureRow]{
		keyWord("platform", func(r *stream.ErasureRow) string { return string(r.Platform) }),
		key("item_id", func(r *stream.ErasureRow) string { return r.ItemID }),
		moment("at", func(r *stream.ErasureRow) stream.Time { return r.At }),
		plain("position", func(r *stream.ErasureRow) uint64 { return uint64(r.Position) }),
	},
}

var deadLetterTable = table[stream.DeadLetter]{
	name:  "deadletters",
	month: func(r *stream.DeadLetter) stream.Time { return r.At },
	columns: []column[stream.DeadLetter]{
		word("stage", func(r *stream.DeadLetter) string { return string(r.Stage) }),
		word("topic", func(r *stream.DeadLetter) string { return r.Source.Partition.Topic }),
		plain("partition", func(r *stream.DeadLetter) int32 { return r.Source.Partition.Number }),
		plain("source_offset", func(r *stream.DeadLetter) int64 { return r.Source.Offset }),
		plain("source_index", func(r *stream.DeadLetter) int32 { return r.Source.Index }),
		word("reason", func(r *stream.DeadLetter) string { return r.Reason }),
		plain("detail", func(r *stream.DeadLetter) string { return r.Detail }),
		// A dead letter may be one just because its time is senseless: it is kept at the nearest time that fits.
		plain("at", func(r *stream.DeadLetter) int64 { return int64(min(max(r.At, minTime), maxTime)) }),
		plain("key", func(r *stream.DeadLetter) string { return string(r.Key) }),
		plain("payload", func(r *stream.DeadLetter) string { return string(r.Payload) }),
		word("platform", func(r *stream.DeadLetter) string { return string(r.Platform) }),
		list("items", func(r *stream.DeadLetter) []string { return r.Items }),
	},
}
