package stream

// Platform names a social platform; it is also the suffix of its firehose topic ("firehose.twitter").
type Platform string

// The platforms that have a decoder.
const (
	Twitter     Platform = "twitter"
	VK          Platform = "vk"
	Facebook    Platform = "facebook"
	YouTube     Platform = "youtube"
	Telegram    Platform = "telegram"
	Bluesky     Platform = "bluesky"
	Mastodon    Platform = "mastodon"
	Reddit      Platform = "reddit"
	LiveJournal Platform = "livejournal" // and any RSS, Atom or JSON feed entry
	Generic     Platform = "generic"     // blogs, forums and anything else: schemas/generic.schema.json
)

// Platforms lists every platform that has a decoder, in a fixed order.
var Platforms = []Platform{Twitter, VK, Facebook, YouTube, Telegram, Bluesky, Mastodon, Reddit, LiveJournal, Generic}

// Kind says what an item is.
type Kind string

// The kinds of items. Only posts, comments and reposts (and edits of them) can be mentions.
const (
	Post       Kind = "post"
	Comment    Kind = "comment"
	Repost     Kind = "repost"
	Reaction   Kind = "reaction"
	Message    Kind = "message"    // a private message: never a mention
	Membership Kind = "membership" // somebody joined or left a community
	Statistics Kind = "statistics" // counters of a post, video or community
	Delete     Kind = "delete"
	Edit       Kind = "edit" // a new version of a post or comment
	Notice     Kind = "notice"
	Other      Kind = "other"
)

// Count is a number that a platform may not have stated. The zero value is "not stated".
type Count int64

// CountOf returns the stated number n; negative numbers count as not stated.
func CountOf(n int64) Count {
	if n < 0 {
		return 0
	}
	return Count(n + 1)
}

// Value returns the number, or 0 when it was not stated.
func (c Count) Value() int64 {
	if c <= 0 {
		return 0
	}
	return int64(c - 1)
}

// Known reports whether the platform stated the number.
func (c Count) Known() bool { return c > 0 }

// Account is an account on a platform as a payload names it. ID is the platform's own id; Name is the handle
// without "@" (may be empty). Either may be missing.
type Account struct {
	ID   string
	Name string
}

// Item is one thing that a platform delivered, normalised. Strings are owned by the item (they do not
// alias the raw record). Absent fields are zero.
type Item struct {
	Platform Platform
	Kind     Kind

	// ID is the platform's id of the item, the same in every feed of the platform.
	ID string
	// OriginID is the id of the first version where the platform gives an edit an id of its own (Twitter v2).
	OriginID string

	Author     Account // who wrote it
	AuthorName string  // display name
	Followers  Count   // of the author
	Community  bool    // the author is a community, page or channel, not a person
	Bot        bool    // the platform says that the author is a bot

	PublishedAt Time // the platform's own creation time
	EditedAt    Time // of an edit; also the version of the item

	ParentID     string  // the item this one answers
	ParentAt     Time    // when the parent was published, where its id carries the time or the payload has it
	ParentAuthor Account // whom this one answers
	RootID       string  // the first item of the thread
	RepostOf     string  // id of the reposted original
	RepostAuthor Account // who wrote the reposted original

	// Thread is equal for a customer's message and the brand's answer to it, derived from the payload alone.
	// Where Paired is set the platform has no conversation id and Thread is the pair of the author and the
	// account addressed; ingest then makes it the pair customer × brand.
	Thread string
	Paired bool

	Wall     Account   // the community or page on whose wall, channel or video the item stands
	Mentions []Account // accounts named in the text by the platform's own mark-up, in order

	Text string // plain text: no HTML, no entities, NFC not applied
	Lang string // BCP 47 as the platform states it; "" when absent or "und"
	URL  string

	Likes  Count
	Shares Count
	Views  Count

	// For Kind Membership: +1 joined, -1 left. For Statistics: Members is the size of the community.
	Joined  int32
	Members Count

	// Note says what a notice, another kind or a delete was about (the platform's word for it).
	Note string
}

// Identity returns the id that stays the same over all versions of the item.
func (i *Item) Identity() string {
	if i.OriginID != "" {
		return i.OriginID
	}
	return i.ID
}
