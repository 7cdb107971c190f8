package brand

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Parse reads a catalogue from YAML and validates it. Unknown and repeated keys are errors. Every fault is reported at
// once, joined, each a *Fault with line and column (see Faults); only a text that is not YAML at all ends at its first fault.
func Parse(data []byte) (*Catalogue, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		f := &Fault{Message: err.Error(), Hint: "the file is not valid YAML"}
		if ye, ok := errors.AsType[yaml.Error](err); ok {
			f.Message = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				f.Line, f.Column = t.Position.Line, t.Position.Column
			}
		}
		return nil, fmt.Errorf("parse catalogue: %w", f)
	}
	d := &decoder{at: map[string]*token.Position{}, anchors: map[string]ast.Node{}}
	c := &Catalogue{}
	switch {
	case len(file.Docs) > 1 && file.Docs[1].Body != nil:
		d.fault(file.Docs[1].Body, "", "a second document", "keep the whole catalogue in one document, without ---")
	case len(file.Docs) > 0 && file.Docs[0].Body != nil:
		d.decode(file.Docs[0].Body, reflect.ValueOf(c).Elem(), "")
	}
	v := &validator{}
	v.catalogue(c)
	for _, f := range v.faults {
		if !d.reported(f.Path) {
			f.Line, f.Column = d.position(f.Path)
			d.faults = append(d.faults, f)
		}
	}
	if len(d.faults) > 0 {
		return nil, fmt.Errorf("parse catalogue: %w", joinFaults(d.faults))
	}
	return c, nil
}

// decoder fills Go values from a YAML tree, remembers where every path stands, and goes on after a fault: the library's
// own strict decoding ends at the first.
type decoder struct {
	at      map[string]*token.Position
	anchors map[string]ast.Node
	depth   int
	faults  []*Fault
}

// maxDepth bounds the nesting of aliases that name themselves.
const maxDepth = 32

func (d *decoder) fault(n ast.Node, path, message, hint string) {
	f := &Fault{Path: path, Message: message, Hint: hint}
	if t := n.GetToken(); t != nil && t.Position != nil {
		f.Line, f.Column = t.Position.Line, t.Position.Column
	}
	d.faults = append(d.faults, f)
}

// reported reports whether a fault of the path, or of what it lies in, has been found already: a value that could not be
// read is empty, which is not its owner's second mistake.
func (d *decoder) reported(path string) bool {
	return slices.ContainsFunc(d.faults, func(f *Fault) bool { return f.Path != "" && strings.HasPrefix(path, f.Path) })
}

// position returns where the path, or the nearest owner of it that the text has, stands.
func (d *decoder) position(path string) (line, column int) {
	for path != "" {
		if p, ok := d.at[path]; ok {
			return p.Line, p.Column
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1, 1
}

func (d *decoder) decode(n ast.Node, v reflect.Value, path string) {
	if d.depth++; d.depth > maxDepth {
		d.fault(n, path, "is nested too deeply", "remove the alias that names itself")
		d.depth--
		return
	}
	defer func() { d.depth-- }()
	if t := n.GetToken(); t != nil && t.Position != nil {
		if _, ok := d.at[path]; !ok {
			d.at[path] = t.Position
		}
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		d.anchors[n.Name.GetToken().Value] = n.Value
		d.decode(n.Value, v, path)
		return
	case *ast.AliasNode:
		target, ok := d.anchors[n.Value.GetToken().Value]
		if !ok {
			d.fault(n, path, fmt.Sprintf("the anchor %q is not defined before", n.Value.GetToken().Value), "define it with &name")
			return
		}
		d.decode(target, v, path)
		return
	case *ast.TagNode:
		d.fault(n, path, "tags are not supported", "remove "+n.Start.Value)
		return
	case *ast.NullNode:
		return // as if absent
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		s, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fault(n, path, "expected a list, found "+kind(n), "write [a, b] or one \"- a\" per line")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
		for i, e := range s.Values {
			d.decode(e, v.Index(i), path+"["+strconv.Itoa(i)+"]")
		}
	default:
		d.scalar(n, v, path)
	}
}

// entries returns the entries of a mapping.
func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *decoder) fields(n ast.Node, v reflect.Value, path string) {
	values, ok := entries(n)
	if !ok {
		d.fault(n, path, "expected keys with values, found "+kind(n), "known keys are "+strings.Join(keys(v.Type()), ", "))
		return
	}
	names := keys(v.Type())
	for _, e := range values {
		key := e.Key.GetToken().Value
		i := slices.Index(names, key)
		if i < 0 {
			d.fault(e.Key, join(path, key), fmt.Sprintf("the key %q is not known", key), hint(key, names))
			continue
		}
		d.at[join(path, key)] = e.Key.GetToken().Position
		d.decode(e.Value, v.Field(i), join(path, key))
	}
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	values, ok := entries(n)
	if !ok {
		d.fault(n, path, "expected keys with values, found "+kind(n), "write key: value, one per line")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range values {
		key := e.Key.GetToken().Value
		d.at[join(path, key)] = e.Key.GetToken().Position
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(e.Value, value, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) {
	var text string
	switch n := n.(type) {
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.StringNode:
		text = n.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text = n.GetToken().Value
	default:
		d.fault(n, path, "expected one value, found "+kind(n), "")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fault(n, path, fmt.Sprintf("expected true or false, found %q", text), "")
			return
		}
		v.SetBool(b.Value)
	case reflect.Uint8:
		u, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			d.fault(n, path, fmt.Sprintf("expected a small whole number, found %q", text), "")
			return
		}
		v.SetUint(u)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			d.fault(n, path, fmt.Sprintf("expected a number, found %q", text), "")
			return
		}
		v.SetFloat(x)
	default:
		panic("brand: a catalogue field of the kind " + v.Kind().String())
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keys returns the YAML keys of a struct in the order of its fields.
func keys(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("yaml")
	}
	return names
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	}
	if t := n.GetToken(); t != nil {
		return fmt.Sprintf("%.40q", t.Value) // a wrong file may be one long text
	}
	return n.Type().String()
}

// hint names the known key that is nearest to a misspelt one, or all of them.
func hint(key string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := distance(key, k); n < least {
			best, least = k, n
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "known keys are " + strings.Join(known, ", ")
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
