{{/* Common parts of the server's and the migration's pod. */}}

{{- define "clientele.databaseMount" -}}
- name: database
  mountPath: {{ include "clientele.databaseFolder" . }}
  readOnly: true
{{- end -}}

{{/* Takes a list of the root and the Secret's name. Readable by the group, which is fsGroup. */}}
{{- define "clientele.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
{{- end -}}

{{/*
A probe of a health service; takes a list of the root and the service's name. The kubelet's gRPC probe does not support TLS: a pod
with TLS runs `clientele health`.
*/}}
{{- define "clientele.probe" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.tls.existingSecret -}}
exec:
  command: [/clientele, health, --config, {{ include "clientele.configFolder" $root }}/clientele.yaml, {{ index . 1 }}]
{{- else -}}
grpc:
  port: {{ include "clientele.grpcPort" $root }}
  service: {{ index . 1 }}
{{- end -}}
{{- end -}}
