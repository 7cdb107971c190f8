package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"otklik/deploy/embedded/embeddedtest"
	"otklik/stream/brand"
)

// documents are those whose commands a reader is meant to paste, beside the repository's root, in the order of reading.
var documents = []string{"README.md", "CONTRIBUTING.md"}

// codeBlocks returns the contents of the code blocks of a language in a document.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// commandsOf returns the commands of the shell blocks of a document, block by block.
func commandsOf(text string) [][]string {
	var blocks [][]string
	for _, block := range codeBlocks(text, "sh") {
		var commands []string
		for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				commands = append(commands, line)
			}
		}
		blocks = append(blocks, commands)
	}
	return blocks
}

// TestCommandsOfTheDocumentsExist checks also the commands that the documents name in passing: the subcommands and flags of otklik, the
// targets of make, and the benchmarks of go test.
func TestCommandsOfTheDocumentsExist(t *testing.T) {
	root := filepath.Join("..", "..")
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(readFile(t, filepath.Join(root, "Makefile")), -1) {
		targets[m[1]] = true
	}
	seen := map[string]int{}
	for _, document := range documents {
		text := readFile(t, filepath.Join(root, document))
		list := slices.Concat(commandsOf(text)...)
		for _, m := range regexp.MustCompile("`((?:otklik|make|go test) [^`\n]+)`").FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		for _, command := range list {
			where, words := document+": "+command, strings.Fields(command)
			seen[words[0]]++
			switch words[0] {
			case "make":
				for _, word := range words[1:] {
					if !strings.Contains(word, "=") && !targets[word] {
						t.Errorf("%s: the Makefile has no target %s", where, word)
					}
				}
			case "otklik":
				checkCommandLine(t, where, command)
			case "go":
				checkBenchmark(t, root, where, words)
			default:
				t.Errorf("%s: nothing checks this command", where)
			}
		}
	}
	for _, name := range []string{"otklik", "make", "go"} {
		if seen[name] < 3 {
			t.Errorf("only %d commands of %s were found in the documents: has their form changed?", seen[name], name)
		}
	}
}

