package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// maxSecret bounds what is read as a secret: a wrong path must not load a disk image.
const maxSecret = 64 << 10

// Load reads the configuration file at path over the defaults, takes the secrets that it names from getenv and from files,
// parses the brand catalogue and validates everything. An empty path gives the validated defaults.
//
// The error joins all faults of the configuration and of the catalogue, in the order of their places; Faults takes it apart.
func Load(path string, getenv func(string) string) (*Config, error) {
	cfg := Default()
	cfg.file = path
	l := &loader{decoder: decoder{file: path}, dir: filepath.Dir(path), getenv: getenv}
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, &Fault{File: path, Message: "read: " + reason(err), Hint: "check the path given with -c, or begin with a copy of deploy/otklik.yaml"}
		}
		data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors write a byte order mark
		l.source = data
		l.decode(data, cfg)
		if _, stated := l.places["limits.thread_horizon"]; !stated {
			cfg.Limits.ThreadHorizon = cfg.Care.QuietGap + 24*time.Hour
		}
	}
	unread := l.faults
	l.faults = nil
	l.secrets(cfg)
	l.model(&cfg.Sentiment)
	l.catalogue(cfg)
	(&validator{decoder: &l.decoder, dir: l.dir}).config(cfg)
	l.faults = slices.Concat(unread, slices.DeleteFunc(l.faults, func(f *Fault) bool { return follows(f, unread) }))
	if err := join(l.faults); err != nil {
		return nil, err
	}
	return cfg, nil
}

