{{/* What a schema of single values cannot see. Rendered with the Deployments, fails with a sentence. */}}
{{- define "novacron.validate" -}}
{{- include "novacron.validateDrain" . -}}
{{- include "novacron.validateSecrets" . -}}
{{- include "novacron.validateAutoscaling" . -}}
{{- include "novacron.validateConnections" . -}}
{{- include "novacron.validateAgents" . -}}
{{- end }}

{{- define "novacron.validateDrain" -}}
{{- $least := add 60 .Values.drain.preStopSeconds -}}
{{- if le (int .Values.drain.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "drain.terminationGracePeriodSeconds is %d: it must be more than %d, the sleep of preStop (%d) and a wait of 60 s" (int .Values.drain.terminationGracePeriodSeconds) $least (int .Values.drain.preStopSeconds)) -}}
{{- end -}}
{{- end }}

{{- define "novacron.validateSecrets" -}}
{{- if and .Values.bootstrap.enabled (not .Values.cnpg.enabled) (not .Values.bootstrap.existingSecret) -}}
{{- fail "bootstrap.existingSecret is missing: name a Secret with `username` and `password` of a superuser of Postgres" -}}
{{- end -}}
{{- if and .Values.secrets.generate (not .Values.valkey.enabled) (not .Values.redis.url) -}}
{{- fail "redis.url is missing: secrets.generate writes it into the services' secrets; or let the chart run Valkey (valkey.enabled)" -}}
{{- end -}}
{{- range $values, $all := dict "services" .Values.services "hostAgents" .Values.hostAgents -}}
{{- range $name, $one := $all -}}
{{- if and $.Values.secrets.generate $one.existingSecret -}}
{{- fail (printf "%s.%s.existingSecret cannot be beside secrets.generate, which makes all secrets together: NATS would not know its user" $values $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "novacron.validateAutoscaling" -}}
{{- range $name, $own := .Values.services -}}
{{- $scaling := (mustMergeOverwrite (deepCopy $.Values.serviceDefaults) $own).autoscaling -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "services.%s.autoscaling: minReplicas (%d) is more than maxReplicas (%d)" $name (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
Connections to the primary when every service has its most pods and one more of a rolling update, each with two
pools, while all migrations run (three connections each).
*/}}
{{- define "novacron.validateConnections" -}}
{{- $sum := 0 -}}
{{- $parts := list -}}
{{- range $name, $own := .Values.services -}}
{{- $service := mustMergeOverwrite (deepCopy $.Values.serviceDefaults) $own -}}
{{- $most := $service.autoscaling.enabled | ternary $service.autoscaling.maxReplicas $service.replicas | int -}}
{{- $connections := add (mul (add $most 1) 2 $service.poolMax) ($.Values.migrations.enabled | ternary 3 0) -}}
{{- $sum = add $sum $connections -}}
{{- $parts = append $parts (printf "%s %d" $name $connections) -}}
{{- end -}}
{{- $limit := sub .Values.postgres.maxConnections .Values.postgres.reservedConnections -}}
{{- if ge $sum $limit -}}
{{- fail (printf "the services may open %d connections to Postgres (%s), which is not below postgres.maxConnections less postgres.reservedConnections (%d): lower services.*.poolMax or autoscaling.maxReplicas, or raise max_connections there and postgres.maxConnections here" $sum (join ", " $parts) $limit) -}}
{{- end -}}
{{- end }}

{{- define "novacron.validateAgents" -}}
{{- range $name, $own := .Values.hostAgents -}}
{{- $agent := mustMergeOverwrite (deepCopy $.Values.agentDefaults) $own -}}
{{- if $agent.enabled -}}
{{- if not $agent.zone -}}
{{- fail (printf "hostAgents.%s.zone is missing: name the zone that its hosts are in" $name) -}}
{{- end -}}
{{- if and (eq $agent.driver "qemu") (eq $agent.kind "Deployment") -}}
{{- fail (printf "hostAgents.%s: driver qemu needs kind DaemonSet, a process on each node" $name) -}}
{{- end -}}
{{- if and (eq $agent.driver "qemu") (not $agent.image.name) -}}
{{- fail (printf "hostAgents.%s.image.name is missing: the image of host-agent holds no QEMU; name one that does" $name) -}}
{{- end -}}
{{- if and $.Values.secrets.generate (not $agent.existingSecret) (eq $agent.kind "Deployment") (lt (int $agent.hosts) 1) -}}
{{- fail (printf "hostAgents.%s.hosts is missing: say how many hosts secrets.generate makes" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
