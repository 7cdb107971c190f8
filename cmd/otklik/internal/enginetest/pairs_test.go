package enginetest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/stream"
	"otklik/stream/brand"
)

// collection is where real payloads lie, beside the repository. They are not part of it.
const collection = "../../../../../shared/data/firehose/"

// tweet is a status of the v1.1 stream.
type tweet struct {
	id       string
	at       stream.Time
	author   stream.Account
	text     string
	reply    string         // the status answered
	to       stream.Account // whom it answers
	mentions []stream.Account
	more     map[string]any // members that are added, or replace those of the fields above
}

func userOf(a stream.Account) map[string]any {
	u := map[string]any{"id_str": a.ID, "name": "Somebody", "screen_name": a.Name, "followers_count": 7}
	if n := json.Number(a.ID); a.ID != "" {
		u["id"] = n
	}
	return u
}

func mentionsOf(accounts []stream.Account) map[string]any {
	list := []any{}
	for _, a := range accounts {
		list = append(list, map[string]any{"screen_name": a.Name, "name": "Somebody", "id": json.Number(a.ID), "id_str": a.ID, "indices": []int{0, 1}})
	}
	return map[string]any{"hashtags": []any{}, "urls": []any{}, "user_mentions": list}
}

// members returns the status as the stream delivers it.
func (w *tweet) members() map[string]any {
	number := func(s string) any {
		if s == "" {
			return nil
		}
		return json.Number(s)
	}
	word := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	m := map[string]any{
		"created_at": w.at.Go().Format(time.RubyDate), "id": number(w.id), "id_str": w.id, "text": w.text, "truncated": false,
		"in_reply_to_status_id": number(w.reply), "in_reply_to_status_id_str": word(w.reply),
		"in_reply_to_user_id": number(w.to.ID), "in_reply_to_user_id_str": word(w.to.ID), "in_reply_to_screen_name": word(w.to.Name),
		"user": userOf(w.author), "entities": mentionsOf(w.mentions), "is_quote_status": false, "retweet_count": 0, "favorite_count": 0,
		"lang": "en", "timestamp_ms": strconv.FormatInt(int64(w.at), 10),
	}
	maps.Copy(m, w.more)
	return m
}

