package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"otklik/cmd/otklik/internal/config"
	"otklik/deploy/embedded"
)

// analystUser is the user of the embedded ClickHouse that `otklik sql` logs in as.
const analystUser = "analyst"

// sqlTarget is a ClickHouse to put a query to, over HTTP.
type sqlTarget struct {
	url      string // base URL
	user     string
	password string
	database string
	tls      *tls.Config // nil for the system's
}

// newSQLCommand returns `otklik sql`.
func newSQLCommand() *cobra.Command {
	var data, configPath, format string
	cmd := &cobra.Command{
		Use:   "sql [--data DIR | -c FILE] [--format F] [QUERY]",
		Short: "Run a query on ClickHouse as the analyst",
		Long: `Runs one SQL query as the analyst, who reads every view and changes nothing, and prints the answer as it comes.
The query is the argument, or standard input when there is none or it is "-".

It asks the ClickHouse of the configuration that -c or $OTKLIK_CONFIG names. With --data, or with neither, it asks the
embedded one of a data folder, which it starts for the time of the query if it is not running.

Exit status: 0 answered, 1 ClickHouse refused (its message is on standard error), 2 wrong usage.`,
		Example: `  otklik sql "SELECT brand, net_sentiment FROM sentiment_1d ORDER BY start DESC LIMIT 10"
  otklik sql --format CSVWithNames "SELECT * FROM sentiment_1h" >hours.csv
  echo "SHOW TABLES" | otklik sql --data ./day
  otklik sql -c otklik.yaml --format JSONEachRow "SELECT * FROM alerts"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			query, err := sqlQuery(cmd, args)
			if err != nil {
				return err
			}
			target, release, err := sqlTargetOf(cmd, data, configPath)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, release()) }()
			return target.run(cmd.Context(), cmd.OutOrStdout(), query, format)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder` of an embedded ClickHouse (default: that of otklik demo)")
	cmd.Flags().StringVarP(&format, "format", "f", "PrettyCompact", "output `format`, any of ClickHouse's; FORMAT in the query has precedence")
	addConfigFlag(cmd, &configPath)
	cmd.MarkFlagsMutuallyExclusive("data", "config")
	return cmd
}

// sqlQuery returns the query of the command line or of standard input.
func sqlQuery(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	in := cmd.InOrStdin()
	if file, ok := in.(*os.File); ok && len(args) == 0 && term.IsTerminal(int(file.Fd())) {
		return "", usagef(cmd, "no query: give it as the argument, or pipe it in")
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("sql: read the query from standard input: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return "", usagef(cmd, "no query: standard input is empty")
	}
	return string(text), nil
}

// sqlTargetOf returns whom to ask, and what to do when that is over.
func sqlTargetOf(cmd *cobra.Command, data, configPath string) (sqlTarget, func() error, error) {
	if data == "" && (configPath != "" || getenvOf(cmd)("OTKLIK_CONFIG") != "") {
		cfg, err := loadConfig(cmd, configPath)
		if err != nil {
			return sqlTarget{}, nil, err
		}
		target, err := configuredTarget(cfg)
		return target, func() error { return nil }, err
	}
	if data == "" {
		var err error
		if data, err = embedded.DefaultDataDir(); err != nil {
			return sqlTarget{}, nil, err
		}
	}
	return embeddedTarget(cmd.Context(), data)
}

func configuredTarget(cfg *config.Config) (sqlTarget, error) {
	c := cfg.ClickHouse
	if c.HTTP == "" {
		return sqlTarget{}, errors.New("sql: clickhouse.http is not configured; set it to the URL of ClickHouse's HTTP interface")
	}
	security, err := c.TLS.Client()
	if err != nil {
		return sqlTarget{}, fmt.Errorf("sql: clickhouse.tls: %w", err)
	}
	return sqlTarget{
		url: c.HTTP, user: c.Analyst.User, password: c.Analyst.Password.Reveal(), database: c.Database, tls: security,
	}, nil
}

// embeddedTarget returns the embedded ClickHouse of a data folder, started if it is not running.
func embeddedTarget(ctx context.Context, data string) (sqlTarget, func() error, error) {
	dir := embedded.ClickHouseDir(data)
	users, err := embedded.Users(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return sqlTarget{}, nil, fmt.Errorf("sql: data folder %s holds no ClickHouse yet; run `otklik demo --data %[1]s` first, or name another with --data", data)
	}
	if err != nil {
		return sqlTarget{}, nil, fmt.Errorf("sql: %w", err)
	}
	target := sqlTarget{user: analystUser, database: config.Default().ClickHouse.Database}
	for _, u := range users {
		if u.Name == analystUser {
			target.password = u.Password
		}
	}
	if target.password == "" {
		return sqlTarget{}, nil, fmt.Errorf("sql: the ClickHouse of data folder %s has no user %s; it was not made by `otklik demo`", data, analystUser)
	}
	endpoint, err := embedded.Running(dir)
	if err == nil {
		target.url = "http://" + endpoint.HTTP
		return target, func() error { return nil }, nil
	}
	if !errors.Is(err, embedded.ErrNotRunning) {
		return sqlTarget{}, nil, fmt.Errorf("sql: %w", err)
	}
	embedded.Main() // in case main did not; here, in the parent, it only notes that the child will find its way
	server, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: dir})
	if err != nil {
		return sqlTarget{}, nil, fmt.Errorf("sql: %w", err)
	}
	target.url = "http://" + server.HTTP()
	return target, func() error {
		// Ctrl-C during the query ends the context; the server is to end cleanly all the same.
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return server.Stop(stopCtx)
	}, nil
}

