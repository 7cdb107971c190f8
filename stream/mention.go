package stream

import "strconv"

// Label is the sentiment of a mention towards its brand.
type Label int8

// The labels. Unlabelled means that the classifier does not know the language: it counts as coverage and is
// never guessed. The numbers are those of the Enum8 column mentions.label.
const (
	Unlabelled Label = 0
	Positive   Label = 1
	Neutral    Label = 2
	Negative   Label = 3
)

// String returns "unlabelled", "positive", "neutral" or "negative".
func (l Label) String() string {
	switch l {
	case Positive:
		return "positive"
	case Neutral:
		return "neutral"
	case Negative:
		return "negative"
	case Unlabelled:
		return "unlabelled"
	}
	return "label(" + strconv.Itoa(int(l)) + ")"
}

// ParseLabel reads what String writes.
func ParseLabel(s string) (Label, bool) {
	for l := Unlabelled; l <= Negative; l++ {
		if l.String() == s {
			return l, true
		}
	}
	return Unlabelled, false
}

// Scores are the calibrated probabilities of positive, neutral and negative; they sum to 1, or are all 0 for an
// unlabelled mention.
type Scores struct {
	Positive, Neutral, Negative float32
}

// Role says in whose voice a mention speaks.
type Role uint8

// The roles. Only mentions of customers count in shares.
const (
	Customer Role = 0 // anybody but the brand
	Own      Role = 1 // an official account of the brand: its own voice and its answers
	Spam     Role = 2 // matched a spam term of the catalogue
)

// String returns "customer", "own" or "spam".
func (r Role) String() string {
	switch r {
	case Own:
		return "own"
	case Spam:
		return "spam"
	default:
		return "customer"
	}
}

// Via is a set of the ways in which an item names a brand.
type Via uint8

// The ways. Directed combines those that speak *to* the brand.
const (
	ViaText    Via = 1 << iota // an alias in the text
	ViaAccount                 // an official account mentioned
	ViaReply                   // a reply to an official account
	ViaWall                    // on the wall, page or channel of an official account
	ViaAuthor                  // written by an official account
	ViaRepost                  // a repost of an official account's post

	Directed = ViaAccount | ViaReply | ViaWall
)

// Flags are the yes/no properties of a mention.
type Flags uint16

// The flags of a mention.
const (
	Question    Flags = 1 << iota // asks something
	Complaint                     // complains: negative and about the service, or severe
	NeedsAnswer                   // a customer's message that the brand ought to answer
	Approved                      // own voice: by an account that the catalogue approves for answers
	Automatic                     // own voice: by an automatic responder or with an automatic text
	Advocacy                      // a customer spreads the brand's official presence
	Answer                        // own voice: answers a customer
)

// Mention is one item × one brand that it names: the value of the topic otklik.mentions (keyed by Thread).
type Mention struct {
	Item Item // Item.Thread is the thread key of this mention; Item.Kind is never a delete or a notice

	Brand    string
	Role     Role
	Via      Via
	Flags    Flags
	Label    Label
	Scores   Scores
	Model    string   // name and version of the classifier
	Products []string // product keys of the catalogue, sorted
	Severity uint8    // 0 none … 3 most severe, from the catalogue's words
	Customer string   // author id of the customer whose conversation this belongs to; for own answers the one answered; "" unknown
	// Violations are the rules of communication that an answer of the brand breaks, sorted; see Breach. Excerpt shows them with everything
	// confidential masked.
	Violations []string
	Excerpt    string

	Source     Source
	ReceivedAt Time // record timestamp of the raw record

	// Erased marks a delete notice for the item instead of a mention: only Item.Platform, Item.ID and Source are set.
	Erased bool
	// Corrects marks a correction of the label of a known mention instead of a mention. Beside it are set: what identifies the mention
	// (Item.Platform, Item.ID, Brand), Item.PublishedAt and Item.Thread as the mention has them, Source and ReceivedAt.
	Corrects *Correction
	// Claim marks a status of the claim about a known mention instead of a mention. Beside it is set what is set beside Corrects.
	Claim *ClaimStatus
}

// Has reports whether all flags of f are set.
func (m *Mention) Has(f Flags) bool { return m.Flags&f == f }

// Complains reports whether the mention complains: it is negative and severe, about a product, or said to the brand.
func (m *Mention) Complains() bool {
	return m.Label == Negative && (m.Severity > 0 || len(m.Products) > 0 || m.Via&Directed != 0)
}

// Counts reports whether the mention counts in shares: it is by a customer and not spam.
func (m *Mention) Counts() bool { return m.Role == Customer }

// MentionRow is a row of the table mentions: a mention with its place in otklik.mentions.
type MentionRow struct {
	Mention
	Partition     int32    // of otklik.mentions
	FirstPosition Position // of the record that brought the mention for the first time
	Position      Position // of the record that brought the newest version, or told of an older one
	// Versions are the versions that were delivered, in no order: Item.EditedAt of each, 0 for the original. Nil stands for
	// the version of Item alone.
	Versions []Time
	// TextSince is the version since which the text is what it is, 0 for the original.
	TextSince Time
	// Corrections are all that were delivered, in the order of delivery; see Corrected. Only the one that counts keeps its note.
	Corrections []Correction
	// Breaches are what all delivered versions of an answer broke, by version and rule; an edit does not undo them.
	Breaches []Breach
	// Factors are what the priority of a negative mention by a customer is made of; zero for others.
	Factors Factors
	// ModelLabel is what the model says of the newest version, as Scores and Model do, if there are Corrections; else Label is.
	ModelLabel Label
}

// IdentityKey is what makes a mention one and the same however often it is delivered.
type IdentityKey struct {
	Platform    Platform
	ItemID      string // Item.Identity()
	Brand       string
	PublishedAt Time // of the first version; part of the primary key of mentions
}