func (w *tweet) raw(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(w.members())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// snowflake returns an id that carries the time.
func snowflake(at stream.Time, sequence int) string {
	return strconv.FormatInt((int64(at)-1288834974657)<<22|int64(sequence&(1<<22-1)), 10)
}

// pair is an answer and the message that the platform says was answered.
type pair struct {
	brand                string
	request, response    string
	requested, responded stream.Time // 0: unknown
}

// String writes the pair as the table responses shows it.
func (p pair) String() string {
	at := func(t stream.Time) string {
		if t == 0 {
			return ""
		}
		return t.Go().Format("2006-01-02 15:04:05.000")
	}
	direct := ""
	if p.requested != 0 {
		direct = strconv.FormatInt(int64(max(0, p.responded-p.requested)), 10)
	}
	return strings.Join([]string{p.brand, p.request, at(p.requested), p.response, at(p.responded), direct}, "|")
}

// conversation is what a source of the test feeds and what must come out of it.
type conversation struct {
	records [][]byte
	pairs   []pair          // must come out
	only    map[string]bool // responses among which no others may come out
}

// catalogueOf makes brands of official accounts that are known by their screen names alone.
func catalogueOf(names ...string) *brand.Catalogue {
	c := &brand.Catalogue{}
	for _, name := range names {
		c.Brands = append(c.Brands, brand.Brand{
			Key: strings.ToLower(name), Name: name, Own: len(c.Brands) == 0, Aliases: []string{"@" + name},
			Accounts: map[stream.Platform][]brand.Account{stream.Twitter: {{Name: name, Approved: true}}},
		})
	}
	return c
}

// supportSample makes statuses of the sample of customer support conversations: as they were posted, with ids that carry
// their time, or with the small running numbers of the sample. Each lasts a different part of its second.
func supportSample(t *testing.T, small bool) (*conversation, []string) {
	t.Helper()
	f, err := os.Open(collection + "twcs/sample.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("without real conversations: %v", err)
		return &conversation{}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var names []string
	var order []string
	tweets := map[string]*tweet{}
	inbound := map[string]bool{}
	for _, row := range rows[1:] {
		cell := func(name string) string { return row[column[name]] }
		number := cell("tweet_id")
		at, err := time.Parse(time.RubyDate, cell("created_at"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		w := &tweet{id: number, at: stream.TimeOf(at), reply: cell("in_response_to_tweet_id"), text: cell("text")}
		inbound[number] = cell("inbound") == "True"
		if inbound[number] {
			w.author = stream.Account{ID: "5" + cell("author_id"), Name: cell("author_id")}
			if small {
				w.author.ID = "6" + cell("author_id")
			}
		} else {
			name := cell("author_id")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			w.author = stream.Account{ID: strconv.Itoa(900 + slices.Index(names, name)), Name: name}
		}
		if !small {
			w.at += stream.Time(n * 37 % 1000)
			w.id = snowflake(w.at, n)
		}
		order = append(order, number)
		tweets[number] = w
	}
	c := &conversation{only: map[string]bool{}}
	for _, number := range order {
		w := tweets[number]
		parent := tweets[w.reply]
		answered := w.reply
		if parent != nil {
			w.reply, w.to = parent.id, parent.author
		} else {
			w.reply = ""
		}
		for word := range strings.FieldsSeq(w.text) {
			handle := strings.TrimRight(strings.TrimPrefix(word, "@"), ".,:;!?'")
			for i, name := range names {
				if word[0] == '@' && strings.EqualFold(handle, name) {
					account := stream.Account{ID: strconv.Itoa(900 + i), Name: name}
					w.mentions = append(w.mentions, account)
					if strings.HasPrefix(w.text, word) && w.to == (stream.Account{}) {
						w.to = account
					}
				}
			}
		}
		if parent == nil || inbound[number] || !inbound[answered] {
			continue
		}
		brandKey := strings.ToLower(w.author.Name)
		names := strings.Contains(strings.ToLower(parent.text), "@"+brandKey)
		if up := tweets[parentNumber(rows, column, answered)]; up != nil && up.author.Name == w.author.Name {
			names = true // by its reply address
		}
		if p := (pair{brandKey, parent.id, w.id, parent.at, w.at}); names {
			c.pairs = append(c.pairs, p)
		} else if !small {
			c.pairs = append(c.pairs, p) // the id of the request carries its time
		}
	}
	for _, number := range order {
		c.records = append(c.records, tweets[number].raw(t))
	}
	if len(c.pairs) < 25 {
		t.Fatalf("the sample has %d pairs, which is too few: it has been read wrongly", len(c.pairs))
	}
	return c, names
}

// parentNumber returns the number of the row that the row of that number answers.
func parentNumber(rows [][]string, column map[string]int, number string) string {
	for _, row := range rows[1:] {
		if row[column["tweet_id"]] == number {
			return row[column["in_response_to_tweet_id"]]
		}
	}
	return ""
}

// airlineSample returns the real statuses of a stream that tracked airlines: one of them is an answer, to a request from before
// the stream began.
func airlineSample(t *testing.T) *conversation {
	t.Helper()
	b, err := os.ReadFile(collection + "twitter/v1_stream_airlines.jsonl")
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("without a real stream: %v", err)
		return &conversation{}
	}
	if err != nil {
		t.Fatal(err)
	}
	return &conversation{
		records: bytes.Split(bytes.TrimSpace(b), []byte("\n")),
		pairs: []pair{{
			brand: "british_airways", request: "1131112783012073472", requested: 1131112783012073472>>22 + 1288834974657,
			response: "1131173353291767810", responded: 1558527718266,
		}},
		only: map[string]bool{"1131173353291767810": true},
	}
}

// The accounts of madeUp. The catalogue knows the brands by their names alone.
var (
	north, south = stream.Account{ID: "111", Name: "NorthAir"}, stream.Account{ID: "222", Name: "SouthAir"}
	northCare    = stream.Account{ID: "333", Name: "NorthAirCare"}
)

// madeUp returns a conversation for every way in which requests and answers come from a filter stream. Every answer stands one
// minute and 250 milliseconds after its request.
func madeUp(t *testing.T) *conversation {
	t.Helper()
	c := &conversation{only: map[string]bool{}}
	at := stream.TimeOf(time.Date(2019, 6, 1, 12, 0, 0, 0, time.UTC))
	n := 0
	next := func(author stream.Account, text string) *tweet {
		n++
		at += 60_250
		return &tweet{id: snowflake(at, n), at: at, author: author, text: text}
	}
	customer := func() stream.Account {
		n++
		return stream.Account{ID: strconv.Itoa(70_000 + n), Name: "customer_" + strconv.Itoa(n)}
	}
	answer := func(w *tweet, by stream.Account) *tweet {
		a := next(by, "@"+w.author.Name+" Sorry to hear that, please send us your booking reference.")
		a.reply, a.to, a.mentions = w.id, w.author, []stream.Account{w.author}
		return a
	}
	directed := func(text string, to ...stream.Account) *tweet {
		w := next(customer(), text)
		w.mentions = to
		return w
	}
	feed := func(tweets ...*tweet) {
		for _, w := range tweets {
			c.records = append(c.records, w.raw(t))
			c.only[w.id] = true
		}
	}
	expect := func(key string, w, a *tweet) {
		c.pairs = append(c.pairs, pair{key, w.id, a.id, w.at, a.at})
	}

	// Answered in order; and the answer delivered first.
	q := directed("@NorthAir where is my bag?", north)
	q.to = north
	a := answer(q, north)
	feed(q, a)
	expect("north", q, a)
	q = directed("Hey @northair, my flight is late again", north)
	a = answer(q, north)
	feed(a, q)
	expect("north", q, a)

	// Never delivered: its time is in its id. Answered by a second account of the brand.
	q = directed("@NorthAir still waiting", north)
	a = answer(q, northCare)
	feed(a)
	expect("north", q, a)

	// The brand is named by the reply address alone; or by the id of the reply address and the text.
	q = directed("still nothing")
	q.to, q.reply = north, snowflake(at-3_600_000, 1)
	q.more = map[string]any{"display_text_range": []int{10, 23}}
	a = answer(q, north)
	feed(q, a)
	expect("north", q, a)
	q = directed("@NorthAir nobody picks up the phone")
	q.to = stream.Account{ID: north.ID}
	a = answer(q, north)
	a.to.Name = ""
	feed(q, a)
	expect("north", q, a)

	// Truncated: the brand stands in the extended part alone.
	q = directed("This is the third time in a row that a flight from this place has been cancelled without…")
	q.more = map[string]any{"truncated": true, "extended_tweet": map[string]any{
		"full_text":          "This is the third time in a row that a flight from this place has been cancelled without a word, and nobody to speak to. Thank you for nothing @NorthAir",
		"display_text_range": []int{0, 151}, "entities": mentionsOf([]stream.Account{north}),
	}}
	a = answer(q, north)
	a.more = map[string]any{"truncated": true, "extended_tweet": map[string]any{
		"full_text": a.text + " We will look into it at once.", "display_text_range": []int{13, 90}, "entities": mentionsOf(a.mentions),
	}}
	feed(q, a)
	expect("north", q, a)

	// Two brands are named: one answers, then the other. The answers are each of one brand.
	q = directed("@NorthAir or @SouthAir, which of you lost it?", north, south)
	a, b := answer(q, north), answer(q, south)
	feed(b, q, a)
	expect("north", q, a)
	expect("south", q, b)

	// Quotes: of the brand's post, which names the brand in the quoted part alone, and of another customer's.
	offer := next(north, "New destinations this summer")
	q = directed("and when will the old ones be on time?")
	q.more = map[string]any{"is_quote_status": true, "quoted_status_id_str": offer.id, "quoted_status": offer.members()}
	a = answer(q, north)
	feed(offer, q, a)
	expect("north", q, a)
	other := directed("@SouthAir is great", south)
	q = directed("@NorthAir why are you not like this?", north)
	q.more = map[string]any{"is_quote_status": true, "quoted_status_id_str": other.id, "quoted_status": other.members()}
	a = answer(q, north)
	a.more = map[string]any{"is_quote_status": true, "quoted_status": offer.members()}
	feed(q, other, a)
	expect("north", q, a)

	// Retweets, of the request, of the answer and by the brand, are neither requests nor answers.
	q = directed("@NorthAir my seat is broken", north)
	a = answer(q, north)
	retweet := func(w *tweet, by stream.Account) *tweet {
		r := next(by, "RT @"+w.author.Name+": "+w.text)
		r.mentions = append([]stream.Account{w.author}, w.mentions...)
		r.more = map[string]any{"retweeted_status": w.members()}
		return r
	}
	feed(retweet(q, customer()), retweet(a, customer()), q, a, retweet(q, north))
	expect("north", q, a)

	// A customer says three things; the second is answered by name, then the first. A stranger joins and is answered too.
	first := directed("@NorthAir where is my bag?", north)
	second, third := next(first.author, "@NorthAir hello?"), next(first.author, "@NorthAir anybody there?")
	second.mentions, third.mentions = first.mentions, first.mentions
	second.reply, second.to = first.id, first.author
	joined := next(customer(), "@"+first.author.Name+" @NorthAir same here!")
	joined.reply, joined.to, joined.mentions = first.id, first.author, []stream.Account{first.author, north}
	a1, a2, a3 := answer(second, north), answer(first, north), answer(joined, north)
	feed(third, a2, first, joined, a1, second, a3)
	expect("north", second, a1)
	expect("north", first, a2)
	expect("north", joined, a3)

	// The brand goes on with its own answer, and with its own post: what it says to itself answers no request.
	q = directed("@NorthAir how much is a second bag?", north)
	a = answer(q, north)
	part := next(north, "@"+q.author.Name+" (2/2) and for members it is free.")
	part.reply, part.to, part.mentions = a.id, north, []stream.Account{q.author}
	more := next(north, "and even more destinations")
	more.reply, more.to = offer.id, north
	feed(q, part, a, more)
	expect("north", q, a)

	// One brand answers the other, and a customer who has changed the screen name since.
	q = next(south, "@NorthAir well done!")
	q.mentions = []stream.Account{north}
	a = answer(q, north)
	feed(q, a)
	expect("north", q, a)
	q = directed("@NorthAir thanks, and my refund?", north)
	a = answer(q, north)
	a.to.Name = "somebody_new"
	feed(q, a)
	expect("north", q, a)
	// Both accounts of the brand answer the same request; the request names one of them in another case.
	q = directed("@NORTHAIRCARE help", northCare)
	a, b = answer(q, northCare), answer(q, north)
	feed(b, a, q)
	expect("north", q, a)
	expect("north", q, b)
	// The request says whom it is for by a number alone, which the catalogue does not have, so only the answer tells of it.
	q = directed("still nothing")
	q.to = stream.Account{ID: north.ID}
	a = answer(q, north)
	feed(q, a)
	expect("north", q, a)
	// The request's account is gone: the answer names the status alone.
	q = directed("@NorthAir goodbye", north)
	a = answer(q, north)
	a.to, a.mentions, a.text = stream.Account{}, nil, "Sorry to see you go."
	feed(q, a)
	expect("north", q, a)
	return c
}

// TestPairs feeds real conversations, and made-up ones for what a filter stream brings, in several orders of delivery, and finds
// every direct pair in the table responses, to the millisecond of its ids. Where the collection of real ones is absent, the made-up
// ones remain.
func TestPairs(t *testing.T) {
	t.Parallel()
	posted, names := supportSample(t, false)
	running, _ := supportSample(t, true)
	sources := []*conversation{posted, running, airlineSample(t), madeUp(t)}
	airlines := []string{"AmericanAir", "British_Airways", "easyJet", "KLM", "Lufthansa", "Ryanair", "AirFrance", "SingaporeAir", "Qantas", "EtihadAirways", "VirginAtlantic"}
	names = slices.Compact(slices.Sorted(slices.Values(append(airlines, names...))))
	catalogue := catalogueOf(names...)
	catalogue.Brands = append(catalogue.Brands,
		brand.Brand{Key: "north", Name: "North", Accounts: map[stream.Platform][]brand.Account{stream.Twitter: {
			{Name: north.Name, Approved: true}, {Name: northCare.Name, Approved: true},
		}}},
		brand.Brand{Key: "south", Name: "South", Accounts: map[stream.Platform][]brand.Account{stream.Twitter: {{Name: "@southair", Approved: true}}}},
	)
	for _, c := range []struct {
		name     string
		disorder time.Duration // 0: the default, so that most records are late
		order    func(records [][]byte) [][]byte
	}{
		{"as stated", 0, slices.Clone[[][]byte]},
		{"reversed within the disorder", 90 * 24 * time.Hour, func(records [][]byte) [][]byte {
			r := slices.Clone(records)
			slices.Reverse(r)
			return r
		}},
		{"shuffled", 0, func(records [][]byte) [][]byte { return shuffle(slices.Clone(records)) }},
		{"shuffled and each twice", 90 * 24 * time.Hour, func(records [][]byte) [][]byte { return shuffle(slices.Concat(records, records)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := enginetest.New(t, func(cfg *config.Config) {
				cfg.Brands = catalogue
				if c.disorder != 0 {
					cfg.Window.MaxDisorder = c.disorder
				}
			})
			feed, err := s.Engine(t, t.Context(), true).NewFeed(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, source := range sources {
				for _, raw := range c.order(source.records) {
					feed.Add(stream.Twitter, raw)
				}
				if err := feed.Send(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.Drain(t)
			checkPairs(t, s, sources)
		})
	}
}

// shuffle puts the records into an order of its own, which is the same every time.
func shuffle(records [][]byte) [][]byte {
	rng := rand.New(rand.NewPCG(1, uint64(len(records))))
	rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	return records
}

// checkPairs compares the table responses with the pairs of all sources, and the books with what was fed.
func checkPairs(t *testing.T, s *enginetest.Stack, sources []*conversation) {
	t.Helper()
	rows, err := s.ClickHouse.Strings(t.Context(), `SELECT brand, request_id, ifNull(toString(request_at), ''), response_id, toString(response_at),
			ifNull(toString(round(direct_seconds * 1000)), '')
		FROM `+s.ClickHouse.Database()+`.responses WHERE response_id != '' AND request_id != ''`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{} // by brand and response
	for _, row := range rows {
		got[row[0]+"|"+row[3]] = append(got[row[0]+"|"+row[3]], strings.Join(row, "|"))
	}
	known := map[string]bool{}
	found := 0
	for _, source := range sources {
		for _, p := range source.pairs {
			key := p.brand + "|" + p.response
			known[key] = true
			if len(got[key]) != 1 || got[key][0] != p.String() {
				t.Errorf("the answer %s came out as %q, want %s", key, got[key], p)
				continue
			}
			found++
		}
	}
	for key, lines := range got {
		_, response, _ := strings.Cut(key, "|")
		for _, source := range sources {
			if source.only[response] && !known[key] {
				t.Errorf("%q is no pair", lines)
			}
		}
	}
	t.Logf("%d pairs found", found)
	report, err := s.ClickHouse.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK || report.DeadLetters != 0 || report.Mentions == 0 {
		t.Errorf("verify: %s", fmt.Sprint(report))
	}
}
