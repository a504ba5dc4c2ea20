{{/* `host:port` of the primary. */}}
{{- define "novacron.postgresPrimary" -}}
{{- if .Values.postgres.primary -}}
{{ .Values.postgres.primary }}
{{- else if .Values.cnpg.enabled -}}
{{ include "novacron.fullname" . }}-postgres-rw:5432
{{- else -}}
{{- fail "postgres.primary is missing: set the address of Postgres (host:port), or let the CloudNativePG operator make one (cnpg.enabled)" -}}
{{- end -}}
{{- end }}

{{- define "novacron.natsUrl" -}}
{{- if .Values.nats.url -}}
{{ .Values.nats.url }}
{{- else if .Values.nats.enabled -}}
nats://{{ include "novacron.fullname" . }}-nats:4222
{{- else -}}
{{- fail "nats.url is missing: set the address of NATS (nats://host:port), or let the chart run it (nats.enabled)" -}}
{{- end -}}
{{- end }}

{{/* Ports of the Postgres servers, one on each line, without duplicates. */}}
{{- define "novacron.postgresPorts" -}}
{{- $ports := list -}}
{{- range prepend .Values.postgres.replicas (include "novacron.postgresPrimary" .) -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (regexReplaceAll "\\*[0-9]+$" . "")) -}}
{{- end -}}
{{- $ports | uniq | join " " -}}
{{- end }}

{{- define "novacron.natsPort" -}}
{{- default "4222" (regexFind "[0-9]+$" (regexReplaceAll "/+$" (include "novacron.natsUrl" .) "")) -}}
{{- end }}

{{/* Keys of a service's Secret, without the owner's password, which only migrations get. Takes the service. */}}
{{- define "novacron.secretKeys" -}}
NOVACRON_PG_API_PASSWORD NOVACRON_PG_SYS_PASSWORD NOVACRON_NATS_PASSWORD
{{- if .redis }} NOVACRON_REDIS_URL{{ end }}
{{- if .http }} NOVACRON_CONSISTENCY_KEY NOVACRON_TOKEN_HASH_KEY{{ end }}
{{- end }}
