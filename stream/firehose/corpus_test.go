package firehose

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"otklik/stream"
)

// corpus is a collection of real payloads beside the repository. It is not part of it: the texts belong to those who
// wrote them.
const corpus = "../../../shared/data/firehose"

// want states what the lines of a file of the corpus must give: per line the kinds of its items with the beginning of
// their ids, or the reason of a fault.
type want struct {
	file  string
	lines []string
}

var corpusWants = []want{
	{"twitter/v1_stream_airlines.jsonl", []string{
		"post 1131172858951024641 2019-05-22T12:20:00.406Z", "repost 1131172864147808257 2019-05-22T12:20:01.645Z", "comment 1131172867985485824 2019-05-22T12:20:02.560Z",
		"comment 1131173038194606081 2019-05-22T12:20:43.141Z", "post 1131173065122078720 2019-05-22T12:20:49.561Z", "post 1131173091651072000 2019-05-22T12:20:55.886Z",
		"repost 1131173222039412736 2019-05-22T12:21:26.973Z", "post 1131173313982734336 2019-05-22T12:21:48.894Z", "repost 1131173335545593856 2019-05-22T12:21:54.035Z", "comment 1131173353291767810 2019-05-22T12:21:58.266Z",
	}},
	{"twitter/v1_user_stream.jsonl", []string{"notice", "post 55709764298092545 2011-04-06T19:13:37.503Z", "message 389327745617891328 2013-10-13T09:52:22.572Z", "membership follow:10083602:1292911088 2013-10-27T20:35:25.000Z", "delete 272691609211117568", "notice"}},
	{"twitter/v1_extended_modes.jsonl", []string{"comment 708067963060916224 2016-03-10T23:12:12.317Z", "comment 708067963060916224 2016-03-10T23:12:12.317Z", "comment 714461850188926976 2016-03-28T14:39:13.801Z", "comment 743479431658758145 2016-06-16T16:24:44.344Z", "comment 743496707711733760 2016-06-16T17:33:23.276Z"}},
	{"twitter/v1_notices.jsonl", []string{"delete 751463034808373249 2016-07-08T17:26:28.211Z", "delete 777838091897712641 2016-09-19T11:54:19.935Z", "notice", "notice", "notice", "notice", "notice", "notice", "notice", "notice", "delete 1234"}},
	{"twitter/v2_stream.jsonl", []string{"post 1377650090978992134 2021-04-01T15:52:31.847Z", "comment 1377650093109743620 2021-04-01T15:52:32.355Z", "post 1377650277642338305 2021-04-01T15:53:16.351Z"}},
	{"twitter/v2_misc.jsonl", []string{"repost 1589681856941002753 2022-11-07T18:11:04.212Z", "comment 1576995594388000768 2022-10-03T18:00:23.520Z", "post 1576994746135764992 2022-10-03T17:57:01.281Z", "edit 1576994789110992896 2022-10-03T17:57:01.281Z", "delete 1170025343920402432", "delete 1170147183095664640 2021-08-17T17:26:15.788Z"}},
	{"vk/streaming_events.jsonl", []string{"post -110612896_1542 2021-08-15T15:01:26.000Z", "post -173502733_14922 2021-08-15T15:01:01.000Z", "post -204082369_498 2021-08-15T15:00:09.000Z", "comment -200008192_211478 2021-08-15T14:58:12.000Z", "comment topic-72376653_33059998_2448 2021-08-15T14:55:43.000Z"}},
	{"vk/callback_events.jsonl", []string{"comment -201077021_8 2020-12-12T19:23:45.000Z", "reaction 1e16f5efa7cd639eba2c677571dc5f5a5ee21780", "membership group_leave:-72641161:310426396", "membership group_join:-72641161:310426396", "post -72641161_151 2016-12-14T13:37:38.000Z", "post -35697765_8659 2016-11-24T04:47:24.000Z", "repost 324993092_67 2018-05-24T08:44:47.000Z", "message 228970688_127 2020-04-05T02:46:34.000Z", "message 324993092_2945 2018-05-24T11:06:15.000Z"}},
	{"vk/callback_confirmation.jsonl", []string{"notice"}},
	{"vk/wall_get_items.jsonl", []string{"edit -109125816_519471 2020-06-18T19:50:21.000Z", "edit -109125816_520290 2020-06-20T12:02:21.000Z"}},
	{"facebook/webhooks.jsonl", []string{
		"comment 901097836652708_903438993085259 2015-12-03T09:30:03.000Z", "edit 900728623356296_900744590021366 2015-11-26T16:35:37.000Z", "delete 905578656204626_905579239537901 2016-01-06T19:06:22.000Z", "delete 900728623356296_900744590021366 2016-07-07T12:29:22.000Z",
		"post 1234567890321_7293787835232 2016-02-05T21:17:00.000Z", "edit 1234567890321_7293787835232 2016-07-07T11:20:09.000Z", "delete 1234567890321_901097836652708 2016-01-06T16:49:46.000Z", "reaction love:", "reaction wow:", "reaction wow:", "reaction love:", "reaction like:",
		"post 1234567890321_930145403745849 2015-11-27T14:03:58.000Z", "post 1234567890321_98735342324352 2016-04-08T10:37:23.000Z", "post 1234567890321_900767076685784 2015-11-26T16:36:36.000Z", "other, other", "post 1234567890321_98722536423179 2021-02-26T11:56:02.000Z", "post 904801129604590 2018-09-19T15:05:12.000Z", "message mid.1457764197618:41d102a3e1ae206a38 2016-03-12T06:29:57.627Z", "other",
	}},
	{"facebook/graph_nodes.jsonl", []string{"post 10000224132434695_6841623116674 2014-09-03T13:13:48.000Z", "statistics 100002241334695_980648432019859", "! no_time", "comment 123456789_9876543 2020-01-16T14:03:36.000Z"}},
	{"youtube/api_responses.jsonl", []string{"comment UgyUBI0HsgL9emxcZpR4AaABAg 2019-06-23T02:49:00.000Z, comment Ugzi3lkqDPfIOirGFLh4AaABAg 2018-05-26T20:11:30.000Z", "comment Ugw5zYU6n9pmIgAZWvN4AaABAg.91zT3cYb5B291za6voUoRh 2019-12-01T04:46:31.000Z, comment Ugw5zYU6n9pmIgAZWvN4AaABAg.91zT3cYb5B291za5eJxzs1 2019-12-01T04:46:20.000Z", "comment UgyUBI0HsgL9emxcZpR4AaABAg 2019-06-23T02:49:00.000Z", "other", "post D-lhorsDlUQ 2019-03-21T20:37:49.000Z"}},
	{"youtube/error_responses.jsonl", []string{"! error_response", "! error_response"}},
	{"telegram/updates.jsonl", []string{"message 218485655_6557 2019-09-26T17:19:02.000Z", "comment -1001293752024_134546 2024-07-21T20:09:40.000Z", "notice -1001276785818_20225 2020-02-19T17:50:55.000Z", "other", "reaction reaction:-1002184233434_35:1459074222 2024-07-18T12:34:42.000Z", "statistics -1002236736395_36 2024-07-18T12:39:51.000Z", "other"}},
	{"telegram/getupdates.jsonl", []string{"post -1001241558182_21 2018-06-23T13:02:30.000Z, post -1001241558182_22 2018-06-23T13:05:46.000Z"}},
	{"bluesky/jetstream.jsonl", []string{"reaction at://did:plc:wq4aajammjtxdomz3e23667t/app.bsky.feed.like/3mptbyplj5d2a 2026-07-04T14:38:08.999Z", "post at://did:plc:dclwtltrt2ggsryagfzk7dp4/app.bsky.feed.post/3mptbyoeyc22k 2026-07-04T14:38:06.240Z", "post at://did:plc:amnbije7mr5g3pgxuun7q44o/ 2026-07-04T14:38:08.420Z", "other", "repost at://did:plc:5er4dj3kkwyj4cy5gdnzn56w/ 2026-07-04T14:38:07.594Z", "membership at://did:plc:f2furrjn2jdhjcn2td54ivxx/", "comment at://did:plc:o2rolxey6s5k7d4lxcz3inl4/ 2026-07-04T14:38:07.112Z", "other", "comment at://did:plc:d3blkgynnwi3rp7vak25pfe3/ 2026-07-04T14:38:06.055Z", "post at://did:plc:tn3hni2jpphsgl6amfbb7ja6/ 2026-07-04T14:38:07.323Z", "other", "comment at://did:plc:u4lmvw4wwzaql3z5kcf3r7h4/ 2026-07-04T14:38:06.691Z", "other", "delete at://did:plc:4smmjsqf6l5jkzczvw6vsrqc/app.bsky.feed.post/3mpt73z3ejc2p", "notice", "notice"}},
	{"bluesky/jetstream_delete.jsonl", []string{"delete at://did:plc:eygmaihciaxprqvxpfvl6flk/app.bsky.feed.post/3l3qo2vuowo2b 2024-09-09T19:46:02.329Z"}},
	{"mastodon/stream_websocket.jsonl", []string{"comment 108914327388663283 2022-08-30T23:05:46.839Z", "post 108914343542683797 2022-08-30T23:09:52.359Z", "notice", "notice", "notice", "notice", "edit 109348677773283527 2022-11-15T16:06:48.410Z", "post 108914354907984653 2022-08-30T23:12:47.000Z", "delete 107214471804101576", "edit 109348684737626801 2022-11-15T16:08:30.000Z", "post 108914398911648589 2022-08-30T23:23:58.863Z", "delete 108914398911648589", "edit 109348699525106378 2022-11-15T16:12:20.310Z", "post 108914430312582020 2022-08-30T23:31:58.006Z", "delete 108914430312582020", "edit 108914430312582020", "edit 108914327388663283", "message 109346889330629417 2022-11-15T08:31:57.476Z"}},
	{"mastodon/statuses.jsonl", []string{"post 172429 2017-04-14T06:11:41.893Z", "post 172427 2017-04-14T06:10:13.000Z", "post 172426 2017-04-14T06:10:22.000Z", "post 172424 2017-04-14T06:11:36.000Z"}},
	{"reddit/listings.jsonl", []string{"post t3_testpost 2020-07-18T10:26:07.000Z, comment t1_testc1 2020-07-18T10:31:59.000Z, comment t1_testc2 2020-07-18T10:32:28.000Z", "comment t1_f0zsa37 2019-09-21T21:38:16.000Z", "comment t1_def 2020-07-20T19:16:49.000Z, comment t1_ghi 2020-07-20T21:16:18.000Z, comment t1_jkl 2020-07-20T21:16:18.000Z"}},
	{"reddit/pushshift_comments.jsonl", []string{"comment t1_e6xucdd 2018-10-01T00:00:00.000Z", "comment t1_e6xucde 2018-10-01T00:00:00.000Z"}},
	{"livejournal/lj_items_gofeed.jsonl", []string{"post https://alex-rozoff.livejournal.com/43963.html 2017-09-06T18:24:52.000Z", "post https://alex-rozoff.livejournal.com/42083.html 2017-04-09T18:06:25.000Z", "post https://alex-rozoff.livejournal.com/41214.html 2016-09-24T11:04:35.000Z"}},
	{"livejournal/lj_items_flat.jsonl", []string{"post https://alex-rozoff.livejournal.com/43963.html 2017-09-06T18:24:52.000Z", "post https://alex-rozoff.livejournal.com/42083.html 2017-04-09T18:06:25.000Z", "post https://alex-rozoff.livejournal.com/41214.html 2016-09-24T11:04:35.000Z"}},
	{"livejournal/jsonfeed.jsonl", []string{"post id 2019-10-12T07:20:50.520Z"}},
}

