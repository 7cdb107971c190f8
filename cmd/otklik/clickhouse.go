package main

import (
	"errors"

	"github.com/spf13/cobra"

	"otklik/deploy/embedded"
)

// newClickHouseChildCommand returns the hidden command that the embedded ClickHouse runs as. embedded.Main at the start of
// main takes it over before the command line is parsed; the command remains for whoever types it, and shows in `ps`.
func newClickHouseChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "clickhouse-child",
		Short:  "The embedded ClickHouse (started by otklik itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			embedded.Main() // does not return in the child
			return errors.New("clickhouse-child is started by otklik itself; run `otklik demo` or `otklik sql`")
		},
	}
}
