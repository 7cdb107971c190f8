package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"otklik/stream"
	"otklik/stream/window"
)

// schema compiles schemas/otklik.proto.
func schema(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"../../schemas"}}}
	files, err := compiler.Compile(context.Background(), "otklik.proto")
	if err != nil {
		t.Fatalf("compile schemas/otklik.proto: %v", err)
	}
	return files[0]
}

// reference sets the fields of a dynamic message by their names in the schema; zero values are left unset.
type reference struct{ *dynamicpb.Message }

func newReference(file protoreflect.FileDescriptor, name protoreflect.Name) reference {
	return reference{dynamicpb.NewMessage(file.Messages().ByName(name))}
}

func (r reference) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	f := r.Descriptor().Fields().ByName(name)
	if f == nil {
		panic(fmt.Sprintf("schemas/otklik.proto: %s has no field %s", r.Descriptor().Name(), name))
	}
	return f
}

func (r reference) set(name protoreflect.Name, value any) {
	f := r.field(name)
	var v protoreflect.Value
	switch x := value.(type) {
	case stream.Count:
		if !x.Known() {
			return
		}
		v = protoreflect.ValueOfUint64(uint64(x.Value()))
	case stream.Time:
		v = protoreflect.ValueOfInt64(int64(x))
	case stream.Account:
		if x == (stream.Account{}) {
			return
		}
		sub := reference{r.Mutable(f).Message().Interface().(*dynamicpb.Message)}
		sub.set("id", x.ID)
		sub.set("name", x.Name)
		return
	case protoreflect.EnumNumber:
		v = protoreflect.ValueOfEnum(x)
	case float32: // −0 is not the default, but equal to it
		if math.Float32bits(x) != 0 {
			r.Set(f, protoreflect.ValueOfFloat32(x))
		}
		return
	default:
		v = protoreflect.ValueOf(x)
	}
	if !f.HasPresence() && v.Equal(f.Default()) {
		return
	}
	r.Set(f, v)
}

func (r reference) setMention(m *stream.Mention) {
	i := &m.Item
	r.set("platform", string(i.Platform))
	r.set("kind", string(i.Kind))
	r.set("id", i.ID)
	r.set("origin_id", i.OriginID)
	r.set("author", i.Author)
	r.set("author_name", i.AuthorName)
	r.set("followers", i.Followers)
	r.set("community", i.Community)
	r.set("bot", i.Bot)
	r.set("published_at", i.PublishedAt)
	r.set("edited_at", i.EditedAt)
	r.set("parent_id", i.ParentID)
	r.set("parent_at", i.ParentAt)
	r.set("parent_author", i.ParentAuthor)
	r.set("root_id", i.RootID)
	r.set("repost_of", i.RepostOf)
	r.set("repost_author", i.RepostAuthor)
	r.set("thread", i.Thread)
	r.set("paired", i.Paired)
	r.set("wall", i.Wall)
	for _, a := range i.Mentions {
		sub := reference{r.Mutable(r.field("mentions")).List().AppendMutable().Message().Interface().(*dynamicpb.Message)}
		sub.set("id", a.ID)
		sub.set("name", a.Name)
	}
	r.set("text", i.Text)
	r.set("lang", i.Lang)
	r.set("url", i.URL)
	r.set("likes", i.Likes)
	r.set("shares", i.Shares)
	r.set("views", i.Views)
	r.set("joined", i.Joined)
	r.set("members", i.Members)
	r.set("note", i.Note)
	r.set("brand", m.Brand)
	r.set("role", protoreflect.EnumNumber(m.Role))
	r.set("via", uint32(m.Via))
	r.set("flags", uint32(m.Flags))
	r.set("label", protoreflect.EnumNumber(m.Label))
	r.set("positive", m.Scores.Positive)
	r.set("neutral", m.Scores.Neutral)
	r.set("negative", m.Scores.Negative)
	r.set("model", m.Model)
	for _, p := range m.Products {
		r.Mutable(r.field("products")).List().Append(protoreflect.ValueOfString(p))
	}
	r.set("severity", uint32(m.Severity))
	r.set("customer", m.Customer)
	if m.Source != (stream.Source{}) {
		sub := reference{r.Mutable(r.field("source")).Message().Interface().(*dynamicpb.Message)}
		sub.set("topic", m.Source.Partition.Topic)
		sub.set("partition", m.Source.Partition.Number)
		sub.set("offset", m.Source.Offset)
		sub.set("index", m.Source.Index)
	}
	r.set("received_at", m.ReceivedAt)
	r.set("erased", m.Erased)
	if m.Corrects != nil {
		sub := reference{r.Mutable(r.field("corrects")).Message().Interface().(*dynamicpb.Message)}
		sub.set("label", protoreflect.EnumNumber(m.Corrects.Label))
		sub.set("by", m.Corrects.By)
		sub.set("at", m.Corrects.At)
		sub.set("note", m.Corrects.Note)
	}
	for _, rule := range m.Violations {
		r.Mutable(r.field("violations")).List().Append(protoreflect.ValueOfString(rule))
	}
	r.set("excerpt", m.Excerpt)
	if m.Claim != nil {
		sub := reference{r.Mutable(r.field("claim")).Message().Interface().(*dynamicpb.Message)}
		sub.set("state", protoreflect.EnumNumber(m.Claim.State))
		sub.set("by", m.Claim.By)
		sub.set("at", m.Claim.At)
		sub.set("note", m.Claim.Note)
	}
}

