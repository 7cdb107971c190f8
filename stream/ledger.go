package stream

// Stage names a processor.
type Stage string

// The stages in the order a record passes them.
const (
	StageIngest Stage = "ingest"
	StageTrack  Stage = "track"
	StageRoll   Stage = "roll"
)

// Stages lists all stages in order.
var Stages = []Stage{StageIngest, StageTrack, StageRoll}

// LedgerKey is one page of the books: what became of the records of one partition whose record timestamps
// lie in one hour.
type LedgerKey struct {
	Stage     Stage
	Partition Partition
	Hour      Time // start of the hour, UTC
}

// Books counts what became of what was read. The unit of Read and of the outcomes is an item per brand it
// names: an item naming three brands counts three times, an item naming none once, a record without items (a
// dead letter, a notice) once. Always
//
//	Read = Mentions + Unmatched + Duplicates + DeadLetters + Other
//
// and, in track and roll, Replayed of our own producers' repetitions beside it, which are not Read.
type Books struct {
	Records     uint64 // Kafka records read
	Read        uint64
	Mentions    uint64
	Unmatched   uint64 // about no tracked brand
	Duplicates  uint64
	DeadLetters uint64
	Other       uint64 // reactions, memberships, statistics, messages, notices, deletes, new versions
	Replayed    uint64 // repeated by our own producer after a restart
	Late        uint64 // of Mentions: came after their minute had closed
	Gaps        uint64 // offsets that retention had removed before they were read
}

// Balanced reports whether everything read is accounted for.
func (b *Books) Balanced() bool {
	return b.Read == b.Mentions+b.Unmatched+b.Duplicates+b.DeadLetters+b.Other
}

// Add adds o to b.
func (b *Books) Add(o *Books) {
	b.Records += o.Records
	b.Read += o.Read
	b.Mentions += o.Mentions
	b.Unmatched += o.Unmatched
	b.Duplicates += o.Duplicates
	b.DeadLetters += o.DeadLetters
	b.Other += o.Other
	b.Replayed += o.Replayed
	b.Late += o.Late
	b.Gaps += o.Gaps
}

// LedgerRow is a row of the table ledger.
type LedgerRow struct {
	LedgerKey
	Books
	Position Position
}

// DeadLetter is a record, or one mention of it, that could not be processed: the value of otklik.deadletter
// and a row of the table deadletters.
type DeadLetter struct {
	Stage   Stage  `json:"stage"`
	Source  Source `json:"source"`
	Reason  string `json:"reason"` // a short class: "malformed_json", "no_time", "future", …
	Detail  string `json:"detail"` // what exactly, for a person
	At      Time   `json:"at"`     // record timestamp
	Key     []byte `json:"key,omitempty"`
	Payload []byte `json:"payload"` // the record as it was read
	// Platform and Items name what the letter holds, as ErasureRow does: the items whose delete erases it. Items of the platform "" are claims.
	// Only a letter with a Payload has Items.
	Platform Platform `json:"platform,omitempty"`
	Items    []string `json:"items,omitempty"`
	Erased   bool     `json:"erased,omitempty"` // the platform deleted one of Items: Key and Payload are gone for good
}

// CommunityRow is a row of the table communities: a join, a leave or a reading of counters.
type CommunityRow struct {
	Brand    string
	Platform Platform
	Account  string // id of the community
	At       Time
	EventID  string // identity of the event, so that a repeated one replaces itself
	Members  Count
	Joined   uint32
	Left     uint32
	Views    Count
	Position Position
}

// ErasureRow is a row of the table erasures: the platform says that the item is gone.
type ErasureRow struct {
	Platform Platform
	ItemID   string
	At       Time // when the platform says, or the record timestamp
	Position Position
}
