package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"otklik/cmd/otklik/internal/config"
	"otklik/cmd/otklik/internal/engine"
	"otklik/cmd/otklik/internal/enginetest"
	"otklik/cmd/otklik/internal/local"
	"otklik/cmd/otklik/internal/ops"
	"otklik/deploy/embedded"
	"otklik/deploy/embedded/embeddedtest"
	"otklik/stream"
	"otklik/stream/simulate"
)

// killsEnv is the environment variable that says how often the kill tests kill: `make soak` sets it.
const killsEnv = "OTKLIK_KILLS"

// seedEnv repeats a run: the same records, the same moments.
const seedEnv = "OTKLIK_SEED"

// start runs this test binary as `otklik ARGS`; see TestMain.
func start(t *testing.T, output *os.File, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1", passwordEnv+"="+childPassword)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended if the test went well
	})
	return cmd
}

const (
	passwordEnv   = "OTKLIK_TEST_PASSWORD"
	childPassword = "only for this test"
)

// killed is a stack whose engine is another process.
type killed struct {
	*enginetest.Stack

	home   embedded.ClickHouseConfig
	server *embedded.ClickHouse
	log    *os.File
	file   string // its otklik.yaml
	admin  *groups
}

// newKilled starts a broker and a ClickHouse of its own, and writes the configuration for engines on them.
func newKilled(t *testing.T) *killed {
	t.Helper()
	embeddedtest.Require(t)
	dir := t.TempDir()
	users := []embedded.User{{Name: "otklik", Password: childPassword, Grants: []string{"GRANT ALL ON *.*"}}}
	k := &killed{home: embedded.ClickHouseConfig{Dir: filepath.Join(dir, "clickhouse"), Users: users}, file: filepath.Join(dir, "otklik.yaml")}
	k.restart(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := k.server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	broker := embeddedtest.Kafka(t, embedded.KafkaConfig{Dir: filepath.Join(dir, "kafka")})
	text := fmt.Sprintf(`
kafka:
  brokers: [%q]
  topics:
    partitions: {firehose: 2, mentions: 3, panes: 2, deadletter: 1}
clickhouse: {addrs: [%q], user: otklik, password_env: %s}
limits: {flush_interval: 60ms, micro_batch_records: 200}
http: {listen: ""}
log: {level: warn}
`, broker.Addr(), k.server.Native(), passwordEnv)
	if err := os.WriteFile(k.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(k.file, func(string) string { return childPassword })
	if err != nil {
		t.Fatal(err)
	}
	k.Stack = enginetest.NewOn(t, cfg.Kafka.Brokers, cfg, nil)
	k.admin = newGroups(broker.Addr())
	if k.log, err = os.Create(filepath.Join(dir, "otklik.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the engines said last:\n%s", k.said(t))
		}
		if err := k.log.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// restart starts ClickHouse on its folder and, from the second time on, on its port.
func (k *killed) restart(t *testing.T) {
	t.Helper()
	server, err := embedded.StartClickHouse(t.Context(), k.home)
	if err != nil {
		t.Fatal(err)
	}
	k.server = server
	_, port, err := net.SplitHostPort(server.Native())
	if err != nil {
		t.Fatal(err)
	}
	if k.home.NativePort, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
}

// run starts the engine as a process.
func (k *killed) run(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return start(t, k.log, append([]string{"run", "-c", k.file}, args...)...)
}

// kill ends a process as `kill -9` does; it is an error if it has ended by itself.
func (k *killed) kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("the engine ended before it was killed: %v\n%s", err, k.said(t))
	}
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the engine ended before it was killed: %v\n%s", err, k.said(t))
	}
	// The coordinator would wait for the dead member until its session ends; a minute of that for every kill proves nothing.
	if err := k.admin.forget(t.Context(), k.Config); err != nil {
		t.Fatal(err)
	}
}