func (r reference) setPane(p *window.Pane) {
	r.set("grain", protoreflect.EnumNumber(p.Grain))
	r.set("start", p.Start)
	r.set("brand", p.Brand)
	r.set("platform", string(p.Platform))
	r.set("product", p.Product)
	r.set("partition", p.Partition)
	r.set("position", uint64(p.Position))
	r.set("final", p.Final)
	c := &p.Counts
	for name, n := range map[protoreflect.Name]int64{
		"positive": c.Positive, "neutral": c.Neutral, "negative": c.Negative, "unlabelled": c.Unlabelled, "own": c.Own,
		"spam": c.Spam, "reposts": c.Reposts, "questions": c.Questions, "complaints": c.Complaints, "severe": c.Severe,
		"advocacy": c.Advocacy, "needs_answer": c.NeedsAnswer, "audience": c.Audience, "likes": c.Likes,
		"shares": c.Shares, "views": c.Views, "requests": c.Requests, "answered": c.Answered,
	} {
		r.set(name, n)
	}
	for _, seconds := range p.Responses {
		r.Mutable(r.field("responses")).List().Append(protoreflect.ValueOfFloat64(seconds))
	}
}

// agree checks that ours is what the schema's own encoder writes for ref, byte by byte.
func agree(t *testing.T, ref reference, ours []byte) {
	t.Helper()
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(ref)
	if err != nil {
		t.Fatalf("reference encoder: %v", err)
	}
	if !bytes.Equal(ours, want) {
		got := dynamicpb.NewMessage(ref.Descriptor())
		if err := proto.Unmarshal(ours, got); err != nil {
			t.Fatalf("our bytes are not a %s: %v", ref.Descriptor().Name(), err)
		}
		t.Fatalf("bytes differ:\nours      %x\nreference %x\nours reads      %v\nreference reads %v", ours, want, got, ref)
	}
}

// random draws values of which a good part are zero or at a limit.
type random struct{ *rand.Rand }

func (r random) str() string {
	switch r.IntN(4) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("Связь пропала, LTE нет 📵 ", r.IntN(12))
	default:
		return fmt.Sprintf("%d", r.Int64())
	}
}

func (r random) int() int64 {
	switch r.IntN(5) {
	case 0:
		return 0
	case 1:
		return []int64{math.MaxInt64, math.MinInt64, -1, 1, 127, 128}[r.IntN(6)]
	default:
		return r.Int64() >> r.IntN(63)
	}
}

func (r random) count() stream.Count {
	if r.IntN(2) == 0 {
		return 0
	}
	return stream.CountOf(r.Int64() >> (1 + r.IntN(62)))
}

func (r random) bool() bool                { return r.IntN(2) == 0 }
func (r random) time() stream.Time         { return stream.Time(r.int()) }
func (r random) account() stream.Account   { return stream.Account{ID: r.str(), Name: r.str()} }
func (r random) position() stream.Position { return stream.Position(r.int()) }