// follows reports whether a fault is about a value that could not be read, or about what holds it: what stands there instead is not
// what somebody wrote.
func follows(f *Fault, unread []*Fault) bool {
	return f.Path != "" && slices.ContainsFunc(unread, func(u *Fault) bool {
		rest, below := strings.CutPrefix(u.Path, f.Path)
		return f.File == u.File && below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// reason is err without the path, which a fault names already.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

// loader fetches what the configuration refers to.
type loader struct {
	decoder

	source []byte
	dir    string
	getenv func(string) string
}

// resolvePath returns a path of the configuration relative to the folder of its file.
func resolvePath(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (l *loader) secrets(cfg *Config) {
	l.secret(&cfg.Kafka.SASL.Password, "kafka.sasl.password", cfg.Kafka.SASL.PasswordEnv, cfg.Kafka.SASL.PasswordFile)
	for _, login := range cfg.ClickHouse.logins() {
		l.secret(&login.Password, within(login.path, "password"), login.PasswordEnv, login.PasswordFile)
	}
	l.secret(&cfg.Sentiment.Remote.Token, "sentiment.remote.token", cfg.Sentiment.Remote.TokenEnv, cfg.Sentiment.Remote.TokenFile)
	l.secret(&cfg.Privacy.AuthorKey, "privacy.author_key", cfg.Privacy.AuthorKeyEnv, cfg.Privacy.AuthorKeyFile)
	for i := range cfg.Alerts.Destinations {
		d := &cfg.Alerts.Destinations[i]
		path := fmt.Sprintf("alerts.destinations[%d]", i)
		l.secret(&d.Address, path+".url", d.URLEnv, d.URLFile)
		l.secret(&d.Secret, path+".secret", d.SecretEnv, d.SecretFile)
	}
}

// model reads the model file.
func (l *loader) model(s *Sentiment) {
	if s.ModelFile == "" {
		return
	}
	s.ModelFile = resolvePath(l.dir, s.ModelFile)
	m, err := sentiment.Load(s.ModelFile)
	if err != nil {
		l.at("sentiment.model", "read the model: "+reason(err), "name a file that otklik sentiment adapt or train of this version has written, or remove the key to take the built-in model")
		return
	}
	s.Model = m
}

// namedLogin is a login with its place in the file.
type namedLogin struct {
	*Login
	path string
}

func (c *ClickHouse) logins() []namedLogin {
	return []namedLogin{
		{&c.Login, "clickhouse"}, {&c.Analyst, "clickhouse.analyst"}, {&c.Dashboard, "clickhouse.dashboard"}, {&c.Desk, "clickhouse.desk"},
	}
}

// secret reads one secret. No message repeats what the file gives as the variable's name: people put the password there.
func (l *loader) secret(dst *Secret, path, env, file string) {
	switch {
	case env == "" && file == "":
	case env != "" && file != "":
		l.at(path+"_file", "given twice, from the environment and from a file", "keep one of the two keys")
	case env != "":
		l.secretFromEnv(dst, path+"_env", env)
	default:
		l.secretFromFile(dst, path+"_file", resolvePath(l.dir, file))
	}
}

func (l *loader) secretFromEnv(dst *Secret, path, name string) {
	if !isEnvName(name) {
		l.at(path, "not the name of an environment variable", "write the variable's name (A-Z, 0-9 and _), and put the secret into that variable")
		return
	}
	value := l.getenv(name)
	if value == "" {
		l.at(path, fmt.Sprintf("the environment variable %s is not set", name), "export it before the start, or remove the key")
		return
	}
	*dst = NewSecret(value)
}

func (l *loader) secretFromFile(dst *Secret, path, file string) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		l.at(path, "read the secret: "+reason(err), "create the file, readable by this user alone")
	case info.IsDir():
		l.at(path, "names a folder", "name the file that holds the secret")
	case info.Size() > maxSecret:
		l.at(path, fmt.Sprintf("the file is larger than %d bytes", maxSecret), "name the file that holds the secret and nothing else")
	default:
		data, err := os.ReadFile(file)
		value := strings.TrimRight(string(data), "\r\n")
		if err != nil {
			l.at(path, "read the secret: "+reason(err), "let this user read the file")
			return
		}
		if value == "" {
			l.at(path, "the file holds no secret", "write the secret into it")
			return
		}
		*dst = NewSecret(value)
	}
}

// isEnvName reports whether s can be the name of an environment variable as shells accept it.
func isEnvName(s string) bool {
	for i, r := range s {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// catalogue parses the brand catalogue and adds its faults with their own places.
func (l *loader) catalogue(cfg *Config) {
	src := &cfg.Catalogue
	switch {
	case src.File != "" && src.Inline.node != nil:
		l.at("catalogue.inline", "given twice, as a file and inline", "keep one of catalogue.file and catalogue.inline")
	case src.File != "":
		file := resolvePath(l.dir, src.File)
		data, err := os.ReadFile(file)
		if err != nil {
			l.at("catalogue.file", "read the catalogue: "+reason(err), "correct the path (it is relative to the configuration file)")
			return
		}
		l.parseCatalogue(cfg, file, data)
	case src.Inline.node != nil:
		if flow, ok := src.Inline.node.(*ast.MappingNode); ok && flow.IsFlowStyle {
			l.at("catalogue.inline", "the catalogue is written in braces", "write it as an indented block")
			return
		}
		l.parseCatalogue(cfg, l.file, l.below("catalogue.inline"))
	default:
		cfg.Brands = brand.Example()
	}
}

// below returns the lines below a key, at their own lines and columns: what is above them is blanked.
func (l *loader) below(path string) []byte {
	key := l.places[path].Position
	var b strings.Builder
	for i, line := range strings.SplitAfter(string(l.source), "\n") {
		switch text := strings.TrimLeft(line, " "); {
		case i < key.Line:
			b.WriteByte('\n')
		case strings.TrimSpace(text) != "" && text[0] != '#' && len(line)-len(text) < key.Column:
			return []byte(b.String())
		default:
			b.WriteString(line)
		}
	}
	return []byte(b.String())
}

// parseCatalogue parses data, which stands in file, and takes over its faults.
func (l *loader) parseCatalogue(cfg *Config, file string, data []byte) {
	parsed, err := brand.Parse(data)
	if err == nil {
		cfg.Brands = parsed
		return
	}
	for _, f := range brand.Faults(err) {
		l.faults = append(l.faults, &Fault{File: file, Line: f.Line, Column: f.Column, Path: f.Path, Message: f.Message, Hint: f.Hint})
	}
}
