package deploytest

import (
	"bufio"
	"bytes"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// environment is .env.example, with every password filled in.
func environment(t *testing.T) types.Mapping {
	t.Helper()
	env := types.Mapping{}
	lines := bufio.NewScanner(bytes.NewReader(read(t, deploy, ".env.example")))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if strings.HasSuffix(name, "_PASSWORD") {
			if value != "" {
				t.Errorf(".env.example holds a value for %s: a password that everybody knows", name)
			}
			value = "secret-of-" + name
		}
		env[name] = value
	}
	return env
}

func load(t *testing.T, env types.Mapping) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(deploy)
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}},
		Environment: env,
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, environment(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var ours = []string{"migrate", "otklik"}

func TestComposeServicesAreContained(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		if s.Build == nil && !pinned(s.Image) {
			t.Errorf("%s: image %s is not pinned to a version", name, s.Image)
		}
		if s.Privileged || s.NetworkMode != "" || s.Pid != "" || s.Ipc != "" || len(s.CapAdd) > 0 || len(s.Devices) > 0 {
			t.Errorf("%s takes privileges of the host", name)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: security_opt has no no-new-privileges", name)
		}
		for _, port := range s.Ports {
			if ip := net.ParseIP(port.HostIP); ip == nil || !ip.IsLoopback() {
				t.Errorf("%s: port %d is published on %q, not on loopback", name, port.Target, port.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if strings.Contains(v.Source, "docker.sock") {
				t.Errorf("%s mounts the socket of Docker", name)
			}
		}
		if s.Build != nil && (!s.ReadOnly || !slices.Contains(s.CapDrop, "ALL")) {
			t.Errorf("%s: root is writable or capabilities are kept", name)
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable != (name == "migrate") {
			t.Errorf("%s: a service that stays has a health check, migrate has none", name)
		}
	}
}

// Every volume is mounted, and every file that is mounted is there.
func TestComposeVolumes(t *testing.T) {
	p := project(t)
	mounted := map[string]bool{}
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeVolume:
				mounted[v.Source] = true
			case types.VolumeTypeBind:
				if !v.ReadOnly {
					t.Errorf("%s: %s is mounted writable", name, v.Source)
				}
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s mounts what is not there: %v", name, err)
				}
			default:
				t.Errorf("%s: a volume of type %s at %s", name, v.Type, v.Target)
			}
		}
	}
	for name := range p.Volumes {
		if !mounted[name] {
			t.Errorf("volume %s is mounted by no service", name)
		}
	}
}

func TestComposeRefusesMissingPasswords(t *testing.T) {
	full := environment(t)
	passwords := 0
	for name := range full {
		if !strings.HasSuffix(name, "_PASSWORD") {
			continue
		}
		passwords++
		env := maps.Clone(full)
		env[name] = ""
		if _, err := load(t, env); err == nil || !strings.Contains(err.Error(), ".env.example") {
			t.Errorf("without %s: %v; want an error that says where to put it", name, err)
		}
	}
	if passwords != 6 {
		t.Errorf("%d passwords in .env.example, want 6", passwords)
	}
}

// Each variable of .env.example is used, and each one that is used is in it.
func TestComposeEnvironmentIsExplained(t *testing.T) {
	text := read(t, deploy, "compose.yaml")
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllSubmatch(text, -1) {
		used[string(m[1])] = true
	}
	env := environment(t)
	if a, b := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(env)); !slices.Equal(a, b) {
		t.Errorf("compose.yaml uses %v\n.env.example explains %v", a, b)
	}
}

// Only the service that needs a password has it.
func TestComposePasswordsGoWhereTheyAreNeeded(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		var got []string
		for _, value := range s.Environment {
			if value != nil && strings.HasPrefix(*value, "secret-of-") {
				got = append(got, strings.TrimPrefix(*value, "secret-of-"))
			}
		}
		slices.Sort(got)
		want := map[string][]string{
			"clickhouse": {"CLICKHOUSE_ADMIN_PASSWORD"},
			"migrate":    {"CLICKHOUSE_ADMIN_PASSWORD", "OTKLIK_ANALYST_PASSWORD", "OTKLIK_CLICKHOUSE_PASSWORD", "OTKLIK_DASHBOARD_PASSWORD", "OTKLIK_DESK_PASSWORD"},
			"otklik":     {"OTKLIK_ANALYST_PASSWORD", "OTKLIK_CLICKHOUSE_PASSWORD", "OTKLIK_DASHBOARD_PASSWORD", "OTKLIK_DESK_PASSWORD"},
			"grafana":    {"GRAFANA_ADMIN_PASSWORD", "OTKLIK_DASHBOARD_PASSWORD", "OTKLIK_DESK_PASSWORD"},
		}[name]
		if !slices.Equal(got, want) {
			t.Errorf("%s has the passwords %v, want %v", name, got, want)
		}
	}
}

