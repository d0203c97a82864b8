{{- define "tailship.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tailship.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tailship.labels" -}}
{{ include "tailship.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tailship.image" -}}
{{- $repository := required "image.repository: where you pushed the image" .Values.image.repository -}}
{{- $digest := required "image.digest: sha256:… of the image, which docker push prints" .Values.image.digest -}}
{{- printf "%s@%s" $repository $digest -}}
{{- end -}}

{{- define "tailship.priorityClassName" -}}
{{- .Values.priorityClass.name | default (ternary (include "tailship.fullname" .) "" .Values.priorityClass.create) -}}
{{- end -}}

{{/* The agent's configuration file. What is said in `config` wins. */}}
{{- define "tailship.config" -}}
{{- $config := dict "adminAddress" "0.0.0.0:8090" "startJitterMs" 5000 -}}
{{- range $key := list "project" "cluster" "location" "include" "rules" -}}
{{- with index $.Values $key -}}{{- $_ := set $config $key . -}}{{- end -}}
{{- end -}}
{{- $exclude := .Values.exclude -}}
{{- if .Values.gke.enabled -}}{{- $exclude = concat .Values.gke.systemNamespaces $exclude -}}{{- end -}}
{{- with $exclude -}}{{- $_ := set $config "exclude" . -}}{{- end -}}
{{- if .Values.credentials.existingSecret -}}
{{- $_ := set $config "credentialsFile" (printf "/etc/tailship-key/%s" .Values.credentials.key) -}}
{{- end -}}
{{- if .Values.nodeLogs -}}{{- $_ := set $config "nodeLogs" "auto" -}}{{- end -}}
{{- if ne .Values.stateDir "/var/lib/tailship" -}}{{- $_ := set $config "stateDir" .Values.stateDir -}}{{- end -}}
{{- if ne (join "," .Values.logRoots) "/var/log/pods" -}}{{- $_ := set $config "logRoot" .Values.logRoots -}}{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{- define "tailship.securityContext" -}}
# The kubelet's logs are root's, mode 0640. A capability that is added to another user has no effect
# in a container, so it is root with nothing but the right to read.
runAsUser: 0
runAsGroup: 0
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: ["ALL"]
  add: ["DAC_READ_SEARCH"]
{{- end -}}

{{/* What both the agent and the migration see of the node. */}}
{{- define "tailship.nodeMounts" -}}
- name: config
  mountPath: /etc/tailship
  readOnly: true
- name: containers
  mountPath: /var/log/containers
  readOnly: true
{{- range $index, $root := .Values.logRoots }}
- name: {{ include "tailship.rootVolume" $index }}
  mountPath: {{ $root }}
  readOnly: true
{{- end }}
- name: state
  mountPath: {{ .Values.stateDir }}
{{- end -}}

{{- define "tailship.rootVolume" -}}
{{- if eq (int .) 0 -}}pods{{- else -}}logs-{{ . }}{{- end -}}
{{- end -}}
