//go:build noembed

package embedded

import "fmt"

// loadEngine refuses: loading a library takes the dynamic linker, and a binary built with the tag noembed is static.
func loadEngine(path string) (*engine, error) {
	return nil, fmt.Errorf("load %s: this otklik was built with the tag noembed, without the embedded ClickHouse; name a server in clickhouse.addrs, or build without the tag", path)
}
