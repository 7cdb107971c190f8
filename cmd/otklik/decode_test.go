package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"otklik/stream/firehose"
)

// runDecode runs the command and returns what it printed.
func runDecode(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, faults bytes.Buffer
	cmd := newDecodeCommand()
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(&out)
	cmd.SetErr(&faults)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.Execute()
	return out.String(), faults.String(), err
}

const decodeInput = `{"id":"a","published_at":1772355600,"author":{"id":"7","name":"irina","display_name":"Ирина","followers":0},"text":"<нет> связи","lang":"ru","url":"https://f.example/a","likes":0,"shares":2,"views":9}
{"id":"b"
[{"id":"c","published_at":1772355601,"parent_id":"a","root_id":"a"},{"id":"d"},{"id":"e","published_at":1772355602,"repost_of":"a","text":"x"}]

{"id":"f","published_at":1772355603,"deleted":true}`

const decodeOutput = `{"file":"-","line":1,"platform":"generic","kind":"post","id":"a","author_id":"7","author_name":"Ирина","followers":0,"published_at":"2026-03-01T09:00:00.000Z","thread":"generic:a","text":"<нет> связи","lang":"ru","url":"https://f.example/a","likes":0,"shares":2,"views":9}
{"file":"-","line":3,"platform":"generic","kind":"comment","id":"c","published_at":"2026-03-01T09:00:01.000Z","parent_id":"a","root_id":"a","thread":"generic:a"}
{"file":"-","line":3,"platform":"generic","kind":"repost","id":"e","published_at":"2026-03-01T09:00:02.000Z","thread":"generic:e","repost_of":"a","text":"x"}
{"file":"-","line":5,"platform":"generic","kind":"delete","id":"f","published_at":"2026-03-01T09:00:03.000Z","thread":"generic:f"}
`

const decodeFaults = `-:2: malformed_json: the record ends inside an object or array (byte 9)
-:3: no_time: post d says nowhere when it was published
-:4: empty: the record holds nothing but white space
generic: 1 files, 5 records
items: 4 (comment 1, delete 1, post 1, repost 1)
malformed: 3 (empty 1, malformed_json 1, no_time 1)
`

