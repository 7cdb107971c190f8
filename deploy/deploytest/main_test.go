package deploytest

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// top is the top of the checkout, deploy the folder of what is tested.
const (
	top    = "../.."
	deploy = ".."
)

var scratch string // folder of the binary, removed at the end

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "otklik-deploytest."); err != nil {
		fmt.Fprintln(os.Stderr, "deploytest:", err)
		os.Exit(1)
	}
	status := m.Run()
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, "deploytest:", err)
		status = 1
	}
	os.Exit(status)
}

// profile is what the compiler optimises the program for.
const profile = "deploy/otklik.pgo"

var buildCommand = regexp.MustCompile(`go build (.*) -o (\S+) (\./cmd/otklik)`)

// binary is otklik, built as the image builds it.
var binary = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile(filepath.Join(deploy, "Dockerfile"))
	if err != nil {
		return "", err
	}
	command := buildCommand.FindSubmatch(text)
	if command == nil {
		return "", fmt.Errorf("the Dockerfile has no line that matches %s", buildCommand)
	}
	path := filepath.Join(scratch, "otklik")
	// Without the profile (see TestProfile): packages of which the tests hold compiled ones need not be compiled again.
	flags := strings.NewReplacer(`"-s -w"`, "-s", "-pgo="+profile, "").Replace(string(command[1]))
	args := append([]string{"build"}, strings.Fields(flags)...)
	build := exec.Command("go", append(args, "-o", path, string(command[3]))...)
	build.Dir = top
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	return path, nil
})

// otklik runs the program with env and nothing else.
func otklik(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// parses checks that otklik knows a command line.
func parses(t *testing.T, args []string) {
	t.Helper()
	if err := known(t, args); err != nil {
		t.Error(err)
	}
}

// known returns what is wrong with a command line: with --help at its end only what stands before it can be.
func known(t *testing.T, args []string) error {
	t.Helper()
	out, err := otklik(t, nil, append(slices.Clone(args), "--help")...)
	if err == nil && (len(args) == 0 || !strings.Contains(out, "otklik "+args[0]+" ")) {
		err = errors.New("no such command")
	}
	if err != nil {
		return fmt.Errorf("otklik %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// valid checks that a configuration passes `otklik check`. files are written to one folder; the first is the configuration.
func valid(t *testing.T, env map[string]string, files ...[2]string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f[0]), []byte(f[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := otklik(t, env, "check", "--config", filepath.Join(dir, files[0][0])); err != nil {
		t.Errorf("otklik check %s: %v\n%s\n%s", files[0][0], err, out, files[0][1])
	}
}

// The image holds no dynamic linker.
func TestBinaryOfTheImageIsStatic(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("built for this machine, which is not Linux")
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("otklik asks for a dynamic linker: does something new import purego or use cgo?")
		}
	}
}

func TestKnownSeesWhatIsWrong(t *testing.T) {
	for _, args := range [][]string{{"run", "--stage", "ingest"}, {"runs"}, {"migrate", "--user"}, {}} {
		if known(t, args) == nil {
			t.Errorf("otklik %v is taken for a command line", args)
		}
	}
}

// pinned reports whether an image has a tag of one version or a digest.
func pinned(image string) bool {
	if _, digest, ok := strings.Cut(image, "@"); ok {
		return strings.HasPrefix(digest, "sha256:")
	}
	name := image[strings.LastIndex(image, "/")+1:]
	_, tag, ok := strings.Cut(name, ":")
	return ok && tag != "latest" && regexp.MustCompile(`^v?\d+\.\d+\.\d+`).MatchString(tag)
}

func TestPinned(t *testing.T) {
	for image, want := range map[string]bool{
		"a/b:1.2.3": true, "b:1.2.3-alpine": true, "h:5000/b@sha256:00": true,
		"b": false, "b:latest": false, "b:1": false, "b:1.2": false, "h:5000/b": false,
	} {
		if pinned(image) != want {
			t.Errorf("pinned(%s) = %t", image, !want)
		}
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff"))
}
