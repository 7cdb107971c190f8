package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"otklik/stream"
	"otklik/stream/firehose"
)

// newDecodeCommand returns `otklik decode`.
func newDecodeCommand() *cobra.Command {
	var platform string
	var strict bool
	cmd := &cobra.Command{
		Use:   "decode --platform P FILE…",
		Short: "Show what the engine sees in raw platform JSON",
		Long: `Reads raw records, one a line, and prints the normalised items, one a line as JSON. "-" is the standard input;
gzip is recognised by its content. Mastodon's server-sent events ("event:" and "data:" lines) are read as well.

The keys are file, line, platform, kind, id, author_id, author_name, followers, published_at (RFC 3339, UTC), parent_id,
root_id, thread, repost_of, text, lang, url, likes, shares and views; what the platform does not say is left out, a
stated 0 is not. One line can hold several items, and then gives several lines with the same number.

Malformed lines go to the standard error as FILE:LINE: reason: detail, followed by a summary. They do not make the command
fail unless --strict is given.

Platforms: ` + platformList() + `.`,
		Example: `  otklik decode --platform twitter tweets.jsonl
  zcat dump.gz | otklik decode --platform reddit - | jq -r .text
  otklik decode --platform vk --strict a.jsonl b.jsonl.gz >/dev/null`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			decoder, err := firehose.New(stream.Platform(platform))
			if err != nil {
				return usagef(cmd, "--platform %s is not known; use one of %s", platform, platformList())
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
			job := &decodeJob{
				platform: stream.Platform(platform),
				decoder:  decoder,
				stderr:   cmd.ErrOrStderr(),
				out:      out,
				kinds:    map[stream.Kind]int{},
				reasons:  map[string]int{},
			}
			job.encoder = json.NewEncoder(out)
			job.encoder.SetEscapeHTML(false)
			var faults []error
			for _, name := range args {
				if err := job.file(cmd, name); err != nil {
					faults = append(faults, err)
					if errors.Is(err, errDecodeOutput) || cmd.Context().Err() != nil {
						break
					}
				}
			}
			if err := out.Flush(); err != nil && !slices.ContainsFunc(faults, func(err error) bool { return errors.Is(err, errDecodeOutput) }) {
				faults = append(faults, fmt.Errorf("write items: %w", err))
			}
			if err := job.summary(); err != nil {
				faults = append(faults, err)
			}
			if strict && job.malformed() > 0 {
				faults = append(faults, fmt.Errorf("decode: %d malformed records (see above); leave out --strict to accept them", job.malformed()))
			}
			return errors.Join(faults...)
		},
	}
	cmd.Flags().StringVarP(&platform, "platform", "p", "", "`name` of the platform whose records these are")
	cmd.Flags().BoolVar(&strict, "strict", false, "end with status 1 when a record is malformed")
	if err := cmd.MarkFlagRequired("platform"); err != nil {
		panic(err) // the flag is defined one line above
	}
	if err := cmd.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions(platformNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
	return cmd
}

func platformNames() []string {
	names := make([]string, len(stream.Platforms))
	for i, p := range stream.Platforms {
		names[i] = string(p)
	}
	return names
}

func platformList() string { return strings.Join(platformNames(), ", ") }

// errDecodeOutput marks an error of the output: nothing more can be written, so the command ends.
var errDecodeOutput = errors.New("write items")

// decodeJob is one run of `otklik decode`.
type decodeJob struct {
	platform stream.Platform
	decoder  *firehose.Decoder
	out      *bufio.Writer
	encoder  *json.Encoder
	stderr   io.Writer

	items   []stream.Item
	files   int
	records int
	kinds   map[stream.Kind]int
	reasons map[string]int
}

// decodedItem is one line of output; the order of its fields is that of the keys.
type decodedItem struct {
	File        string          `json:"file"`
	Line        int             `json:"line"`
	Platform    stream.Platform `json:"platform"`
	Kind        stream.Kind     `json:"kind"`
	ID          string          `json:"id,omitempty"`
	AuthorID    string          `json:"author_id,omitempty"`
	AuthorName  string          `json:"author_name,omitempty"`
	Followers   *int64          `json:"followers,omitempty"`
	PublishedAt stream.Time     `json:"published_at,omitempty"`
	ParentID    string          `json:"parent_id,omitempty"`
	RootID      string          `json:"root_id,omitempty"`
	Thread      string          `json:"thread,omitempty"`
	RepostOf    string          `json:"repost_of,omitempty"`
	Text        string          `json:"text,omitempty"`
	Lang        string          `json:"lang,omitempty"`
	URL         string          `json:"url,omitempty"`
	Likes       *int64          `json:"likes,omitempty"`
	Shares      *int64          `json:"shares,omitempty"`
	Views       *int64          `json:"views,omitempty"`
}

// statedCount returns the number if the platform stated it, else nil.
func statedCount(c stream.Count) *int64 {
	if !c.Known() {
		return nil
	}
	n := c.Value()
	return &n
}

// file decodes one input; "-" is the standard input.
func (j *decodeJob) file(cmd *cobra.Command, name string) (err error) {
	input := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		defer f.Close()
		input = f
	}
	r := bufio.NewReaderSize(input, 1<<16)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("decode %s: %w", name, err)
		}
		r = bufio.NewReaderSize(z, 1<<16)
	}
	j.files++
	lines := &recordReader{r: r, limit: firehose.MaxRecord, events: j.platform == stream.Mastodon}
	for {
		if err := cmd.Context().Err(); err != nil {
			return fmt.Errorf("decode %s: stopped after line %d: %w", name, lines.line, err)
		}
		record, line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, errTooLarge) {
			return fmt.Errorf("decode %s: after line %d: %w", name, lines.line, err)
		}
		if err := j.record(name, line, record, err); err != nil {
			return err
		}
	}
}

