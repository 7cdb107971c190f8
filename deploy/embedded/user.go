package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const usersName = "users.json" // in the data folder: who may log in, for whoever starts or asks the server next

// User is one who may log in to the embedded ClickHouse. Users are read when it starts; CREATE USER is for real servers.
type User struct {
	Name string `json:"name"`
	// Password in the clear. When empty, the one of the last start on this data folder is kept, or a new one is made.
	Password string `json:"password"`
	// Grants are statements without the user, such as "GRANT SELECT ON otklik.sentiment_1d".
	Grants []string `json:"grants"`
	// Settings is the user's profile: names and values of ClickHouse settings, e.g. readonly=2.
	Settings map[string]string `json:"settings,omitempty"`
	// Limits are settings that the user may lower but not raise, e.g. max_execution_time=30.
	Limits map[string]uint64 `json:"limits,omitempty"`
	Quota  Quota             `json:"quota,omitzero"`
}

// Quota bounds what a user may ask for in an interval; zero fields are unbounded. It is written as ClickHouse documents
// it, but the engine inside libchdb has not been seen to enforce quotas: what must hold belongs into User.Limits.
type Quota struct {
	Interval      time.Duration `json:"interval,omitempty"` // default one hour
	Queries       uint64        `json:"queries,omitempty"`
	Errors        uint64        `json:"errors,omitempty"`
	ResultRows    uint64        `json:"result_rows,omitempty"`
	ReadRows      uint64        `json:"read_rows,omitempty"`
	ExecutionTime time.Duration `json:"execution_time,omitempty"` // of all queries together
}

