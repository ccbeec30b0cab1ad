{{/* Labels of a part: what it is, and which release it is of. */}}
{{- define "chatbot.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: chatbot
environment: {{ .Values.global.environment }}
{{- end }}

{{/* What a part's pods are found by: less than the labels, as selectors cannot change. */}}
{{- define "chatbot.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* A Deployment and a Service of a part that listens on one port. */}}
{{- define "chatbot.part" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  labels:
    {{- include "chatbot.labels" . | nindent 4 }}
spec:
  {{- if not (.Values.autoscaling | default dict).enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "chatbot.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "chatbot.labels" . | nindent 8 }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.global.registry }}/{{ .Chart.Name }}:{{ .Chart.AppVersion }}"
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          envFrom:
            - configMapRef:
                name: {{ .Release.Name }}-settings
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  labels:
    {{- include "chatbot.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "chatbot.selector" . | nindent 4 }}
  ports:
    - name: http
      port: 80
      targetPort: http
{{- end }}
