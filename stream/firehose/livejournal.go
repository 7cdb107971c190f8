package firehose

import (
	"strings"

	"otklik/stream"
)

// LiveJournal, blogs and feeds: entries of RSS, Atom and JSON feeds as JSON, one a record or the whole feed at once.
// Three spellings are read: the RSS tags as they are ("pubDate", "lj:reply-count"), the items of the Go library gofeed
// ("publishedParsed"), and JSON Feed 1.0 and 1.1 ("date_published", https://jsonfeed.org).

func (d *Decoder) livejournal(record value) {
	if record.array() {
		for element := range record.elements {
			d.feed(element, "")
		}
		return
	}
	d.feed(record, "")
}

// feed adds the entries of a feed, or the one entry that v is.
func (d *Decoder) feed(v value, language string) {
	var items, inner, lang, authors value
	entry := false
	for key, m := range v.members {
		switch key {
		case "items", "item", "entry", "entries":
			items = m
		case "channel", "rss", "feed":
			if m.object() {
				inner = m
			}
		case "language":
			lang = m
		case "authors", "author":
			authors = m
		case "guid", "pubDate", "published", "publishedParsed", "date_published", "content_html", "content_text", "id", "link", "description":
			entry = true
		}
	}
	if s := lang.id(); s != "" {
		language = s
	}
	n := len(d.items) + len(d.faults)
	switch {
	case items.array():
		for element := range items.elements {
			d.entry(element, authors, language)
		}
	case items.object():
		d.entry(items, authors, language)
	case inner.object():
		d.feed(inner, language)
		return
	case entry:
		d.entry(v, value{}, language)
		return
	default:
		return
	}
	if n == len(d.items)+len(d.faults) {
		d.note(stream.Other, "no entries")
	}
}

// entry adds one entry; authors are those of its feed, which hold where the entry names none.
func (d *Decoder) entry(v, authors value, language string) {
	it := d.blank(stream.Post)
	it.Lang = language
	var guid, link, title, html, plain, summary, published, changed, author, security, extensions value
	for key, m := range v.members {
		switch key {
		case "guid", "id":
			if !guid.there() || key == "guid" {
				guid = m
			}
		case "link", "url":
			link = m
		case "links":
			if !link.stated() {
				link = m.first()
			}
		case "title":
			title = m
		case "content", "content:encoded", "content_html":
			html = m
		case "content_text":
			plain = m
		case "description", "summary":
			if !summary.filled() {
				summary = m
			}
		case "publishedParsed":
			published = m
		case "pubDate", "published", "date_published", "dc:date", "issued":
			if _, ok := moment(feedText(published)); !ok {
				published = m
			}
		case "updatedParsed":
			changed = m
		case "updated", "date_modified", "modified":
			if _, ok := moment(feedText(changed)); !ok {
				changed = m
			}
		case "author", "dc:creator", "lj:poster":
			if !author.filled() {
				author = m
			}
		case "authors":
			if m.first().stated() {
				author = m
			}
		case "lj:security":
			security = m
		case "extensions":
			extensions = m
		case "language":
			it.Lang = orElse(m.id(), it.Lang)
		}
	}
	if s := feedText(extensions.at("lj", "security").first().get("value")); s.quoted() {
		security = s
	}
	it.URL = d.name(feedText(link))
	it.ID = orElse(feedText(guid).id(), feedText(link).id())
	stated := oneOf(feedText(published), feedText(changed))
	it.PublishedAt, _ = moment(stated)
	it.AuthorName = d.feedAuthor(author)
	if it.AuthorName == "" {
		it.AuthorName = d.feedAuthor(authors)
	}
	it.Author.Name = it.AuthorName

	heading := strings.TrimSpace(d.htmlText(feedText(title)))
	switch {
	case feedText(html).filled():
		it.Text = joinText(heading, d.htmlText(feedText(html)))
	case plain.filled():
		it.Text = joinText(heading, d.text(plain, MaxText))
	default:
		it.Text = joinText(heading, d.htmlText(feedText(summary)))
	}
	if security.quoted() && !security.is("public") && !security.is("") {
		it.Kind = stream.Other
		it.Note = "security " + d.name(security)
	}
	at, _ := moment(feedText(changed))
	edited(&it, at)
	d.add(&it, stated)
}

// feedText returns the text of an element that a converter from XML may have made an object of ("#text", "_", "$t",
// "value", "href") or a list.
func feedText(v value) value {
	if v.array() {
		v = v.first()
	}
	if !v.object() {
		return v
	}
	for key, m := range v.members {
		switch key {
		case "#text", "_", "$t", "value", "href", "@href":
			return m
		}
	}
	return value{}
}

// feedAuthor reads an author: a string, {"name":…}, or a list of them, of which the first counts.
func (d *Decoder) feedAuthor(v value) string {
	if v.array() {
		v = v.first()
	}
	if v.object() {
		for key, m := range v.members {
			switch key {
			case "name", "user", "#text", "_":
				return strings.TrimSpace(d.name(m))
			}
		}
		return ""
	}
	return strings.TrimSpace(d.name(v))
}
