package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"otklik/stream"
)

// Pseudonyms replaces the ids of customers by a keyed hash (HMAC-SHA-256, the first 16 bytes in hex), so that one author stays one
// author in every figure but cannot be named without the key. Official accounts keep their ids. A nil *Pseudonyms
// changes nothing.
type Pseudonyms struct {
	key []byte
}

// NewPseudonyms returns nil for an empty key.
func NewPseudonyms(key []byte) *Pseudonyms {
	if len(key) == 0 {
		return nil
	}
	return &Pseudonyms{key: key}
}

// Of returns the pseudonym of an account id; "" stays "".
func (p *Pseudonyms) Of(platform stream.Platform, id string) string {
	if p == nil || id == "" {
		return id
	}
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(platform))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// apply hides who the customers of the mention are: ids become pseudonyms, handles, display names and the link to the post
// (which names its author on most platforms) go. The ids of posts stay, because deletes name them; on VK and Bluesky they
// hold the id of the account on whose wall they stand.
func (p *Pseudonyms) apply(m *stream.Mention) {
	if p == nil {
		return
	}
	// Thread keys hold account ids on several platforms: hashed whole, a thread still meets itself.
	m.Item.Thread = string(m.Item.Platform) + ":" + p.Of(m.Item.Platform, m.Item.Thread)
	m.Customer = p.Of(m.Item.Platform, m.Customer)
	if m.Role != stream.Own {
		m.Item.Author = stream.Account{ID: p.Of(m.Item.Platform, m.Item.Author.ID)}
		m.Item.AuthorName = ""
		m.Item.URL = ""
	}
	if m.Via&stream.ViaReply == 0 {
		m.Item.ParentAuthor = stream.Account{ID: p.Of(m.Item.Platform, m.Item.ParentAuthor.ID)}
	}
	if m.Via&stream.ViaRepost == 0 {
		m.Item.RepostAuthor = stream.Account{ID: p.Of(m.Item.Platform, m.Item.RepostAuthor.ID)}
	}
	if m.Via&stream.ViaWall == 0 {
		m.Item.Wall = stream.Account{ID: p.Of(m.Item.Platform, m.Item.Wall.ID)}
	}
	named := m.Item.Mentions // shared with the other mentions of the item: copied before it is changed
	m.Item.Mentions = make([]stream.Account, len(named))
	for i := range named {
		m.Item.Mentions[i] = stream.Account{ID: p.Of(m.Item.Platform, named[i].ID)}
	}
}
