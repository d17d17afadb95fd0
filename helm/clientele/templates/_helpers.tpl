{{/* The name of the chart's objects. */}}
{{- define "clientele.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The labels that select this release's objects. They never change, because a Deployment's selector is immutable. */}}
{{- define "clientele.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Selects the replicas, but neither the migration's pod nor the test's. */}}
{{- define "clientele.serverSelector" -}}
{{ include "clientele.selector" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "clientele.labels" -}}
{{ include "clientele.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "clientele.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "clientele.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "clientele.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The port of an address such as 0.0.0.0:50051 or [::]:50051. */}}
{{- define "clientele.portOf" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}

{{- define "clientele.grpcPort" -}}
{{- include "clientele.portOf" .Values.config.listen -}}
{{- end -}}

{{/* Empty if no metrics are served. */}}
{{- define "clientele.metricsPort" -}}
{{- include "clientele.portOf" (default "" .Values.config.metrics_listen) -}}
{{- end -}}

{{/* The seconds of a duration such as 500ms, 25s, 5m, 1h, rounded up. */}}
{{- define "clientele.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}{{ div (add $number 999) 1000 }}
{{- else if eq $unit "m" -}}{{ mul $number 60 }}
{{- else if eq $unit "h" -}}{{ mul $number 3600 }}
{{- else -}}{{ $number }}
{{- end -}}
{{- end -}}

{{/* The mounts of the Secrets: folders, never single files, because a file mounted by subPath is not updated. */}}
{{- define "clientele.databaseFolder" -}}/etc/clientele/database{{- end -}}
{{- define "clientele.sealingFolder" -}}/etc/clientele/sealing{{- end -}}
{{- define "clientele.tlsFolder" -}}/etc/clientele/tls{{- end -}}
{{- define "clientele.smtpFolder" -}}/etc/clientele/smtp{{- end -}}
{{- define "clientele.configFolder" -}}/etc/clientele/config{{- end -}}

{{/* The database's settings, for the server and the migration. */}}
{{- define "clientele.databaseSettings" -}}
{{- with .Values.database -}}
{{- if .url -}}
database_url: {{ .url | quote }}
{{- else }}
database_url_file: {{ include "clientele.databaseFolder" $ }}/{{ .urlKey }}
{{- end }}
{{- with .passwordKey }}
database_password_file: {{ include "clientele.databaseFolder" $ }}/{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The settings of `clientele serve`: `config`, and the paths of the mounted Secrets. */}}
{{- define "clientele.config" -}}
{{- $config := omit .Values.config "" -}}
{{- $config = merge (include "clientele.databaseSettings" . | fromYaml) $config -}}
{{- $keys := list -}}
{{- range .Values.sealing.keys -}}
{{- $keys = append $keys (printf "%s/%s" (include "clientele.sealingFolder" $) .) -}}
{{- end -}}
{{- $config = set $config "sealing_key_files" $keys -}}
{{- if .Values.tls.existingSecret -}}
{{- $folder := include "clientele.tlsFolder" . -}}
{{- $config = set $config "tls_cert_file" (printf "%s/tls.crt" $folder) -}}
{{- $config = set $config "tls_key_file" (printf "%s/tls.key" $folder) -}}
{{- with .Values.tls.clientCaKey -}}
{{- $config = set $config "tls_client_ca_file" (printf "%s/%s" $folder .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.smtp -}}
{{- if .existingSecret -}}
{{- if not $.Values.config.smtp_host -}}
{{- fail "smtp.existingSecret needs config.smtp_host: name the mail server" -}}
{{- end -}}
{{- $folder := include "clientele.smtpFolder" $ -}}
{{- if not (or .userKey .caKey) -}}
{{- fail "smtp.existingSecret has nothing that is used: set smtp.userKey, smtp.caKey or both" -}}
{{- end -}}
{{- if .userKey -}}
{{- $config = set $config "smtp_user_file" (printf "%s/%s" $folder .userKey) -}}
{{- $config = set $config "smtp_password_file" (printf "%s/%s" $folder .passwordKey) -}}
{{- end -}}
{{- with .caKey -}}
{{- $config = set $config "smtp_ca_file" (printf "%s/%s" $folder .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The port of the mail server: by default that of the protection, as the program chooses it. */}}
{{- define "clientele.smtpPort" -}}
{{- with .Values.config -}}
{{- $security := .smtp_security | default "starttls" -}}
{{- $usual := get (dict "starttls" 587 "tls" 465 "none" 25) $security -}}
{{- .smtp_port | default $usual | int -}}
{{- end -}}
{{- end -}}

{{/* The reads that a mesh may retry: `NO_SIDE_EFFECTS` in the protos. `.ci/chart` compares reads.yaml with the service config. */}}
{{- define "clientele.reads" -}}
{{- .Files.Get "reads.yaml" -}}
{{- end -}}