// checkBenchmark checks that the package of a `go test -bench` has the benchmark.
func checkBenchmark(t *testing.T, root, where string, words []string) {
	t.Helper()
	at := slices.Index(words, "-bench")
	folder := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "./") })
	if at < 0 || folder < 0 {
		return // not a benchmark
	}
	files, err := filepath.Glob(filepath.Join(root, words[folder], "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	benchmark := regexp.MustCompile(`(?m)^func Benchmark\w*` + words[at+1])
	if !slices.ContainsFunc(files, func(file string) bool { return benchmark.MatchString(readFile(t, file)) }) {
		t.Errorf("%s: no such benchmark in %s", where, words[folder])
	}
}

// TestCataloguesOfTheDocuments reads the brands that a reader copies.
func TestCataloguesOfTheDocuments(t *testing.T) {
	blocks := codeBlocks(readFile(t, filepath.Join("..", "..", "README.md")), "yaml")
	if len(blocks) == 0 {
		t.Fatal("README.md shows no catalogue any more")
	}
	for _, block := range blocks {
		if _, err := brand.Parse([]byte(block)); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
}

// otherwise says of a command of the documents why it is not run as it stands, and what is run instead, if anything.
var otherwise = map[string]struct{ reason, instead string }{
	"make demo":                          {"its day takes more than a minute", "make demo ARGS='--events 2500 --pace 0'"},
	"make test":                          {"it is what runs this test", ""},
	"make test PKGS=./stream/window/...": {"it runs the tests of another package and those of deploy, which run beside this one", ""},
	"make lint":                          {"its first run builds every linter; .ci/run calls it on each commit", ""},
}

// began is what a process logs when it shares the work of a stage, whose name follows.
const began = "generation began\" group=otklik."

// serving says which commands serve until Ctrl-C, what they print when they do, and for how many blocks of code after their own the
// reader leaves them running.
var serving = map[string]struct {
	ready  []string
	blocks int
}{
	"make demo": {ready: []string{"\nServing: "}, blocks: 1},

	"otklik run -c otklik.yaml": {ready: []string{began + "ingest", began + "track", began + "roll"}},

	"otklik run -c otklik.yaml --stages ingest":     {ready: []string{began + "ingest"}},
	"otklik run -c otklik.yaml --stages track,roll": {ready: []string{began + "track", began + "roll"}},
}

// before says what a reader has done before a command: the files of their own that it names.
var before = map[string]func(*reader, *testing.T){
	"otklik demo --once --input twitter.jsonl.gz":           (*reader).writeOwnRecords,
	"otklik sentiment label -c otklik.yaml corrections.tsv": (*reader).writeCorrections,
	"otklik sentiment labels -c otklik.yaml":                (*reader).takeCorrectionsIn,
}

// shows says what some commands must print beside ending with status 0.
var shows = map[string]string{
	"otklik sql \"SELECT * FROM sentiment_1h ORDER BY start DESC LIMIT 20\"": "mts",
	"otklik sql --format JSONEachRow \"SELECT * FROM responses LIMIT 5\"":    `"brand":`,
	"otklik verify": "balance",
	"otklik demo --once --input twitter.jsonl.gz":                         "The books balance",
	"otklik decode --platform twitter twitter.jsonl.gz":                   "twitter",
	"otklik sentiment explain --brand mts \"мтс, второй день нет связи\"": "negative",
	"otklik sentiment label -c otklik.yaml corrections.tsv":               "3 labels sent",
	"otklik sentiment labels -c otklik.yaml":                              "because of the irony",
	"otklik check -c deploy/otklik.yaml":                                  "valid",
}

// reader follows the documents in a copy of the repository.
type reader struct {
	home    string // of the copy
	env     []string
	running []*served
	own     *service // behind otklik.yaml
	done    map[string]bool
}

// served is a command that serves until Ctrl-C.
type served struct {
	command string
	blocks  int
	cmd     *exec.Cmd
	output  lockedBuffer
	ended   chan struct{}
	err     error // once ended
}

// lockedBuffer is a buffer that is read while a process writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// readerTimeout bounds a command of the documents, on a busy machine.
const readerTimeout = 4 * time.Minute

// TestEveryCommandOfTheDocumentsRuns pastes the commands of README.md and CONTRIBUTING.md, one after the other, into a shell in a fresh
// copy of the repository. What is not run, or smaller, stands in otherwise with its reason.
func TestEveryCommandOfTheDocumentsRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and plays two small days")
	}
	t.Parallel()
	r := newReader(t)
	for _, document := range documents {
		for _, block := range commandsOf(readFile(t, filepath.Join("..", "..", document))) {
			for _, command := range block {
				t.Run(command, func(t *testing.T) { r.follow(t, command) })
			}
			r.endOfBlock(t)
		}
	}
	for command := range otherwise {
		r.known(t, command)
	}
	for command := range serving {
		r.known(t, command)
	}
	for command := range before {
		r.known(t, command)
	}
	for command := range shows {
		r.known(t, command)
	}
}

// known fails the test unless the command stands in the documents.
func (r *reader) known(t *testing.T, command string) {
	t.Helper()
	if !r.done[command] {
		t.Errorf("the documents do not name %q any more: take it out of this test", command)
	}
}

// newReader makes the copy: what git would clone, with the work of the checkout that is not committed, and with what `make setup` has
// fetched.
func newReader(t *testing.T) *reader {
	t.Helper()
	embeddedtest.Require(t)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	const modules = "deploy/embedded/node_modules"
	_, err = os.Stat(filepath.Join(root, modules, ".package-lock.json"))
	embeddedtest.Decide(t, err)
	r := &reader{home: t.TempDir(), done: map[string]bool{}}
	list, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("list the files of the checkout: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(r.home, name))
	}
	linkTree(t, filepath.Join(root, modules), filepath.Join(r.home, modules))
	goCache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("go env GOCACHE: %v", err)
	}
	for _, v := range os.Environ() { // without what an outer make and the tests say
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "MAKE") && !strings.HasPrefix(name, "MFLAGS") && !strings.HasPrefix(name, "OTKLIK_") {
			r.env = append(r.env, v)
		}
	}
	r.env = append(r.env, "GOCACHE="+strings.TrimSpace(string(goCache)), "XDG_CACHE_HOME="+filepath.Join(r.home, ".cache"),
		"PATH="+filepath.Join(r.home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Cleanup(func() {
		for _, s := range r.running {
			_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // a test that failed before it stopped the process
			<-s.ended
		}
	})
	r.installOwn(t)
	return r
}

// copyFile copies a file with its mode and its time, by which make decides what is to be done. A file that is listed but gone is left
// out.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, info.Mode().Perm()|0o200), os.Chtimes(to, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
}

// linkTree makes folders of its own and links the files in them, so that nothing that happens to the copy reaches the checkout. What
// tells make that npm has been there is newer than everything else.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, within); {
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		case entry.Name() == ".package-lock.json":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, text, 0o600)
		default:
			return os.Symlink(path, target)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// follow does what a reader does who comes to the command.
