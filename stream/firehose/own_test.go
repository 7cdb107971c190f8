package firehose

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream"
)

// TestOwn fills every string of an item, fields that are added later included, from memory that is overwritten after own.
func TestOwn(t *testing.T) {
	var memory []byte
	fill := func(item *stream.Item, letter byte) {
		item.Mentions = make([]stream.Account, 3)
		var visit func(v reflect.Value)
		n := 0
		visit = func(v reflect.Value) {
			switch v.Kind() {
			case reflect.String:
				if v.Type() == reflect.TypeFor[stream.Kind]() || v.Type() == reflect.TypeFor[stream.Platform]() {
					return // constants
				}
				if n++; n%5 != 0 { // some stay empty
					from := len(memory)
					memory = append(memory, strings.Repeat(string(rune(letter)), n)...)
					v.SetString(borrow(memory[from:]))
				}
			case reflect.Struct:
				for _, field := range v.Fields() {
					visit(field)
				}
			case reflect.Slice:
				for i := range v.Len() {
					visit(v.Index(i))
				}
			default:
			}
		}
		visit(reflect.ValueOf(item).Elem())
	}
	memory = make([]byte, 0, 1<<16)
	var want, got stream.Item
	fill(&want, 'a')
	fill(&got, 'a')
	own(&got)
	half := len(memory) / 2
	clear(memory[half:])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an item changes with the memory that it was made from:\n%s", diff)
	}
	var empty stream.Item
	if n := testing.AllocsPerRun(10, func() { own(&empty) }); n != 0 {
		t.Errorf("%v allocations for an item without strings", n)
	}
}

// TestScratch takes strings until the space has grown several times: none may change.
func TestScratch(t *testing.T) {
	var s scratch
	for round := range 3 {
		s.reset()
		var got, want []string
		for i := range 4000 {
			w := strings.Repeat(string(rune('a'+(i+round)%26)), i%97)
			want = append(want, w, w+":"+w)
			got = append(got, s.unescape(w), s.join(w, ":", w))
		}
		huge := strings.Repeat("я", keptScratch)
		want, got = append(want, huge), append(got, s.clean(huge+"\xff", len(huge)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	if s.reset(); cap(s.buf) > keptScratch {
		t.Errorf("%d bytes are kept", cap(s.buf))
	}
}
