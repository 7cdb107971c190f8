package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BuildProgram builds otklik into a folder of the test and returns its path.
func BuildProgram(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "otklik")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "otklik/cmd/otklik").CombinedOutput(); err != nil {
		t.Fatalf("build otklik: %v: %s", err, bytes.TrimSpace(out))
	}
	return path
}

// passwordEnv names the variable that holds the password of a process of the stack.
const passwordEnv = "OTKLIK_TEST_PASSWORD"

// WriteConfig writes the configuration of the stack as a file for processes.
func (s *Stack) WriteConfig(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	k, ch, limits := &s.Config.Kafka, &s.Config.ClickHouse, &s.Config.Limits
	fmt.Fprintf(&b, "kafka:\n  brokers: [")
	for i, broker := range k.Brokers {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(broker))
	}
	fmt.Fprintf(&b, "]\n  group_prefix: %s\n  topics:\n    mentions: %s\n    panes: %s\n    deadletter: %s\n    labels: %s\n",
		k.GroupPrefix, k.Topics.Mentions, k.Topics.Panes, k.Topics.DeadLetter, k.Topics.Labels)
	p := k.Topics.Partitions
	fmt.Fprintf(&b, "    partitions: {firehose: %d, mentions: %d, panes: %d, deadletter: %d}\n    firehose:\n", p.Firehose, p.Mentions, p.Panes, p.DeadLetter)
	for _, platform := range slices.Sorted(maps.Keys(k.Topics.Firehose)) {
		fmt.Fprintf(&b, "      %s: %s\n", platform, k.Topics.Firehose[platform])
	}
	fmt.Fprintf(&b, "clickhouse: {addrs: [%q], database: %s, user: %s, password_env: %s}\n", ch.Addrs[0], ch.Database, ch.User, passwordEnv)
	fmt.Fprintf(&b, "limits: {flush_interval: %s}\nhttp: {listen: \"\"}\nlog: {level: warn}\n", limits.FlushInterval)
	path := filepath.Join(t.TempDir(), "otklik.yaml")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Process is otklik as another process.
type Process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
}

// Process starts a program of BuildProgram as `otklik run -c file`. It is killed at the end of the test if it still runs.
func (s *Stack) Process(t testing.TB, program, file string) *Process {
	t.Helper()
	p := &Process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, "run", "-c", file)}
	p.cmd.Env = append(os.Environ(), passwordEnv+"="+s.Config.ClickHouse.Password.Reveal())
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill() // a test that failed before it stopped the process
			_ = p.cmd.Wait()
		}
	})
	return p
}

// stopTimeout is for a process to flush and leave its groups.
const stopTimeout = 30 * time.Second

// Stop asks the process to end and fails the test unless it does, with status 0.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("otklik run: %v\n%s", err, bytes.TrimSpace(p.output.Bytes()))
	}
}