// corpusFile reads a file of the corpus, or skips the test where there is none.
func corpusFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpus, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no collection of real payloads: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCorpus decodes real payloads and compares kind, id and time of every item with what was read by eye.
func TestCorpus(t *testing.T) {
	for _, w := range corpusWants {
		t.Run(w.file, func(t *testing.T) {
			p := stream.Platform(filepath.Dir(w.file))
			d := decoder(t, p)
			lines := bytes.Split(bytes.TrimSpace(corpusFile(t, w.file)), []byte("\n"))
			if len(lines) != len(w.lines) {
				t.Fatalf("%d lines, but %d are stated", len(lines), len(w.lines))
			}
			for i, line := range lines {
				items, err := d.Decode(line, arrived, nil)
				checkDecoded(t, p, line, items, err)
				stated := strings.Split(w.lines[i], ", ")
				var got []string
				for _, it := range items {
					got = append(got, fmt.Sprintf("%s %s %s", it.Kind, it.ID, it.PublishedAt))
				}
				for _, fault := range Faults(err) {
					got = append(got, "! "+fault.Reason)
				}
				if len(got) != len(stated) {
					t.Errorf("line %d: %d items %q, want %q", i+1, len(got), got, stated)
					continue
				}
				for k := range got {
					for part := range strings.FieldsSeq(stated[k]) {
						if !strings.Contains(got[k], part) {
							t.Errorf("line %d: %q, want %q", i+1, got[k], stated[k])
						}
					}
				}
			}
		})
	}
}

