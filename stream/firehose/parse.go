package firehose

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// maxDepth is how deep objects and arrays may be nested. Real payloads reach 14 levels (Facebook templates)
// and a few dozen (Reddit's reply trees); anything deeper is built to exhaust a recursive reader.
const maxDepth = 256

// whitespace is what RFC 8259 allows between tokens.
const whitespace = " \t\r\n"

// deeper returns where s is nested deeper than that many levels, or -1.
func deeper(s string, levels int) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > levels {
				return i
			}
		case '}', ']':
			depth--
		}
	}
	return -1
}

// diagnose says of a text that is not one JSON value where it breaks, or that something follows the value: often a second
// object run together with the first. The text is at most maxDepth levels deep.
func diagnose(s string) *Malformed {
	c := cursor{s: s}
	if what := c.value(); what != "" {
		return &Malformed{Reason: "malformed_json", Detail: fmt.Sprintf("%s (byte %d)", what, c.i)}
	}
	c.space()
	return &Malformed{Reason: "trailing_data", Detail: fmt.Sprintf("%d bytes follow the complete value, from byte %d on; write one value a line", len(s)-c.i, c.i)}
}

// cursor walks over a broken text up to where it breaks. Its methods return what is wrong at i, or "".
type cursor struct {
	s string
	i int
}

// at reports whether the byte at i is b.
func (c *cursor) at(b byte) bool { return c.i < len(c.s) && c.s[c.i] == b }

func (c *cursor) space() {
	for c.i < len(c.s) && strings.IndexByte(whitespace, c.s[c.i]) >= 0 {
		c.i++
	}
}

func (c *cursor) value() string {
	c.space()
	switch {
	case c.i >= len(c.s):
		return "the record ends where a value is expected"
	case c.at('"'):
		return c.text()
	case c.at('{'):
		return c.list('}')
	case c.at('['):
		return c.list(']')
	}
	rest := c.s[c.i:]
	if end := strings.IndexAny(rest, whitespace+",:]}[{\""); end >= 0 {
		rest = rest[:end]
	}
	if !gjson.Valid(rest) {
		return "invalid value"
	}
	c.i += len(rest)
	return ""
}

// list walks over an object or array up to its closing bracket.
func (c *cursor) list(closing byte) string {
	c.i++
	c.space()
	if c.at(closing) {
		c.i++
		return ""
	}
	missing := "no member name"
	for {
		if closing == '}' && !c.name() {
			return missing
		}
		if what := c.value(); what != "" {
			return what
		}
		c.space()
		switch {
		case c.at(','):
			c.i++
			c.space()
		case c.at(closing):
			c.i++
			return ""
		case c.i >= len(c.s):
			return "the record ends inside an object or array"
		default:
			return "no comma or end after a value"
		}
		missing = "no member name after a comma"
	}
}

// name walks over the name of a member and its colon.
func (c *cursor) name() bool {
	if !c.at('"') || c.text() != "" {
		return false
	}
	c.space()
	if !c.at(':') {
		return false
	}
	c.i++
	return true
}

func (c *cursor) text() string {
	const broken = "unterminated or invalid string"
	for c.i++; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; {
		case b == '"':
			c.i++
			return ""
		case b < ' ':
			return broken
		case b == '\\':
			width := 1
			if strings.HasPrefix(c.s[c.i:], `\u`) {
				width = 5
			}
			if end := c.i + width; end >= len(c.s) || !gjson.Valid(`"`+c.s[c.i:end+1]+`"`) {
				return broken
			}
			c.i += width
		}
	}
	return broken
}
