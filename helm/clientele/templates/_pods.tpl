{{/* Parts that the server's and the migration's pod have in common. */}}

{{- define "clientele.databaseMount" -}}
- name: database
  mountPath: {{ include "clientele.databaseFolder" . }}
  readOnly: true
{{- end -}}

{{/* list of the root and the Secret's name. Readable by the group, which is fsGroup. */}}
{{- define "clientele.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
{{- end -}}

{{/*
A probe of health's service: list of the root and its name. The kubelet's own gRPC probe speaks no TLS: where the pod does, the
program asks itself.
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
