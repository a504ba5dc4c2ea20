{{/* A new password. It begins with a letter: nothing takes it for a number. */}}
{{- define "novacron.password" -}}
p{{ randAlphaNum 40 }}
{{- end }}

{{/* What a generated Secret holds in the cluster, as JSON, decoded. Takes {root, name}. */}}
{{- define "novacron.there" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace (printf "%s-%s" (include "novacron.fullname" .root) .name) -}}
{{- $data := dict -}}
{{- range $key, $value := default dict $found.data -}}
{{- $_ := set $data $key (b64dec $value) -}}
{{- end -}}
{{- toRawJson $data -}}
{{- end }}

{{/* Takes {root, name, data}. */}}
{{- define "novacron.generatedSecret" -}}
---
apiVersion: v1
kind: Secret
metadata:
  {{- include "novacron.metadata" . | nindent 2 }}
  annotations:
    # The data of the servers outlives the release, and is worth nothing without its passwords.
    helm.sh/resource-policy: keep
type: Opaque
data:
  {{- range $key, $value := .data }}
  {{ $key }}: {{ b64enc $value }}
  {{- end }}
{{- end }}

{{/* One rendering, one password: the first caller makes it, or finds it in the cluster. */}}
{{- define "novacron.valkeyPassword" -}}
{{- if not (hasKey .Release "novacronValkey") -}}
{{- $there := include "novacron.there" (dict "root" . "name" "valkey") | fromJson -}}
{{- $known := index $there "valkey.conf" | default "" | trimPrefix "requirepass " | trim -}}
{{- $_ := set .Release "novacronValkey" (default (include "novacron.password" .) $known) -}}
{{- end -}}
{{- .Release.novacronValkey -}}
{{- end }}

{{- define "novacron.generatedRedisUrl" -}}
{{- if .Values.redis.url -}}
{{ .Values.redis.url }}
{{- else -}}
redis://:{{ include "novacron.valkeyPassword" . }}@{{ include "novacron.fullname" . }}-valkey:6379
{{- end -}}
{{- end }}

{{/* A host as the agent reads it, as JSON. Takes {name, agent}. */}}
{{- define "novacron.newHost" -}}
{{- $id := uuidv4 -}}
{{- $host := dict "hostId" $id "name" .name "natsUser" (printf "host-%s" $id) "natsPassword" (include "novacron.password" .) -}}
{{- with .agent.capacity -}}
{{- $_ := set $host "capacity" . -}}
{{- end -}}
{{- toRawJson $host -}}
{{- end }}
