package deploytest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var chartDir = filepath.Join(deploy, "helm", "otklik")

// serviceMonitor is as much of the Prometheus operator's resource as the chart uses.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Selector        metav1.LabelSelector `json:"selector"`
		PodTargetLabels []string             `json:"podTargetLabels"`
		Endpoints       []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// manifests are the rendered resources, decoded by the types of Kubernetes: an unknown field is an error.
type manifests struct {
	names       map[string]bool // kind/name
	deployments map[string]*appsv1.Deployment
	jobs        map[string]*batchv1.Job
	configMaps  map[string]*corev1.ConfigMap
	services    map[string]*corev1.Service
	budgets     map[string]*policyv1.PodDisruptionBudget
	scalers     map[string]*autoscalingv2.HorizontalPodAutoscaler
	policies    map[string]*networkingv1.NetworkPolicy
	monitors    map[string]*serviceMonitor
}

func render(t *testing.T, overrides string) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict([]byte(overrides), &values); err != nil {
		t.Fatal(err)
	}
	full, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{
		Name: "care", Namespace: "social", Revision: 1, IsInstall: true,
	}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, full)
}

func add[T any](t *testing.T, document []byte, name string, into map[string]*T) {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Errorf("%s: %v\n%s", name, err, document)
	}
	into[name] = object
}

func decode(t *testing.T, overrides string) *manifests {
	t.Helper()
	files, err := render(t, overrides)
	if err != nil {
		t.Fatal(err)
	}
	m := &manifests{
		names: map[string]bool{}, deployments: map[string]*appsv1.Deployment{}, jobs: map[string]*batchv1.Job{},
		configMaps: map[string]*corev1.ConfigMap{}, services: map[string]*corev1.Service{}, budgets: map[string]*policyv1.PodDisruptionBudget{},
		scalers: map[string]*autoscalingv2.HorizontalPodAutoscaler{}, policies: map[string]*networkingv1.NetworkPolicy{},
		monitors: map[string]*serviceMonitor{},
	}
	for file, text := range files {
		if strings.HasSuffix(file, ".txt") {
			continue
		}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			m.add(t, file, document)
		}
	}
	return m
}

func (m *manifests) add(t *testing.T, file string, document []byte) {
	t.Helper()
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &head); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, document)
	}
	if head.Kind == "" {
		if len(bytes.TrimSpace(document)) > 0 {
			t.Errorf("%s: a document without a kind:\n%s", file, document)
		}
		return
	}
	id := head.Kind + "/" + head.Name
	if m.names[id] {
		t.Errorf("%s is rendered twice", id)
	}
	m.names[id] = true
	if len(head.Name) > 63 || head.Labels["app.kubernetes.io/instance"] != "care" {
		t.Errorf("%s: name too long or without the labels of the release: %v", id, head.Labels)
	}
	switch head.APIVersion + " " + head.Kind {
	case "apps/v1 Deployment":
		add(t, document, head.Name, m.deployments)
	case "batch/v1 Job":
		add(t, document, head.Name, m.jobs)
	case "v1 ConfigMap":
		add(t, document, head.Name, m.configMaps)
	case "v1 Service":
		add(t, document, head.Name, m.services)
	case "policy/v1 PodDisruptionBudget":
		add(t, document, head.Name, m.budgets)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		add(t, document, head.Name, m.scalers)
	case "networking.k8s.io/v1 NetworkPolicy":
		add(t, document, head.Name, m.policies)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		add(t, document, head.Name, m.monitors)
	case "v1 ServiceAccount":
		add(t, document, head.Name, map[string]*corev1.ServiceAccount{})
	default:
		t.Errorf("%s %s is not checked", head.APIVersion, id)
	}
}

func TestChartLint(t *testing.T) {
	result := lint.AllWithKubeVersion(chartDir, nil, "social", &chartutil.KubeVersion{Version: "v1.33.0", Major: "1", Minor: "33"})
	for _, m := range result.Messages {
		if m.Severity > support.InfoSev {
			t.Errorf("%v", m)
		}
	}
}