type login struct {
	User        string `json:"user"`
	PasswordEnv string `json:"password_env"`
}

type settings struct {
	Kafka struct {
		Brokers []string `json:"brokers"`
	} `json:"kafka"`
	ClickHouse struct {
		Addrs []string `json:"addrs"`
		HTTP  string   `json:"http"`
		// The users that Grafana logs in as.
		Dashboard login `json:"dashboard"`
		Desk      login `json:"desk"`
	} `json:"clickhouse"`
	HTTP struct {
		Listen string `json:"listen"`
	} `json:"http"`
}

func parseSettings(t *testing.T, text []byte) settings {
	t.Helper()
	var s settings
	if err := yaml.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// What otklik is started with is accepted by otklik, and leads to the other services.
func TestComposeConfiguration(t *testing.T) {
	p := project(t)
	text := read(t, deploy, "compose", "otklik.yaml")
	for _, name := range ours {
		s := p.Services[name]
		parses(t, s.Command)
		env := map[string]string{}
		for k, v := range s.Environment {
			env[k] = *v
		}
		valid(t, env, [2]string{"otklik.yaml", string(text)})
		if i := slices.Index(s.Command, "--admin-password-env"); i >= 0 && env[s.Command[i+1]] == "" {
			t.Errorf("%s: no variable %s", name, s.Command[i+1])
		}
	}
	cfg := parseSettings(t, text)
	kafka, clickhouse := p.Services["kafka"], p.Services["clickhouse"]
	for _, broker := range cfg.Kafka.Brokers {
		if !strings.Contains(*kafka.Environment["KAFKA_ADVERTISED_LISTENERS"], "://"+broker) {
			t.Errorf("no listener of Kafka is advertised as %s", broker)
		}
		if *p.Services["simulator"].Environment["BROKERS"] != broker {
			t.Errorf("the simulator feeds %s, otklik reads %s", *p.Services["simulator"].Environment["BROKERS"], broker)
		}
	}
	address, err := url.Parse(cfg.ClickHouse.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range append(cfg.ClickHouse.Addrs, address.Host) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host != clickhouse.Name || !publishes(clickhouse, port) {
			t.Errorf("%s is no address of the service %s", addr, clickhouse.Name)
		}
	}
	migrate := p.Services["migrate"].Command
	if admin := *clickhouse.Environment["CLICKHOUSE_USER"]; migrate[slices.Index(migrate, "--admin")+1] != admin {
		t.Errorf("migrate logs in as another user than %s", admin)
	}
	_, listen, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil || !publishes(p.Services["otklik"], listen) {
		t.Errorf("http.listen %s is not what is published: %v", cfg.HTTP.Listen, err)
	}
	check := p.Services["otklik"].HealthCheck.Test
	if !slices.Contains(check, "http://127.0.0.1:"+listen+"/readyz") {
		t.Errorf("the health check %v asks another port than %s", check, listen)
	}
	parses(t, check[2:])
}

func publishes(s types.ServiceConfig, port string) bool {
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return strconv.Itoa(int(p.Target)) == port })
}

// Nothing starts before what it needs works.
func TestComposeOrder(t *testing.T) {
	p := project(t)
	want := map[string]map[string]string{
		"migrate":   {"clickhouse": types.ServiceConditionHealthy},
		"otklik":    {"kafka": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully},
		"grafana":   {"clickhouse": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully},
		"simulator": {"kafka": types.ServiceConditionHealthy, "otklik": types.ServiceConditionHealthy},
	}
	for name, needs := range want {
		got := map[string]string{}
		for other, d := range p.Services[name].DependsOn {
			got[other] = d.Condition
		}
		if !maps.Equal(got, needs) {
			t.Errorf("%s waits for %v, want %v", name, got, needs)
		}
	}
}

