package deploytest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// stage is one stage of a Dockerfile: its instructions by name.
type stage struct {
	name, from   string
	instructions []*parser.Node
}

func (s *stage) all(name string) [][]string {
	var found [][]string
	for _, n := range s.instructions {
		if !strings.EqualFold(n.Value, name) {
			continue
		}
		args := slices.Clone(n.Flags)
		for next := n.Next; next != nil; next = next.Next {
			args = append(args, next.Value)
		}
		found = append(found, args)
	}
	return found
}

func stages(t *testing.T) []*stage {
	t.Helper()
	result, err := parser.Parse(bytes.NewReader(read(t, deploy, "Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range result.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	var list []*stage
	for _, n := range result.AST.Children {
		if strings.EqualFold(n.Value, "FROM") {
			s := &stage{from: n.Next.Value}
			if as := n.Next.Next; as != nil {
				s.name = as.Next.Value
			}
			list = append(list, s)
			continue
		}
		if len(list) > 0 {
			list[len(list)-1].instructions = append(list[len(list)-1].instructions, n)
		}
	}
	return list
}

func TestImage(t *testing.T) {
	list := stages(t)
	for _, s := range list {
		if s.from != "scratch" && !pinned(s.from) {
			t.Errorf("stage %s: %s is not pinned to a version", s.name, s.from)
		}
		if s.name == "build" {
			continue
		}
		if user := s.all("USER"); len(user) != 1 || user[0][0] != "65532:65532" {
			t.Errorf("stage %s runs as %v", s.name, user)
		}
	}
	last := list[len(list)-1]
	if last.name != "otklik" || last.from != "scratch" || len(last.all("RUN"))+len(last.all("ADD")) > 0 {
		t.Errorf("the image begins with %s (stage %s); it must hold nothing but what is copied", last.from, last.name)
	}
	if entry := last.all("ENTRYPOINT"); len(entry) != 1 || !slices.Equal(entry[0], []string{"/otklik"}) {
		t.Errorf("entry point %v", entry)
	}
	for _, args := range last.all("CMD") {
		parses(t, args)
	}
	health := last.all("HEALTHCHECK")
	if len(health) != 1 {
		t.Fatalf("%d health checks", len(health))
	}
	i := slices.Index(health[0], "/otklik")
	if i < 0 {
		t.Fatalf("health check %v does not run otklik", health[0])
	}
	parses(t, health[0][i+1:])
	port := last.all("EXPOSE")[0][0]
	if want := "http://127.0.0.1:" + port + "/readyz"; health[0][len(health[0])-1] != want {
		t.Errorf("health check asks %s, want %s", health[0][len(health[0])-1], want)
	}
}

// Services of compose build stages that exist.
func TestComposeBuildsStagesOfTheImage(t *testing.T) {
	list := stages(t)
	for name, s := range project(t).Services {
		if s.Build == nil {
			continue
		}
		if !slices.ContainsFunc(list, func(st *stage) bool { return st.name == s.Build.Target }) {
			t.Errorf("%s: no stage %s", name, s.Build.Target)
		}
		if want, _ := filepath.Abs(top); s.Build.Context != want || s.Build.Dockerfile != "deploy/Dockerfile" {
			t.Errorf("%s: built from %s in %s", name, s.Build.Dockerfile, s.Build.Context)
		}
	}
}

// What the build needs is not ignored, and what is copied from the context is there.
func TestImageContext(t *testing.T) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, deploy, "Dockerfile.dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"go.mod", "go.sum", profile}
	for _, s := range stages(t) {
		for _, args := range s.all("COPY") {
			if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--from=") }) {
				continue
			}
			for _, source := range args[:len(args)-1] {
				if source != "." {
					needed = append(needed, source)
				}
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "noembed",
		"-f", "{{if not .Standard}}{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}}\n{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}\n{{end}}{{end}}{{end}}{{end}}", "./cmd/otklik")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	sources := strings.Fields(string(out))
	if len(sources) < 50 {
		t.Errorf("only %d source files", len(sources))
	}
	for _, path := range sources {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		needed = append(needed, filepath.ToSlash(rel))
	}
	for _, path := range needed {
		ignored, err := ignore.MatchesOrParentMatches(path)
		if err != nil || ignored {
			t.Errorf("Dockerfile.dockerignore keeps %s out of the image: %v", path, err)
		}
		read(t, top, path)
	}
	for _, path := range []string{".git/config", "deploy/.env", "deploy/embedded/node_modules/a", "cmd/otklik/run_test.go", "deploy/compose.yaml"} {
		if ignored, err := ignore.MatchesOrParentMatches(path); err != nil || !ignored {
			t.Errorf("Dockerfile.dockerignore lets %s in: %v", path, err)
		}
	}
}

// TestProfile: make and the image optimise for the same profile, the compiler can read it, it knows the way of a record, and it tells nothing of
// the machine that was measured.
func TestProfile(t *testing.T) {
	for _, name := range []string{"Makefile", "deploy/Dockerfile"} {
		flags := regexp.MustCompile(`-pgo=(\S+)`).FindAllSubmatch(read(t, top, name), -1)
		if len(flags) != 1 || string(flags[0][1]) != profile {
			t.Errorf("%s: %q, want one -pgo=%s", name, flags, profile)
		}
	}
	edges := filepath.Join(t.TempDir(), "edges") // as the compiler is given them: pairs of functions
	cmd := exec.CommandContext(t.Context(), "go", "tool", "preprofile", "-i", filepath.Join(top, profile), "-o", edges)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	calls := read(t, edges)
	for _, part := range []string{"stream/firehose.", "stream/brand.", "stream/sentiment.", "stream/wire.", "stream/track.", "sinks/clickhouse."} {
		if !bytes.Contains(calls, []byte("\notklik/"+part)) {
			t.Errorf("the profile knows no call in %s: make it anew with `make profile`", part)
		}
	}
	cmd = exec.CommandContext(t.Context(), "go", "tool", "pprof", "-raw", filepath.Join(top, profile))
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	_, locations, ok := bytes.Cut(raw, []byte("\nLocations\n"))
	if !ok || regexp.MustCompile(`\.(go|s):\d| 0x[1-9a-f]|[ \t]/`).Match(locations) {
		t.Error("the profile holds paths or addresses: make it with `make profile`")
	}
}
