{{/* A new password. It begins with a letter, so that no parser reads it as a number. */}}
{{- define "novacron.password" -}}
p{{ randAlphaNum 40 }}
{{- end }}

{{/* The decoded data of a generated Secret in the cluster, as JSON. Takes {root, name}. */}}
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
    # The servers' data outlives the release, and is useless without its passwords.
    helm.sh/resource-policy: keep
type: Opaque
data:
  {{- range $key, $value := .data }}
  {{ $key }}: {{ b64enc $value }}
  {{- end }}
{{- end }}

{{/* One password for each rendering: the first caller makes it, or finds it in the cluster. */}}
{{- define "novacron.valkeyPassword" -}}
{{- if not (hasKey .Release "novacronValkey") -}}
{{- $there := include "novacron.there" (dict "root" . "name" "valkey") | fromJson -}}
{{- $known := index $there "valkey.conf" | default "" | splitList "\n" | first | trimPrefix "requirepass " | trim -}}
{{- $_ := set .Release "novacronValkey" (default (include "novacron.password" .) $known) -}}
{{- end -}}
{{- .Release.novacronValkey -}}
{{- end }}

{{/* The password of a service's own user there: redisPassword of packages/provisioning. Takes {root, user}. */}}
{{- define "novacron.valkeyUserPassword" -}}
{{- printf "%s %s" (include "novacron.valkeyPassword" .root) .user | sha256sum -}}
{{- end }}

{{/* valkey.conf: the administrator's password first, then a user for each service, with the hash of its password. */}}
{{- define "novacron.valkeyConf" -}}
requirepass {{ include "novacron.valkeyPassword" . }}
{{- range $user, $rules := .Files.Get "files/redis-users.json" | fromJson }}
user {{ $user }} on #{{ include "novacron.valkeyUserPassword" (dict "root" $ "user" $user) | sha256sum }} {{ $rules }}
{{- end }}
{{ end }}

{{/* Takes {root, user}. */}}
{{- define "novacron.generatedRedisUrl" -}}
{{- if .root.Values.redis.url -}}
{{ .root.Values.redis.url }}
{{- else -}}
redis://{{ .user }}:{{ include "novacron.valkeyUserPassword" . }}@{{ include "novacron.fullname" .root }}-valkey:6379
{{- end -}}
{{- end }}

{{/*
A host in the agent's format, as JSON. Id and password are derived from the key of its Secret and its name. A rollback
removes newer hosts from the Secret, and the next upgrade then gives them the same id and password. The id is a UUIDv8 (RFC 9562).
Takes {name, agent, key}.
*/}}
{{- define "novacron.newHost" -}}
{{- $hex := printf "%s id %s" .key .name | sha256sum -}}
{{- $id := printf "%s-%s-8%s-8%s-%s" (substr 0 8 $hex) (substr 8 12 $hex) (substr 13 16 $hex) (substr 17 20 $hex) (substr 20 32 $hex) -}}
{{- $password := printf "%s password %s" .key .name | sha256sum | trunc 40 -}}
{{- $host := dict "hostId" $id "name" .name "natsUser" (printf "host-%s" $id) "natsPassword" (print "p" $password) -}}
{{- with .agent.capacity -}}
{{- $_ := set $host "capacity" . -}}
{{- end -}}
{{- toRawJson $host -}}
{{- end }}

{{/* The values that determine the hosts in an agent's Secret. Pods read it at their start, so a change replaces them. */}}
{{- define "novacron.hostNames" -}}
{{- eq .kind "DaemonSet" | ternary (join "," .nodes) (.hosts | toString) -}}
{{- end }}

{{/* The same for all enabled agents, for the NATS server, which has all their users. Takes the root. */}}
{{- define "novacron.allHosts" -}}
{{- $all := list -}}
{{- range $name, $own := .Values.hostAgents -}}
{{- $agent := mustMergeOverwrite (deepCopy $.Values.agentDefaults) $own -}}
{{- if $agent.enabled -}}{{- $all = append $all (printf "%s=%s" $name (include "novacron.hostNames" $agent)) -}}{{- end -}}
{{- end -}}
{{- join ";" $all -}}
{{- end }}