// everything switches on what is off by default.
const everything = `
image: {repository: registry.internal/otklik, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
imagePullSecrets: [{name: pull}]
kafka:
  brokers: ["k1:9093", "k2:9093", "k3:19093"]
  tls: {enabled: true, secret: kafka-tls, clientCert: true, serverName: kafka.internal}
  sasl: {mechanism: SCRAM-SHA-512, user: otklik}
  topics: {firehose: {vk: raw.vk}, claims: care.claims, claim_status: care.statuses}
  partitions: {firehose: 12, mentions: 24, panes: 12, deadletter: 2, claims: 3, claim_status: 2}
  replication: 3
  compression: zstd
clickhouse:
  addrs: ["c1:9440", "c2:9440"]
  cluster: main
  tls: {enabled: true, secret: clickhouse-tls}
catalogue:
  brands:
    - key: northair
      name: North Air
      own: true
      aliases: [north air, northair]
privacy: {pseudonyms: true, textDays: 30}
config:
  care: {quiet_gap: 48h}
  window: {max_disorder: 5m}
  limits: {flush_interval: 2s}
  sentiment: {remote: {url: "https://classifier.internal/v1/classify", name: rubert-2, token_env: CLASSIFIER_TOKEN}}
  alerts: {destinations: [{name: desk, kind: json, url: "https://desk.internal/alerts", secret_env: DESK_KEY, severity: warning}]}
  claims: {threshold: 6, department: helpdesk}
  log: {level: debug, format: text}
http: {port: 8080}
stages:
  ingest: {replicas: 6, hpa: {enabled: true, minReplicas: 6, maxReplicas: 48}}
  track: {replicas: 12, hpa: {enabled: true, minReplicas: 12, maxReplicas: 24}}
migrate: {users: true, admin: root, adoptConfig: true}
secret: {env: {CLASSIFIER_TOKEN: classifier-token, DESK_KEY: desk-key}}
podAnnotations: {team: care}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: stream, operator: Exists}]
affinity: {nodeAffinity: {}}
networkPolicy:
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  kafkaTo: [{ipBlock: {cidr: 10.1.0.0/16}}]
  extraEgress: [{to: [{ipBlock: {cidr: 10.2.0.0/16}}], ports: [{protocol: TCP, port: 443}]}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
`

var variants = map[string]string{
	"default":    "",
	"everything": everything,
	"stopped":    "stopped: true",
	"one stage":  "stages: {track: {enabled: false}, roll: {enabled: false}}\npodDisruptionBudget: {enabled: false}\nnetworkPolicy: {enabled: false}\nmigrate: {enabled: false}",
}

// secrets are the passwords that a valid Secret would hold.
var secrets = map[string]string{"author-key": strings.Repeat("k", 64)}

func TestChartPods(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			m := decode(t, values)
			for id, d := range m.deployments {
				m.pod(t, id, &d.Spec.Template)
				if selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err != nil || !selector.Matches(labels.Set(d.Spec.Template.Labels)) {
					t.Errorf("%s: selector %v does not match its pods: %v", id, d.Spec.Selector, err)
				}
				if name == "stopped" && (d.Spec.Replicas == nil || *d.Spec.Replicas != 0) {
					t.Errorf("%s: replicas %v although stopped", id, d.Spec.Replicas)
				}
			}
			for id, j := range m.jobs {
				m.pod(t, id, &j.Spec.Template)
				for _, o := range []metav1.ObjectMeta{j.ObjectMeta, m.configMaps[id].ObjectMeta} {
					if o.Annotations["helm.sh/hook"] != "pre-install,pre-upgrade" {
						t.Errorf("%s is no hook", id)
					}
				}
				job, err1 := strconv.Atoi(j.Annotations["helm.sh/hook-weight"])
				config, err2 := strconv.Atoi(m.configMaps[id].Annotations["helm.sh/hook-weight"])
				if err := errors.Join(err1, err2); err != nil || config >= job {
					t.Errorf("%s: its configuration comes after it (%d, %d): %v", id, config, job, err)
				}
			}
			for id := range m.configMaps {
				if !slices.Contains(slices.Collect(maps.Keys(m.jobs)), id) && id != "care-otklik" {
					t.Errorf("ConfigMap %s is mounted by nothing", id)
				}
			}
		})
	}
}

