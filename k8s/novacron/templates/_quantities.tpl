{{/* A quantity of Kubernetes as a number of its base unit: bytes, cores. Takes {text, example}. */}}
{{- define "novacron.amount" -}}
{{- $text := kindIs "string" .text | ternary .text (printf "%v" .text) -}}
{{- if kindIs "float64" .text -}}{{- $text = printf "%.0f" .text -}}{{- end -}}
{{- if and (kindIs "float64" .text) (ne (floor .text) .text) -}}{{- $text = printf "%v" .text -}}{{- end -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $text "" -}}
{{- if not (and (hasKey $units $unit) (regexMatch "^[0-9]+(\\.[0-9]+)?[A-Za-z]*$" $text)) -}}
{{- fail (printf "%q is not a quantity that the chart understands: %s" $text (default "512Mi, 1Gi, 500m" .example)) -}}
{{- end -}}
{{- printf "%f" (mulf (regexFind "^[0-9.]+" $text | float64) (index $units $unit | float64)) -}}
{{- end }}

{{/* A quantity of memory in whole MiB, rounded down. */}}
{{- define "novacron.mebibytes" -}}
{{- divf (include "novacron.amount" (dict "text" . "example" "512Mi, 1Gi, 1.5G") | float64) 1048576 | floor | int64 -}}
{{- end }}

{{/* A quantity of CPU in cores, rounded up to whole ones. */}}
{{- define "novacron.cores" -}}
{{- include "novacron.amount" (dict "text" . "example" "500m, 2, 0.5") | float64 | ceil | int64 -}}
{{- end }}

{{/* A number without an exponent: 1000000, not 1e+06. */}}
{{- define "novacron.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}
