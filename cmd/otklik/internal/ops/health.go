package ops

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// errStarting is what a component reports before it has said anything else.
var errStarting = errors.New("starting")

// Health collects whether the components of a process can do their work. The zero value is ready to use and, having no
// components, not ready.
type Health struct {
	mu         sync.Mutex
	components map[string]error
}

// Expect declares a component, which is not ready until it reports.
func (h *Health) Expect(component string) { h.Report(component, errStarting) }

// Report says that a component works (nil) or why it does not.
func (h *Health) Report(component string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.components == nil {
		h.components = make(map[string]error)
	}
	h.components[component] = err
}

// Ready returns nil when every component works, else one error per component that does not, by name.
func (h *Health) Ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.components) == 0 {
		return errStarting
	}
	var faults []error
	for name, err := range h.components {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	slices.SortFunc(faults, func(a, b error) int {
		if a.Error() < b.Error() {
			return -1
		}
		return 1
	})
	return errors.Join(faults...)
}