// record decodes one record and prints its items and faults; tooLarge stands for a record that was not kept.
func (j *decodeJob) record(name string, line int, record []byte, tooLarge error) error {
	j.records++
	var err error
	if tooLarge != nil {
		err = &firehose.Malformed{Reason: "too_large", Detail: tooLarge.Error()}
		j.items = j.items[:0]
	} else {
		j.items, err = j.decoder.Decode(record, 0, j.items[:0])
	}
	for i := range j.items {
		it := &j.items[i]
		j.kinds[it.Kind]++
		author := it.AuthorName
		if author == "" {
			author = it.Author.Name
		}
		err := j.encoder.Encode(decodedItem{
			File: name, Line: line, Platform: it.Platform, Kind: it.Kind, ID: it.ID,
			AuthorID: it.Author.ID, AuthorName: author, Followers: statedCount(it.Followers), PublishedAt: it.PublishedAt,
			ParentID: it.ParentID, RootID: it.RootID, Thread: it.Thread, RepostOf: it.RepostOf,
			Text: it.Text, Lang: it.Lang, URL: it.URL,
			Likes: statedCount(it.Likes), Shares: statedCount(it.Shares), Views: statedCount(it.Views),
		})
		if err != nil {
			return fmt.Errorf("%w: %w", errDecodeOutput, err)
		}
	}
	for _, fault := range firehose.Faults(err) {
		j.reasons[fault.Reason]++
		if _, err := fmt.Fprintf(j.stderr, "%s:%d: %s\n", name, line, fault); err != nil {
			return fmt.Errorf("%w: %w", errDecodeOutput, err)
		}
	}
	return nil
}

func (j *decodeJob) malformed() int {
	n := 0
	for _, count := range j.reasons {
		n += count
	}
	return n
}

// summary prints how many items of which kind there were, and what was malformed.
func (j *decodeJob) summary() error {
	items := 0
	kinds := make([]string, 0, len(j.kinds))
	reasons := make([]string, 0, len(j.reasons))
	for _, kind := range slices.Sorted(maps.Keys(j.kinds)) {
		items += j.kinds[kind]
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, j.kinds[kind]))
	}
	for _, reason := range slices.Sorted(maps.Keys(j.reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, j.reasons[reason]))
	}
	_, err := fmt.Fprintf(j.stderr, "%s: %d files, %d records\nitems: %d%s\nmalformed: %d%s\n",
		j.platform, j.files, j.records, items, inBrackets(kinds), j.malformed(), inBrackets(reasons))
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

func inBrackets(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// errTooLarge reports a line that is longer than any record may be. It was read past, so the next line can be read.
var errTooLarge = fmt.Errorf("the line is longer than %d bytes", firehose.MaxRecord)

// recordReader reads the records of a file: its lines or, where events is set and the file is a stream of server-sent
// events, the events of it.
type recordReader struct {
	r      *bufio.Reader
	limit  int
	events bool
	line   int // number of the last line read, from 1
	buf    []byte
	event  []byte // the event being put together
}

// next returns a record and the number of the line that holds it (of an event, its last data line), io.EOF after the
// last one, or errTooLarge. The record is valid until the next call.
func (r *recordReader) next() ([]byte, int, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, r.line, err
		}
		if !r.events {
			return line, r.line, nil
		}
		switch trimmed := bytes.TrimSpace(line); {
		case bytes.HasPrefix(trimmed, []byte("event:")), bytes.HasPrefix(trimmed, []byte("id:")), bytes.HasPrefix(trimmed, []byte("retry:")):
			r.event = append(append(r.event, trimmed...), '\n')
			if !r.continues() {
				return r.takeEvent(nil), r.line, nil
			}
		case bytes.HasPrefix(trimmed, []byte("data:")):
			if r.nextIs("data:") {
				r.event = append(append(r.event, trimmed...), '\n')
				continue
			}
			return r.takeEvent(trimmed), r.line, nil
		case len(trimmed) == 0 && r.separates():
		default:
			return line, r.line, nil
		}
	}
}

// takeEvent ends the event being put together with its last line.
func (r *recordReader) takeEvent(last []byte) []byte {
	r.event = append(r.event, last...)
	record := r.event
	r.event = r.event[:0]
	return record
}

// continues reports whether the next line goes on with the event that has begun.
func (r *recordReader) continues() bool {
	return r.nextIs("data:") || r.nextIs("event:") || r.nextIs("id:") || r.nextIs("retry:")
}

// separates reports whether an empty line stands between events or after the last one: it is followed by a line of an
// event or by nothing. Between lines of JSON an empty line is malformed.
func (r *recordReader) separates() bool {
	if _, err := r.r.Peek(1); err != nil {
		return true
	}
	return r.continues() || r.nextIs(":") || r.nextIs("\n") || r.nextIs("\r\n")
}

func (r *recordReader) nextIs(prefix string) bool {
	next, err := r.r.Peek(len(prefix))
	return err == nil && string(next) == prefix
}

// readLine returns the next line without its end.
func (r *recordReader) readLine() ([]byte, error) {
	r.buf = r.buf[:0]
	tooLarge := false
	for {
		part, err := r.r.ReadSlice('\n')
		if len(r.buf)+len(part) > r.limit+len("\r\n") {
			tooLarge = true
		}
		if !tooLarge {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(r.buf) > 0 || tooLarge):
		case err != nil:
			return nil, err
		}
		r.line++
		if tooLarge {
			return nil, errTooLarge
		}
		return bytes.TrimRight(r.buf, "\r\n"), nil
	}
}