func (r random) mention() stream.Mention {
	m := stream.Mention{
		Item: stream.Item{
			Platform: stream.Platform(r.str()), Kind: stream.Kind(r.str()), ID: r.str(), OriginID: r.str(),
			Author: r.account(), AuthorName: r.str(), Followers: r.count(), Community: r.bool(), Bot: r.bool(),
			PublishedAt: r.time(), EditedAt: r.time(), ParentID: r.str(), ParentAt: r.time(), ParentAuthor: r.account(),
			RootID: r.str(), RepostOf: r.str(), RepostAuthor: r.account(), Thread: r.str(), Paired: r.bool(),
			Wall: r.account(), Text: r.str(), Lang: r.str(), URL: r.str(), Likes: r.count(), Shares: r.count(),
			Views: r.count(), Joined: int32(r.int()), Members: r.count(), Note: r.str(),
		},
		Brand: r.str(), Role: stream.Role(r.IntN(3)), Via: stream.Via(r.int()), Flags: stream.Flags(r.int()),
		Label:  stream.Label(r.IntN(4)),
		Scores: stream.Scores{Positive: r.Float32(), Neutral: float32(r.IntN(2)), Negative: float32(math.Copysign(0, -1))},
		Model:  r.str(), Severity: uint8(r.int()), Customer: r.str(), ReceivedAt: r.time(), Erased: r.bool(),
		Excerpt: r.str(),
	}
	for range r.IntN(4) {
		m.Item.Mentions = append(m.Item.Mentions, r.account())
		m.Products = append(m.Products, r.str())
		m.Violations = append(m.Violations, r.str())
	}
	if r.bool() {
		m.Source = stream.Source{
			Partition: stream.Partition{Topic: r.str(), Number: int32(r.int())}, Offset: r.int(), Index: int32(r.int()),
		}
	}
	if r.IntN(4) == 0 {
		m.Corrects = &stream.Correction{Label: stream.Label(r.IntN(4)), By: r.str(), At: r.time(), Note: r.str()}
	}
	if r.IntN(4) == 0 {
		m.Claim = &stream.ClaimStatus{State: stream.ClaimState(r.IntN(7)), By: r.str(), At: r.time(), Note: r.str()}
	}
	return m
}

func (r random) pane() window.Pane {
	p := window.Pane{
		Key: window.Key{
			Grain: window.Grains[r.IntN(3)], Start: r.time(), Brand: r.str(), Platform: stream.Platform(r.str()), Product: r.str(),
		},
		Partition: int32(r.int()), Final: r.bool(), Position: r.position(),
	}
	for _, n := range counters(&p.Counts) {
		*n = r.int()
	}
	for range r.IntN(40) {
		p.Responses = append(p.Responses, r.ExpFloat64()*1000)
	}
	return p
}

func TestMentionIsTheSchemasMessage(t *testing.T) {
	file := schema(t)
	r := random{rand.New(rand.NewPCG(1, 2))}
	var got stream.Mention // reused: a parse must leave nothing of the one before
	for range 3000 {
		m := r.mention()
		ref := newReference(file, "Mention")
		ref.setMention(&m)
		ours := AppendMention([]byte("before"), &m)
		agree(t, ref, ours[len("before"):])
		if err := ParseMention(ours[len("before"):], &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatalf("mention changed on its way (-in +out):\n%s", diff)
		}
	}
	if n := file.Messages().ByName("Mention").Fields().Len(); n != 49 {
		t.Errorf("the message Mention has %d fields, this test knows 49: teach it the new ones", n)
	}
}

func TestPaneIsTheSchemasMessage(t *testing.T) {
	file := schema(t)
	r := random{rand.New(rand.NewPCG(3, 4))}
	for range 3000 {
		p := r.pane()
		ref := newReference(file, "Partial")
		inner := reference{ref.Mutable(ref.field("pane")).Message().Interface().(*dynamicpb.Message)}
		inner.setPane(&p)
		ours := AppendPane(nil, &p)
		agree(t, ref, ours)
		got, err := ParsePartial(ours)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Partial{Pane: &p}, got); diff != "" {
			t.Fatalf("pane changed on its way (-in +out):\n%s", diff)
		}
	}
}

