{{/* Where the pods of a service run. Takes {context: {root, name}, service}. */}}
{{- define "novacron.placement" -}}
{{- $service := .service -}}
{{- with $service.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $service.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $service.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $service.antiAffinity }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          labelSelector:
            matchLabels:
              {{- include "novacron.selector" .context | nindent 14 }}
          topologyKey: kubernetes.io/hostname
{{- end }}
{{- if $service.spreadOverZones }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "novacron.selector" .context | nindent 8 }}
{{- end }}
{{- end }}
