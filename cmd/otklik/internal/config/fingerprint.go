package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"otklik/stream/brand"
	"otklik/stream/care"
	"otklik/stream/claim"
	"otklik/stream/spike"
)

// fingerprintVersion changes when the same settings are interpreted differently.
const fingerprintVersion = "1"

// Fingerprint identifies everything in the configuration that changes results: the catalogue, the windows, the care desk's
// calendar, what counts as a plausible time, the partition counts of the keyed topics, whether (and with which key) author
// ids are pseudonymised, the name of an external classifier, the name (a checksum of
// its weights) of the model of sentiment.model, and the sensitivity of alerts, and how claims are picked. Two processes whose fingerprints differ must not share a database. Addresses, secrets, retention,
// batch sizes and logging are not in it. The order of lists in the catalogue counts.
func (c *Config) Fingerprint() string {
	// The author key shows in the fingerprint only as a keyed hash of a constant; minAuthorKey keeps it out of reach of guessing.
	var author string
	if !c.Privacy.AuthorKey.IsZero() {
		mac := hmac.New(sha256.New, []byte(c.Privacy.AuthorKey.Reveal()))
		mac.Write([]byte("otklik fingerprint"))
		author = hex.EncodeToString(mac.Sum(nil)[:8])
	}
	sensitivity := ""
	if c.Alerts.Sensitivity != spike.Normal {
		sensitivity = string(c.Alerts.Sensitivity)
	}
	model := ""
	if c.Sentiment.Model != nil {
		model = c.Sentiment.Model.Name()
	}
	var claims *claim.Config
	if !reflect.DeepEqual(c.Claims, claim.DefaultConfig()) {
		claims = &c.Claims
	}
	//nolint:musttag // the field names of the packages' own types are stable enough: renaming one is a new fingerprint
	content, err := json.Marshal(struct {
		Version         string           `json:"version"`
		Catalogue       *brand.Catalogue `json:"catalogue"`
		Care            care.Config      `json:"care"`
		Window          Window           `json:"window"`
		MaxFuture       time.Duration    `json:"max_future"`
		IdentityHorizon time.Duration    `json:"identity_horizon"`
		Mentions        int              `json:"mentions"`
		Panes           int              `json:"panes"`
		AuthorKey       string           `json:"author_key"`
		Classifier      string           `json:"classifier,omitempty"`
		Sensitivity     string           `json:"sensitivity,omitempty"` // of the alerts; left out for the default
		Model           string           `json:"model,omitempty"`       // of sentiment.model; left out for the built-in one
		Claims          *claim.Config    `json:"claims,omitempty"`      // left out for the default
	}{
		fingerprintVersion, c.Brands, c.Care, c.Window, c.Limits.MaxFuture, c.Limits.IdentityHorizon,
		c.Kafka.Topics.Partitions.Mentions, c.Kafka.Topics.Partitions.Panes, author, c.Sentiment.Remote.Name, sensitivity, model, claims,
	})
	if err != nil {
		panic(fmt.Sprintf("config: fingerprint: %v", err)) // plain data always marshals
	}
	sum := sha256.Sum256(content)
	return fingerprintVersion + "-" + hex.EncodeToString(sum[:12])
}
