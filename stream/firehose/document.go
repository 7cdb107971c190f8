package firehose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Kinds of values: the first byte of their text, but kindNumber for all digits and the minus sign.
const (
	kindObject byte = '{'
	kindArray  byte = '['
	kindString byte = '"'
	kindNumber byte = '0'
	kindNull   byte = 'n'
	kindTrue   byte = 't'
	kindFalse  byte = 'f'
)

// kinds maps the first byte of a value to its kind, anything else to 0.
var kinds = [256]byte{
	'{': kindObject, '[': kindArray, '"': kindString, 'n': kindNull, 't': kindTrue, 'f': kindFalse, '-': kindNumber,
	'0': kindNumber, '1': kindNumber, '2': kindNumber, '3': kindNumber, '4': kindNumber,
	'5': kindNumber, '6': kindNumber, '7': kindNumber, '8': kindNumber, '9': kindNumber,
}

// node is one JSON value, with its name when it is a member of an object.
type node struct {
	start, end       uint32 // of its text
	next             uint32 // the node after the value and everything in it
	name, nameEnd    uint32 // of the inside of the name
	known            uint16 // number of the name; of an element, that of its list
	kind             byte
	flags, nameFlags uint8 // of a string, and of the name
	field            uint8 // of the name
}

const (
	// maxNodes bounds the index of a document to 28 MiB. A document with more nodes is walked by gjson, which reads a level
	// again each time it is asked, but remembers nothing.
	maxNodes = 1 << 20
	// unindexed stands for the node of a value of such a document.
	unindexed = ^uint32(0)
	// keptNodes is the largest index that a decoder keeps for its next record.
	keptNodes = 1 << 14
)

// document is one JSON value with an index of everything in it, which one pass makes while it checks the grammar. So what
// nobody wants is never looked at again.
type document struct {
	text    string
	nodes   []node
	open    [maxDepth]uint32 // while the index is made, the objects and arrays that are not closed yet
	names   *names
	name    string // of the member that a value without an index is
	scratch *scratch
}

// parse checks that s holds exactly one JSON value (RFC 8259), nested at most maxDepth levels deep, and returns it. The value is
// valid until the document parses another text. UTF-8 is not checked here: strings are repaired when they are read.
func (doc *document) parse(s string) (value, *Malformed) {
	return doc.parseWithin(s, maxNodes)
}

// parseWithin is parse with at most that many nodes in the index.
func (doc *document) parseWithin(s string, limit int) (value, *Malformed) {
	doc.text = strings.Trim(s, whitespace)
	what := doc.index(limit)
	if what == indexed {
		return doc.value(0), nil
	}
	if at := deeper(s, maxDepth); at >= 0 {
		return value{}, &Malformed{Reason: "too_deep", Detail: fmt.Sprintf("nested deeper than %d levels at byte %d", maxDepth, at)}
	}
	if what == overfull && gjson.Valid(s) {
		return doc.view("", doc.text), nil
	}
	return value{}, diagnose(s)
}

// reset forgets what the document holds.
func (doc *document) reset() {
	doc.text = ""
	if cap(doc.nodes) > keptNodes {
		doc.nodes = nil
	}
}

// value returns the value of a node.
func (doc *document) value(at uint32) value {
	return value{doc: doc, node: at, kind: doc.nodes[at].kind}
}

// view returns a value without an index and the name of the member that it is; text must be valid, or empty for an absent value.
func (doc *document) view(name, text string) value {
	if text == "" {
		return value{}
	}
	return value{doc: &document{text: text, name: name, names: doc.names, scratch: doc.scratch}, node: unindexed, kind: kinds[text[0]]}
}

// outcome is how the making of an index ended.
type outcome uint8

const (
	indexed  outcome = iota
	broken           // the text breaks the grammar or is nested too deep
	overfull         // it has more nodes than are allowed; nothing is known of the rest
)

// index makes the index of the text.
func (doc *document) index(limit int) outcome {
	s, names := doc.text, doc.names
	if names.full {
		names.reset()
	}
	nodes := doc.nodes[:cap(doc.nodes)]
	i, n, depth := 0, 0, 0
	around := byte(0) // kind of what the value stands in
	// Of the value; not a struct, which would lie in memory.
	var name, nameEnd int
	var nameFlags, field uint8
	number := unnamed
	for {
		i = afterSpace(s, i)
		switch {
		case i >= len(s):
			return broken
		case n == limit:
			return overfull
		case n == len(nodes):
			nodes = slices.Grow(nodes, n+64)
			nodes = nodes[:cap(nodes)]
			doc.nodes = nodes
		}
		// Field by field: a whole node would be made on the stack and copied from there.
		at := &nodes[n]
		at.start, at.next = uint32(i), uint32(n+1)
		at.name, at.nameEnd, at.nameFlags = uint32(name), uint32(nameEnd), nameFlags
		at.known, at.field = number, field
		place := after(number)
		kind := kinds[s[i]]
		at.kind = kind
		switch kind {
		case kindString:
			i, at.flags = stringEnd(s, i+1)
		case kindNull:
			i = wordEnd(s, i, "null")
		case kindNumber:
			i = numberEnd(s, i)
		case kindFalse:
			i = wordEnd(s, i, "false")
		case kindTrue:
			i = wordEnd(s, i, "true")
		case kindObject, kindArray:
			if depth == maxDepth {
				return broken
			}
			i++
			doc.open[depth] = uint32(n)
			depth++
			around = kind
			place = within(number)
		default:
			return broken
		}
		if i < 0 {
			return broken
		}
		at.end = uint32(i)
		n++
		i = afterSpace(s, i)
		if depth == 0 || isWithin(place) || !stands(s, i, ',') {
			for depth > 0 && stands(s, i, around+2) { // ']' is '[' + 2, '}' is '{' + 2
				i++
				depth--
				at := &nodes[doc.open[depth]]
				at.end, at.next = uint32(i), uint32(n)
				number = at.known
				place = after(number)
				around = nodes[doc.open[max(depth-1, 0)]].kind
				i = afterSpace(s, i)
			}
			switch {
			case depth == 0:
				doc.nodes = nodes[:n]
				if i != len(s) {
					return broken
				}
				return indexed
			case !isWithin(place) && !stands(s, i, ','):
				return broken
			}
		}
		if !isWithin(place) {
			i++
		}
		if around == kindObject {
			i = afterSpace(s, i)
			if k := names.guess(place); k.begins(s, i) {
				name, nameEnd = i+1, i+int(k.end)-1
				nameFlags, field, number = k.flags, k.field, k.number
				i += len(k.text)
				continue
			}
			end, m := names.scan(s, i, place, nodes[doc.open[depth-1]].known, doc.scratch)
			if end < 0 {
				return broken
			}
			i, name, nameEnd = end, m.start, m.end
			nameFlags, field, number = m.flags, m.field, m.known
		}
	}
}

// stands reports whether c stands at i.
func stands(s string, i int, c byte) bool { return i < len(s) && s[i] == c }
