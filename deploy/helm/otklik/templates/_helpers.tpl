{{- define "otklik.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "otklik.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "otklik.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: otklik
{{ include "otklik.selectorLabels" . }}
{{- end -}}

{{- define "otklik.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The TLS section of a connection; takes (dict "tls" … "dir" …). */}}
{{- define "otklik.tls" -}}
enabled: {{ .tls.enabled }}
{{- if and .tls.enabled .tls.secret }}
ca: {{ .dir }}/ca.crt
{{- if .tls.clientCert }}
cert: {{ .dir }}/tls.crt
key: {{ .dir }}/tls.key
{{- end }}
{{- end }}
{{- if and .tls.enabled .tls.serverName }}
server_name: {{ .tls.serverName | quote }}
{{- end }}
{{- end -}}

{{/* otklik.yaml; takes (dict "root" $ "users" bool): with users it names the passwords of the readers too. */}}
{{- define "otklik.config" -}}
{{- $v := .root.Values -}}
kafka:
  brokers: {{ toJson $v.kafka.brokers }}
  tls:
    {{- include "otklik.tls" (dict "tls" $v.kafka.tls "dir" "/etc/otklik-tls/kafka") | nindent 4 }}
  {{- if $v.kafka.sasl.mechanism }}
  sasl:
    mechanism: {{ $v.kafka.sasl.mechanism }}
    user: {{ $v.kafka.sasl.user | quote }}
    password_env: OTKLIK_KAFKA_PASSWORD
  {{- end }}
  topics:
    {{- with $v.kafka.topics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    partitions:
      {{- toYaml $v.kafka.partitions | nindent 6 }}
    replication: {{ $v.kafka.replication }}
  compression: {{ $v.kafka.compression }}
  group_prefix: {{ $v.kafka.groupPrefix | quote }}
clickhouse:
  addrs: {{ toJson $v.clickhouse.addrs }}
  database: {{ $v.clickhouse.database | quote }}
  {{- if $v.clickhouse.cluster }}
  cluster: {{ $v.clickhouse.cluster | quote }}
  {{- end }}
  tls:
    {{- include "otklik.tls" (dict "tls" $v.clickhouse.tls "dir" "/etc/otklik-tls/clickhouse") | nindent 4 }}
  user: {{ $v.clickhouse.user | quote }}
  password_env: OTKLIK_CLICKHOUSE_PASSWORD
  {{- if .users }}
  analyst:
    password_env: OTKLIK_ANALYST_PASSWORD
  dashboard:
    password_env: OTKLIK_DASHBOARD_PASSWORD
  desk:
    password_env: OTKLIK_DESK_PASSWORD
  {{- end }}
  retention:
    figures_days: {{ $v.clickhouse.retentionDays }}
{{- if $v.catalogue }}
catalogue:
  file: brands.yaml
{{- end }}
privacy:
  {{- if $v.privacy.pseudonyms }}
  author_key_env: OTKLIK_AUTHOR_KEY
  {{- end }}
  text_days: {{ $v.privacy.textDays }}
http:
  listen: "0.0.0.0:{{ $v.http.port }}"
{{- with $v.config }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The environment that otklik.config names; takes the same. */}}
{{- define "otklik.env" -}}
{{- $v := .root.Values -}}
{{- $secrets := list (dict "env" "OTKLIK_CLICKHOUSE_PASSWORD" "key" $v.secret.keys.writer) -}}
{{- if $v.kafka.sasl.mechanism }}{{ $secrets = append $secrets (dict "env" "OTKLIK_KAFKA_PASSWORD" "key" $v.secret.keys.kafka) }}{{ end -}}
{{- if $v.privacy.pseudonyms }}{{ $secrets = append $secrets (dict "env" "OTKLIK_AUTHOR_KEY" "key" $v.secret.keys.authorKey) }}{{ end -}}
{{- if .users -}}
{{- $secrets = append $secrets (dict "env" "OTKLIK_ANALYST_PASSWORD" "key" $v.secret.keys.analyst) -}}
{{- $secrets = append $secrets (dict "env" "OTKLIK_DASHBOARD_PASSWORD" "key" $v.secret.keys.dashboard) -}}
{{- $secrets = append $secrets (dict "env" "OTKLIK_DESK_PASSWORD" "key" $v.secret.keys.desk) -}}
{{- $secrets = append $secrets (dict "env" "OTKLIK_ADMIN_PASSWORD" "key" $v.secret.keys.admin) -}}
{{- end -}}
{{- range $env, $key := $v.secret.env }}{{ $secrets = append $secrets (dict "env" $env "key" $key) }}{{ end -}}
{{- range $secrets }}
- name: {{ .env }}
  valueFrom:
    secretKeyRef:
      name: {{ $v.secret.name }}
      key: {{ .key }}
{{- end }}
{{- end -}}

{{- define "otklik.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "otklik.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Mounts and volumes of a pod; take (dict "root" $ "configMap" name). */}}
{{- define "otklik.mounts" -}}
- name: config
  mountPath: /etc/otklik
  readOnly: true
{{- range $name := list "kafka" "clickhouse" }}
{{- $tls := (index $.root.Values $name).tls }}
{{- if and $tls.enabled $tls.secret }}
- name: {{ $name }}-tls
  mountPath: /etc/otklik-tls/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "otklik.volumes" -}}
- name: config
  configMap:
    name: {{ .configMap }}
{{- range $name := list "kafka" "clickhouse" }}
{{- $tls := (index $.root.Values $name).tls }}
{{- if and $tls.enabled $tls.secret }}
- name: {{ $name }}-tls
  secret:
    secretName: {{ $tls.secret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}

{{/* Ports of a list of host:port, each once. */}}
{{- define "otklik.ports" -}}
{{- $ports := list -}}
{{- range . }}{{ $ports = append $ports (last (splitList ":" .)) }}{{ end -}}
{{- range uniq $ports }}
- protocol: TCP
  port: {{ . }}
{{- end }}
{{- end -}}
