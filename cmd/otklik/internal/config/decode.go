package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Size is a number of bytes; in YAML a number with a unit such as 8MiB or 512kB.
type Size int64

// String returns the size with a binary unit, as UnmarshalText reads it.
func (s Size) String() string {
	if s < 0 {
		return fmt.Sprintf("%d B", int64(s))
	}
	return humanize.IBytes(uint64(s))
}

// UnmarshalText reads "8MiB", "512 kB" or a plain number of bytes.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is not a number of bytes; write a number with a unit, for example 8MiB", text)
	}
	*s = Size(n)
	return nil
}

// block is YAML that another package decodes: the lines below a key, at their own place in the file.
type block struct{ node ast.Node }

// decoder decodes a document into a struct. Unlike the library's own strict mode, which stops at the first fault, it goes on
// and reports all of them; and it remembers where every key stands, for the faults that validation finds later.
type decoder struct {
	file    string
	faults  []*Fault
	places  map[string]*token.Token // path → the key's or element's token
	anchors map[string]ast.Node
}

// decode reads the document in data into the struct that dst points to. What is not mentioned keeps its value.
func (d *decoder) decode(data []byte, dst any) {
	d.places = make(map[string]*token.Token)
	d.anchors = make(map[string]ast.Node)
	doc, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // reported below, with all others
	if err != nil {
		d.syntax(err)
		return
	}
	var body ast.Node
	for _, doc := range doc.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.fault(doc.Body.GetToken(), "", "a second document", "keep one document in the file and remove the line ---")
			return
		}
		body = doc.Body
	}
	if body != nil {
		d.value(body, reflect.ValueOf(dst).Elem(), "")
	}
}

// syntax reports an error of the YAML parser.
func (d *decoder) syntax(err error) {
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		d.fault(syntax.GetToken(), "", "not valid YAML: "+syntax.GetMessage(),
			"check the indentation (spaces, never tabs) and the quotes around this line")
		return
	}
	d.faults = append(d.faults, &Fault{File: d.file, Message: "not valid YAML: " + err.Error()})
}

func (d *decoder) fault(at *token.Token, path, message, hint string) {
	f := &Fault{File: d.file, Path: path, Message: message, Hint: hint}
	if at != nil && at.Position != nil {
		f.Line, f.Column = at.Position.Line, at.Position.Column
	}
	d.faults = append(d.faults, f)
}

// at reports a fault found by validation: at the key, else at the nearest section around it that the file has.
func (d *decoder) at(path, message, hint string) {
	for near := path; near != ""; near = parent(near) {
		if tk, ok := d.places[near]; ok {
			d.fault(tk, path, message, hint)
			return
		}
	}
	d.fault(nil, path, message, hint)
}

// parent cuts the last element off a path such as kafka.brokers[0].
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// resolve strips anchors, aliases and tags.
func (d *decoder) resolve(node ast.Node, path string) (ast.Node, bool) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		d.anchors[n.Name.String()] = n.Value
		return d.resolve(n.Value, path)
	case *ast.AliasNode:
		target, ok := d.anchors[n.Value.String()]
		if !ok {
			d.fault(n.GetToken(), path, fmt.Sprintf("no anchor &%s above this alias", n.Value), "write the value out")
			return nil, false
		}
		return d.resolve(target, path)
	case *ast.TagNode:
		d.fault(n.GetToken(), path, fmt.Sprintf("the tag %s has no meaning here", n.Start.Value), "remove it")
		return nil, false
	}
	return node, true
}

var (
	durationType        = reflect.TypeFor[time.Duration]()
	blockType           = reflect.TypeFor[block]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	bytesUnmarshaler    = reflect.TypeFor[yaml.BytesUnmarshaler]()
	ifaceUnmarshaler    = reflect.TypeFor[yaml.InterfaceUnmarshaler]()
)

// value decodes one node into dst.
func (d *decoder) value(node ast.Node, dst reflect.Value, path string) {
	node, ok := d.resolve(node, path)
	if !ok {
		return
	}
	t := dst.Type()
	switch {
	case t == blockType:
		dst.Set(reflect.ValueOf(block{node: node}))
		return
	case t == durationType:
		d.duration(node, dst, path)
		return
	case customDecoding(t):
		d.leaf(node, dst, path)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		if node.Type() == ast.NullType { // a section whose keys are all commented out
			return
		}
		d.fields(node, dst, path)
	case reflect.Map:
		d.entries(node, dst, path)
	case reflect.Slice:
		d.elements(node, dst, path)
	default:
		d.leaf(node, dst, path)
	}
}

