{{/* Rules that a schema of single values cannot express. The Deployments include them; a violation fails the rendering. */}}
{{- define "novacron.validate" -}}
{{- include "novacron.validateDrain" . -}}
{{- include "novacron.validateSecrets" . -}}
{{- include "novacron.validateAutoscaling" . -}}
{{- include "novacron.validateConnections" . -}}
{{- include "novacron.validateAgents" . -}}
{{- include "novacron.validateResources" . -}}
{{- include "novacron.validateImmutable" . -}}
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
Connections to the primary when every service has its most pods and two more during a rolling update (the new one and the
one that drains), each with two pools, while all migrations run (three connections each). minReadySeconds of the
Deployments limits the extra pods to two.
*/}}
{{- define "novacron.validateConnections" -}}
{{- $sum := 0 -}}
{{- $parts := list -}}
{{- range $name, $own := .Values.services -}}
{{- $service := mustMergeOverwrite (deepCopy $.Values.serviceDefaults) $own -}}
{{- $most := $service.autoscaling.enabled | ternary $service.autoscaling.maxReplicas $service.replicas | int -}}
{{- $connections := add (mul (add $most 2) 2 $service.poolMax) ($.Values.migrations.enabled | ternary 3 0) -}}
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
{{- fail (printf "hostAgents.%s.image.name is missing: the image of host-agent contains no QEMU; name one that does" $name) -}}
{{- end -}}
{{- if and $.Values.secrets.generate (not $agent.existingSecret) (eq $agent.kind "Deployment") (lt (int $agent.hosts) 1) -}}
{{- fail (printf "hostAgents.%s.hosts is missing: say how many hosts secrets.generate makes" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The API server refuses pods that request more than their limit, but only after the hooks have run. */}}
{{- define "novacron.validateResources" -}}
{{- $all := dict "nats.resources" .Values.nats.resources "valkey.resources" .Values.valkey.resources "cnpg.resources" .Values.cnpg.resources -}}
{{- range $name, $own := .Values.services -}}
{{- $_ := set $all (printf "services.%s.resources" $name) (mustMergeOverwrite (deepCopy $.Values.serviceDefaults) $own).resources -}}
{{- end -}}
{{- range $name, $own := .Values.hostAgents -}}
{{- $_ := set $all (printf "hostAgents.%s.resources" $name) (mustMergeOverwrite (deepCopy $.Values.agentDefaults) $own).resources -}}
{{- end -}}
{{- range $where, $resources := $all -}}
{{- range $what, $request := $resources.requests -}}
{{- $limit := get (default dict $resources.limits) $what -}}
{{- if and $limit (gt (include "novacron.amount" (dict "text" $request) | float64) (include "novacron.amount" (dict "text" $limit) | float64)) -}}
{{- fail (printf "%s: the request of %s (%v) is more than its limit (%v)" $where $what $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Refuses changes that an installed release does not support, before the hooks of an upgrade run. */}}
{{- define "novacron.validateImmutable" -}}
{{- if .Values.nats.enabled -}}
{{- $name := printf "%s-nats" (include "novacron.fullname" .) -}}
{{- range (lookup "apps/v1" "StatefulSet" .Release.Namespace $name | dig "spec" "volumeClaimTemplates" list) -}}
{{- $size := .spec.resources.requests.storage -}}
{{- if ne (include "novacron.amount" (dict "text" $size)) (include "novacron.amount" (dict "text" $.Values.nats.storage)) -}}
{{- fail (printf "nats.storage is %s in this release and cannot become %v: a StatefulSet keeps the size of its volumes. docs/kubernetes.md says how to grow them" $size $.Values.nats.storage) -}}
{{- end -}}
{{- $class := default "" .spec.storageClassName -}}
{{- if and $.Values.nats.storageClass (ne $class $.Values.nats.storageClass) -}}
{{- fail (printf "nats.storageClass is %q in this release and cannot become %q: a StatefulSet keeps the class of its volumes" $class $.Values.nats.storageClass) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $own := .Values.hostAgents -}}
{{- $agent := mustMergeOverwrite (deepCopy $.Values.agentDefaults) $own -}}
{{- if and $agent.enabled (eq $agent.kind "Deployment") -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" $.Release.Namespace (printf "%s-host-agent-%s" (include "novacron.fullname" $) $name) -}}
{{- $size := dig "spec" "resources" "requests" "storage" "" $claim -}}
{{- if and $size (gt (include "novacron.amount" (dict "text" $size) | float64) (include "novacron.amount" (dict "text" $agent.state.storage) | float64)) -}}
{{- fail (printf "hostAgents.%s.state.storage is %s in this release and cannot become %v: a volume does not shrink" $name $size $agent.state.storage) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
