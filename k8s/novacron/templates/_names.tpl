{{/* Prefix of the names of all objects: 40 characters. It must not change, because volumes and secrets are found by it. */}}
{{- define "novacron.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $name := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) -}}
{{- default $name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels that select the pods of a component. Takes {root, name}. */}}
{{- define "novacron.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* Labels of an object of a component. Takes {root, name}. */}}
{{- define "novacron.labels" -}}
{{ include "novacron.selector" . }}
app.kubernetes.io/part-of: novacron
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/*
Prefix of the name of a Job, which becomes a label of its pods and so has 63 characters at most: 36 leave room for the
longest suffix, `-migrate-cache-invalidator`.
*/}}
{{- define "novacron.jobPrefix" -}}
{{- include "novacron.fullname" . | trunc 36 | trimSuffix "-" -}}
{{- end }}

{{/* metadata of an object of a component. Takes {root, name} and optionally {prefix, suffix}. */}}
{{- define "novacron.metadata" -}}
name: {{ .prefix | default (include "novacron.fullname" .root) }}-{{ .name }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "novacron.labels" . | nindent 2 }}
{{- end }}

{{/* Image of an app. Takes {root, app, image: {name, digest, tag}}. */}}
{{- define "novacron.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := default dict .image -}}
{{- $path := list $image.registry $image.repository .app | compact | join "/" -}}
{{- $name := default $path $own.name -}}
{{- if $own.digest -}}
{{ $name }}@{{ $own.digest }}
{{- else -}}
{{ $name }}:{{ coalesce $own.tag $image.tag .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* Secret of a service. Takes {root, name, existing}. */}}
{{- define "novacron.secretName" -}}
{{- default (printf "%s-%s" (include "novacron.fullname" .root) .name) .existing -}}
{{- end }}
