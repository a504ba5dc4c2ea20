{{/*
If the first installation itself makes the database or the secrets (cnpg, secrets.generate), no Job can run before it. Then
the Jobs are hooks after the installation, and retry until the database is up. In all other cases they run before it, and a
failed Job stops the installation. An upgrade always runs them first. They are hooks in every case: a rollback applies an
older revision's objects without its install hooks, and so runs no Job again.
*/}}
{{- define "novacron.installHook" -}}
{{- or .Values.cnpg.enabled .Values.secrets.generate | ternary "post-install" "pre-install" -}}
{{- end }}

{{/* Takes {root, weight, events}; without events the Job runs before an upgrade and around the installation. */}}
{{- define "novacron.hook" -}}
annotations:
  helm.sh/hook: {{ .events | default (printf "%s,pre-upgrade" (include "novacron.installHook" .root)) }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/*
A Job of one container. Takes {root, name, weight, image, container, volumes, events, service}; container and volumes are
YAML, service gives the placement. A failed pod stays, because only its log describes the failure.
*/}}
{{- define "novacron.job" -}}
{{- $context := dict "root" .root "name" .name "prefix" (include "novacron.jobPrefix" .root) -}}
{{- $service := pick .service "priorityClassName" "nodeSelector" "tolerations" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "novacron.metadata" $context | nindent 2 }}
  {{- include "novacron.hook" . | nindent 2 }}
spec:
  backoffLimit: {{ eq (include "novacron.installHook" .root) "post-install" | ternary 30 2 }}
  activeDeadlineSeconds: {{ .root.Values.migrations.activeDeadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "novacron.labels" $context | nindent 8 }}
        novacron.io/job: database
    spec:
      {{- include "novacron.podSecurity" .root | nindent 6 }}
      {{- include "novacron.pullSecrets" .root | nindent 6 }}
      {{- include "novacron.placement" (dict "context" $context "service" $service) | nindent 6 }}
      restartPolicy: Never
      {{- with .first }}
      initContainers:
        - name: verifiers
          image: {{ $.firstImage }}
          imagePullPolicy: {{ $.root.Values.image.pullPolicy }}
          {{- include "novacron.containerSecurity" $.root | nindent 10 }}
          resources:
            requests: { cpu: 50m, memory: 128Mi }
            limits: { cpu: 500m, memory: 512Mi }
          {{- . | nindent 10 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ .image }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- include "novacron.containerSecurity" .root | nindent 10 }}
          resources:
            requests: { cpu: 50m, memory: 128Mi }
            limits: { cpu: 500m, memory: 512Mi }
          {{- .container | nindent 10 }}
      volumes:
        - name: tmp
          emptyDir: { sizeLimit: 64Mi }
        {{- with .volumes }}{{ . | nindent 8 }}{{ end }}
{{- end }}