// run puts the query and copies the answer to out as it comes.
func (t sqlTarget) run(ctx context.Context, out io.Writer, query, format string) error {
	address, err := url.Parse(t.url)
	if err != nil {
		return fmt.Errorf("sql: clickhouse.http: %w", err)
	}
	parameters := address.Query()
	parameters.Set("database", t.database)
	parameters.Set("default_format", format)
	address.RawQuery = parameters.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(query))
	if err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	request.Header.Set("X-ClickHouse-User", t.user)
	request.Header.Set("X-ClickHouse-Key", t.password)
	request.Close = true // one query; a connection kept open would only delay the server's end
	response, err := (&http.Client{Transport: &http.Transport{
		TLSClientConfig:    t.tls,
		Proxy:              http.ProxyFromEnvironment,
		DisableCompression: true, // ClickHouse holds rows back to compress them
	}}).Do(request)
	if err != nil {
		return fmt.Errorf("sql: ask ClickHouse: %w", err)
	}
	defer response.Body.Close() // read to its end or given up
	last := tail{to: out}
	if response.StatusCode != http.StatusOK {
		last.to = io.Discard
	}
	_, err = io.Copy(&last, response.Body)
	// After the first rows the status cannot change any more: ClickHouse appends its message and cuts the answer off.
	if message := last.exception(); message != "" {
		return fmt.Errorf("sql: %s", message)
	}
	if response.StatusCode != http.StatusOK {
		// The message stands alone, or behind the rows that were not sent in time.
		text := last.end[max(0, bytes.LastIndex(last.end, []byte("Code: "))):]
		return fmt.Errorf("sql: %s", cmp.Or(strings.TrimSpace(string(text)), response.Status))
	}
	if err != nil {
		return fmt.Errorf("sql: the answer is incomplete: %w", err)
	}
	return nil
}

// tail passes on what is written and remembers the end of it.
type tail struct {
	to  io.Writer
	end []byte
}

const tailBytes = 32 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.end = append(t.end, p...)
	if extra := len(t.end) - tailBytes; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return t.to.Write(p)
}

// exception returns the message of the exception block that ClickHouse ends a broken answer with:
// https://clickhouse.com/docs/interfaces/http#http_response_codes_caveats.
func (t *tail) exception() string {
	const marker = "__exception__"
	body := bytes.TrimSpace(t.end)
	if !bytes.HasSuffix(body, []byte(marker)) {
		return ""
	}
	body = bytes.TrimSuffix(body, []byte(marker))
	begin := bytes.LastIndex(body, []byte(marker))
	if begin < 0 {
		return ""
	}
	// The block is: tag, message, "length tag".
	lines := strings.Split(strings.TrimSpace(string(body[begin+len(marker):])), "\n")
	if len(lines) < 3 {
		return ""
	}
	return strings.TrimSpace(strings.Join(lines[1:len(lines)-1], "\n"))
}
