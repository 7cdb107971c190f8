package firehose

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

// membersOf tells the members of an object and of what is in it.
func membersOf(v value) (list []string) {
	n := 0
	for field, m := range v.fields {
		list = append(list, fmt.Sprintf("%s=%s field %d", m.name(), m.raw(), field))
		n++
	}
	for key, m := range v.members {
		if m.name() != key {
			list = append(list, fmt.Sprintf("the name of %s is %s", key, m.name()))
		}
		list = append(list, membersOf(m)...)
	}
	for m := range v.elements {
		list = append(list, membersOf(m)...)
	}
	return list
}

// TestNames reads texts again and again with one document, which knows their names from the second time on, and with a fresh one.
func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 300)
	texts := []string{
		`{"id":1,"text":"a","user":{"id":2,"name":"b","lang":"ru"},"lang":"en"}`,
		`{"id":1,"user":{"id":2,"lang":"ru","name":"b"},"text":"a","lang":"en"}`,
		`{ "id" : 1 , "text": "a" , "user" :{"id":2} }`,
		`{"id":1,"ids":2,"i":3,"idx":{"id":4}}`,
		`{"\u0069d":1,"text":"a","\u0442":{"text":1}}`,
		`{"т":1,"id":[{"id":1,"text":2},{"id":3,"text":4},[{"id":5}],{}],"text":[[]]}`,
		`{"":1,"":{"":2},"id":{}}`,
		`{"` + long + `":1,"id":2,"` + long + `":{"id":3}}`,
		`[{"id":1},{"text":2,"id":1}]`,
	}
	used := decoder(t, stream.Twitter)
	for range 3 {
		for _, s := range texts {
			got, fault := used.document.parse(s)
			if fault != nil {
				t.Fatal(fault)
			}
			fresh := decoder(t, stream.Twitter)
			want, fault := fresh.document.parse(s)
			if fault != nil {
				t.Fatal(fault)
			}
			if diff := cmp.Diff(membersOf(want), membersOf(got)); diff != "" {
				t.Errorf("%s\n%s", s, diff)
			}
		}
	}
}

// TestNamesAreBounded feeds names without end: no more than maxNames are kept, and all members keep their fields.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	d := decoder(t, stream.Twitter)
	for i := range 10 {
		var b strings.Builder
		b.WriteString(`{"id":1`)
		for j := range maxNames / 3 * (i%3 + 1) {
			fmt.Fprintf(&b, `,"%d_%d":null`, i, j)
		}
		b.WriteString(`,"text":"a","user":{"id":2}}`)
		v, fault := d.document.parse(b.String())
		if fault != nil {
			t.Fatal(fault)
		}
		var status, user tweet
		status.read(v)
		user.read(status[theUser])
		if status[theID].raw() != "1" || status[theText].inner() != "a" || user[theID].raw() != "2" {
			t.Errorf("round %d: id %s, text %s, author %s", i, status[theID].raw(), status[theText].raw(), user[theID].raw())
		}
		if n := len(d.document.names.list); n > maxNames {
			t.Fatalf("%d names are kept", n)
		}
	}
}
