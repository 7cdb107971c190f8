package firehose

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"otklik/stream"
)

// htmlText reads a string of HTML as plain text: tags removed, entities resolved, line breaks for <br>, and one or two
// for what stands as a block. Text that is hidden by style (Mastodon's class "invisible", the middle of a shortened
// link) is kept, so that a link is whole; scripts and styles are not.
func (d *Decoder) htmlText(v value) string {
	s := d.text(v, maxHTML)
	if strings.IndexByte(s, '<') < 0 {
		if strings.IndexByte(s, '&') >= 0 {
			s = html.UnescapeString(s)
		}
		return cut(strings.TrimSpace(dropNUL(s)), MaxText)
	}
	var b strings.Builder
	breaks := 0 // line breaks due before the next text
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := atom.Atom(0)
	for b.Len() <= MaxText+8 {
		switch z.Next() {
		case html.ErrorToken:
			return cut(strings.TrimSpace(b.String()), MaxText)
		case html.TextToken:
			if hidden != 0 {
				continue
			}
			t := dropNUL(string(z.Text()))
			if strings.TrimSpace(t) == "" {
				// White space between blocks is layout; between words it is a space.
				if breaks == 0 && b.Len() > 0 {
					b.WriteByte(' ')
				}
				continue
			}
			if b.Len() > 0 {
				for range breaks {
					b.WriteByte('\n')
				}
			}
			breaks = 0
			b.WriteString(t)
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			switch tag := atom.Lookup(name); tag {
			case atom.Br:
				breaks++
			case atom.P, atom.Blockquote, atom.Ul, atom.Ol, atom.Pre, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				breaks = max(breaks, 2)
			case atom.Div, atom.Li, atom.Tr, atom.Hr:
				breaks = max(breaks, 1)
			case atom.Td, atom.Th:
				if b.Len() > 0 && breaks == 0 {
					b.WriteByte(' ')
				}
			case atom.Script, atom.Style:
				hidden = tag
			default: // stands within a line
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch tag := atom.Lookup(name); tag {
			case hidden:
				hidden = 0
			case atom.P, atom.Blockquote, atom.Ul, atom.Ol, atom.Pre, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				breaks = max(breaks, 2)
			case atom.Div, atom.Li, atom.Tr:
				breaks = max(breaks, 1)
			default:
			}
		default: // comments and the like
		}
	}
	return cut(strings.TrimSpace(b.String()), MaxText)
}

// dropNUL removes what an entity such as &#0; may have brought in.
func dropNUL(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// fewEntities resolves the three entities that Twitter and Reddit write in text that is otherwise plain, each once:
// "&amp;lt;" becomes "&lt;".
func fewEntities(s string) string {
	at := strings.IndexByte(s, '&')
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; at >= 0; at = strings.IndexByte(s, '&') {
		b.WriteString(s[:at])
		s = s[at:]
		char, width := byte('&'), 1
		switch {
		case strings.HasPrefix(s, "&lt;"):
			char, width = '<', 4
		case strings.HasPrefix(s, "&gt;"):
			char, width = '>', 4
		case strings.HasPrefix(s, "&amp;"):
			width = 5
		}
		b.WriteByte(char)
		s = s[width:]
	}
	b.WriteString(s)
	return b.String()
}

// vkLinks replaces VK's mark-up "[id1|Name]" and "[club1|Name]" by the name, and notes the accounts: communities (club,
// public, event) have negative ids. A link into a conversation, "[id1:bp-2_3|Name]", names the account before the
// colon. "[https://…|label]" and "[#alias|label|address]" become the label; brackets that are none of these stay.
func vkLinks(it *stream.Item, s string) string {
	open := strings.IndexByte(s, '[')
	if open < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for open >= 0 {
		b.WriteString(s[:open])
		s = s[open:]
		bar := strings.IndexAny(s, "|]\n")
		end := strings.IndexAny(s, "]\n")
		if bar < 0 || end < 0 || s[bar] != '|' || s[end] != ']' || strings.IndexByte(s[1:bar], '[') >= 0 {
			b.WriteByte('[')
			s = s[1:]
			open = strings.IndexByte(s, '[')
			continue
		}
		target, label := s[1:bar], s[bar+1:end]
		account, isAccount := vkAccount(target)
		switch {
		case isAccount:
			mention(it, stream.Account{ID: account})
		case strings.HasPrefix(target, "http://"), strings.HasPrefix(target, "https://"), strings.HasPrefix(target, "vk.com/"):
		case strings.HasPrefix(target, "#"):
			label, _, _ = strings.Cut(label, "|")
		default: // not a link: "[да|нет]"
			label = s[:end+1]
		}
		b.WriteString(label)
		s = s[end+1:]
		open = strings.IndexByte(s, '[')
	}
	b.WriteString(s)
	return b.String()
}

// vkAccount reads the target of a VK link.
func vkAccount(target string) (string, bool) {
	target, _, _ = strings.Cut(target, ":")
	for _, prefix := range [...]string{"id", "club", "public", "event"} {
		number, ok := strings.CutPrefix(target, prefix)
		if !ok || number == "" || digits(number, 0) != len(number) {
			continue
		}
		if prefix == "id" {
			return number, true
		}
		return "-" + number, true
	}
	return "", false
}