// What Grafana is told to read is what compose mounts, with the user and password that migrate creates.
func TestComposeGrafana(t *testing.T) {
	p := project(t)
	grafana := p.Services["grafana"]
	provisioning := filepath.Join(deploy, "grafana", "provisioning")
	for _, path := range glob(t, provisioning, "*", "dashboards", "*.yaml") {
		var file struct {
			Providers []struct {
				Options struct {
					Path string `json:"path"`
				} `json:"options"`
			} `json:"providers"`
		}
		if err := yaml.Unmarshal(read(t, path), &file); err != nil {
			t.Fatal(err)
		}
		for _, provider := range file.Providers {
			if !slices.ContainsFunc(grafana.Volumes, func(v types.ServiceVolumeConfig) bool {
				return v.Type == types.VolumeTypeBind && (provider.Options.Path == v.Target || strings.HasPrefix(provider.Options.Path, v.Target+"/"))
			}) {
				t.Errorf("%s reads %s, where nothing is mounted", path, provider.Options.Path)
			}
		}
	}
	for _, path := range glob(t, provisioning, "*", "datasources", "*.yaml") {
		text := read(t, path)
		var file struct {
			Datasources []struct {
				JSON struct {
					Host     string `json:"host"`
					Port     int    `json:"port"`
					Username string `json:"username"`
				} `json:"jsonData"`
				Secure struct {
					Password string `json:"password"`
				} `json:"secureJsonData"`
			} `json:"datasources"`
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		cfg := parseSettings(t, read(t, deploy, "compose", "otklik.yaml")).ClickHouse
		for i, want := range []login{cfg.Dashboard, cfg.Desk} {
			if len(file.Datasources) <= i {
				t.Fatalf("%s: no data source of %s", path, want.User)
			}
			d := file.Datasources[i]
			if s, ok := p.Services[d.JSON.Host]; !ok || !publishes(s, strconv.Itoa(d.JSON.Port)) || d.JSON.Username != want.User || d.Secure.Password != "$"+want.PasswordEnv {
				t.Errorf("%s: no service answers %s on %s:%d with the password %s", path, d.JSON.Username, d.JSON.Host, d.JSON.Port, d.Secure.Password)
			}
		}
		for _, m := range regexp.MustCompile(`\$\{?(?:__env\{)?([A-Z][A-Z_]+)`).FindAllSubmatch(text, -1) {
			if value := grafana.Environment[string(m[1])]; value == nil || *value == "" {
				t.Errorf("%s expands %s, which the service grafana does not have", path, m[1])
			}
		}
	}
	plugin := *grafana.Environment["GF_PLUGINS_PREINSTALL_SYNC"]
	if id, version, ok := strings.Cut(plugin, "@"); !ok || id != "grafana-clickhouse-datasource" || !pinned("plugin:"+version) {
		t.Errorf("plugin %s is not pinned", plugin)
	}
}

// Prometheus finds the processes where they publish their metrics, and Grafana finds Prometheus.
func TestComposePrometheus(t *testing.T) {
	p := project(t)
	var file struct {
		Jobs []struct {
			DNS []struct {
				Names []string `json:"names"`
				Port  int      `json:"port"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict(read(t, deploy, "compose", "prometheus.yml"), &struct {
		Global any `json:"global"`
		Jobs   any `json:"scrape_configs"`
	}{}); err != nil {
		t.Error(err)
	}
	if err := yaml.Unmarshal(read(t, deploy, "compose", "prometheus.yml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, job := range file.Jobs {
		for _, d := range job.DNS {
			for _, name := range d.Names {
				if s, ok := p.Services[name]; !ok || !publishes(s, strconv.Itoa(d.Port)) {
					t.Errorf("no service %s on port %d", name, d.Port)
				}
			}
		}
	}
	if len(file.Jobs) != 1 || len(file.Jobs[0].DNS) != 1 || len(file.Jobs[0].DNS[0].Names) != 1 {
		t.Errorf("got %+v", file)
	}
	address, err := url.Parse(*p.Services["grafana"].Environment["OTKLIK_PROMETHEUS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	s, ok := p.Services[address.Hostname()]
	if !ok || !slices.ContainsFunc(s.HealthCheck.Test, func(arg string) bool { return strings.Contains(arg, ":"+address.Port()+"/") }) {
		t.Errorf("Grafana looks for Prometheus at %s", address)
	}
}

func glob(t *testing.T, path ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(path...))
	if err != nil || len(found) == 0 {
		t.Errorf("%s: nothing there (%v)", filepath.Join(path...), err)
	}
	return found
}