// pod checks one pod: contained, with its volumes mounted, its probes on its port, and a command line and a configuration that
// otklik accepts.
func (m *manifests) pod(t *testing.T, id string, template *corev1.PodTemplateSpec) {
	t.Helper()
	spec := &template.Spec
	if len(spec.Containers) != 1 || spec.HostNetwork || spec.HostPID || spec.HostIPC || len(spec.InitContainers) > 0 {
		t.Fatalf("%s: %d containers, or the host's namespaces", id, len(spec.Containers))
	}
	if p := spec.SecurityContext; p == nil || p.RunAsNonRoot == nil || !*p.RunAsNonRoot || *p.RunAsUser != 65532 ||
		p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("%s: security of the pod: %+v", id, p)
	}
	c := &spec.Containers[0]
	if s := c.SecurityContext; s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Privileged != nil ||
		!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
		t.Errorf("%s: security of the container: %+v", id, s)
	}
	if !pinned(c.Image) {
		t.Errorf("%s: image %s is not pinned", id, c.Image)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s: resources %+v", id, c.Resources)
	}
	parses(t, c.Args)

	volumes := map[string]corev1.Volume{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = v
	}
	var config *corev1.ConfigMap
	for _, mount := range c.VolumeMounts {
		v, ok := volumes[mount.Name]
		if !ok || !mount.ReadOnly {
			t.Errorf("%s: mount %s is writable or has no volume", id, mount.Name)
		}
		delete(volumes, mount.Name)
		if v.ConfigMap != nil {
			config = m.configMaps[v.ConfigMap.Name]
			if i := slices.Index(c.Args, "--config"); i < 0 || c.Args[i+1] != mount.MountPath+"/otklik.yaml" {
				t.Errorf("%s: %v does not read the configuration in %s", id, c.Args, mount.MountPath)
			}
		}
	}
	if len(volumes) > 0 {
		t.Errorf("%s: volumes that are not mounted: %v", id, slices.Collect(maps.Keys(volumes)))
	}
	if config == nil {
		t.Fatalf("%s has no configuration", id)
	}
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if e.ValueFrom != nil {
			if ref := e.ValueFrom.SecretKeyRef; ref == nil || ref.Name != "otklik" {
				t.Errorf("%s: %s comes from %+v", id, e.Name, e.ValueFrom)
				continue
			}
			env[e.Name] = secrets[e.ValueFrom.SecretKeyRef.Key]
			if env[e.Name] == "" {
				env[e.Name] = "password"
			}
		} else if e.Name != "GOMEMLIMIT" {
			t.Errorf("%s: %s stands in the clear", id, e.Name)
		}
	}
	if i := slices.Index(c.Args, "--admin-password-env"); i >= 0 && env[c.Args[i+1]] == "" {
		t.Errorf("%s: no variable %s", id, c.Args[i+1])
	}
	m.configuration(t, env, config, spec)

	if c.ReadinessProbe == nil {
		return // the job
	}
	listen := parseSettings(t, []byte(config.Data["otklik.yaml"])).HTTP.Listen
	if _, port, err := net.SplitHostPort(listen); err != nil || port != strconv.Itoa(int(c.Ports[0].ContainerPort)) {
		t.Errorf("%s: port %d, http.listen %s: %v", id, c.Ports[0].ContainerPort, listen, err)
	}
	for path, p := range map[string]*corev1.Probe{"/readyz": c.ReadinessProbe, "/healthz": c.LivenessProbe} {
		if p == nil || p.HTTPGet.Path != path || p.HTTPGet.Port.StrVal != c.Ports[0].Name {
			t.Errorf("%s: probe %+v, want %s", id, p, path)
		}
	}
}

// configuration checks that otklik accepts the files of a ConfigMap. Certificates are taken out before: their content is checked
// too, and their paths are checked here.
func (m *manifests) configuration(t *testing.T, env map[string]string, config *corev1.ConfigMap, spec *corev1.PodSpec) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(config.Data["otklik.yaml"]) {
		key, path, ok := strings.Cut(strings.TrimSpace(line), ": /etc/otklik-tls/")
		if !ok {
			lines = append(lines, line)
			continue
		}
		service, file, _ := strings.Cut(path, "/")
		want := map[string]string{"ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"}[key]
		if file != want || !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == service+"-tls" && v.Secret.SecretName == service+"-tls" }) {
			t.Errorf("%s: %s is not mounted", config.Name, path)
		}
	}
	files := [][2]string{{"otklik.yaml", strings.Join(lines, "")}}
	if brands, ok := config.Data["brands.yaml"]; ok {
		files = append(files, [2]string{"brands.yaml", brands})
	}
	valid(t, env, files...)
}