// TestCorpusIsCovered fails when the collection holds a file of JSON lines that nothing is stated about.
func TestCorpusIsCovered(t *testing.T) {
	corpusFile(t, "README.md")
	files, err := filepath.Glob(filepath.Join(corpus, "*", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	stated := map[string]bool{}
	for _, w := range corpusWants {
		stated[w.file] = true
	}
	for _, f := range files {
		name := filepath.Base(filepath.Dir(f)) + "/" + filepath.Base(f)
		if _, err := New(stream.Platform(filepath.Dir(name))); err == nil && !stated[name] {
			t.Errorf("nothing is stated about %s", name)
		}
	}
}

// TestCorpusEventStream reads the server-sent events twice: a block at a time, and a line at a time, as they come when
// a reader splits them. The content must be the same; only an edit that its data does not show is told by its event line.
func TestCorpusEventStream(t *testing.T) {
	text := corpusFile(t, "mastodon/stream_sse.txt")
	d := decoder(t, stream.Mastodon)
	blocks, err := d.Decode(text, arrived, nil)
	if err != nil {
		t.Fatal(err)
	}
	var frames, lines []stream.Item
	for line := range bytes.Lines(corpusFile(t, "mastodon/stream_websocket.jsonl")) {
		if frames, err = d.Decode(line, arrived, frames); err != nil {
			t.Fatal(err)
		}
	}
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if lines, err = d.Decode(line, arrived, lines); err != nil {
			t.Fatal(err)
		}
	}
	content := func(items []stream.Item) (all []string) {
		for _, it := range items {
			if it.Kind != stream.Notice {
				all = append(all, it.ID+" "+it.Text)
			}
		}
		return all
	}
	want := content(frames)
	if got := content(blocks); fmt.Sprint(got) != fmt.Sprint(want) || len(want) != 14 {
		t.Errorf("blocks give\n%q, frames give %d\n%q", got, len(want), want)
	}
	if got := content(lines); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("lines give\n%q, frames give\n%q", got, want)
	}
}
