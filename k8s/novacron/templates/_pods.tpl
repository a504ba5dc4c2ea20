{{/* The restricted Pod Security Standard for a pod. Our images run as user 1000. */}}
{{- define "novacron.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* The restricted Pod Security Standard for a container. */}}
{{- define "novacron.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "novacron.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Environment of each of our processes. Takes {root, settings: {resources, env, …}}; its own `env` is merged by novacron.mergedEnv. */}}
{{- define "novacron.processEnv" -}}
{{- $telemetry := .root.Values.telemetry -}}
{{- $limits := .settings.resources.limits -}}
{{- $heap := divf (mulf (include "novacron.mebibytes" (required "resources.limits.memory is missing: the heap's size follows from it" $limits.memory) | float64) (default 70 .settings.heapPercent)) 100 | floor | int64 }}
- name: NODE_OPTIONS
  value: {{ printf "--max-old-space-size=%d %s" $heap (default "" .settings.nodeOptions) | trim | quote }}
- name: UV_THREADPOOL_SIZE
  value: {{ max 4 (mul (default 4 .settings.threadsPerCore) (include "novacron.cores" (required "resources.limits.cpu is missing: the number of threads follows from it" $limits.cpu))) | quote }}
- name: NOVACRON_OPS_HOST
  value: 0.0.0.0
- name: NOVACRON_OPS_PORT
  value: '9100'
- name: NOVACRON_LOG_LEVEL
  value: {{ $telemetry.logLevel }}
- name: NOVACRON_TRACE_RATIO
  value: {{ $telemetry.traceRatio | quote }}
{{- with $telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
{{- end }}
{{- if $telemetry.profiling.enabled }}
- name: ENABLE_PROFILING
  value: 'true'
{{- $secret := include "novacron.secretName" (dict "root" .root "name" "profiling" "existing" $telemetry.profiling.existingSecret) }}
{{- include "novacron.secretEnv" (dict "secret" $secret "keys" (list "NOVACRON_PROFILING_TOKEN")) }}
{{- end }}
{{- end }}

{{/*
The chart's environment merged with the operator's, which takes precedence. The API server rejects a repeated name.
Takes {list: the chart's, as YAML, env: the operator's, a map}.
*/}}
{{- define "novacron.mergedEnv" -}}
{{- $own := .env -}}
{{- $entries := list -}}
{{- range fromYamlArray .list -}}
{{- if not (hasKey $own .name) -}}{{- $entries = append $entries . -}}{{- end -}}
{{- end -}}
{{- range $name, $value := $own -}}
{{- $entries = append $entries (dict "name" $name "value" (include "novacron.text" $value)) -}}
{{- end -}}
{{- toYaml $entries -}}
{{- end }}

{{/* Variables from a Secret whose keys have their names. Takes {secret, keys}. */}}
{{- define "novacron.secretEnv" -}}
{{- $secret := .secret -}}
{{- range .keys }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ . }} } }
{{- end }}
{{- end }}

{{- define "novacron.postgresEnv" -}}
- name: NOVACRON_PG_PRIMARY
  value: {{ include "novacron.postgresPrimary" . }}
{{- with .Values.postgres.replicas }}
- name: NOVACRON_PG_REPLICAS
  value: {{ join "," . | quote }}
{{- end }}
- name: NOVACRON_PG_DATABASE
  value: {{ .Values.postgres.database }}
{{- end }}