func (r *reader) follow(t *testing.T, command string) {
	t.Helper()
	again := r.done[command]
	r.done[command] = true
	line := command
	if other, ok := otherwise[command]; ok {
		if other.instead == "" {
			t.Logf("not run: %s", other.reason)
			return
		}
		line = other.instead
	}
	serve, serves := serving[command]
	if again {
		return
	}
	if prepare := before[command]; prepare != nil {
		prepare(r, t)
	}
	if serves {
		r.serve(t, command, line, serve.ready, serve.blocks)
		return
	}
	cmd := r.shell(t, line)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(readerTimeout, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if want := shows[command]; !strings.Contains(out.String(), want) {
		t.Errorf("the output lacks %q:\n%s", want, out.String())
	}
}

// shell returns the command as a shell would run it, in a process group of its own.
func (r *reader) shell(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = r.home, r.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// serve starts a command and returns when it has printed all the words.
func (r *reader) serve(t *testing.T, command, line string, words []string, blocks int) {
	t.Helper()
	s := &served{command: command, blocks: blocks, cmd: r.shell(t, line), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.running = append(r.running, s)
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	deadline := time.After(readerTimeout)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	lacks := func(word string) bool { return !strings.Contains(s.output.String(), word) }
	for slices.ContainsFunc(words, lacks) {
		select {
		case <-poll.C:
		case <-s.ended:
			t.Fatalf("ended by itself: %v\n%s", s.err, s.output.String())
		case <-deadline:
			t.Fatalf("has not said %q after %s:\n%s", words, readerTimeout, s.output.String())
		}
	}
}

// endOfBlock presses Ctrl-C where something serves that the reader leaves behind.
func (r *reader) endOfBlock(t *testing.T) {
	t.Helper()
	var left []*served
	for _, s := range r.running {
		if s.blocks--; s.blocks >= 0 {
			left = append(left, s)
			continue
		}
		if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Errorf("%s: ended before Ctrl-C: %v\n%s", s.command, err, s.output.String())
		}
		select {
		case <-s.ended:
		case <-time.After(readerTimeout):
			_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
			<-s.ended
			t.Errorf("%s: does not end at Ctrl-C:\n%s", s.command, s.output.String())
		}
		if s.err != nil && !strings.HasPrefix(s.command, "make ") { // make itself ends as interrupted
			t.Errorf("%s: after Ctrl-C: %v\n%s", s.command, s.err, s.output.String())
		}
	}
	r.running = left
}

// writeOwnRecords writes the reader's own records.
func (r *reader) writeOwnRecords(t *testing.T) {
	t.Helper()
	if out, err := r.shell(t, "otklik simulate -n 2500 --out day").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(r.home, "day", "twitter.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), os.WriteFile(filepath.Join(r.home, "twitter.jsonl.gz"), packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// installOwn starts the Kafka and the ClickHouse that the reader's otklik.yaml names, with a small day in the tables.
func (r *reader) installOwn(t *testing.T) {
	t.Helper()
	r.own = newService(t, "")
	text := readFile(t, r.own.file)
	for from, to := range map[string]string{`listen: ""`: "listen: 127.0.0.1:0", "level: error": "level: info"} {
		if !strings.Contains(text, from) {
			t.Fatalf("the configuration lacks %q:\n%s", from, text)
		}
		text = strings.Replace(text, from, to, 1)
	}
	if err := os.WriteFile(filepath.Join(r.home, "otklik.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range r.own.env {
		r.env = append(r.env, name+"="+value)
	}
	r.own.Feed(t, r.own.Simulation(t, 5, 600), nil)
	r.own.Drain(t)
}

// writeCorrections writes a table of corrections of three stored mentions.
func (r *reader) writeCorrections(t *testing.T) {
	t.Helper()
	rows, err := r.own.ClickHouse.Strings(t.Context(), "SELECT platform, item_id, brand FROM "+r.own.ClickHouse.Database()+
		".mentions WHERE role = 'customer' AND label = 'positive' ORDER BY published_at, item_id LIMIT 3")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, row := range rows {
		table.WriteString(strings.Join(append(row, "negative", "because of the irony"), "\t") + "\n")
	}
	if err := os.WriteFile(filepath.Join(r.home, "corrections.tsv"), []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// takeCorrectionsIn is what the reader's running engine does within a second.
func (r *reader) takeCorrectionsIn(t *testing.T) {
	t.Helper()
	r.own.Drain(t)
}
