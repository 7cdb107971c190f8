package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const endpointName = "endpoint.json" // in the data folder, while a server runs on it

// ErrNotRunning is matched by errors that say no server runs on a data folder.
var ErrNotRunning = errors.New("not running")

// Endpoint is where a running server of a data folder is reached. It stands in the file endpoint.json of the folder.
type Endpoint struct {
	PID       int       `json:"pid"`              // of the process that works on the data
	Owner     int       `json:"owner"`            // of the process that started it and that it dies with
	Native    string    `json:"native,omitempty"` // ClickHouse: host:port of the native protocol
	HTTP      string    `json:"http,omitempty"`   // ClickHouse: host:port of the HTTP interface
	Kafka     string    `json:"kafka,omitempty"`  // Kafka: host:port of the broker
	StartedAt time.Time `json:"started_at"`       // UTC
}

// Running returns the endpoint of the server that runs on a data folder. The error matches ErrNotRunning when none does:
// a file left behind by a killed process is recognised by the lock that its process no longer holds.
func Running(dir string) (Endpoint, error) {
	held, err := serving(dir)
	if err != nil {
		return Endpoint{}, err
	}
	if !held {
		return Endpoint{}, fmt.Errorf("server of data folder %s: %w", dir, ErrNotRunning)
	}
	e, err := readEndpoint(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("server of data folder %s is starting or stopping: %w", dir, ErrNotRunning)
	}
	return e, err
}

// readEndpoint reads the file, whether or not its server still runs.
func readEndpoint(dir string) (Endpoint, error) {
	text, err := os.ReadFile(filepath.Join(dir, endpointName))
	if err != nil {
		return Endpoint{}, fmt.Errorf("read the endpoint of data folder %s: %w", dir, err)
	}
	var e Endpoint
	if err := json.Unmarshal(text, &e); err != nil {
		return Endpoint{}, fmt.Errorf("read the endpoint of data folder %s: %s: %w", dir, endpointName, err)
	}
	return e, nil
}

func writeJSON(dir, name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return writeFile(filepath.Join(dir, name), append(text, '\n'))
}

// writeFile replaces a file as a whole, readable by its owner alone: these files hold passwords.
func writeFile(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// DefaultDataDir returns the data folder of `otklik demo` and `otklik sql` when none is named: otklik/demo below the
// user's cache folder.
func DefaultDataDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the default data folder: %w; name one with --data", err)
	}
	return filepath.Join(cache, "otklik", "demo"), nil
}

// ClickHouseDir returns ClickHouse's part of a data folder that both engines share.
func ClickHouseDir(data string) string { return filepath.Join(data, "clickhouse") }

// KafkaDir returns Kafka's part of a data folder that both engines share.
func KafkaDir(data string) string { return filepath.Join(data, "kafka") }
