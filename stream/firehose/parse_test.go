package firehose

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse compares parse and the readers of values with encoding/json: the same texts are valid, and strings, numbers
// and members read the same, but for what this package cleans.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, `true`, `-0`, `1.5e+10`, `01`, `1.`, `.5`, `"\u00e9\ud83d\ude00\ud83d"`, `"a` + "\x00" + `"`, "\"\xff\"", `{"a":[1,{"b":"\""}],"a":2}`,
		`[1,]`, `{"a":1,}`, `{"a" 1}`, `{1:2}`, `[1 2]`, `"\x"`, `"\u12"`, `nul`, ` { "a" : [ true , false ] } `, `{} {}`, `[[[[]]]]`, `{"a":{"b":{"c":[]}}}`, `"`, `{`, `]`, `[}`, `{"\ud800":"\\"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, fault := parse(s)
		valid := json.Valid([]byte(s))
		if fault != nil {
			if valid && fault.Reason != "too_deep" {
				t.Fatalf("%q is valid, but %v", s, fault)
			}
			if fault.Reason == "trailing_data" && valid {
				t.Fatalf("%q: %v", s, fault)
			}
			return
		}
		if !valid {
			t.Fatalf("%q is not valid", s)
		}
		compare(t, v)
	})
}

// compare checks what the readers of v give against encoding/json.
func compare(t *testing.T, v value) {
	t.Helper()
	var d Decoder
	switch {
	case v.quoted():
		var want string
		if err := json.Unmarshal([]byte(v.raw), &want); err != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(want, "\x00", "")
		got := d.text(v, 3*len(v.raw))
		if got != want {
			t.Fatalf("string %q read as %q, encoding/json says %q", v.raw, got, want)
		}
		if short := d.text(v, 5); len(short) > 5 || !strings.HasPrefix(want, short) || !utf8.ValidString(short) || len(want) > 5 && len(short) < 2 {
			t.Fatalf("string %q cut to %q", want, short)
		}
	case v.object():
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(v.raw), &want); err != nil {
			t.Fatal(err)
		}
		got := map[string]value{}
		for key, m := range v.members {
			got[key] = m
			compare(t, m)
		}
		for key, m := range want {
			if strings.Contains(key, "\x00") || len(key) > maxName {
				continue // cleaned keys may coincide
			}
			if g, ok := got[key]; utf8.ValidString(key) && !strings.Contains(key, "\ufffd") && (!ok || g.raw != string(m)) {
				t.Fatalf("member %q of %q read as %q, want %q", key, v.raw, g.raw, m)
			}
		}
	case v.array():
		var want []json.RawMessage
		if err := json.Unmarshal([]byte(v.raw), &want); err != nil {
			t.Fatal(err)
		}
		n := 0
		for m := range v.elements {
			if m.raw != string(want[n]) {
				t.Fatalf("element %d of %q read as %q, want %q", n, v.raw, m.raw, want[n])
			}
			compare(t, m)
			n++
		}
		if n != len(want) {
			t.Fatalf("%d elements of %q, want %d", n, v.raw, len(want))
		}
	}
}
