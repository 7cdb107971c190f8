//go:build !noembed

package embedded

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// loadEngine loads the library at path into this process.
func loadEngine(path string) (*engine, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w; it may be damaged or of another platform: run `make setup` again", path, err)
	}
	var e engine
	for name, function := range map[string]any{
		"chdb_set_signal_handlers_enabled": &e.setSignalHandlers,
		"chdb_query_cmdline":               &e.queryCmdline,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w; the version that deploy/embedded/package-lock.json pins has it: run `make setup`", path, err)
		}
		purego.RegisterFunc(function, symbol)
	}
	return &e, nil
}
