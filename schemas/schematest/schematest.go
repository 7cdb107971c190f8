// Package schematest checks JSON against the JSON Schemas of the folder schemas, in tests. It knows the part of JSON Schema that they use
// and fails on any other, so that no rule of theirs goes unchecked.
package schematest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Schema is a JSON Schema, or a part of one.
type Schema struct {
	file string
	root map[string]any
}

// Load reads a schema of this repository; file is its path from the folder of the test.
func Load(t testing.TB, file string) *Schema {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &Schema{file: file}
	if err := json.Unmarshal(text, &s.root); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

// Check returns what a JSON text does not keep of the schema, and which of its members the schema does not list; nil if nothing.
func (s *Schema) Check(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	return s.check("$", s.root, value)
}

// Examples returns the examples of the schema.
func (s *Schema) Examples(t testing.TB) [][]byte {
	t.Helper()
	list, _ := s.root["examples"].([]any)
	if len(list) == 0 {
		t.Fatalf("%s has no examples", s.file)
	}
	out := make([][]byte, len(list))
	for i := range list {
		text, err := json.Marshal(list[i])
		if err != nil {
			t.Fatal(err)
		}
		out[i] = text
	}
	return out
}

// Members returns the sorted names of the properties of the schema, or of one of its $defs.
func (s *Schema) Members(def string) []string {
	node := s.root
	if def != "" {
		defs, _ := s.root["$defs"].(map[string]any)
		node, _ = defs[def].(map[string]any)
	}
	properties, _ := node["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// as returns a value of the schema as what its keyword needs; a schema that is wrong there ends the test.
func as[T any](rule any) T {
	v, ok := rule.(T)
	if !ok {
		panic(fmt.Sprintf("schematest: %v is a %T", rule, rule))
	}
	return v
}

// notes are keywords that say nothing about values.
var notes = []string{"$schema", "$id", "$defs", "title", "description", "examples", "$comment"}

//nolint:gocognit // one case for each keyword
func (s *Schema) check(path string, node map[string]any, value any) error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(path+": "+format, args...)) }
	for _, keyword := range slices.Sorted(maps.Keys(node)) {
		rule := node[keyword]
		switch keyword {
		case "$ref":
			name, ok := strings.CutPrefix(as[string](rule), "#/$defs/")
			defs, _ := s.root["$defs"].(map[string]any)
			target, found := defs[name].(map[string]any)
			if !ok || !found {
				fault("the schema refers to %v, which is not there", rule)
				continue
			}
			errs = append(errs, s.check(path, target, value))
		case "type":
			if !isType(rule, value) {
				fault("%v is not of the type %v", value, rule)
			}
		case "enum":
			if !slices.ContainsFunc(as[[]any](rule), func(x any) bool { return reflect.DeepEqual(x, value) }) {
				fault("%v is none of %v", value, rule)
			}
		case "pattern", "minLength", "maxLength", "format":
			if text, ok := value.(string); ok {
				if err := checkText(keyword, rule, text); err != nil {
					fault("%v", err)
				}
			}
		case "minimum", "maximum":
			if n, ok := value.(float64); ok && (keyword == "minimum" && n < as[float64](rule) || keyword == "maximum" && n > as[float64](rule)) {
				fault("%v: %s is %v", n, keyword, rule)
			}
		case "required":
			if object, ok := value.(map[string]any); ok {
				for _, name := range as[[]any](rule) {
					if _, there := object[as[string](name)]; !there {
						fault("%v is missing", name)
					}
				}
			}
		case "properties":
			if object, ok := value.(map[string]any); ok {
				errs = append(errs, s.checkMembers(path, as[map[string]any](rule), object))
			}
		case "items":
			if list, ok := value.([]any); ok {
				for i := range list {
					errs = append(errs, s.check(fmt.Sprintf("%s[%d]", path, i), as[map[string]any](rule), list[i]))
				}
			}
		case "maxItems":
			if list, ok := value.([]any); ok && float64(len(list)) > as[float64](rule) {
				fault("%d items, at most %v", len(list), rule)
			}
		default:
			if !slices.Contains(notes, keyword) {
				fault("this package does not know the keyword %s: teach it", keyword)
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Schema) checkMembers(path string, properties, object map[string]any) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(object)) {
		property, listed := properties[name].(map[string]any)
		if !listed {
			errs = append(errs, fmt.Errorf("%s.%s is not in the schema", path, name))
			continue
		}
		errs = append(errs, s.check(path+"."+name, property, object[name]))
	}
	return errors.Join(errs...)
}

func isType(rule, value any) bool {
	if list, ok := rule.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return isType(one, value) })
	}
	switch v := value.(type) {
	case nil:
		return rule == "null"
	case bool:
		return rule == "boolean"
	case string:
		return rule == "string"
	case float64:
		return rule == "number" || rule == "integer" && v == math.Trunc(v)
	case []any:
		return rule == "array"
	case map[string]any:
		return rule == "object"
	}
	return false
}

func checkText(keyword string, rule any, text string) error {
	switch keyword {
	case "pattern":
		e, err := regexp.Compile(as[string](rule))
		if err != nil {
			return err
		}
		if !e.MatchString(text) {
			return fmt.Errorf("%q does not match %v", text, rule)
		}
	case "minLength", "maxLength":
		if n := float64(utf8.RuneCountInString(text)); keyword == "minLength" && n < as[float64](rule) || keyword == "maxLength" && n > as[float64](rule) {
			return fmt.Errorf("%q: %s is %v", text, keyword, rule)
		}
	case "format":
		if rule != "date-time" {
			return fmt.Errorf("this package does not know the format %v: teach it", rule)
		}
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("%q is no date-time", text)
		}
	}
	return nil
}