var (
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// consoleUser is whom clickhouse-local logs in as; the name is fixed in the engine. See the package documentation.
const consoleUser = "default"

func (u *User) validate() error {
	var faults []error
	if !identifier.MatchString(u.Name) {
		faults = append(faults, fmt.Errorf("user %q: the name must be letters, digits and underscores", u.Name))
	}
	if u.Name == consoleUser {
		faults = append(faults, fmt.Errorf("user %q: the name is taken by the engine itself; choose another", u.Name))
	}
	for _, name := range slices.Sorted(maps.Keys(u.Settings)) {
		if !settingName.MatchString(name) {
			faults = append(faults, fmt.Errorf("user %s: %q is no name of a setting", u.Name, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Limits)) {
		if !settingName.MatchString(name) {
			faults = append(faults, fmt.Errorf("user %s: %q is no name of a setting", u.Name, name))
		}
		if _, twice := u.Settings[name]; twice {
			faults = append(faults, fmt.Errorf("user %s: %s is both a setting and a limit", u.Name, name))
		}
	}
	for _, grant := range u.Grants {
		if !strings.HasPrefix(strings.ToUpper(grant), "GRANT ") {
			faults = append(faults, fmt.Errorf("user %s: %q is no GRANT statement", u.Name, grant))
		}
	}
	return errors.Join(faults...)
}

// completeUsers validates users and gives each without a password the one it had, or a new one.
func completeUsers(dir string, users []User) ([]User, error) {
	known, err := Users(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(users) == 0 {
		users = known
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("no users for the ClickHouse of %s: nobody could log in", dir)
	}
	passwords := make(map[string]string, len(known))
	for _, u := range known {
		passwords[u.Name] = u.Password
	}
	complete := slices.Clone(users)
	seen := make(map[string]bool, len(users))
	for i := range complete {
		u := &complete[i]
		if err := u.validate(); err != nil {
			return nil, err
		}
		if seen[u.Name] {
			return nil, fmt.Errorf("user %s is given twice", u.Name)
		}
		seen[u.Name] = true
		if u.Password == "" {
			u.Password = passwords[u.Name]
		}
		if u.Password == "" {
			u.Password = rand.Text()
		}
	}
	return complete, nil
}

// Users returns the users of a data folder as its ClickHouse was last started, passwords included. The error matches
// fs.ErrNotExist when none was ever started there.
func Users(dir string) ([]User, error) {
	text, err := os.ReadFile(filepath.Join(dir, usersName))
	if err != nil {
		return nil, fmt.Errorf("read the users of data folder %s: %w", dir, err)
	}
	var users []User
	if err := json.Unmarshal(text, &users); err != nil {
		return nil, fmt.Errorf("read the users of data folder %s: %s: %w", dir, usersName, err)
	}
	return users, nil
}

// usersXML renders the users file: https://clickhouse.com/docs/operations/settings/settings-users.
func usersXML(users []User) string {
	var b strings.Builder
	b.WriteString("<clickhouse>\n<profiles>\n<default/>\n")
	// The one session of the console user is taken by clickhouse-local itself as soon as it starts.
	fmt.Fprintf(&b, "<%[1]s_console><max_sessions_for_user>1</max_sessions_for_user></%[1]s_console>\n", consoleUser)
	for _, u := range users {
		fmt.Fprintf(&b, "<profile_%s>", u.Name)
		for _, name := range slices.Sorted(maps.Keys(u.Settings)) {
			fmt.Fprintf(&b, "<%s>%s</%[1]s>", name, escapeXML(u.Settings[name]))
		}
		limits := slices.Sorted(maps.Keys(u.Limits))
		for _, name := range limits {
			fmt.Fprintf(&b, "<%s>%d</%[1]s>", name, u.Limits[name])
		}
		if len(limits) > 0 {
			b.WriteString("<constraints>")
			for _, name := range limits {
				// 0 means "no limit" for nearly all of them, so the lower bound is 1.
				fmt.Fprintf(&b, "<%s><min>1</min><max>%d</max></%[1]s>", name, u.Limits[name])
			}
			b.WriteString("</constraints>")
		}
		fmt.Fprintf(&b, "</profile_%s>\n", u.Name)
	}
	b.WriteString("</profiles>\n<quotas>\n<default/>\n")
	for _, u := range users {
		fmt.Fprintf(&b, "<quota_%s>%s</quota_%[1]s>\n", u.Name, u.Quota.xml())
	}
	b.WriteString("</quotas>\n<users>\n")
	fmt.Fprintf(&b, "<%[1]s><password></password><networks><ip>127.0.0.1</ip><ip>::1</ip></networks><profile>%[1]s_console</profile>"+
		"<quota>default</quota><grants><query>GRANT SYSTEM LISTEN ON *.*</query></grants></%[1]s>\n", consoleUser)
	for _, u := range users {
		sum := sha256.Sum256([]byte(u.Password))
		fmt.Fprintf(&b, "<%s><password_sha256_hex>%s</password_sha256_hex><networks><ip>127.0.0.1</ip><ip>::1</ip></networks>"+
			"<profile>profile_%[1]s</profile><quota>quota_%[1]s</quota><grants>", u.Name, hex.EncodeToString(sum[:]))
		for _, grant := range u.Grants {
			fmt.Fprintf(&b, "<query>%s</query>", escapeXML(grant))
		}
		fmt.Fprintf(&b, "</grants></%s>\n", u.Name)
	}
	b.WriteString("</users>\n</clickhouse>\n")
	return b.String()
}

func (q Quota) xml() string {
	interval := q.Interval
	if interval == 0 {
		interval = time.Hour
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<interval><duration>%d</duration>", int64(interval/time.Second))
	for _, bound := range []struct {
		name  string
		value uint64
	}{
		{"queries", q.Queries},
		{"errors", q.Errors},
		{"result_rows", q.ResultRows},
		{"read_rows", q.ReadRows},
		{"execution_time", uint64(q.ExecutionTime / time.Second)},
	} {
		fmt.Fprintf(&b, "<%s>%s</%[1]s>", bound.name, strconv.FormatUint(bound.value, 10))
	}
	b.WriteString("</interval>")
	return b.String()
}

func escapeXML(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(fmt.Sprintf("escape %q: %v", text, err)) // a strings.Builder never fails
	}
	return b.String()
}