func customDecoding(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(textUnmarshalerType) || p.Implements(bytesUnmarshaler) || p.Implements(ifaceUnmarshaler)
}

// field is a key of a struct.
type field struct {
	name  string
	index []int
}

// fieldsOf returns the keys of a struct in order; fields tagged ",inline" contribute theirs.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case options == "inline":
			for _, sub := range fieldsOf(f.Type) {
				out = append(out, field{sub.name, append(append([]int(nil), f.Index...), sub.index...)})
			}
		case name == "":
			out = append(out, field{strings.ToLower(f.Name), f.Index}) // the library's own rule
		default:
			out = append(out, field{name, f.Index})
		}
	}
	return out
}

// pairs returns the entries of a mapping, or reports that the node is none.
func (d *decoder) pairs(node ast.Node, path string) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	what := "a section with keys, not " + kindOf(node)
	d.fault(node.GetToken(), path, "expected "+what, "write its keys indented below it, each as key: value")
	return nil
}

// fields decodes a mapping into a struct.
func (d *decoder) fields(node ast.Node, dst reflect.Value, path string) {
	fields := fieldsOf(dst.Type())
	seen := make(map[string]bool)
	for _, pair := range d.pairs(node, path) {
		key, ok := d.key(pair, path, seen)
		if !ok {
			continue
		}
		sub := within(path, key)
		known := false
		for _, f := range fields {
			if f.name == key {
				d.value(pair.Value, dst.FieldByIndex(f.index), sub)
				known = true
				break
			}
		}
		if !known {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			d.fault(pair.Key.GetToken(), sub, "unknown key", unknownHint(key, names))
		}
	}
}

// key returns the key of an entry and remembers its place. Repeated keys are faults, and so are merges (<<: *anchor): which of
// two values wins is easily misread.
func (d *decoder) key(pair *ast.MappingValueNode, path string, seen map[string]bool) (string, bool) {
	if pair.Key.IsMergeKey() {
		d.fault(pair.Key.GetToken(), path, "merge keys are not supported", "write the keys out")
		return "", false
	}
	key := pair.Key.GetToken().Value
	if s, ok := pair.Key.(*ast.StringNode); ok {
		key = s.Value
	}
	sub := within(path, key)
	if seen[key] {
		d.fault(pair.Key.GetToken(), sub, fmt.Sprintf("the key stands twice, first in line %d", d.places[sub].Position.Line), "keep one of the two")
		return "", false
	}
	seen[key] = true
	d.places[sub] = pair.Key.GetToken()
	return key, true
}

// within appends a key to a path.
func within(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unknownHint says what may have been meant by an unknown key.
func unknownHint(key string, known []string) string {
	for _, secret := range []string{"password", "author_key", "token"} {
		if key == secret {
			return fmt.Sprintf("secrets do not belong into the configuration: name an environment variable in %[1]s_env or a file in %[1]s_file", secret)
		}
	}
	best, distance := nearest(key, known)
	if distance <= max(2, len(key)/3) {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "the keys here are " + strings.Join(known, ", ")
}

// nearest returns the known word with the smallest edit distance.
func nearest(word string, known []string) (best string, distance int) {
	distance = 1 << 30
	for _, k := range known {
		if n := levenshtein.ComputeDistance(strings.ToLower(word), k); n < distance {
			best, distance = k, n
		}
	}
	return best, distance
}

// entries decodes a mapping into a map with string keys; entries that dst already has are kept unless they are named.
func (d *decoder) entries(node ast.Node, dst reflect.Value, path string) {
	t := dst.Type()
	pairs := d.pairs(node, path)
	if dst.IsNil() {
		dst.Set(reflect.MakeMapWithSize(t, len(pairs)))
	}
	seen := make(map[string]bool)
	for _, pair := range pairs {
		key, ok := d.key(pair, path, seen)
		if !ok {
			continue
		}
		sub := within(path, key)
		k := reflect.New(t.Key()).Elem()
		if customDecoding(t.Key()) || k.Kind() != reflect.String {
			before := len(d.faults)
			d.leaf(pair.Key, k, sub)
			if len(d.faults) > before {
				continue
			}
		} else {
			k.SetString(key)
		}
		v := reflect.New(t.Elem()).Elem()
		d.value(pair.Value, v, sub)
		dst.SetMapIndex(k, v)
	}
}

// elements decodes a sequence into a slice, which replaces the default.
func (d *decoder) elements(node ast.Node, dst reflect.Value, path string) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(node.GetToken(), path, "expected a list, not "+kindOf(node), "write it as [a, b] or with a dash before each element")
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(seq.Values), len(seq.Values))
	for i, element := range seq.Values {
		sub := fmt.Sprintf("%s[%d]", path, i)
		d.places[sub] = element.GetToken()
		d.value(element, out.Index(i), sub)
	}
	dst.Set(out)
}

