package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

const mebibyte = 1 << 20

// Print writes the result as a table.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s, %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go)
	fmt.Fprintf(&b, "%d tweets of %d bytes, %g %% name a brand, %d mentions\n\n", r.Events, r.EventBytes, 100*r.Naming, r.Mentions)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "events/s\tMB/s\tCPU s/million\tof it ClickHouse\t\t")
	line := func(letter rune, s *Step, more string) {
		fmt.Fprintf(t, "%.0f\t%.0f\t%.1f\t%.1f\t(%c) %s%s\t\n", s.EventsRate, s.MBRate, s.CPU(), s.ServerCPU, letter, s.Name, more)
	}
	for i := range r.Steps {
		line('a'+rune(i), &r.Steps[i], "")
		if i == 0 {
			line('r', &r.Reader, "")
		}
	}
	for _, f := range r.Further {
		more := fmt.Sprintf(", %g %% name a brand", 100*f.Naming)
		line('a', &f.Steps[0], more)
		line('d', &f.Steps[len(f.Steps)-1], more)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n(d)/(a) %.2f and (d)/(r) %.2f where %g %% name a brand", r.Ratio, r.ReaderRatio, 100*r.Naming)
	for _, f := range r.Further {
		fmt.Fprintf(&b, ", %.2f and %.2f where %g %% do", f.Ratio, f.ReaderRatio, 100*f.Naming)
	}
	fmt.Fprintf(&b, "\nthe engine began after %.1f s, which are not counted\n", r.StartSeconds)
	fmt.Fprintf(&b, "peak memory: otklik with the embedded broker %d MiB, ClickHouse %d MiB\n", r.Peak.Process/mebibyte, r.Peak.ClickHouse/mebibyte)
	if l := r.Latency; l != nil {
		fmt.Fprintf(&b, "append to readable row at %.0f events/s: p50 %.2f s, p90 %.2f s, p99 %.2f s, longest %.2f s (%d samples)\n",
			l.Rate, l.P50, l.P90, l.P99, l.Max, l.Samples)
	}
	fmt.Fprintln(&b, "\nWhere the processor time of (d) goes:")
	for _, c := range r.Cost {
		fmt.Fprintf(&b, "  %5.1f %%  %s\n", 100*c.Share, c.What)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Print writes the result in words.
func (r *MemoryResult) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s, %d cores, %s, %s\n%d open cases and %d identities restored in %.1f s: heap %d MiB, resident %d MiB, at most %d MiB meanwhile\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go,
		r.Cases, r.Identities, r.Seconds, r.Heap/mebibyte, r.Resident/mebibyte, r.Peak/mebibyte)
	return err
}