func TestWatermarkIsTheSchemasMessage(t *testing.T) {
	file := schema(t)
	r := random{rand.New(rand.NewPCG(5, 6))}
	for range 500 {
		w := Watermark{Partition: int32(r.int()), Time: r.time(), Idle: r.bool(), Position: r.position()}
		ref := newReference(file, "Partial")
		inner := reference{ref.Mutable(ref.field("watermark")).Message().Interface().(*dynamicpb.Message)}
		inner.set("partition", w.Partition)
		inner.set("time", w.Time)
		inner.set("idle", w.Idle)
		inner.set("position", uint64(w.Position))
		ours := AppendWatermark(nil, &w)
		agree(t, ref, ours)
		got, err := ParsePartial(ours)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Partial{Watermark: &w}, got); diff != "" {
			t.Fatalf("watermark changed on its way (-in +out):\n%s", diff)
		}
	}
}

func TestEnumsAreTheSchemas(t *testing.T) {
	enums := schema(t).Enums()
	check := func(enum, value protoreflect.Name, number int) {
		t.Helper()
		v := enums.ByName(enum).Values().ByName(value)
		if v == nil || int(v.Number()) != number {
			t.Errorf("schemas/otklik.proto: %s is %v, want %d", value, v, number)
		}
	}
	for l := stream.Unlabelled; l <= stream.Negative; l++ {
		check("Label", protoreflect.Name("LABEL_"+strings.ToUpper(l.String())), int(l))
	}
	for role := stream.Customer; role <= stream.Spam; role++ {
		check("Role", protoreflect.Name("ROLE_"+strings.ToUpper(role.String())), int(role))
	}
	check("Grain", "GRAIN_MINUTE", int(window.Minute))
	check("Grain", "GRAIN_HOUR", int(window.Hour))
	check("Grain", "GRAIN_DAY", int(window.Day))
}

// typical is a mention as most are: a reply of some 200 Russian letters, 400 bytes.
func typical() stream.Mention {
	return stream.Mention{
		Item: stream.Item{
			Platform: stream.Twitter, Kind: stream.Comment, ID: "1327294610293481472",
			Author: stream.Account{ID: "2244994945", Name: "ivan_petrov"}, AuthorName: "Иван Петров",
			Followers: stream.CountOf(318), PublishedAt: 1605264000123,
			ParentID: "1327294000000000000", ParentAt: 1605263854610, ParentAuthor: stream.Account{ID: "38388003", Name: "ru_mts"},
			Thread: "twitter:1327290000000000000", Mentions: []stream.Account{{ID: "38388003", Name: "ru_mts"}},
			Text: strings.Repeat("Третий день нет связи в деревне, поддержка молчит. ", 4),
			Lang: "ru", URL: "https://twitter.com/ivan_petrov/status/1327294610293481472",
			Likes: stream.CountOf(3), Shares: stream.CountOf(0),
		},
		Brand: "mts", Via: stream.ViaText | stream.ViaReply, Flags: stream.Complaint | stream.NeedsAnswer,
		Label: stream.Negative, Scores: stream.Scores{Positive: 0.02, Neutral: 0.11, Negative: 0.87}, Model: "linear-1",
		Products: []string{"mobile"}, Severity: 1, Customer: "2244994945",
		Source:     stream.Source{Partition: stream.Partition{Topic: "firehose.twitter", Number: 3}, Offset: 1048576, Index: 0},
		ReceivedAt: 1605264003500,
	}
}

func TestReadersSkipWhatTheyDoNotKnow(t *testing.T) {
	m := typical()
	data := AppendMention(nil, &m)
	unknown := func(b []byte) []byte { // one field of each wire type under numbers that no version uses
		b = protowire.AppendTag(b, 1000, protowire.VarintType)
		b = protowire.AppendVarint(b, math.MaxUint64)
		b = protowire.AppendTag(b, 1001, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, 7)
		b = protowire.AppendTag(b, 1002, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, 7)
		b = protowire.AppendTag(b, 1003, protowire.BytesType)
		b = protowire.AppendString(b, "later")
		b = protowire.AppendTag(b, 1004, protowire.StartGroupType)
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, 1)
		b = protowire.AppendTag(b, 1004, protowire.EndGroupType)
		b = protowire.AppendTag(b, mentionBrand, protowire.VarintType) // a known number with a foreign type
		return protowire.AppendVarint(b, 1)
	}
	var got stream.Mention
	if err := ParseMention(unknown(append(unknown(nil), data...)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("unknown fields changed the mention (-want +got):\n%s", diff)
	}
	w := Watermark{Partition: 1, Time: 2, Position: 3}
	p, err := ParsePartial(append(unknown(nil), AppendWatermark(nil, &w)...))
	if err != nil || p.Watermark == nil || *p.Watermark != w {
		t.Errorf("watermark behind unknown fields: %v, %v", p.Watermark, err)
	}
}

