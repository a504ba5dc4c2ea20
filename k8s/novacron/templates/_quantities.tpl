{{/* A quantity of memory in whole MiB, rounded down. */}}
{{- define "novacron.mebibytes" -}}
{{- $text := kindIs "string" . | ternary . (printf "%v" (int64 .)) -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $text "" -}}
{{- if not (and (hasKey $units $unit) (regexMatch "^[0-9]+(\\.[0-9]+)?[A-Za-z]*$" $text)) -}}
{{- fail (printf "%q is no quantity of memory that the chart understands: 512Mi, 1Gi, 1.5G" $text) -}}
{{- end -}}
{{- divf (mulf (regexFind "^[0-9.]+" $text | float64) (index $units $unit)) 1048576 | floor | int64 -}}
{{- end }}

{{/* A quantity of CPU in cores, rounded up to whole ones. */}}
{{- define "novacron.cores" -}}
{{- $text := printf "%v" . -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?m?$" $text) -}}
{{- fail (printf "%q is no quantity of CPU that the chart understands: 500m, 2, 0.5" $text) -}}
{{- end -}}
{{- $number := trimSuffix "m" $text | float64 -}}
{{- hasSuffix "m" $text | ternary (divf $number 1000) $number | ceil | int64 -}}
{{- end }}

{{/* A number as people write it: 1000000, not 1e+06. */}}
{{- define "novacron.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}
