package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"otklik/cmd/otklik/internal/config"
)

// otklik runs the program with an environment of its own.
func otklik(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	err = run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errOut)
	return out.String(), errOut.String(), err
}

// commands returns every command that a user sees, the root first.
func commands(root *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{root}
	for _, sub := range root.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			list = append(list, commands(sub)...)
		}
	}
	return list
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range commands(newRootCommand()) {
		name := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s: Short, Long and Example must not be empty", name)
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is a phrase, without a full stop", name)
		}
		if !strings.Contains(cmd.Example, name) {
			t.Errorf("%s: no example shows the command:\n%s", name, cmd.Example)
		}
		if cmd.RunE == nil || cmd.Run != nil {
			t.Errorf("%s: a command returns its error through RunE", name)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s says nothing about itself", name, f.Name)
			}
		})
		if cmd == cmd.Root() {
			continue
		}
		stdout, _, err := otklik(t, nil, append(strings.Fields(name)[1:], "-h")...)
		if err != nil || !strings.Contains(stdout, "Examples:") {
			t.Errorf("%s -h: %v\n%s", name, err, stdout)
		}
	}
}

// Every example is a command line that the command accepts, as far as its flags go.
func TestEveryExampleIsAValidCommandLine(t *testing.T) {
	for _, cmd := range commands(newRootCommand()) {
		for line := range strings.Lines(cmd.Example) {
			checkCommandLine(t, cmd.CommandPath()+": "+strings.TrimSpace(line), line)
		}
	}
}

// checkCommandLine checks the subcommand and the flags of every otklik in a line of shell.
func checkCommandLine(t *testing.T, where, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	for part := range strings.SplitSeq(line, "|") {
		words := strings.Fields(part)
		at := slices.IndexFunc(words, func(w string) bool { return w == "otklik" || w == "bin/otklik" })
		if at < 0 {
			continue
		}
		cmd, args, err := newRootCommand().Find(words[at+1:])
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		if cmd == cmd.Root() && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			t.Errorf("%s: there is no command %s", where, args[0])
			continue
		}
		for _, arg := range args {
			name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			switch {
			case strings.HasPrefix(arg, "--") && name != "" && name != "help" && cmd.Flag(name) == nil:
				t.Errorf("%s: %s has no flag --%s", where, cmd.CommandPath(), name)
			case regexp.MustCompile(`^-[a-z]$`).MatchString(arg) && name != "h" && cmd.Flags().ShorthandLookup(name) == nil:
				t.Errorf("%s: %s has no flag -%s", where, cmd.CommandPath(), name)
			}
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"chek"}, `unknown command "chek": did you mean check?` + "\nRun 'otklik -h'"},
		{[]string{"xyzzy"}, `unknown command "xyzzy"` + "\nRun 'otklik -h'"},
		{[]string{"check", "--no-such-flag"}, "unknown flag: --no-such-flag\nRun 'otklik check -h'"},
		{[]string{"check", "-c"}, "flag needs an argument: 'c' in -c\nRun 'otklik check -h'"},
		{[]string{"check", "otklik.yaml"}, `unknown command "otklik.yaml" for "otklik check"` + "\nRun 'otklik check -h'"},
		{[]string{"version", "now"}, `unknown command "now" for "otklik version"`},
	} {
		stdout, stderr, err := otklik(t, nil, c.args...)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || exitCode(err) != 2 {
			t.Errorf("otklik %v: %v, want %q and exit status 2", c.args, err, c.want)
		}
		if stdout != "" || stderr != "" {
			t.Errorf("otklik %v printed %q and %q beside its error", c.args, stdout, stderr)
		}
	}
}

func TestWithoutArgumentsTheHelpIsPrinted(t *testing.T) {
	stdout, _, err := otklik(t, nil)
	if err != nil || !strings.Contains(stdout, "otklik check") {
		t.Errorf("%v\n%s", err, stdout)
	}
}

func TestVersion(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		stdout, _, err := otklik(t, nil, args...)
		if err != nil || !regexp.MustCompile(`^otklik \S+`).MatchString(stdout) {
			t.Errorf("otklik %v: %v %q", args, err, stdout)
		}
	}
}

func TestCheck(t *testing.T) {
	example := filepath.Join("..", "..", "deploy", "otklik.yaml")
	stdout, stderr, err := otklik(t, nil, "check", "-c", example)
	if err != nil || stderr != "" {
		t.Fatalf("check of the example: %v %s", err, stderr)
	}
	for _, want := range []string{example + ": valid\n", "ingest, track, roll", "3 brands, 1 of them own", "fingerprint"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the summary lacks %q:\n%s", want, stdout)
		}
	}
	fromEnv, _, err := otklik(t, map[string]string{"OTKLIK_CONFIG": example}, "check")
	if err != nil || fromEnv != stdout {
		t.Errorf("$OTKLIK_CONFIG: %v\n%s", err, fromEnv)
	}

	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("kafak: {}\nlog: {level: loud}\nclickhouse: {password_env: OTKLIK_ABSENT}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err = otklik(t, nil, "check", "-c", bad)
	if err == nil || exitCode(err) != 1 || stdout != "" {
		t.Fatalf("check of a bad file: %v, printed %q", err, stdout)
	}
	want := "check: 3 faults\n" + bad + ":1:1: kafak: unknown key; did you mean kafka?\n" +
		bad + `:2:7: log.level: "loud" is not known; write one of debug, info, warn, error` + "\n" +
		bad + ":3:14: clickhouse.password_env: the environment variable OTKLIK_ABSENT is not set; export it before the start, or remove the key"
	if err.Error() != want {
		t.Errorf("check of a bad file:\n%v\nwant\n%s", err, want)
	}
}

func TestTheSummaryShowsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "otklik.yaml")
	text := "kafka:\n  sasl: {mechanism: SCRAM-SHA-256, user: writer, password_env: P}\nclickhouse: {password_env: P}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := otklik(t, map[string]string{"P": "hunter2"}, "check", "-c", path)
	if err != nil || strings.Contains(stdout+stderr, "hunter2") || !strings.Contains(stdout, "SCRAM-SHA-256 as writer") {
		t.Errorf("%v\n%s%s", err, stdout, stderr)
	}
	if len(config.Faults(err)) != 0 {
		t.Error("faults of a valid configuration")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