// duration decodes "90s", "5m" or "48h". A bare number is refused: its unit would be a guess.
func (d *decoder) duration(node ast.Node, dst reflect.Value, path string) {
	text, ok := scalar(node)
	if !ok {
		d.fault(node.GetToken(), path, "expected a duration, not "+kindOf(node), "write a number with its unit, for example 90s, 5m or 48h")
		return
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		d.fault(node.GetToken(), path, fmt.Sprintf("%q is not a duration", text), "write a number with its unit, for example 90s, 5m or 48h")
		return
	}
	dst.SetInt(int64(span))
}

// leaf decodes a scalar with the library.
func (d *decoder) leaf(node ast.Node, dst reflect.Value, path string) {
	if node.Type() == ast.NullType {
		d.fault(node.GetToken(), path, "empty value", "give it a value, or remove the key to take the default")
		return
	}
	t := dst.Type()
	if !fits(node, t) && !customDecoding(t) {
		d.fault(node.GetToken(), path, fmt.Sprintf("expected %s, not %s", expectation(t), kindOf(node)), "")
		return
	}
	if reflect.PointerTo(t).Implements(textUnmarshalerType) {
		d.text(node, dst, path)
		return
	}
	if err := yaml.NodeToValue(node, dst.Addr().Interface()); err != nil {
		if _, typed := errors.AsType[yaml.Error](err); typed && !customDecoding(t) {
			d.fault(node.GetToken(), path, fmt.Sprintf("expected %s, not %s", expectation(t), kindOf(node)), "")
			return
		}
		d.fault(node.GetToken(), path, err.Error(), "")
	}
}

// fits reports whether a node can be a value of a type. The library alone would cut 1.5 down to 1 and read "8" as a number.
func fits(node ast.Node, t reflect.Type) bool {
	_, ok := scalar(node)
	switch t.Kind() {
	case reflect.Bool:
		return node.Type() == ast.BoolType
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return node.Type() == ast.IntegerType
	case reflect.Float32, reflect.Float64:
		return node.Type() == ast.IntegerType || node.Type() == ast.FloatType
	default:
		return ok
	}
}

// text decodes a scalar through its own UnmarshalText.
func (d *decoder) text(node ast.Node, dst reflect.Value, path string) {
	text, ok := scalar(node)
	if !ok {
		d.fault(node.GetToken(), path, "expected a single value, not "+kindOf(node), "")
		return
	}
	unmarshaler, ok := reflect.TypeAssert[encoding.TextUnmarshaler](dst.Addr())
	if !ok {
		panic(fmt.Sprintf("config: %s does not unmarshal text", dst.Type()))
	}
	if err := unmarshaler.UnmarshalText([]byte(text)); err != nil {
		message, hint, _ := strings.Cut(err.Error(), "; ")
		d.fault(node.GetToken(), path, message, hint)
	}
}

// scalar returns the text of a scalar node.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// kindOf names the kind of a node for a person. It never shows the value: it may be a secret at the wrong place.
func kindOf(node ast.Node) string {
	switch node.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a section"
	case ast.SequenceType:
		return "a list"
	case ast.NullType:
		return "nothing"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType:
		return "a whole number"
	case ast.FloatType:
		return "a fraction"
	case ast.InfinityType:
		return "infinity"
	case ast.NanType:
		return ".nan"
	default:
		return "a text"
	}
}

// expectation names what a type takes.
func expectation(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a text"
	}
}