func TestDecode(t *testing.T) {
	stdout, stderr, err := runDecode(t, strings.NewReader(decodeInput), "--platform", "generic", "-")
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(decodeOutput, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(decodeFaults, stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestDecodeStrict(t *testing.T) {
	stdout, _, err := runDecode(t, strings.NewReader(decodeInput), "-p", "generic", "--strict", "-")
	if err == nil || !strings.Contains(err.Error(), "3 malformed records") {
		t.Errorf("error %v", err)
	}
	if stdout != decodeOutput {
		t.Error("--strict changes the items")
	}
	if _, _, err := runDecode(t, strings.NewReader(`{"id":"a","published_at":1772355600}`), "-p", "generic", "--strict", "-"); err != nil {
		t.Errorf("nothing is malformed, but %v", err)
	}
}

// TestDecodeFiles reads plain and gzip files, also of several members and by another name, and goes on past a file
// that is not there.
func TestDecodeFiles(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	for _, id := range []string{"1", "2"} {
		z := gzip.NewWriter(&packed)
		if _, err := io.WriteString(z, `{"id":"`+id+`","published_at":1772355600}`+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gz := write("a.jsonl.gz", packed.Bytes())
	bare := write("b.jsonl", packed.Bytes())
	cut := write("c.gz", packed.Bytes()[:packed.Len()-4])
	missing := filepath.Join(dir, "missing")
	plain := write("d.jsonl", []byte(`{"id":"3","published_at":1772355600}`))
	stdout, stderr, err := runDecode(t, nil, "-p", "generic", gz, bare, missing, cut, plain)
	if !errors.Is(err, os.ErrNotExist) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), cut) {
		t.Errorf("error %v", err)
	}
	var got []string
	for line := range strings.Lines(stdout) {
		var it struct {
			File, ID string
			Line     int
		}
		if err := json.Unmarshal([]byte(line), &it); err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.Base(it.File)+" "+it.ID)
		if it.File != plain && (it.ID == "1") != (it.Line == 1) {
			t.Errorf("item %s of %s in line %d", it.ID, it.File, it.Line)
		}
	}
	want := []string{"a.jsonl.gz 1", "a.jsonl.gz 2", "b.jsonl 1", "b.jsonl 2", "c.gz 1", "c.gz 2", "d.jsonl 3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(stderr, "malformed: 0\n") {
		t.Error(stderr)
	}
}

func TestDecodeEventStream(t *testing.T) {
	const status = `{"id":"109348677773283527","created_at":"2022-11-15T16:06:48.410Z","content":"<p>связь</p>","account":{"id":"1","acct":"a"}}`
	input := ":thump\n\nevent: update\ndata: " + status + "\n\nevent: filters_changed\n\nevent: status.update\r\nid: 5\r\ndata: " + status + "\r\n\r\nevent: delete\ndata: 109348677773283527\n\n\n" + status + "\n\n" + status + "\n"
	stdout, stderr, err := runDecode(t, strings.NewReader(input), "-p", "mastodon", "-")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(stdout) {
		var it struct {
			Line     int
			Kind, ID string
		}
		if err := json.Unmarshal([]byte(line), &it); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(strings.Join([]string{string(rune('0' + it.Line/10)), string(rune('0' + it.Line%10)), " ", it.Kind, " ", it.ID}, "")))
	}
	want := []string{"01 notice", "04 post 109348677773283527", "06 notice", "10 edit 109348677773283527", "13 delete 109348677773283527", "16 post 109348677773283527", "18 post 109348677773283527"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(stderr, "-:15: empty") && !strings.Contains(stderr, "-:17: empty") {
		t.Errorf("an empty line between lines of JSON is malformed:\n%s", stderr)
	}
}

// zeros is an endless line.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	for i := range p[:n] {
		p[i] = '0'
	}
	z.left -= n
	return n, nil
}

// TestDecodeLongLine puts a line longer than any record before a good one.
func TestDecodeLongLine(t *testing.T) {
	input := io.MultiReader(&zeros{firehose.MaxRecord + 100}, strings.NewReader("\n"+`{"id":"a","published_at":1772355600}`), strings.NewReader("\n"), &zeros{firehose.MaxRecord + 1})
	stdout, stderr, err := runDecode(t, input, "-p", "generic", "-")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, `"line":2,`) || strings.Count(stdout, "\n") != 1 {
		t.Errorf("stdout %s", stdout)
	}
	if !strings.Contains(stderr, "-:1: too_large: ") || !strings.Contains(stderr, "-:3: too_large: ") {
		t.Errorf("stderr %s", stderr)
	}
}

func TestDecodeUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no platform":      {"-"},
		"unknown platform": {"-p", "myspace", "-"},
		"no file":          {"-p", "vk"},
	} {
		if stdout, _, err := runDecode(t, strings.NewReader(""), args...); err == nil || stdout != "" {
			t.Errorf("%s: error %v, stdout %q", name, err, stdout)
		}
	}
	_, _, err := runDecode(t, strings.NewReader(""), "-p", "myspace", "-")
	if _, ok := errors.AsType[*usageError](err); !ok || !strings.Contains(err.Error(), "livejournal") {
		t.Errorf("an unknown platform is no usage error that names the known ones: %v", err)
	}
}

// brokenPipe fails like a closed terminal.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestDecodeOutputFails(t *testing.T) {
	cmd := newDecodeCommand()
	cmd.SetArgs([]string{"-p", "generic", "-"})
	cmd.SetIn(strings.NewReader(strings.Repeat(`{"id":"a","published_at":1772355600}`+"\n", 5000)))
	cmd.SetOut(brokenPipe{})
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.Execute(); !errors.Is(err, io.ErrClosedPipe) || strings.Count(err.Error(), "closed pipe") != 1 {
		t.Errorf("error %v", err)
	}
}