// end stops a process as systemd does and expects a clean end.
func (k *killed) end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("the engine ended before it was told to: %v\n%s", err, k.said(t))
	}
	k.wait(t, cmd)
}

func (k *killed) wait(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the engine: %v\n%s", err, k.said(t))
	}
}

// said returns the end of what the engines have logged.
func (k *killed) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(k.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// await waits for a moment; it ends the test when the test is over.
func await(t *testing.T, span time.Duration) {
	t.Helper()
	select {
	case <-time.After(span):
	case <-t.Context().Done():
		t.Fatal(context.Cause(t.Context()))
	}
}

// load feeds the simulation in the background, evenly over a span, and then hands over its truth.
func (k *killed) load(t *testing.T, sim *simulate.Simulator, events int, span time.Duration) <-chan *simulate.Truth {
	t.Helper()
	const portion = 20
	feed, err := k.Engine(t, t.Context(), false).NewFeed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *simulate.Truth, 1)
	go func() {
		defer close(done)
		tick := time.NewTicker(max(time.Millisecond, span*portion/time.Duration(events)))
		defer tick.Stop()
		for more := true; more; {
			for more && feed.Queued() < portion {
				var r simulate.Record
				if r, more = sim.Next(); more {
					feed.Add(r.Platform, bytes.Clone(r.Value))
				}
			}
			if err := feed.Send(t.Context()); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return
			}
		}
		done <- sim.Truth()
	}()
	return done
}

// drained waits until everything that was fed is durable.
func (k *killed) drained(t *testing.T) {
	t.Helper()
	enginetest.Await(t, t.Context(), k.Engine(t, t.Context(), false), 5*time.Minute)
}

// TestKill kills the engine under load at random moments, -9, and starts it again at once: in the middle of restoring, of
// producing, between the steps of a flush. In the end the tables show the truth.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	t.Parallel()
	kills, seed := enginetest.Number(t, killsEnv, 30), uint64(enginetest.Number(t, seedEnv, 1))
	t.Logf("%s=%d %s=%d", killsEnv, kills, seedEnv, seed)
	k := newKilled(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	// A third of the lives ends while the engine connects, joins its groups and restores; the others see flush after flush.
	const early, late = 900 * time.Millisecond, 3 * time.Second
	life := func() time.Duration {
		if rng.IntN(3) == 0 {
			return time.Duration(rng.Int64N(int64(early)))
		}
		return time.Duration(rng.Int64N(int64(late)))
	}
	events := 150 * kills
	fed := k.load(t, k.Simulation(t, seed, events), events, time.Duration(kills)*(late/2))
	began := time.Now()
	for range kills {
		cmd := k.run(t)
		await(t, life())
		k.kill(t, cmd)
	}
	t.Logf("%d kills in %s", kills, time.Since(began).Round(time.Second))
	cmd := k.run(t)
	truth, ok := <-fed
	if !ok {
		t.Fatal("the feed failed")
	}
	k.drained(t)
	k.end(t, cmd)
	k.wait(t, k.run(t, "--once"))
	k.compare(t, truth)
}

// TestKillClickHouse kills ClickHouse under load, -9, and starts it again on its folder, while the engine goes on running; once
// the engine dies with it. What ClickHouse had acknowledged is there, what it had not comes again.
func TestKillClickHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	kills, seed := max(5, enginetest.Number(t, killsEnv, 30)/5), uint64(enginetest.Number(t, seedEnv, 1))
	t.Logf("%s=%d %s=%d", killsEnv, 5*kills, seedEnv, seed)
	k := newKilled(t)
	rng := rand.New(rand.NewPCG(seed, 3))
	const late = 2 * time.Second
	events := 300 * kills
	fed := k.load(t, k.Simulation(t, seed, events), events, time.Duration(kills)*2*late)
	cmd := k.run(t)
	await(t, late)
	for n := range kills {
		await(t, time.Duration(rng.Int64N(int64(late))))
		k.server.Kill()
		if n == kills/2 {
			k.kill(t, cmd)
		}
		await(t, time.Duration(rng.Int64N(int64(late))))
		k.restart(t)
		if n == kills/2 {
			cmd = k.run(t)
		}
	}
	truth, ok := <-fed
	if !ok {
		t.Fatal("the feed failed")
	}
	k.drained(t)
	k.end(t, cmd) // the same process all along
	k.wait(t, k.run(t, "--once"))
	k.compare(t, truth)
}