func TestChartSelectors(t *testing.T) {
	m := decode(t, everything)
	pods := map[string]labels.Set{}
	for id, d := range m.deployments {
		pods[id] = labels.Set(d.Spec.Template.Labels)
	}
	matching := func(selector *metav1.LabelSelector) []string {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for id, set := range pods {
			if s.Matches(set) {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		return ids
	}
	all := []string{"care-otklik-ingest", "care-otklik-roll", "care-otklik-track"}
	if got := slices.Sorted(maps.Keys(pods)); !slices.Equal(got, all) {
		t.Errorf("deployments %v", got)
	}
	for id, b := range m.budgets {
		if got := matching(b.Spec.Selector); !slices.Equal(got, []string{id}) {
			t.Errorf("the disruption budget %s is of %v", id, got)
		}
	}
	if len(m.budgets) != len(all) {
		t.Errorf("%d disruption budgets", len(m.budgets))
	}
	for id, h := range m.scalers {
		if h.Spec.ScaleTargetRef.Name != id || m.deployments[id] == nil || m.deployments[id].Spec.Replicas != nil {
			t.Errorf("%s scales %s, or the chart sets its replicas as well", id, h.Spec.ScaleTargetRef.Name)
		}
	}
	if len(m.scalers) != 2 {
		t.Errorf("%d autoscalers, want those of ingest and track", len(m.scalers))
	}
	service := m.services["care-otklik"]
	if got := matching(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}); !slices.Equal(got, all) {
		t.Errorf("the service is of %v", got)
	}
	monitor := m.monitors["care-otklik"]
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(service.Labels)) || monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name || monitor.Labels["release"] != "prometheus" {
		t.Errorf("the monitor does not find the service: %v, %v, %v", monitor.Spec, service.Labels, err)
	}
	policy := m.policies["care-otklik"]
	if got := matching(&policy.Spec.PodSelector); !slices.Equal(got, all) {
		t.Errorf("the network policy is of %v", got)
	}
	var ports []string
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			ports = append(ports, fmt.Sprint(*p.Protocol, p.Port.IntValue()))
		}
	}
	if want := []string{"UDP53", "TCP53", "TCP9093", "TCP19093", "TCP9440", "TCP443"}; !slices.Equal(ports, want) {
		t.Errorf("ways out: %v, want %v", ports, want)
	}
	if in := policy.Spec.Ingress; len(in) != 1 || in[0].Ports[0].Port.IntValue() != 8080 || len(in[0].From) != 1 {
		t.Errorf("ways in: %+v", in)
	}
	if in := decode(t, "").policies["care-otklik"].Spec; len(in.Ingress) != 0 || !slices.Contains(in.PolicyTypes, networkingv1.PolicyTypeIngress) {
		t.Errorf("by default somebody may come in: %+v", in.Ingress)
	}
}

// The processes of the stages hold the writer's password and no other of ClickHouse.
func TestChartPasswordsGoWhereTheyAreNeeded(t *testing.T) {
	for values, want := range map[string]int{"": 1, everything: 5} {
		for id, d := range decode(t, values).deployments {
			n := 0
			for _, e := range d.Spec.Template.Spec.Containers[0].Env {
				if e.ValueFrom != nil {
					n++
				}
				if slices.Contains([]string{"OTKLIK_ADMIN_PASSWORD", "OTKLIK_ANALYST_PASSWORD", "OTKLIK_DASHBOARD_PASSWORD", "OTKLIK_DESK_PASSWORD"}, e.Name) {
					t.Errorf("%s holds %s", id, e.Name)
				}
			}
			if n != want {
				t.Errorf("%s holds %d secrets, want %d", id, n, want)
			}
		}
	}
}

func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"kafka: {brokers: []}":                            "brokers",
		"kafka: {brokers: [kafka]}":                       "brokers",
		"kafka: {sasl: {mechanism: GSSAPI}}":              "mechanism",
		"kafka: {partitions: {mentions: 0}}":              "mentions",
		"kafka: {topics: {replication: 3}}":               "topics",
		"secret: {env: {desk-key: key}}":                  "desk-key",
		"kafka: {tls: {enabled: true, clientCert: true}}": "tls",
		"stage: {}":                         "stage",
		"image: {tag: latest}":              "tag",
		"config: {kafka: {brokers: [a:1]}}": "config",
		"stages: {track: {hpa: {enabled: true, maxReplicas: 9}}}":                "its topic has 8 partitions",
		"stages: {roll: {hpa: {enabled: true, minReplicas: 3, maxReplicas: 2}}}": "less than minReplicas",
		"stages: {roll: {resources: {limits: {memory: null}}}}":                  "memory",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error about %s", values, err, want)
		}
	}
}

// The chart offers the partitions of every topic that Otklik has, with the defaults of the configuration.
func TestChartPartitions(t *testing.T) {
	var values struct {
		Kafka struct {
			Partitions map[string]int `json:"partitions"`
		} `json:"kafka"`
	}
	var reference struct {
		Kafka struct {
			Topics struct {
				Partitions map[string]int `json:"partitions"`
			} `json:"topics"`
		} `json:"kafka"`
	}
	for file, into := range map[string]any{filepath.Join(chartDir, "values.yaml"): &values, filepath.Join(deploy, "otklik.yaml"): &reference} {
		if err := yaml.Unmarshal(read(t, file), into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if got, want := values.Kafka.Partitions, reference.Kafka.Topics.Partitions; len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("kafka.partitions of the chart are %v, those of the configuration %v", got, want)
	}
}

// A pod is replaced when its configuration changes.
func TestChartChecksum(t *testing.T) {
	sum := func(values string) string {
		return decode(t, values).deployments["care-otklik-track"].Spec.Template.Annotations["checksum/config"]
	}
	if a, b := sum(""), sum("config: {log: {level: debug}}"); a == b || len(a) != 64 {
		t.Errorf("checksums %q and %q", a, b)
	}
}