// What recurs from message to message must not hold on to the message that it came with first.
func TestWordsAreNoPartsOfTheMessage(t *testing.T) {
	m := typical()
	data := AppendMention(nil, &m)
	var got stream.Mention
	if err := ParseMention(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Fatalf("mention changed on its way (-in +out):\n%s", diff)
	}
	clear(data)
	words := func(m *stream.Mention) []string {
		return append([]string{string(m.Item.Platform), string(m.Item.Kind), m.Item.Lang, m.Brand, m.Model, m.Source.Partition.Topic}, m.Products...)
	}
	if diff := cmp.Diff(words(&m), words(&got)); diff != "" {
		t.Errorf("words changed with the buffer that they were read from:\n%s", diff)
	}
}

// Cutting a message leaves whole fields or an error: the books of a reader must not depend on which.
func TestTruncation(t *testing.T) {
	m := typical()
	data := AppendMention(nil, &m)
	var got stream.Mention
	errs := 0
	for n := range data {
		if err := ParseMention(data[:n], &got); err != nil {
			errs++
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("cut at %d: %v does not wrap ErrMalformed", n, err)
			}
		}
	}
	if errs < len(data)*8/10 {
		t.Errorf("%d of %d cuts were noticed", errs, len(data))
	}
	p := random{rand.New(rand.NewPCG(7, 8))}.pane()
	data = AppendPane(nil, &p)
	for n := range data { // the envelope states its length, so that every cut shows
		if _, err := ParsePartial(data[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("pane cut at %d of %d: %v", n, len(data), err)
		}
	}
}

func TestMalformed(t *testing.T) {
	field := func(num protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
	}
	text := func(num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), s)
	}
	for name, data := range map[string][]byte{
		"unknown label":     field(mentionLabel, 4),
		"unknown role":      field(mentionRole, 3),
		"flags too wide":    field(mentionFlags, 1<<16),
		"count too large":   field(mentionLikes, math.MaxInt64),
		"account cut":       text(mentionAuthor, "\x0a\x05ab"),
		"source cut":        text(mentionSource, "\x10"),
		"field number zero": {0x00, 0x00},
		"end of no group":   {0x0c},
		"varint too long":   {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		t.Run(name, func(t *testing.T) {
			var m stream.Mention
			if err := ParseMention(data, &m); !errors.Is(err, ErrMalformed) {
				t.Errorf("ParseMention(%x) = %v", data, err)
			}
		})
	}
	for name, data := range map[string][]byte{
		"empty":                {},
		"neither":              field(9, 1),
		"unknown grain":        text(partialPane, string(field(paneGrain, 3))),
		"half a double":        text(partialPane, string(text(paneResponses, "1234"))),
		"negative waiting":     AppendPane(nil, &window.Pane{Responses: []float64{-1}}),
		"waiting not a number": AppendPane(nil, &window.Pane{Responses: []float64{math.NaN()}}),
		"endless waiting":      AppendPane(nil, &window.Pane{Responses: []float64{math.Inf(1)}}),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := ParsePartial(data); !errors.Is(err, ErrMalformed) {
				t.Errorf("ParsePartial(%x) = %v, %v", data, p, err)
			}
		})
	}
}

// The writer cleans what no protobuf string may hold, so that no reader of the topic stumbles over it.
func TestInvalidTextIsCleaned(t *testing.T) {
	m := stream.Mention{Item: stream.Item{Text: "нет \xd0 связи", Author: stream.Account{Name: "\xff"}}, Products: []string{"\xfe"}}
	var got stream.Mention
	if err := ParseMention(AppendMention(nil, &m), &got); err != nil {
		t.Fatal(err)
	}
	if got.Item.Text != "нет \uFFFD связи" || got.Item.Author.Name != "\uFFFD" || got.Products[0] != "\uFFFD" {
		t.Errorf("got %q, %q, %q", got.Item.Text, got.Item.Author.Name, got.Products)
	}
}

