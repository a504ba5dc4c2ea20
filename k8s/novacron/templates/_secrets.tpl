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
A host as the agent reads it, as JSON. Id and password follow from the key of its Secret and its name: after a rollback,
which takes newer hosts out of the Secret, the next upgrade gives them the same ones. The id is a UUIDv8 (RFC 9562).
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

{{/* What decides who is in an agent's Secret: pods that read it at their start are replaced when it changes. */}}
{{- define "novacron.hostNames" -}}
{{- eq .kind "DaemonSet" | ternary (join "," .nodes) (.hosts | toString) -}}
{{- end }}

{{/* The same of every agent that runs, for the server that knows them all. Takes the root. */}}
{{- define "novacron.allHosts" -}}
{{- $all := list -}}
{{- range $name, $own := .Values.hostAgents -}}
{{- $agent := mustMergeOverwrite (deepCopy $.Values.agentDefaults) $own -}}
{{- if $agent.enabled -}}{{- $all = append $all (printf "%s=%s" $name (include "novacron.hostNames" $agent)) -}}{{- end -}}
{{- end -}}
{{- join ";" $all -}}
{{- end }}
