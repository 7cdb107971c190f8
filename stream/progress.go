package stream

// SourceMark is how far a task has followed one raw partition: the highest source seen (to recognise echoes) and the
// highest event time (for the watermark).
type SourceMark struct {
	Source
	EventTime Time
}

// Progress is a row of the table progress, the last one written by a flush: everything up to Position is durable in
// ClickHouse, so a task restarts there.
type Progress struct {
	Stage     Stage
	Partition Partition
	Position  Position
	Watermark Time         // of the task at Position; 0 unknown
	Sources   []SourceMark // in track and roll: one per upstream partition
	Last      Tail         // of the records before Position; zero unknown
}

// Tail is what is kept of the last record of a partition that was applied, by which another record at its offset is told from it.
type Tail struct {
	Offset int64
	Hash   uint64 // of timestamp, key and value; 0 unknown
}

// Identity is what a track task remembers of a mention in order to recognise duplicates and new versions.
type Identity struct {
	IdentityKey
	FirstPosition Position
	Position      Position
	Version       Time   // Item.EditedAt of the newest version; 0 for the original
	Versions      []Time // all versions that were delivered; nil for the original alone
}