// TestKillDemo kills the whole stack in one process: broker, ClickHouse, engine and feed. Started again on the same folder it goes
// on where it was, and ends with the figures of a day that nobody disturbed.
func TestKillDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	t.Parallel()
	embeddedtest.Require(t)
	kills, seed := max(10, enginetest.Number(t, killsEnv, 30)/3), uint64(enginetest.Number(t, seedEnv, 1))
	t.Logf("%s=%d %s=%d", killsEnv, 3*kills, seedEnv, seed)
	dir := t.TempDir()
	output, err := os.Create(filepath.Join(dir, "demo.log"))
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{log: output}
	t.Cleanup(func() {
		if err := output.Close(); err != nil {
			t.Error(err)
		}
	})
	data := filepath.Join(dir, "data")
	events := 300 * kills
	args := []string{
		"demo", "--once", "--data", data, "--seed", strconv.FormatUint(seed, 10), "--events", strconv.Itoa(events),
		"--pace", (time.Duration(kills) * 2 * time.Second).String(),
	}
	rng := rand.New(rand.NewPCG(seed, 4))
	for range kills {
		cmd := start(t, output, args...)
		await(t, time.Second/2+time.Duration(rng.Int64N(int64(5*time.Second))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("the demo ended before it was killed: %v\n%s", err, k.said(t))
		}
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("the demo ended before it was killed: %v\n%s", err, k.said(t))
		}
	}
	k.wait(t, start(t, output, args...))

	cfg := config.Default()
	release, err := local.Attach(t.Context(), data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	sim, err := simulate.New(simulate.Config{Seed: seed, Events: events, Minutes: true, Start: played(t, data)})
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		_, more = sim.Next()
	}
	ch, err := engine.ConnectClickHouse(t.Context(), cfg, ops.NewMetrics(nil), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ch.Close(); err != nil {
			t.Error(err)
		}
	})
	enginetest.Compare(t, t.Context(), ch, sim.Truth())
	enginetest.Recount(t, t.Context(), ch, cfg)
	if t.Failed() {
		t.Logf("the demo said:\n%s", k.said(t))
	}
}

// played returns the midnight of the day that the demo plays into a data folder.
func played(t *testing.T, data string) stream.Time {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "feed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Start stream.Time }
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	return state.Start
}

// compare fails the test unless the tables show the truth.
func (k *killed) compare(t *testing.T, truth *simulate.Truth) {
	t.Helper()
	ctx := t.Context()
	enginetest.Compare(t, ctx, k.ClickHouse, truth)
	enginetest.Recount(t, ctx, k.ClickHouse, k.Config)
	report, err := k.ClickHouse.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records read, %d mentions, %d repeated by our own producers, %d cells", report.Records, report.Mentions, report.Replayed, report.PaneCells)
	if left := leftover(ctx, k); left != nil {
		t.Error(left)
	}
	if t.Failed() {
		t.Logf("the engine said:\n%s", k.said(t))
	}
}

// leftover reports restart points that are not the ends of their partitions.
func leftover(ctx context.Context, k *killed) error {
	e, err := engine.New(ctx, engine.Options{Config: k.Config, Kafka: k.Kafka, ClickHouse: k.ClickHouse, Logger: k.Logger})
	if err != nil {
		return err
	}
	if n, err := e.Drained(ctx); err != nil || n != 0 {
		return fmt.Errorf("%d records of %v are left: %w", n, stream.Stages, err)
	}
	return nil
}