func TestAllocations(t *testing.T) {
	m := typical()
	buf := AppendMention(nil, &m)
	if n := testing.AllocsPerRun(100, func() { buf = AppendMention(buf[:0], &m) }); n != 0 {
		t.Errorf("AppendMention into a large enough buffer allocates %v times", n)
	}
	var got stream.Mention
	// One slice of accounts, one of products.
	if n := testing.AllocsPerRun(100, func() {
		if err := ParseMention(buf, &got); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("ParseMention allocates %v times, want at most 2", n)
	}
}

// Whatever is read without an error is written and read again as the same mention.
func FuzzParseMention(f *testing.F) {
	m := typical()
	f.Add(AppendMention(nil, &m))
	r := random{rand.New(rand.NewPCG(9, 10))}
	for range 8 {
		m = r.mention()
		f.Add(AppendMention(nil, &m))
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second stream.Mention
		if err := ParseMention(data, &first); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not wrap ErrMalformed", err)
			}
			return
		}
		again := AppendMention(nil, &first)
		if err := ParseMention(again, &second); err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if third := AppendMention(nil, &second); !bytes.Equal(again, third) {
			t.Fatalf("written twice, it differs:\n%x\n%x", again, third)
		}
	})
}

func FuzzParsePartial(f *testing.F) {
	r := random{rand.New(rand.NewPCG(11, 12))}
	for range 8 {
		p := r.pane()
		f.Add(AppendPane(nil, &p))
	}
	f.Add(AppendWatermark(nil, &Watermark{Partition: 1, Time: 2, Idle: true, Position: 4}))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := ParsePartial(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not wrap ErrMalformed", err)
			}
			return
		}
		var again []byte
		if first.Pane != nil {
			again = AppendPane(nil, first.Pane)
		} else {
			again = AppendWatermark(nil, first.Watermark)
		}
		second, err := ParsePartial(again)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if p := first.Pane; p != nil {
			if len(p.Responses) == 0 {
				p.Responses = nil // an empty packed list leaves an empty slice where nothing is written: the same list
			}
			p.Brand = strings.ToValidUTF8(p.Brand, "\uFFFD") // what the writer cleans
			p.Platform = stream.Platform(strings.ToValidUTF8(string(p.Platform), "\uFFFD"))
			p.Product = strings.ToValidUTF8(p.Product, "\uFFFD")
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("partial changed on its way:\n%s", diff)
		}
	})
}

func BenchmarkAppendMention(b *testing.B) {
	m := typical()
	buf := AppendMention(nil, &m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMention(buf[:0], &m)
	}
}

func BenchmarkParseMention(b *testing.B) {
	m := typical()
	buf := AppendMention(nil, &m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	var got stream.Mention
	p := NewMentionParser()
	for b.Loop() {
		if err := p.Parse(buf, &got); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPane(b *testing.B) {
	p := random{rand.New(rand.NewPCG(13, 14))}.pane()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendPane(buf[:0], &p)
		if _, err := ParsePartial(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMentionParserIsParseMention: parsed one after the other, messages are what each of them is alone, and stay so.
func TestMentionParserIsParseMention(t *testing.T) {
	r := random{rand.New(rand.NewPCG(21, 22))}
	p := NewMentionParser()
	const n = 600
	got, want := make([]stream.Mention, n), make([]stream.Mention, n)
	for i := range n {
		m := r.mention()
		data := AppendMention(nil, &m)
		if err := ParseMention(data, &want[i]); err != nil {
			t.Fatal(err)
		}
		if err := p.Parse(data, &got[i]); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			p.Forget()
		}
	}
	lists := 0
	for i := range n {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Fatalf("message %d:\n%s", i, diff)
		}
		lists += len(got[i].Products) + len(got[i].Item.Mentions)
	}
	if lists < n {
		t.Errorf("%d elements of lists in %d messages: too few to tell", lists, n)
	}
}
