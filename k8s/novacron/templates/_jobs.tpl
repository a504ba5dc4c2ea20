{{/*
Where the first installation itself brings the database or the secrets (cnpg, secrets.generate), nothing that runs
before it could reach them: there the Jobs are ordinary objects, and try until they can. Everywhere else they are
hooks, and one that fails stops the installation or the upgrade before any pod is replaced.
*/}}
{{- define "novacron.plainJobs" -}}
{{- and .Release.IsInstall (or .Values.cnpg.enabled .Values.secrets.generate) | ternary "yes" "" -}}
{{- end }}

{{/* Takes {root, weight, events}; without events it comes before the installation or the upgrade. */}}
{{- define "novacron.hook" -}}
{{- if not (include "novacron.plainJobs" .root) }}
annotations:
  helm.sh/hook: {{ .events | default "pre-install,pre-upgrade" }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
{{- end }}

{{/* A Job's pod cannot be changed, so a plain Job is called anew for each image. Takes {root, image}. */}}
{{- define "novacron.jobSuffix" -}}
{{- if include "novacron.plainJobs" .root -}}
{{ sha256sum .image | trunc 8 }}
{{- end -}}
{{- end }}

{{/* A Job of one container. Takes {root, name, weight, image, container, volumes, events}; container and volumes are YAML. */}}
{{- define "novacron.job" -}}
{{- $context := dict "root" .root "name" .name "suffix" (include "novacron.jobSuffix" .) -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "novacron.metadata" $context | nindent 2 }}
  {{- include "novacron.hook" . | nindent 2 }}
spec:
  backoffLimit: {{ empty (include "novacron.plainJobs" .root) | ternary 2 30 }}
  activeDeadlineSeconds: {{ .root.Values.migrations.activeDeadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "novacron.labels" $context | nindent 8 }}
        novacron.io/job: database
    spec:
      {{- include "novacron.podSecurity" .root | nindent 6 }}
      {{- include "novacron.pullSecrets" .root | nindent 6 }}
      restartPolicy: OnFailure
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
