package config

import (
	"fmt"
	"log/slog"
)

// hidden is what every way of printing a Secret yields.
const hidden = "***"

// Secret is a password or a key. However it is printed, marshalled or logged it shows as ***; only Reveal returns it.
// Secrets come from the environment or from files, never from the configuration itself.
type Secret struct{ value string }

// NewSecret returns a secret that holds value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value. Hand it to the library that needs it, and to nothing that prints.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == "" }

// String returns *** (or nothing when there is no secret).
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hidden
}

// Format prints *** for every verb, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, s.String()) // fmt.State never fails; fmt reports its own writer's error
}

// MarshalYAML returns ***.
func (s Secret) MarshalYAML() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalJSON returns ***.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText returns ***.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
