package firehose

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"otklik/stream"
)

// Identities returns the identities (stream.Item.Identity) of the items that a record holds, those that Decode rejects included, in no
// order and each once; delete notices are none. Of a record that is broken or of an unknown shape it returns what can be made out: it
// mends the text, tries every object in it as a record of the platform, and reads the values of members that are named as ids are. So some
// may name something else, and a record that was cut before its id has none. It is for the few records that become dead
// letters: a delete of one of these items must reach them, too.
//
// The strings own their memory. What the last call of DecodeViews returned is not valid any more.
func (d *Decoder) Identities(raw []byte) []string {
	const perByte, atLeast = 8, 64 << 10 // how much is decoded of a record in all
	f := finder{decoder: d, seen: map[string]bool{}, budget: perByte*min(len(raw), MaxRecord) + atLeast}
	raw = raw[:min(len(raw), MaxRecord)]
	record := borrow(raw)
	valid := deeper(record, maxDepth) < 0 && gjson.Valid(record)   // which calls itself for every level
	if (valid || d.platform == stream.Mastodon) && f.decode(raw) { // Mastodon's streams are no JSON
		return f.found
	}
	if valid {
		f.within(gjson.Parse(record))
	} else {
		mend(record, func(text string) {
			if !f.decode([]byte(text)) {
				f.within(gjson.Parse(text))
			}
		})
	}
	f.scan(record)
	return f.found
}

// rejected notes which item the last fault is about.
func (d *Decoder) rejected(it *stream.Item) {
	if m, ok := errors.AsType[*Malformed](d.faults[len(d.faults)-1]); ok {
		m.Item = strings.Clone(it.Identity())
	}
}

// finder collects the identities of one record.
type finder struct {
	decoder *Decoder
	items   []stream.Item
	found   []string
	seen    map[string]bool
	budget  int // bytes that may still be decoded
}

func (f *finder) add(id string) {
	if id = strings.TrimSpace(clean(id)); id != "" && len(id) <= maxID && !f.seen[id] {
		id = strings.Clone(id)
		f.seen[id] = true
		f.found = append(f.found, id)
	}
}

// decode tries a text as a record and reports whether every item in it is known by its identity.
func (f *finder) decode(text []byte) bool {
	const once = 64 // what a text costs however short it is
	if f.budget -= len(text) + once; f.budget < 0 {
		return false
	}
	var err error
	f.items, err = f.decoder.DecodeViews(text, 0, f.items[:0])
	for i := range f.items {
		if it := &f.items[i]; it.Kind != stream.Delete {
			f.add(it.Identity())
		}
	}
	whole := true
	for _, m := range Faults(err) {
		f.add(m.Item)
		whole = whole && m.Item != ""
	}
	return whole
}

// within tries the objects in a value, the outer ones first.
func (f *finder) within(v gjson.Result) {
	v.ForEach(func(_, m gjson.Result) bool {
		switch {
		case m.IsObject():
			if !f.decode([]byte(m.Raw)) {
				f.within(m)
			}
		case m.IsArray():
			f.budget -= len(m.Raw)
			f.within(m)
		}
		return f.budget >= 0
	})
}

// idNames are the names that the platforms give to the id of an item in its own object.
var idNames = map[string]bool{
	"id": true, "id_str": true, "uri": true, "guid": true, "link": true, "name": true, "mid": true,
	"post_id": true, "comment_id": true, "video_id": true, "videoId": true, "message_id": true, "item_id": true, "tweet_id": true, "status_id": true,
}

// maxIDName is the longest of idNames.
const maxIDName = len("message_id")

// scan reads the values of members named as ids wherever they stand in a text, JSON within strings included. On VK and Telegram no single
// member is the id of an item.
func (f *finder) scan(s string) {
	if f.decoder.platform == stream.VK || f.decoder.platform == stream.Telegram {
		return
	}
	for {
		at := strings.IndexByte(s, '"')
		if at < 0 {
			return
		}
		s = s[at+1:]
		n := 0
		for n < len(s) && n <= maxIDName && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_') {
			n++
		}
		if !idNames[s[:n]] || n == 2 && s[:n] != "id" {
			continue
		}
		rest := strings.TrimLeft(s[n:], `\`)
		rest, closed := strings.CutPrefix(rest, `"`)
		rest, colon := strings.CutPrefix(strings.TrimLeft(rest, whitespace), ":")
		if closed && colon {
			f.scanned(s[:n], strings.TrimLeft(rest, whitespace))
		}
	}
}

// scanned takes the id that a text begins with, unless it is cut off.
func (f *finder) scanned(name, s string) {
	inner, quoted := strings.CutPrefix(strings.TrimLeft(s, `\`), `"`)
	ends := `"`
	if !quoted {
		inner, ends = s, whitespace+`,:]}["{`
	}
	inner = cut(inner, 2*maxID)
	end := strings.IndexAny(inner, ends)
	if end < 0 {
		return
	}
	id := strings.ReplaceAll(inner[:end], `\/`, "/") // as PHP writes a slash
	id = strings.TrimRight(id, `\`)
	switch {
	case !quoted && !gjson.Valid(id), strings.ContainsAny(id, `\`), id == "null", id == "true", id == "false":
		return
	case f.decoder.platform == stream.Reddit:
		if len(id) > 3 && id[0] == 't' && id[2] == '_' {
			f.add(id)
		} else if name == "id" {
			f.add("t1_" + id)
			f.add("t3_" + id)
		}
		return
	case name == "name": // of somebody
		return
	case strings.HasPrefix(id, "tag:"):
		f.add(id[strings.LastIndexByte(id, ':')+1:])
	}
	f.add(id)
}
