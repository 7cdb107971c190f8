package firehose

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"otklik/stream"
)

// FuzzParse compares parse and the readers of values with encoding/json: the same texts are valid, and strings, numbers
// and members read the same, but for what this package cleans. A document that is too large for an index must read the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, `true`, `-0`, `1.5e+10`, `01`, `1.`, `.5`, `-`, `1e`, `1E-`, `"\u00e9\ud83d\ude00\ud83d"`, `"a` + "\x00" + `"`, "\"\xff\"", `{"a":[1,{"b":"\""}],"a":2}`,
		`[1,]`, `[,1]`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{1:2}`, `[1 2]`, `"\x"`, `"\u12"`, `"\u12g4"`, `nul`, `nulll`, ` { "a" : [ true , false ] } `, `{} {}`, `[[[[]]]]`, `{"a":{"b":{"c":[]}}}`,
		`"`, `{`, `]`, `[}`, `{]`, `{"\ud800":"\\"}`, `{"\u0061":1,"\u0061b":"\u044b \u044b"}`, `["12345678","1234567","123456\n","1234567` + "\x1f" + `","1234567é"]`, `"\`, `"\u`, "\"12345678\x7f\"",
	} {
		f.Add(s)
	}
	d := decoder(f, stream.Twitter)
	f.Fuzz(func(t *testing.T, s string) {
		v, fault := d.document.parse(s)
		valid := json.Valid([]byte(s))
		if gjson.Valid(s) != valid {
			t.Logf("%q: gjson and encoding/json disagree", s)
		}
		fresh := decoder(t, stream.Twitter)
		fromNothing, faultFromNothing := fresh.document.parse(s)
		if (fault == nil) != (faultFromNothing == nil) || fault != nil && *fault != *faultFromNothing {
			t.Fatalf("%q: %v, but without names that were met before %v", s, fault, faultFromNothing)
		}
		large, faultOfLarge := d.payload.parseWithin(s, 2)
		if (fault == nil) != (faultOfLarge == nil) || fault != nil && *fault != *faultOfLarge {
			t.Fatalf("%q: %v, but without an index %v", s, fault, faultOfLarge)
		}
		if fault != nil {
			if valid && fault.Reason != "too_deep" {
				t.Fatalf("%q is valid, but %v", s, fault)
			}
			return
		}
		if !valid {
			t.Fatalf("%q is not valid", s)
		}
		compare(t, d, v)
		compare(t, d, large)
		var want []string
		walked(v, func(at string) { want = append(want, at) })
		for what, other := range map[string]value{"without an index": large, "without names that were met before": fromNothing} {
			n := 0
			walked(other, func(at string) {
				if n >= len(want) || want[n] != at {
					t.Fatalf("%q %s: %s is number %d of %q", s, what, at, n, want)
				}
				n++
			})
			if n < len(want) {
				t.Fatalf("%q %s ends before %q", s, what, want[n:])
			}
		}
		d.scratch.reset()
	})
}

// walked tells what the readers give of v and of everything in it.
func walked(v value, yield func(at string)) {
	n, whole := v.integer()
	yield(fmt.Sprintf("%q %q %q %t%t%t %t %d %t", v.raw(), v.inner(), v.id(), v.filled(), v.yes(), v.stated(), v.is("a"), n, whole))
	var spread tweet
	spread.read(v)
	for key, m := range v.members {
		field := fieldsOfTwitter[key]
		yield(fmt.Sprintf("%q %q %d %t:", key, m.name(), field, field != 0 && spread[field].raw() == m.raw()))
		walked(m, yield)
	}
	for field, m := range v.fields {
		yield(fmt.Sprint(field, m.raw()))
	}
	for m := range v.elements {
		walked(m, yield)
	}
}

// compare checks what the readers of v give against encoding/json.
func compare(t *testing.T, d *Decoder, v value) {
	t.Helper()
	switch {
	case v.quoted():
		var want string
		if err := json.Unmarshal([]byte(v.raw()), &want); err != nil {
			t.Fatal(err)
		}
		want = strings.ReplaceAll(want, "\x00", "")
		got := d.text(v, 3*len(v.raw()))
		if got != want {
			t.Fatalf("string %q read as %q, encoding/json says %q", v.raw(), got, want)
		}
		if short := d.text(v, 5); len(short) > 5 || !strings.HasPrefix(want, short) || !utf8.ValidString(short) || len(want) > 5 && len(short) < 2 {
			t.Fatalf("string %q cut to %q", want, short)
		}
	case v.object():
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(v.raw()), &want); err != nil {
			t.Fatal(err)
		}
		got := map[string]value{}
		for key, m := range v.members {
			got[key] = m
			compare(t, d, m)
		}
		for key, m := range want {
			if strings.Contains(key, "\x00") || len(key) > maxName {
				continue // cleaned keys may coincide
			}
			if g, ok := got[key]; utf8.ValidString(key) && !strings.Contains(key, "\ufffd") && (!ok || g.raw() != string(m)) {
				t.Fatalf("member %q of %q read as %q, want %q", key, v.raw(), g.raw(), m)
			}
		}
	case v.array():
		var want []json.RawMessage
		if err := json.Unmarshal([]byte(v.raw()), &want); err != nil {
			t.Fatal(err)
		}
		n := 0
		for m := range v.elements {
			if m.raw() != string(want[n]) {
				t.Fatalf("element %d of %q read as %q, want %q", n, v.raw(), m.raw(), want[n])
			}
			compare(t, d, m)
			n++
		}
		if n != len(want) {
			t.Fatalf("%d elements of %q, want %d", n, v.raw(), len(want))
		}
	}
}
