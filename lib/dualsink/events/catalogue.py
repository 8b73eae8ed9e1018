"""Catalogue: the formats that people send.

Each names its own documentation. Every format is completed by `GENERAL`, the names that loggers share, so a declaration
holds only what is particular. The order is that of preference: what an early format takes a later one does not.
"""

from dualsink.events.formats import Format, places

_CONTEXTS = ("mdc", "contextmap", "context", "extra", "fields", "properties", "attributes", "labels", "span", "otel",
             "spancontext", "tracecontext", "metadata", "meta", "context.mdc", "tags", "scope", "data", "state",
             "scopes", "kvp", "trace", "named_tags", "opentelemetry", "diags", "customdimensions",
             "ctx", "log", "details", "payload", "event", "elasticapm_labels", "logattributes", "errorinfo",
             "failure", "exceptioninfo", "annotations", "logcontext", "threadcontext", "diagnostics", "tracing", "kv",
             "custom", "customfields", "additional", "dimensions", "baggage")  # fmt: skip
"""Objects in which loggers put the diagnostic context of a thread."""


def _in_contexts(*names: str) -> tuple[str, ...]:
    return tuple(f"{context}.{name}" for context in _CONTEXTS for name in names)


GENERAL = Format(
    name="any names",
    specification="",
    time=(
        *places("timestamp", "time", "ts", "datetime", "event_time", "asctime", "t", "date", "time_millis",
                "written_at", "time_iso8601", "timestamp_iso8601", "log_time", "logged_at", "created_at", "created",
                "event.created", "event_timestamp", "eventdate", "utc_time", "start_time", "startutc", "dt", "when",
                "instant", "published", "local_time", "timegenerated", "timecreated", "syslog_timestamp",
                "requestreceivedtimestamp", "edgestarttimestamp", "epoch", "unixtime", "receivetimestamp", "time_local",
                "msec", "started_at", "syslog.timestamp", "query_timestamp", "date_create", "reqtimesec", "isodate",
                "timereported", "longdate", "log_timestamp", "timestamp_utc", "time_utc", "utc", "timestamp_iso",
                "iso_timestamp", "time_iso", "iso_time", "timestamp_rfc3339", "time_rfc3339", "timestamp_str",
                "s_isodate", "r_isodate", "s_unixtime", "r_unixtime", "log_date",
                "creation_time", "ingest_time",
                "unix_timestamp", "timestamp_unix", "tstamp", "occurred_at", "emitted_at", "recorded_at",
                "record_time", "generated_at", "published_at", "sent_at", "log.timestamp", "event.timestamp",
                "event.time", "received_at", "event_ts", "aws.timestamp", "dttm", "occur_at", "time_logged",
                "datetime_utc", "datetime_iso", "event_datetime", "log_datetime", "created_date", "created_time",
                "epoch_time", "timestamp_derived", "at"),
        *places("__realtime_timestamp", "_source_realtime_timestamp", reads="us"),
        *places("__time__", "epoch_second", "epoch_seconds", reads="s"),
        *places("timestamp_us", "time_us", "epoch_us", "timestamp_micros", "time_micros", "epoch_micros", reads="us"),
        *places("timeunixnano", "time_ns", "timestamp_ns", "time_nanos", "timestamp_nanos", "epoch_nanos", reads="ns"),
        *places("timestamp_ms", "time_ms", "epoch_ms", "timestamp_millis", "epoch_millis", "millis",
                "time_in_millis", "current_time_millis", "event_time_ms", "event_timestamp_ms", reads="ms"),
        *places("observedtimeunixnano", reads="ns"),
        *places("observedtimestamp"),
    ),
    level=(
        *places("level", "severity", "lvl", "loglevel", "log.level", "severitytext", "levelname", "level.name",
                "level.levelstr", "levelstr", "level.label", "level.text", "level.standardlevel", "l",
                "severity_label", "severity.text", "severity.name", "error_severity", "syslog.severity.name",
                "log.syslog.severity.name", "syslog_severity", "log_severity", "sev", "severity_level", "level_text",
                "level_string", "level_label", "message_level", "log.severity", "log_level_name",
                "syslog.severity", "context.loglevel", "logging_level", "message_severity", "log_level.name",
                "severity_name"),
        *places("status", "event.severity", "event.level", "log_type", "level.value", "fields.level",
                "fields.levelname", "fields.severity", "tags.severity", "tags.level", "labels.level",
                "attributes.level", "metadata.level", reads="word"),
        *places("log.syslog.severity.code", "syslog.severity.code", "syslog.priority",
                "syslog_severity_code", "level_num", reads="syslog"),
        *places("pri", "syslog_pri", "log.syslog.priority", reads="pri"),
        *places("priority", reads="word"),
        *places("severitynumber", "severity.number", reads="otel"),
        *places("level_value", "level.levelint", "level.level", reads="logback"),
        *places("levelno", "level.no", reads="python"),
        *places("level.value", "severity_numeric"),
    ),
    message=(
        *places("formattedmessage", "renderedmessage", "message", "msg", "m", "short_message", "text", "body", "log",
                "event", "mt", "messagetemplate", "content", "textpayload", "log_message", "logmessage",
                "message.formatted", "line", "rest", "note", "full_message", "raw_message", "raw", "rawstring",
                "raw_event", "log_msg", "msg_text",
                "event.original", "description", "resultdescription", "properties.message", "title", "log_line",
                "logline", "message_text", "eventmessage", "displaymessage", "elasticsearch.slowlog.message"),
        *places("log.message", "event.message", reads="within"),
        *places("error.message", "err.message", "exception.message", "error_message", "errormessage", "error_msg",
                "err_msg", "error", "err",
                "exception_message", "eventname", "event_name", "event.name", "summary", "detail", "details",
                "reason", "payload", "data", "log.original", reads="string"),
    ),
    service=(
        *places("service", "service.name", "service.servicename", "servicename", "dd.service", "app",
                "application", "app_name",
                "application_name", "app.name", "application.name", "spring.application.name", "app_id",
                "application_id", "service_id", "entity.name",
                "resource.service.name", "resource.attributes.service.name", "resources.service.name",
                "resources_string.service.name", "resource_attributes.service.name", "labels.service", "labels.app",
                "labels.appname", "labels.application",
                "tags.service", "servicecontext.service", "component_name", "fields.service", "fields.service.name",
                "attributes.service.name", "appliname", "microservice", "otelservicename", "properties.application",
                "properties.applicationname", "properties.service",
                "properties.servicename",
                "metadata.service", "meta.service", "fields.app", "fields.application", "labels.service_name",
                "label.com.docker.compose.service", "container.labels.com_docker_compose_service", "faas.name",
                "fly.app.name", "event.service",
                "attrs.com.docker.compose.service", "labels.com.docker.compose.service"),
        *places("programname", "program", "syslog_identifier", "progname", "syslog.identifier", "syslog.appname",
                "log.syslog.appname", "syslog_program", "tags.appname", "svc", reads="name"),
        *places("kubernetes.pod_name", "kubernetes.pod.name", "k8s.pod.name", "pod_name", "resource.k8s.pod.name",
                "resource.labels.pod_name", reads="pod", stays=True),
        *places("kubernetes.container_name", "kubernetes.container.name", "k8s.container.name", "container_name",
                "resource.k8s.container.name", "resource.labels.container_name", "container.name",
                "docker.container_name", reads="container", stays=True),
        *places("component", reads="string"),
    ),
    logger=places("logger", reads="string", stays=True),
    logger_class=places(
        "logger_name", "log.logger", "logger.name", "category", "sourcecontext", "properties.sourcecontext", "name",
        "channel", "target", "module", "process.name", "_systemd_unit", "systemd_unit", "record.name", reads="string",
        stays=True,
    ),
    host=(
        *places("host", "kubernetes.host", "kubernetes.node.name", "kubernetes.node_name", "kubernetes.pod_node_name",
                "k8s.node.name", "resource.k8s.node.name", "host.name", "hostname", "host.hostname",
                "resource.host.name", "node", "node_name", "machinename", "machine_name", "properties.machinename",
                "machine", "source_host", "fields.machinename", "extra.hostname",
                "computer", "computer_name", "winlog.computer_name", "agent.hostname", "beat.hostname",
                "server_name", "host_name", "syslog.hostname", "log.syslog.hostname", "resource.labels.node_name",
                "labels.host", "labels.hostname", "tags.host", "resource.attributes.host.name", "resources.host.name",
                "resources_string.host.name", "resource_attributes.host.name", "node.name"),
        *places("logsource", reads="host name"),
    ),
    stack_trace=(
        *places("stack_trace", "stacktrace", "stacktraceelements"),
        *places("error.stack_trace", "exception.stacktrace", "exception.stack_trace", "exception.stack",
                "exception.traceback", "exception.trace", "exception.backtrace", "err.stack", "err.stacktrace",
                "error.stack", "error.backtrace", "error.trace", "error.traceback", "thrown.extendedstacktrace",
                "thrown.stacktrace", "throwable.stacktrace", "throwable.stack_trace", "error.exception.stacktrace",
                "meta.stack", "meta.error.stack", "data.stack", "errorobject.stack", "context.exception.trace",
                "extra.exception.trace", "exception.extendedstacktrace", "error.details.stack",
                "exception.stacktracestring", reads="lines"),
        *places("error_stack_trace", "exception_stack_trace", "error_stack", "exc_text", "traceback", "errorverbose",
                "error_verbose", "error_backtrace", "exception_backtrace", "exception_traceback", "error_traceback",
                "exc_traceback", "stacktracestring", "stack_trace_text", "full_stack_trace", "exception_trace",
                "log.origin.stack_trace"),
        *places("exc_info", "exception", "exceptions", "ex", "exception_string", "throwable", "thrown", "x",
                "exceptiondetail", "errordetails",
                "error_detail", reads="error"),
        *places("stack", "backtrace", "trace", "callstack", "exception_details", "s", "stack_info", reads="trace"),
        *places("error", "err", "exc", "cause", "full_message", "error.details", "errors", reads="frames"),
        *places(*_in_contexts("stack_trace", "stacktrace", "stack", "traceback", "trace", "exception",
                              "exception.stacktrace", "exc_info", "exceptiondetail", "exceptiondetails"),
                reads="trace"),
        *places(*_in_contexts("error", "err"), reads="frames"),
    ),
    trace_id=(
        *places("trace_id", "trace.id", "x-b3-traceid", "dd.trace_id", "oteltraceid", "elasticapm_trace_id",
                reads="id"),
        *places("logging.googleapis.com/trace", "trace", "tr", reads="hex"),
        *places(*_in_contexts("trace_id", "trace.id", "x-b3-traceid", "dd.trace_id", "oteltraceid"), reads="id"),
        *places("traceparent", *_in_contexts("traceparent"), reads="traceparent trace"),
        *places("headers.traceparent", "request.headers.traceparent", "req.headers.traceparent",
                reads="traceparent trace"),
        *places("uber-trace-id", reads="jaeger trace"),
        *places("scopes", reads="listed trace", stays=True),
        *places("xray_trace_id", reads="string"),
        *places("x-amzn-trace-id", "aws-xray-trace-id", reads="id"),
        *places("x-cloud-trace-context", reads="google trace"),
        *places("b3", "sentry-trace", reads="b3 trace"),
    ),
    span_id=(
        *places("span_id", "span.id", "x-b3-spanid", "dd.span_id", "otelspanid", "logging.googleapis.com/spanid",
                "elasticapm_span_id", reads="id"),
        *places("sp", "span", reads="hex"),
        *places(*_in_contexts("span_id", "span.id", "x-b3-spanid", "dd.span_id", "otelspanid"), reads="id"),
        *places("traceparent", *_in_contexts("traceparent"), reads="traceparent span"),
        *places("uber-trace-id", reads="jaeger span"),
        *places("scopes", reads="listed span", stays=True),
        *places("b3", "sentry-trace", reads="b3 span"),
    ),
    log_id=places("log_id", "event.id"),
    method=places("method", "request_method", "requestmethod", "http.request.method", "http_method", "verb",
                  "clientrequestmethod", "request.method", "req.method", "reqmethod", "httprequest.requestmethod",
                  "httprequest.httpmethod", "cs-method"),
    path=places("path", "request_path", "request_uri", "uri", "url", "url.path", "url.original", "http.url",
                "clientrequesturi", "clientrequestpath", "request.uri", "request.path", "request.url", "req.url",
                "httprequest.requesturl", "httprequest.uri", "cs-uri-stem", "requesturi", "x-envoy-original-path",
                "http_uri", "reqpath"),
    title=places("event_type", "event.action", "action", "operation", "activity", "alert_name", "event.type",
                 "action_name", "action_type", "operation_name", "activity_name", "query_name", "statement", "sql",
                 "query", reads="string", stays=True),
    status=places("status", "downstreamstatus", "response_code", "status_code", "statuscode", "edgeresponsestatus",
                  "http.response.status_code", "http.status_code", "responsestatus.code", "response.status",
                  "res.statuscode", "httprequest.status", "sc-status", "response_status", "http_status"),
    inner=places("jsonpayload", "structured", "json", "fields", "payload", "data", "record", "parsed", "log_processed",
                 "message_parsed", "parsed_message", "event", "msg_parsed", "_source", "log", "details", "entry",
                 "body", "rest", "content", "info", "result", "line"),
)  # fmt: skip
"""Names that loggers share; they complete every format."""


# -- envelopes: what shippers, buses and clouds put around an application's own record -----------------

_LINE = places("message")
_NO_RECORD = ("!message", "!msg", "!Message", "!time", "!timestamp", "!@timestamp")
"""Marks of an envelope that is no log record itself."""

FORMATS = (
    Format(
        name="dualsink",
        specification="docs/formats.md",
        marks=("log_id",),
        strict=True,
        example='{"log_id":"log_000001","timestamp":"2026-11-23T10:00:00.123456Z","level":"INFO","service":"cart",'
                '"host":"cart-1","message":"paid"}',
    ),
    Format(
        name="OpenTelemetry log record",
        specification="https://opentelemetry.io/docs/specs/otel/logs/data-model/",
        marks=(
            "timeUnixNano|time_unix_nano|observedTimeUnixNano|observed_time_unix_nano|severityNumber|body|Body",
            "timeUnixNano|time_unix_nano|observedTimeUnixNano|observed_time_unix_nano|severityNumber|resource:object"
            "|Resource:object|resourceAttributes|ResourceAttributes|severity_number|SeverityNumber|SeverityText"
            "|severityText|severity_text",
            "!message", "!msg",
        ),
        otel=True,
        time=(*places("timeunixnano", reads="ns"), *places("timestamp"), *places("observedtimeunixnano", reads="ns"),
              *places("observedtimestamp")),
        level=(*places("severitynumber", reads="otel"), *places("severitytext", "level"),
               *places("severity", reads="otel")),
        message=places("body"),
        raw=places("body"),
        service=places("resource.service.name"),
        host=places("resource.host.name", "resource.k8s.node.name"),
        trace_id=places("traceid", reads="id"),
        span_id=places("spanid", reads="id"),
        example='{"timeUnixNano":"1795428000123456789","severityNumber":17,"body":{"stringValue":"card refused"},'
                '"attributes":[{"key":"order","value":{"intValue":"7"}}]}',
    ),
    Format(
        name="container runtime, Fluent Bit",
        specification="https://docs.docker.com/engine/logging/drivers/json-file/",
        marks=("log:text|log:object", "time|stream|kubernetes|docker|PodName|Container|container_name|container_id",
               "!message", "!msg"),
        time=places("time", "timestamp", "ts", "datetime", "date"),
        line=places("log"),
        example='{"log":"{\\"level\\":\\"warn\\",\\"msg\\":\\"slow\\"}\\n","stream":"stdout",'
                '"time":"2026-11-23T10:00:00.123456789Z","kubernetes":{"pod_name":"pay-7d9f8b6c5-x2x9k",'
                '"host":"node-3"}}',
    ),
    Format(
        name="Filebeat, Vector, Fluentd, OpenShift: the line in message",
        specification="https://www.elastic.co/docs/reference/beats/filebeat/filebeat-input-container",
        marks=("message:text", "kubernetes|stream|source_type|@metadata|input.type|log.offset|log.file.path|openshift"
               "|logtag|_p|docker|container_id|k8s|agent.type|container_name"),
        line=_LINE,
        example='{"@timestamp":"2026-11-23T10:00:00.123Z","message":"{\\"log.level\\":\\"error\\",'
                '\\"message\\":\\"card refused\\"}","input":{"type":"container"},'
                '"kubernetes":{"pod":{"name":"pay-7d9f8b6c5-x2x9k"},"node":{"name":"node-3"}}}',
    ),
    Format(
        name="Datadog Agent",
        specification="https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/#reserved-attributes",
        marks=("message:text", "ddsource|ddtags"),
        level=places("status", reads="word"),
        json=_LINE,
        example='{"message":"{\\"level\\":\\"error\\",\\"msg\\":\\"card refused\\"}","status":"info",'
                '"timestamp":1795428000123,"hostname":"web-1","service":"pay","ddsource":"nodejs","ddtags":"env:prod"}',
    ),
    Format(
        name="Logstash",
        specification="https://www.elastic.co/docs/reference/logstash/processing-events",
        marks=("@timestamp", "@version"),
        time=places("timestamp"),
        raw=_LINE,
        example='{"@timestamp":"2026-11-23T10:00:00.123Z","@version":"1","host":"web-1","message":"refused"}',
    ),
    Format(
        name="Amazon CloudWatch Logs subscription",
        specification="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html",
        marks=("messageType", "logEvents"),
        events="logEvents",
        logger_class=places("loggroup", reads="group", stays=True),
        example='{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws/ecs/shop","logStream":"s/1",'
                '"subscriptionFilters":["f"],"logEvents":[{"id":"1","timestamp":1795428000123,"message":"paid"},'
                '{"id":"2","timestamp":1795428000124,"message":"sent"}]}',
    ),
    Format(
        name="Amazon CloudWatch Logs event",
        specification="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilteredLogEvent.html",
        marks=("logGroup|log_group", "logStream|log_stream|logStreamName", "message:text"),
        line=_LINE,
        logger_class=places("loggroup", reads="group", stays=True),
        example='{"logGroup":"/aws/lambda/pay","logStream":"s","timestamp":1795428000123,"message":"paid"}',
    ),
    Format(
        name="Serilog HTTP sink",
        specification="https://github.com/FantasticFiasco/serilog-sinks-http/wiki/Batch-formatters",
        marks=("events:array", *_NO_RECORD),
        events="events",
        example='{"events":[{"Timestamp":"2026-11-23T10:00:00.123Z","Level":"Error","MessageTemplate":"card {Id}",'
                '"RenderedMessage":"card 7","Properties":{"Id":7}}]}',
    ),
    Format(
        name="Seq, raw events",
        specification="https://docs.datalust.co/docs/posting-raw-events",
        marks=("Events:array", *_NO_RECORD),
        events="Events",
        example='{"Events":[{"Timestamp":"2026-11-23T10:00:00.123Z","Level":"Error","MessageTemplate":"card {Id}",'
                '"Properties":{"Id":7}}]}',
    ),
    Format(
        name="New Relic Log API",
        specification="https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/",
        marks=("common:object", "logs:array", *_NO_RECORD),
        events="logs",
        service=places("common.attributes.service", "common.attributes.service.name", "common.attributes.application"),
        host=places("common.attributes.hostname", "common.attributes.host", "common.attributes.host.name"),
        example='{"common":{"attributes":{"service":"pay","hostname":"web-1"}},"logs":[{"timestamp":1795428000123,'
                '"message":"card refused","level":"error"}]}',
    ),
    Format(
        name="Grafana Faro",
        specification="https://github.com/grafana/faro-web-sdk/blob/main/packages/core/src/transports/types.ts",
        marks=("meta.app", "logs:array", *_NO_RECORD),
        events="logs",
        service=places("meta.app.name"),
        example='{"meta":{"app":{"name":"shop-web"}},"logs":[{"message":"card refused","level":"error",'
                '"timestamp":"2026-11-23T10:00:00.123Z","trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}}]}',
    ),
    Format(
        name="Prometheus Alertmanager, webhook",
        specification="https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
        marks=("alerts:array", "receiver|groupKey|commonLabels", *_NO_RECORD),
        events="alerts",
        example='{"receiver":"kafka","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Probe",'
                '"severity":"critical"},"annotations":{"summary":"The shop is down"},'
                '"startsAt":"2026-11-23T10:00:00.123Z"}],"groupKey":"{}"}',
    ),
    Format(
        name="Kafka record as JSON (kcat, AKHQ, Redpanda Console)",
        specification="https://github.com/edenhill/kcat#examples",
        marks=("value|payload", "partition", "offset", "topic", "!message", "!msg", "!event", "!text", "!level"),
        line=places("value", "payload"),
        inner=places("value", "payload"),
        example='{"topic":"logs","partition":0,"offset":7,"timestamp":"2026-11-23T10:00:00.123Z","key":null,'
                '"value":"{\\"level\\":\\"error\\",\\"message\\":\\"card refused\\"}"}',
    ),
    Format(
        name="Sumo Logic",
        specification="https://help.sumologic.com/docs/search/get-started-with-search/search-basics/built-in-metadata/",
        marks=("_raw:text", "_messagetime"),
        time=places("_messagetime", reads="ms"),
        line=places("_raw"),
        host=places("_sourcehost"),
        service=places("_sourcecategory", stays=True),
        example='{"_raw":"ERROR card refused","_messagetime":"1795428000123","_sourcehost":"web-1",'
                '"_sourcecategory":"shop/pay"}',
    ),
    Format(
        name="Google Cloud entries.write",
        specification="https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/write",
        marks=("entries:array", *_NO_RECORD),
        events="entries",
        example='{"logName":"projects/p/logs/pay","entries":[{"timestamp":"2026-11-23T10:00:00.123Z","severity":"ERROR",'
                '"jsonPayload":{"message":"card refused"}}]}',
    ),
    Format(
        name="Kubernetes list of events",
        specification="https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/",
        marks=("items:array", "kind", "apiVersion", *_NO_RECORD),
        events="items",
        example='{"kind":"EventList","apiVersion":"v1","items":[{"involvedObject":{"kind":"Pod","name":"pay-0"},'
                '"reason":"BackOff","message":"Back-off restarting","lastTimestamp":"2026-11-23T10:00:00Z",'
                '"type":"Warning"}]}',
    ),
    Format(
        name="Azure Monitor resource logs",
        specification="https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema",
        marks=("records:array", "!message", "!msg", "!Message"),
        events="records",
        example='{"records":[{"time":"2026-11-23T10:00:00.123Z","resourceId":"/SUBSCRIPTIONS/S/PAY","level":"Error",'
                '"operationName":"Charge","resultDescription":"card refused"}]}',
    ),
    Format(
        name="Azure Monitor resource log",
        specification="https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs-schema",
        marks=("resourceId|_ResourceId", "operationName|category|OperationName|Category"),
        time=places("time"),
        level=places("level", reads="windows"),
        message=places("resultdescription", "properties.message", "properties.msg", "properties.log", "message", "msg",
                       "operationname"),
        line=places("resultdescription", "properties.log", "properties"),
        service=places("properties.appname", "properties.containername", "rolename"),
        stack_trace=places("properties.exceptiondetails", reads="trace"),
        example='{"time":"2026-11-23T10:00:00.123Z","resourceId":"/SUBSCRIPTIONS/S/PAY","category":"AppLogs",'
                '"operationName":"Charge","level":"Warning","resultDescription":"card refused"}',
    ),
    Format(
        name="Azure Monitor's table AzureDiagnostics",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/azurediagnostics",
        marks=("log_s", "Category|ResourceId"),
        time=places("timegenerated"),
        line=places("log_s"),
        service=places("category", stays=True),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","Category":"kube-apiserver","ResourceId":"/S",'
                '"log_s":"E1123 10:00:00.123456       1 controller.go:155] refused"}',
    ),
    Format(
        name="Azure Container Apps",
        specification="https://learn.microsoft.com/azure/container-apps/log-monitoring",
        marks=("Log_s", "ContainerAppName_s|ContainerName_s"),
        time=places("timegenerated"),
        line=places("log_s"),
        service=places("containerappname_s", "containername_s"),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","ContainerAppName_s":"pay","Log_s":"ERROR card refused",'
                '"Stream_s":"stderr"}',
    ),
    Format(
        name="Azure Monitor ContainerLogV2",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/containerlogv2",
        marks=("LogMessage", "LogSource", "ContainerName|PodName"),
        time=places("timegenerated"),
        level=places("loglevel"),
        inner=places("logmessage"),
        line=places("logmessage"),
        host=places("computer"),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","Computer":"node-3","PodName":"pay-7d9f8b6c5-x2x9k",'
                '"LogMessage":{"level":"error","message":"card refused"},"LogSource":"stderr"}',
    ),
    Format(
        name="Google Cloud LogEntry",
        specification="https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry",
        marks=("logName|insertId", "textPayload|jsonPayload|protoPayload|httpRequest"),
        time=places("timestamp", "receivetimestamp"),
        level=places("severity", reads="google"),
        message=places("textpayload", "protopayload.methodname", "jsonpayload"),
        service=places("protopayload.servicename", "resource.labels.service_name", "resource.labels.function_name",
                       "resource.labels.job_name", "resource.labels.module_id"),
        inner=places("jsonpayload", "protopayload"),
        raw=places("textpayload"),
        example='{"insertId":"a1","jsonPayload":{"message":"card refused","order":7},"resource":{"type":'
                '"k8s_container","labels":{"pod_name":"pay-7d9f8b6c5-x2x9k"}},'
                '"timestamp":"2026-11-23T10:00:00.123456Z","severity":"ERROR","logName":"projects/p/logs/stderr"}',
    ),
    Format(
        name="Google App Engine requests",
        specification="https://cloud.google.com/logging/docs/reference/v2/rpc/google.appengine.logging.v1",
        marks=("logName|insertId", "protoPayload.method", "protoPayload.resource"),
        method=places("protopayload.method"),
        path=places("protopayload.resource"),
        status=places("protopayload.status"),
        example='{"insertId":"a1","logName":"projects/p/logs/appengine.googleapis.com%2Frequest_log","protoPayload":'
                '{"method":"GET","resource":"/pay","status":500},"resource":{"labels":{"module_id":"pay"}},'
                '"timestamp":"2026-11-23T10:00:00.123456Z","severity":"ERROR"}',
    ),
    Format(
        name="Google Cloud LogEntry as a row",
        specification="https://cloud.google.com/logging/docs/view/logs-explorer-interface",
        marks=("logName|insertId", "jsonPayload.message", "!jsonPayload"),
        time=places("timestamp", "receivetimestamp"),
        level=places("severity", reads="google"),
        message=places("jsonpayload.message"),
        example='{"insertId":"a1","jsonPayload.message":"card refused","logName":"projects/p/logs/stderr",'
        '"severity":"ERROR","timestamp":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="Oracle Cloud Logging",
        specification="https://docs.oracle.com/iaas/Content/Logging/Reference/log_format.htm",
        marks=("logContent.data", "datetime|logContent.time", "!message", "!msg"),
        time=places("logcontent.time", "datetime"),
        inner=places("logcontent.data"),
        line=places("logcontent.data"),
        logger_class=places("logcontent.source", stays=True),
        example='{"datetime":1795428000123,"logContent":{"id":"i","source":"pay","time":"2026-11-23T10:00:00.123Z",'
                '"type":"com.oraclecloud.custom","data":{"level":"ERROR","message":"card refused"}}}',
    ),
    Format(
        name="CloudEvents",
        specification="https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md",
        marks=("specversion", "data"),
        inner=places("data"),
        line=places("data"),
        logger_class=places("source", stays=True),
        example='{"specversion":"1.0","id":"7","source":"/shop/pay","type":"shop.log.v1",'
                '"time":"2026-11-23T10:00:00.123Z","data":{"level":"error","message":"card refused"}}',
    ),
    Format(
        name="Avro's JSON encoding",
        specification="https://avro.apache.org/docs/1.12.0/specification/#json-encoding",
        marks=("message.string|msg.string|log.string|text.string|body.string",),
        time=places(*(f"{name}.{kind}" for name in ("timestamp", "time", "ts", "eventtime", "datetime")
                      for kind in ("long", "string", "double"))),
        level=places("level.string", "severity.string", "loglevel.string", "level.int", "severity.int"),
        message=places("message.string", "msg.string", "log.string", "text.string", "body.string"),
        service=places("service.string", "servicename.string", "app.string", "application.string"),
        logger_class=places("logger.string", "loggername.string", stays=True),
        host=places("host.string", "hostname.string"),
        stack_trace=places("stacktrace.string", "exception.string", "throwable.string", "thrown.string"),
        trace_id=places("traceid.string", reads="id"),
        span_id=places("spanid.string", reads="id"),
        example='{"timestamp":{"long":1795428000123},"level":{"string":"ERROR"},"message":{"string":"card refused"},'
                '"traceId":null}',
    ),
    Format(
        name="Kafka Connect JsonConverter",
        specification="https://docs.confluent.io/platform/current/connect/userguide.html",
        marks=("schema:object", "payload"),
        inner=places("payload"),
        line=places("payload"),
        example='{"schema":{"type":"struct","fields":[]},"payload":{"level":"error","message":"card refused",'
                '"timestamp":"2026-11-23T10:00:00.123Z"}}',
    ),
    Format(
        name="Splunk HTTP Event Collector",
        specification="https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector",
        marks=("event", "sourcetype|source|index", "!message", "!msg", "!text"),
        time=places("time"),
        level=(*places("fields.otel.log.severity.number", reads="otel"),
               *places("fields.otel.log.severity.text", "fields.severity_text", "fields.severity")),
        inner=places("event"),
        raw=places("event"),
        message=places("event"),
        example='{"time":1795428000.123,"host":"web-1","sourcetype":"app",'
                '"event":{"level":"error","message":"card refused"}}',
    ),
    Format(
        name="dbt",
        specification="https://docs.getdbt.com/reference/events-logging",
        marks=("info.ts", "info.code", "data:object"),
        inner=places("info"),
        example='{"data":{"log_version":3},"info":{"code":"Z023","level":"error","msg":"Database Error",'
                '"name":"StatsLine","ts":"2026-11-23T10:00:00.123456Z"}}',
    ),
    Format(
        name="Docker, driver for Splunk",
        specification="https://docs.docker.com/engine/logging/drivers/splunk/",
        marks=("line:text", "source", "tag|attrs", "!message", "!msg"),
        line=places("line"),
        example='{"line":"ERROR card refused","source":"stderr","tag":"pay","time":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="Promtail",
        specification="https://grafana.com/docs/loki/latest/send-data/promtail/",
        marks=("line:text", "labels:object", "!message", "!msg"),
        line=places("line"),
        example='{"timestamp":"2026-11-23T10:00:00.123456789Z","labels":{"app":"pay"},"line":"ERROR card refused"}',
    ),
    Format(
        name="AWS Lambda telemetry",
        specification="https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html",
        marks=("time", "type", "record"),
        time=places("time"),
        inner=places("record"),
        line=places("record"),
        example='{"time":"2026-11-23T10:00:00.123Z","type":"function","record":{"level":"ERROR",'
                '"message":"card refused","requestId":"r"}}',
    ),
    Format(
        name="Elasticsearch document",
        specification="https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-source-field",
        marks=("_source:object",),
        inner=places("_source"),
        example='{"_index":"l","_id":"0","_source":{"timestamp":"2026-11-23T10:00:00Z","level":"INFO",'
                '"message":"paid"}}',
    ),
    # -- loggers and servers -----------------------------------------------------------------------
    Format(
        name="Elastic Common Schema",
        specification="https://www.elastic.co/docs/reference/ecs/ecs-field-reference",
        marks=("ecs.version",),
        time=places("timestamp"),
        level=places("log.level"),
        host=places("kubernetes.node.name", "host.name", "host.hostname"),
        example='{"@timestamp":"2026-11-23T10:00:00.123Z","log.level":"ERROR","message":"card refused",'
                '"ecs.version":"1.2.0","service.name":"pay","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736",'
                '"error.stack_trace":"java.lang.IllegalStateException: empty\\n\\tat shop.Pool.take(Pool.java:41)"}',
    ),
    Format(
        name="GELF",
        specification="https://go2docs.graylog.org/current/getting_in_log_data/gelf.html",
        marks=("short_message",),
        time=places("timestamp", reads="s"),
        level=places("level", reads="syslog"),
        message=places("short_message"),
        json=places("short_message"),
        example='{"version":"1.1","host":"web-1","short_message":"refused","timestamp":1795428000.123,"level":3,'
                '"_container_name":"pay"}',
    ),
    Format(
        name="Serilog compact (CLEF)",
        specification="https://clef-json.org/",
        marks=("@t", "@m|@mt"),
        time=places("t"),
        level=places("l"),
        message=places("m", "mt"),
        logger_class=places("sourcecontext", stays=True),
        stack_trace=places("x"),
        trace_id=places("tr", reads="id"),
        span_id=places("sp", reads="id"),
        service=places("ra.service.name"),
        default_level="Information",
        example='{"@t":"2026-11-23T10:00:00.1234560Z","@mt":"card {Id} refused","Id":7,"@l":"Error",'
                '"@x":"System.InvalidOperationException: queue closed\\n   at Shop.Queue.Push(Item i)",'
                '"@tr":"4bf92f3577b34da6a3ce929d0e0e4736","@sp":"00f067aa0ba902b7"}',
    ),
    Format(
        name="Serilog JsonFormatter",
        specification="https://github.com/serilog/serilog/wiki/Formatting-Output",
        marks=("Timestamp", "MessageTemplate"),
        message=places("renderedmessage", "messagetemplate"),
        stack_trace=places("exception"),
        example='{"Timestamp":"2026-11-23T11:00:00.1234560+01:00","Level":"Error",'
                '"MessageTemplate":"card {Id} refused","RenderedMessage":"card 7 refused","Properties":{"Id":7}}',
    ),
    Format(
        name=".NET JsonConsole",
        specification="https://learn.microsoft.com/dotnet/core/extensions/console-log-formatter",
        marks=("LogLevel|logLevel", "Category|EventId|category"),
        level=places("loglevel", reads="dotnet"),
        stack_trace=places("exception"),
        logger_class=places("category", stays=True),
        example='{"Timestamp":"2026-11-23T10:00:00.123Z","EventId":7,"LogLevel":"Information","Category":"Shop.Pay",'
                '"Message":"started","State":{"Message":"started"}}',
    ),
    Format(
        name="NLog JsonLayout",
        specification="https://github.com/NLog/NLog/wiki/JsonLayout",
        marks=("logger", "exception", "level", "message"),
        stack_trace=places("exception"),
        example='{"time":"2026-11-23T11:00:00.123+01:00","level":"Error","logger":"Shop.Pay","message":"x",'
                '"exception":"System.InvalidOperationException: queue closed"}',
    ),
    Format(
        name="Log4j 2 JsonLayout",
        specification="https://logging.apache.org/log4j/2.x/manual/json-layout.html",
        marks=("instant|timeMillis", "loggerName"),
        time=(*places("instant"), *places("timemillis", reads="ms")),
        stack_trace=places("thrown", "thrown.extendedstacktrace", reads="stack"),
        example='{"instant":{"epochSecond":1795428000,"nanoOfSecond":123456000},"thread":"main","level":"ERROR",'
                '"loggerName":"shop.Pay","message":"card refused","contextMap":{"trace_id":'
                '"4bf92f3577b34da6a3ce929d0e0e4736"}}',
    ),
    Format(
        name="Logback JsonEncoder",
        specification="https://logback.qos.ch/manual/encoders.html#JsonEncoder",
        marks=("loggerName", "threadName|mdc|sequenceNumber|formattedMessage"),
        message=places("formattedmessage", "message"),
        stack_trace=places("throwable"),
        example='{"timestamp":1795428000123,"level":"ERROR","threadName":"main","loggerName":"shop.Pay","mdc":{},'
                '"message":"card {} refused","arguments":["7"],"formattedMessage":"card 7 refused"}',
    ),
    Format(
        name="logstash-logback-encoder",
        specification="https://github.com/logfellow/logstash-logback-encoder#standard-fields",
        marks=("@timestamp", "logger_name", "thread_name"),
        time=places("timestamp"),
        example='{"@timestamp":"2026-11-23T10:00:00.123Z","@version":"1","message":"card refused","logger_name":'
                '"shop.Pay","thread_name":"main","level":"WARN","level_value":30000,"appname":"pay"}',
    ),
    Format(
        name="Monolog",
        specification="https://github.com/Seldaek/monolog/blob/main/doc/message-structure.md",
        marks=("level_name|datetime", "channel", "level_name|context|extra"),
        time=places("datetime"),
        level=(*places("level_name"), *places("level", reads="monolog")),
        logger_class=places("channel", stays=True),
        stack_trace=places("context.exception.trace", "extra.exception.trace"),
        example='{"message":"card refused","context":{"order":7},"level":400,"level_name":"ERROR","channel":"app",'
                '"datetime":"2026-11-23T11:00:00.123456+01:00","extra":{}}',
    ),
    Format(
        name="Monolog LogstashFormatter",
        specification="https://github.com/Seldaek/monolog/blob/main/src/Monolog/Formatter/LogstashFormatter.php",
        marks=("monolog_level", "channel", "@version"),
        service=places("type"),
        example='{"@timestamp":"2026-11-23T10:00:00.123456+00:00","@version":1,"host":"web-1","message":"card refused",'
                '"type":"shop","channel":"app","level":"ERROR","monolog_level":400}',
    ),
    Format(
        name="Nextcloud",
        specification="https://docs.nextcloud.com/server/latest/admin_manual/configuration_server/logging_configuration.html",
        marks=("reqId", "remoteAddr", "app"),
        level=places("level", reads="nextcloud"),
        stack_trace=places("exception", reads="stack"),
        example='{"reqId":"r","level":2,"time":"2026-11-23T10:00:00+00:00","remoteAddr":"","user":"--","app":"files",'
                '"method":"GET","url":"/","message":"slow","version":"29.0.0.1"}',
    ),
    Format(
        name="bunyan",
        specification="https://github.com/trentm/node-bunyan#log-record-fields",
        marks=("name", "hostname", "pid", "v", "level", "msg"),
        level=places("level", reads="pino"),
        service=places("name"),
        host=places("hostname"),
        stack_trace=places("err.stack"),
        example='{"name":"pay-api","hostname":"pod-1","pid":1,"level":40,"msg":"slow",'
                '"time":"2026-11-23T10:00:00.123Z","v":0}',
    ),
    Format(
        name="pino",
        specification="https://getpino.io/#/docs/api",
        marks=("level", "time", "pid", "hostname"),
        level=places("level", reads="pino"),
        service=places("name"),
        host=places("hostname"),
        example='{"level":50,"time":1795428000123,"pid":1,"hostname":"pod-1","msg":"card refused",'
                '"err":{"type":"Error","message":"m","stack":"Error: m\\n    at f (a.js:1)"}}',
    ),
    Format(
        name="Apache Spark",
        specification="https://spark.apache.org/docs/latest/configuration.html#configuring-logging",
        marks=("ts", "level", "msg", "logger", "context:object|exception:object"),
        stack_trace=places("exception", reads="error"),
        example='{"ts":"2026-11-23T10:00:00.123Z","level":"ERROR","msg":"Task failed","context":{"task_id":"3"},'
                '"exception":{"class":"a.X","msg":"y","stacktrace":[{"class":"a.B","method":"c","file":"B.scala",'
                '"line":3}]},"logger":"Executor"}',
    ),
    Format(
        name="zap",
        specification="https://pkg.go.dev/go.uber.org/zap#NewProductionEncoderConfig",
        marks=("ts", "level|caller|logger", "msg"),
        time=places("ts"),
        example='{"level":"error","ts":1795428000.123456,"caller":"a.go:1","msg":"card refused",'
                '"stacktrace":"main.main\\n\\t/a.go:1"}',
    ),
    Format(
        name="klog of Kubernetes components, information",
        specification="https://kubernetes.io/docs/concepts/cluster-administration/system-logs/#json-log-format",
        marks=("ts", "caller", "msg", "v", "!level"),
        time=places("ts", reads="ms"),
        default_level="INFO",
        example='{"ts":1795428000123.456,"caller":"a.go:1","msg":"Pod status updated","v":4,"pod":{"name":"n"}}',
    ),
    Format(
        name="klog of Kubernetes components, error",
        specification="https://kubernetes.io/docs/concepts/cluster-administration/system-logs/#json-log-format",
        marks=("ts", "caller", "msg", "err", "!v", "!level"),
        time=places("ts", reads="ms"),
        default_level="ERROR",
        example='{"ts":1795428000123.456,"caller":"a.go:1","msg":"Cannot sync","err":"timeout"}',
    ),
    Format(
        name="controller-runtime",
        specification="https://pkg.go.dev/sigs.k8s.io/controller-runtime/pkg/log",
        marks=("msg", "controller", "controllerKind|controllerGroup|reconcileID"),
        logger_class=places("controller", stays=True),
        example='{"level":"error","ts":"2026-11-23T10:00:00Z","msg":"Reconciler error","controller":"pay",'
                '"controllerKind":"Card","namespace":"shop","name":"visa","reconcileID":"r","error":"conflict"}',
    ),
    Format(
        name="logr funcr",
        specification="https://pkg.go.dev/github.com/go-logr/logr/funcr",
        marks=("logger", "caller:object", "msg", "level"),
        level=places("level", reads="logr"),
        example='{"logger":"git","ts":"2026-11-23 10:00:00.123456","caller":{"file":"main.go","line":7},"level":0,'
                '"msg":"starting up","pid":12}',
    ),
    Format(
        name="logr funcr, error",
        specification="https://pkg.go.dev/github.com/go-logr/logr/funcr",
        marks=("logger", "caller:object", "msg", "error", "!level"),
        default_level="ERROR",
        example='{"logger":"","ts":"2026-11-23 10:00:00.123456","caller":{"file":"main.go","line":7},'
                '"msg":"too many failures","error":"exit 128"}',
    ),
    Format(
        name="zap, development",
        specification="https://pkg.go.dev/go.uber.org/zap#NewDevelopmentEncoderConfig",
        marks=("L", "T", "M"),
        time=places("t"),
        level=places("l"),
        message=places("m"),
        logger=places("n", reads="string", stays=True),
        example='{"L":"ERROR","T":"2026-11-23T10:00:00.123Z","N":"pay","C":"a.go:1","M":"card refused",'
                '"S":"main.charge\\n\\t/a.go:1"}',
    ),
    Format(
        name="Rust tracing-subscriber",
        specification="https://docs.rs/tracing-subscriber/latest/tracing_subscriber/fmt/format/struct.Json.html",
        marks=("timestamp", "level", "fields:object", "!message"),
        message=places("fields"),
        logger_class=places("target", stays=True),
        example='{"timestamp":"2026-11-23T10:00:00.123456Z","level":"ERROR","fields":{"message":"card refused",'
                '"order":7},"target":"pay::card"}',
    ),
    Format(
        name="loguru",
        specification="https://loguru.readthedocs.io/en/stable/api/logger.html",
        marks=("text", "record.level", "record.time"),
        time=places("record.time", "record.time.timestamp"),
        level=places("record.level.name"),
        message=places("record.message"),
        logger_class=places("record.name", stays=True),
        stack_trace=places("text", reads="traceback", stays=True),
        trace_id=places("record.extra.trace_id", "record.extra.oteltraceid", reads="id"),
        span_id=places("record.extra.span_id", "record.extra.otelspanid", reads="id"),
        example='{"text":"card refused\\n","record":{"level":{"name":"WARNING","no":30},"message":"card refused",'
                '"name":"pay","time":{"repr":"2026-11-23 11:00:00.123456+01:00","timestamp":1795428000.123456}}}',
    ),
    Format(
        name="Spring Cloud GCP",
        specification="https://googleapis.dev/java/spring-cloud-gcp/latest/com/google/cloud/spring/logging/StackdriverJsonLayout.html",
        marks=("timestampSeconds", "timestampNanos"),
        time=places("timestampseconds", reads="pair"),
        example='{"severity":"ERROR","message":"card refused","logger":"shop.Pay","timestampSeconds":1795428000,'
                '"timestampNanos":123456789,"logging.googleapis.com/trace":'
                '"projects/p/traces/4bf92f3577b34da6a3ce929d0e0e4736"}',
    ),
    Format(
        name="katip",
        specification="https://hackage.haskell.org/package/katip/docs/Katip-Core.html",
        marks=("at", "sev", "ns:array", "app:array", "msg"),
        time=places("at"),
        level=places("sev"),
        service=places("app", reads="parts", stays=True),
        example='{"at":"2026-11-23T10:00:00.123456789Z","env":"prod","ns":["shop","pay"],"app":["shop"],"sev":"Error",'
                '"msg":"card refused","host":"web-1","data":{"order":7}}',
    ),
    Format(
        name="scribe",
        specification="https://github.com/outr/scribe",
        marks=("levelValue", "messages:array", "!message", "!msg"),
        message=places("messages", reads="parts"),
        stack_trace=places("traces", reads="trace", stays=True),
        example='{"level":"Error","levelValue":500.0,"messages":["card refused"],'
                '"@timestamp":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="LogStage",
        specification="https://izumi.7mind.io/logstage/",
        marks=("meta.level", "meta.timestamp|meta.datetime", "text.message"),
        time=places("meta.timestamp", "meta.datetime"),
        level=places("meta.level"),
        message=places("text.message"),
        logger_class=places("meta.logger", "meta.class", stays=True),
        example='{"event":{"card":"7"},"context":{},"meta":{"class":"shop.Pay","level":"error",'
                '"timestamp":1795428000123},"text":{"template":"{card} refused","message":"card=7 refused"}}',
    ),
    Format(
        name="Eliot",
        specification="https://eliot.readthedocs.io/en/stable/generating/messages.html",
        marks=("task_uuid", "task_level", "message_type|action_type", "!message", "!msg"),
        message=places("message_type", "action_type"),
        example='{"task_uuid":"f0a4","task_level":[1],"timestamp":1795428000.123456,"action_type":"shop:charge",'
                '"action_status":"started"}',
    ),
    Format(
        name="µ/log",
        specification="https://cljdoc.org/d/com.brunobonacci/mulog",
        marks=("mulog/event-name", "mulog/timestamp"),
        time=places("mulog/timestamp"),
        message=places("mulog/event-name"),
        example='{"mulog/event-name":":shop/charge","mulog/timestamp":1795428000123,"app-name":"shop"}',
    ),
    Format(
        name="systemd journal",
        specification="https://systemd.io/JOURNAL_EXPORT_FORMATS/",
        marks=("__REALTIME_TIMESTAMP|_SOURCE_REALTIME_TIMESTAMP", "MESSAGE"),
        time=places("__realtime_timestamp", "_source_realtime_timestamp", reads="us"),
        level=places("priority", reads="syslog"),
        message=places("message", reads="bytes"),
        json=places("message"),
        service=places("syslog_identifier"),
        logger_class=places("_systemd_unit", "_comm", stays=True),
        host=places("_hostname"),
        example='{"__REALTIME_TIMESTAMP":"1795428000123456","PRIORITY":"3","SYSLOG_IDENTIFIER":"sshd",'
                '"_HOSTNAME":"web-1","MESSAGE":"refused"}',
    ),
    Format(
        name="MongoDB",
        specification="https://www.mongodb.com/docs/manual/reference/log-messages/",
        marks=("t", "s", "c", "ctx", "msg"),
        time=places("t"),
        level=places("s"),
        logger_class=places("c", stays=True),
        example='{"t":{"$date":"2026-11-23T11:00:00.123+01:00"},"s":"I","c":"NETWORK","id":22943,"ctx":"listener",'
                '"msg":"Connection accepted","attr":{"remote":"127.0.0.1:1"}}',
    ),
    Format(
        name="PostgreSQL jsonlog",
        specification="https://www.postgresql.org/docs/current/runtime-config-logging.html",
        marks=("error_severity", "message"),
        level=places("error_severity"),
        example='{"timestamp":"2026-11-23 10:00:00.123 UTC","pid":1,"error_severity":"ERROR","state_code":"42P01",'
                '"message":"relation does not exist"}',
    ),
    Format(
        name="CockroachDB",
        specification="https://www.cockroachlabs.com/docs/stable/log-formats#format-json",
        marks=("channel_numeric", "severity_numeric"),
        level=(*places("severity"), *places("severity_numeric", reads="cockroach")),
        example='{"channel":"OPS","channel_numeric":1,"timestamp":"1795428000.123456789","severity":"ERROR",'
                '"severity_numeric":3,"message":"x"}',
    ),
    Format(
        name="CockroachDB, compact",
        specification="https://www.cockroachlabs.com/docs/stable/log-formats#format-json-compact",
        marks=("t", "sev", "g", "f", "l"),
        time=places("t"),
        level=places("sev"),
        example='{"c":1,"t":"1795428000.123456789","s":3,"sev":"E","g":1,"f":"a.go","l":7,"n":1,"message":"x"}',
    ),
    Format(
        name="rsyslog",
        specification="https://www.rsyslog.com/doc/configuration/properties.html",
        marks=("programname|syslogtag|syslog-tag|app-name", "severity|syslogseverity|syslogseverity-text"),
        time=places("timereported"),
        level=(*places("severity", "syslogseverity-text"), *places("syslogseverity", reads="syslog")),
        service=places("programname", "app-name"),
        json=places("message", "msg"),
        example='{"@timestamp":"2026-11-23T11:00:00.123456+01:00","host":"web-1","severity":"err",'
                '"programname":"sshd","message":"refused"}',
    ),
    Format(
        name="priority of syslog",
        specification="https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1",
        marks=("PRIORITY|priority", "PRIORITY|SYSLOG_IDENTIFIER|syslog_identifier|facility|facility_label|FACILITY"
               "|program|programname|ident|appname|_HOSTNAME|_hostname|_systemd_unit|sequence|PROGRAM"),
        level=places("priority", reads="syslog"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","priority":3,"syslog_identifier":"kubelet",'
                '"message":"cannot sync"}',
    ),
    Format(
        name="Vector, Fluentd: syslog",
        specification="https://vector.dev/docs/reference/configuration/sources/syslog/",
        marks=("facility|ident", "message|msg", "appname|ident|procid"),
        service=places("appname", "ident"),
        host=places("hostname", "host"),
        json=places("message", "msg"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","appname":"sshd","facility":"daemon","hostname":"web-1",'
                '"severity":"err","procid":9,"message":"refused"}',
    ),
    Format(
        name="Windows Event Log (NXLog)",
        specification="https://docs.nxlog.co/refman/current/im/msvistalog.html",
        marks=("EventTime|EventReceivedTime", "EventID|EventType|SourceModuleName", "Message"),
        time=places("eventtime", "eventreceivedtime"),
        level=(*places("severity"), *places("level", reads="windows")),
        service=places("sourcename"),
        example='{"EventTime":"2026-11-23 10:00:00","Hostname":"WIN1","Severity":"ERROR","EventID":7000,'
                '"SourceName":"Service Control Manager","Message":"The service failed."}',
    ),
    Format(
        name="Windows Event Log (PowerShell)",
        specification="https://learn.microsoft.com/powershell/module/microsoft.powershell.diagnostics/get-winevent",
        marks=("ProviderName", "TimeCreated", "Message"),
        time=places("timecreated"),
        level=(*places("leveldisplayname"), *places("level", reads="windows")),
        service=places("providername"),
        host=places("machinename"),
        example='{"Id":7000,"ProviderName":"Service Control Manager","MachineName":"WIN1",'
                '"TimeCreated":"/Date(1795428000123)/","Level":2,"LevelDisplayName":"Error","Message":"It failed."}',
    ),
    Format(
        name="Windows Event Log (XML as JSON)",
        specification="https://learn.microsoft.com/windows/win32/wes/eventschema-systempropertiestype-complextype",
        marks=("Event.System:object",),
        time=places("event.system.timecreated.#attributes.systemtime", "event.system.timecreated.systemtime"),
        level=places("event.system.level", reads="windows"),
        message=places("event.renderinginfo.message", "event.system.eventid", stays=True),
        service=places("event.system.provider.#attributes.name", "event.system.provider.name"),
        host=places("event.system.computer"),
        example='{"Event":{"System":{"Provider":{"#attributes":{"Name":"Service Control Manager"}},"EventID":7000,'
                '"Level":2,"TimeCreated":{"#attributes":{"SystemTime":"2026-11-23T10:00:00.123456Z"}},'
                '"Computer":"WIN1"}}}',
    ),
    Format(
        name="Heroku Logplex",
        specification="https://devcenter.heroku.com/articles/log-drains",
        marks=("syslog.hostname|heroku", "message"),
        json=places("message"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","syslog":{"hostname":"host","appname":"app"},'
                '"message":"State changed from starting to up"}',
    ),
    Format(
        name="Kubernetes audit",
        specification="https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/",
        marks=("auditID", "stage", "verb", "requestURI"),
        time=places("stagetimestamp", "requestreceivedtimestamp"),
        method=places("verb"),
        path=places("requesturi"),
        status=places("responsestatus.code"),
        example='{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":'
                '"ResponseComplete","requestURI":"/api/v1/pods","verb":"list","responseStatus":{"code":200},'
                '"stageTimestamp":"2026-11-23T10:00:00.123456Z"}',
    ),
    Format(
        name="Kubernetes events",
        specification="https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/",
        marks=("involvedObject|regarding", "reason", "!msg", "!level"),
        time=places("eventtime", "lasttimestamp", "deprecatedlasttimestamp", "firsttimestamp",
                    "metadata.creationtimestamp"),
        level=places("type"),
        message=places("message", "note", "reason"),
        service=places("source.component", "reportingcomponent", "reportingcontroller"),
        host=places("source.host", "deprecatedsource.host"),
        example='{"involvedObject":{"kind":"Pod","name":"pay-0"},"reason":"BackOff","type":"Warning",'
                '"message":"Back-off restarting failed container","lastTimestamp":"2026-11-23T10:00:00Z",'
                '"source":{"component":"kubelet","host":"node-3"}}',
    ),
    Format(
        name="Kubernetes events by Eventrouter",
        specification="https://github.com/vmware-archive/eventrouter",
        marks=("verb", "event.involvedObject:object"),
        time=places("event.eventtime", "event.lasttimestamp", "event.firsttimestamp"),
        level=places("event.type"),
        message=places("event.message"),
        service=places("event.source.component"),
        host=places("event.source.host"),
        example='{"verb":"ADDED","event":{"involvedObject":{"kind":"Pod","name":"pay-0"},"reason":"BackOff",'
                '"message":"Back-off restarting","lastTimestamp":"2026-11-23T10:00:00Z","type":"Warning",'
                '"source":{"component":"kubelet","host":"node-3"}}}',
    ),
    Format(
        name="Prometheus Alertmanager, alert",
        specification="https://prometheus.io/docs/alerting/latest/clients/",
        marks=("startsAt", "labels:object", "annotations:object"),
        time=places("startsat"),
        level=places("labels.severity", reads="finding"),
        message=places("annotations.summary", "annotations.message", "annotations.description", "labels.alertname",
                       stays=True),
        logger_class=places("labels.job", stays=True),
        example='{"status":"firing","labels":{"alertname":"Probe","severity":"critical","job":"shop"},"annotations":'
                '{"summary":"The shop is down"},"startsAt":"2026-11-23T10:00:00.123Z","endsAt":"0001-01-01T00:00:00Z"}',
    ),
    Format(
        name="HashiCorp Vault audit",
        specification="https://developer.hashicorp.com/vault/docs/audit",
        marks=("request.operation", "request.path"),
        method=places("request.operation"),
        path=places("request.path"),
        status=places("error"),
        default_level="INFO",
        example='{"time":"2026-11-23T10:00:00.123Z","type":"response","request":{"operation":"read",'
                '"path":"secret/pay"}}',
    ),
    Format(
        name="Traefik access log",
        specification="https://doc.traefik.io/traefik/reference/install-configuration/observability/logs-and-accesslogs/",
        marks=("DownstreamStatus", "RequestMethod"),
        time=places("time", "startutc"),
        service=places("servicename"),
        method=places("requestmethod"),
        path=places("requestpath"),
        status=places("downstreamstatus"),
        example='{"ClientAddr":"10.0.0.1:1","DownstreamStatus":502,"RequestMethod":"GET","RequestPath":"/pay",'
                '"ServiceName":"pay@k8s","StartUTC":"2026-11-23T10:00:00.123Z","level":"info","msg":"",'
                '"time":"2026-11-23T10:00:00Z"}',
    ),
    Format(
        name="Envoy and Istio access log",
        specification="https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage",
        marks=("start_time", "response_code", "method"),
        time=places("start_time"),
        host=places("hostname"),
        method=places("method", "response_flags"),
        path=places("path", "x-envoy-original-path", "x-envoy-origin-path", "upstream_cluster"),
        default_level="INFO",
        example='{"start_time":"2026-11-23T10:00:00.123Z","method":"GET","path":"/pay","response_code":502,'
                '"upstream_cluster":"outbound|80||pay"}',
    ),
    Format(
        name="Envoy access log service",
        specification="https://www.envoyproxy.io/docs/envoy/latest/api-v3/data/accesslog/v3/accesslog.proto",
        marks=("common_properties.start_time", "request:object", "response:object"),
        time=places("common_properties.start_time"),
        method=places("request.request_method"),
        path=places("request.path"),
        status=places("response.response_code"),
        default_level="INFO",
        example='{"common_properties":{"start_time":"2026-11-23T10:00:00.123Z"},"request":{"request_method":"GET",'
                '"path":"/pay"},"response":{"response_code":502}}',
    ),
    Format(
        name="Tomcat's access log as JSON",
        specification="https://tomcat.apache.org/tomcat-10.1-doc/api/org/apache/catalina/valves/JsonAccessLogValve.html",
        marks=("logicalUserName", "request:text", "statusCode"),
        method=places("request", reads="route method"),
        path=places("request"),
        default_level="INFO",
        example='{"host":"10.0.0.1","logicalUserName":"-","user":"-","time":"[23/Nov/2026:10:00:00 +0000]",'
                '"request":"GET /pay HTTP/1.1","statusCode":"502","size":"157"}',
    ),
    Format(
        name="WildFly's access log on the console",
        specification="https://docs.wildfly.org/33/Admin_Guide.html#console-access-log",
        marks=("eventSource", "requestLine", "responseCode"),
        method=places("requestline", reads="route method"),
        path=places("requestline"),
        default_level="INFO",
        example='{"eventSource":"web-access","hostName":"default-host","dateTime":"2026-11-23T10:00:00.123Z",'
                '"remoteHost":"10.0.0.1","requestLine":"GET /pay HTTP/1.1","responseCode":502}',
    ),
    Format(
        name="Cloudflare HTTP requests",
        specification="https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/",
        marks=("EdgeStartTimestamp", "ClientRequestMethod"),
        time=places("edgestarttimestamp", "edgeendtimestamp"),
        default_level="INFO",
        example='{"EdgeStartTimestamp":"2026-11-23T10:00:00Z","ClientRequestMethod":"GET","ClientRequestURI":"/pay",'
                '"EdgeResponseStatus":502,"ClientRequestHost":"shop.example"}',
    ),
    Format(
        name="MySQL error log",
        specification="https://dev.mysql.com/doc/refman/8.4/en/error-log-json.html",
        marks=("err_code", "prio", "msg"),
        time=places("time", "ts"),
        level=places("prio", reads="mysql"),
        logger_class=places("subsystem", stays=True),
        example='{"prio":1,"err_code":10910,"SQL_state":"HY000","subsystem":"Server","label":"Error",'
                '"msg":"Shutdown complete","time":"2026-11-23T10:00:00.123456Z","ts":1795428000123}',
    ),
    Format(
        name="Percona's and MySQL's audit log",
        specification="https://docs.percona.com/percona-server/8.0/audit-log-plugin.html",
        marks=("audit_record:object",),
        time=places("audit_record.timestamp"),
        message=places("audit_record.sqltext", "audit_record.name", stays=True),
        default_level="INFO",
        example='{"audit_record":{"name":"Query","record":"1","timestamp":"2026-11-23T10:00:00 UTC",'
                '"command_class":"select","status":0,"sqltext":"select 1"}}',
    ),
    Format(
        name="FoundationDB",
        specification="https://github.com/apple/foundationdb/wiki/Understanding-FoundationDB-Log-Files",
        marks=("Severity", "Type", "Machine", "ID", "Time|DateTime", "!Message", "!message"),
        time=places("time", "datetime"),
        level=places("severity", reads="foundationdb"),
        message=places("type", stays=True),
        service=places("loggroup", stays=True),
        host=places("machine"),
        example='{"Severity":"10","Time":"1795428000.123456","Type":"MachineMetrics","Machine":"10.0.0.1:4500",'
                '"ID":"0","LogGroup":"default"}',
    ),
    Format(
        name="Apache Ranger audit",
        specification="https://ranger.apache.org/",
        marks=("repoType", "evtTime", "access"),
        time=places("evttime"),
        service=places("repo", stays=True),
        message=places("access", stays=True),
        host=places("agenthost"),
        default_level="INFO",
        example='{"repoType":1,"repo":"shop_hadoop","reqUser":"hive","evtTime":"2026-11-23 10:00:00.123",'
                '"access":"READ","resource":"/data","result":0,"agentHost":"node-3","logType":"RangerAudit"}',
    ),
    Format(
        name="Apache NiFi bulletins",
        specification="https://nifi.apache.org/docs/nifi-docs/html/user-guide.html#bulletins",
        marks=("bulletinLevel", "bulletinMessage"),
        time=places("bulletintimestamp"),
        level=places("bulletinlevel"),
        message=places("bulletinmessage"),
        logger_class=places("bulletinsourcename", stays=True),
        example='{"bulletinLevel":"ERROR","bulletinMessage":"PutKafka failed","bulletinSourceName":"PutKafka",'
                '"bulletinTimestamp":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="ModSecurity, Coraza",
        specification="https://github.com/owasp-modsecurity/ModSecurity/wiki/Reference-Manual-(v3.x)",
        marks=("transaction.client_ip", "transaction.request:object"),
        time=places("transaction.unix_timestamp", "transaction.time_stamp", "transaction.timestamp"),
        method=places("transaction.request.method"),
        path=places("transaction.request.uri"),
        status=places("transaction.response.http_code", "transaction.response.status"),
        default_level="INFO",
        example='{"transaction":{"client_ip":"10.0.0.1","time_stamp":"Mon Nov 23 10:00:00 2026","request":'
                '{"method":"GET","uri":"/pay"},"response":{"http_code":403},"messages":[{"message":"SQL Injection"}]}}',
    ),
    Format(
        name="Amazon CloudWatch alarm",
        specification="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
        marks=("AlarmName", "NewStateValue", "StateChangeTime"),
        time=places("statechangetime"),
        level=places("newstatevalue", reads="alarm"),
        message=places("newstatereason", "alarmname", stays=True),
        example='{"AlarmName":"cpu","NewStateValue":"ALARM","NewStateReason":"Threshold Crossed",'
                '"StateChangeTime":"2026-11-23T10:00:00.123+0000","OldStateValue":"OK"}',
    ),
    Format(
        name="Amazon SES events",
        specification="https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html",
        marks=("eventType|notificationType", "mail.timestamp"),
        time=places("mail.timestamp"),
        message=places("eventtype", "notificationtype", stays=True),
        default_level="INFO",
        example='{"eventType":"Bounce","mail":{"timestamp":"2026-11-23T10:00:00.123Z","source":"shop@shop.example",'
                '"messageId":"m"},"bounce":{"bounceType":"Permanent"}}',
    ),
    Format(
        name="AWS WAF",
        specification="https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html",
        marks=("webaclId", "action", "httpRequest:object"),
        time=places("timestamp", reads="ms"),
        service=places("httpsourceid", stays=True),
        default_level="INFO",
        example='{"timestamp":1795428000123,"formatVersion":1,"webaclId":"a","action":"BLOCK",'
                '"httpSourceId":"shop-alb","httpRequest":{"clientIp":"10.0.0.1","uri":"/pay","httpMethod":"GET"}}',
    ),
    Format(
        name="AWS CloudTrail, a file of events",
        specification="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html",
        marks=("Records:array", "!message", "!msg", "!Message"),
        events="Records",
        example='{"Records":[{"eventVersion":"1.08","eventTime":"2026-11-23T10:00:00Z","eventSource":'
                '"s3.amazonaws.com","eventName":"PutObject"}]}',
    ),
    Format(
        name="AWS CloudTrail",
        specification="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html",
        marks=("eventTime", "eventSource", "eventName", "!message", "!msg"),
        time=places("eventtime"),
        message=places("eventname"),
        service=places("eventsource"),
        default_level="INFO",
        example='{"eventVersion":"1.08","eventTime":"2026-11-23T10:00:00Z","eventSource":"s3.amazonaws.com",'
                '"eventName":"PutObject","errorCode":"AccessDenied","errorMessage":"Access Denied"}',
    ),
    Format(
        name="AWS Security Hub (ASFF)",
        specification="https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html",
        marks=("SchemaVersion", "ProductArn", "Title"),
        time=places("updatedat", "createdat"),
        level=places("severity.label", reads="finding"),
        message=places("title"),
        service=places("productname", "generatorid"),
        example='{"SchemaVersion":"2018-10-08","Id":"x","ProductArn":"arn:aws:securityhub:::product/aws/config",'
                '"GeneratorId":"config","CreatedAt":"2026-11-23T10:00:00.123Z","Severity":{"Label":"HIGH"},'
                '"Title":"A bucket is public"}',
    ),
    Format(
        name="AWS Step Functions",
        specification="https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
        marks=("execution_arn", "event_timestamp", "type"),
        time=places("event_timestamp"),
        message=places("type", stays=True),
        example='{"id":"1","type":"ExecutionFailed","details":{"error":"E"},"event_timestamp":"1795428000123",'
                '"execution_arn":"arn:aws:states:::execution:pay:1"}',
    ),
    Format(
        name="Amazon Route 53 Resolver query log",
        specification="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html",
        marks=("query_timestamp", "query_name", "query_type"),
        time=places("query_timestamp"),
        message=places("query_name", stays=True),
        default_level="INFO",
        example='{"version":"1.100000","query_timestamp":"2026-11-23T10:00:00Z","query_name":"shop.example.",'
                '"query_type":"A","rcode":"NOERROR"}',
    ),
    Format(
        name="Azure Monitor application tables",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces",
        marks=("TimeGenerated", "OperationId", "AppRoleName|AppRoleInstance|SeverityLevel"),
        time=places("timegenerated"),
        level=places("severitylevel", reads="application insights"),
        message=(*places("message", "outermessage", "innermostmessage"), *places("name", stays=True)),
        service=places("approlename"),
        host=places("approleinstance"),
        trace_id=places("operationid", reads="id"),
        span_id=places("parentid", reads="id"),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","Message":"card refused","SeverityLevel":3,"AppRoleName":'
                '"pay","OperationId":"4bf92f3577b34da6a3ce929d0e0e4736","Type":"AppTraces"}',
    ),
    Format(
        name="Azure Application Insights, classic tables",
        specification="https://learn.microsoft.com/azure/azure-monitor/app/convert-classic-resource",
        marks=("operation_Id|cloud_RoleName|customDimensions", "severityLevel|itemType"),
        level=places("severitylevel", reads="application insights"),
        service=places("cloud_rolename"),
        host=places("cloud_roleinstance"),
        trace_id=places("operation_id", reads="id"),
        span_id=places("operation_parentid", reads="id"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","message":"card refused","severityLevel":3,"itemType":"trace",'
                '"operation_Id":"4bf92f3577b34da6a3ce929d0e0e4736","cloud_RoleName":"pay"}',
    ),
    Format(
        name="Azure Application Insights",
        specification="https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete",
        marks=("iKey", "data.baseType"),
        time=places("time"),
        level=places("data.basedata.severitylevel", reads="application insights"),
        message=(*places("data.basedata.message"), *places("data.basedata.name", "data.basedata.problemid", stays=True),
                 *places("name", stays=True)),
        service=places("tags.ai.cloud.role"),
        host=places("tags.ai.cloud.roleinstance"),
        stack_trace=places("data.basedata.exceptions", reads="stack", stays=True),
        trace_id=places("tags.ai.operation.id", reads="id"),
        span_id=places("tags.ai.operation.parentid", reads="id"),
        default_level="INFO",
        example='{"time":"2026-11-23T10:00:00.123Z","iKey":"k","name":"Microsoft.ApplicationInsights.Message",'
                '"tags":{"ai.cloud.role":"pay","ai.operation.id":"4bf92f3577b34da6a3ce929d0e0e4736"},"data":'
                '{"baseType":"MessageData","baseData":{"message":"card refused","severityLevel":3}}}',
    ),
    Format(
        name="Falco",
        specification="https://falco.org/docs/concepts/outputs/formatting/",
        marks=("output:text", "rule", "priority", "!message", "!msg"),
        level=places("priority"),
        message=places("output"),
        service=places("source"),
        example='{"hostname":"node-3","output":"Warning Shell in container","priority":"Warning","rule":"Shell",'
                '"source":"syscall","time":"2026-11-23T10:00:00.123456789Z","output_fields":{"proc.name":"sh"}}',
    ),
    Format(
        name="Wazuh alerts",
        specification="https://documentation.wazuh.com/current/user-manual/manager/alert-management.html",
        marks=("rule.description", "agent:object", "decoder|manager"),
        message=places("rule.description"),
        service=places("decoder.name"),
        host=places("agent.name"),
        example='{"timestamp":"2026-11-23T10:00:00.123+0000","rule":{"level":5,"description":"sshd: failed","id":"5"},'
                '"agent":{"id":"001","name":"web-1"},"manager":{"name":"w"},"full_log":"Failed password"}',
    ),
    Format(
        name="Suricata EVE",
        specification="https://docs.suricata.io/en/latest/output/eve/eve-json-format.html",
        marks=("event_type", "flow_id", "src_ip|in_iface|proto"),
        time=places("timestamp"),
        message=places("alert.signature", "event_type", stays=True),
        default_level="INFO",
        example='{"timestamp":"2026-11-23T10:00:00.123456+0000","flow_id":1,"event_type":"alert","src_ip":"10.0.0.1",'
                '"alert":{"signature":"ET SCAN","severity":2}}',
    ),
    Format(
        name="Suricata EVE, statistics and the engine's own",
        specification="https://docs.suricata.io/en/latest/output/eve/eve-json-output.html",
        marks=("event_type", "timestamp", "stats:object|engine:object"),
        time=places("timestamp"),
        level=places("log_level"),
        message=places("engine.message", "event_type", stays=True),
        default_level="INFO",
        example='{"timestamp":"2026-11-23T10:00:00.123456+0000","log_level":"Warning","event_type":"engine",'
                '"engine":{"message":"no rules were loaded","module":"detect"}}',
    ),
    Format(
        name="Snort 3",
        specification="https://docs.snort.org/start/alert_logging",
        marks=("seconds", "msg", "rule", "priority"),
        time=places("seconds", reads="s"),
        default_level="INFO",
        example='{"seconds":1795428000,"msg":"ET SCAN","priority":3,"rule":"1:1:1","proto":"TCP",'
                '"src_addr":"10.0.0.1","timestamp":"11/23-10:00:00.123456"}',
    ),
    Format(
        name="Wazuh archives",
        specification="https://documentation.wazuh.com/current/user-manual/manager/event-logging.html",
        marks=("full_log", "agent:object", "manager|decoder|location", "!rule"),
        message=places("full_log"),
        raw=places("full_log"),
        service=places("decoder.name"),
        host=places("agent.name"),
        example='{"timestamp":"2026-11-23T10:00:00.123+0000","agent":{"id":"001","name":"web-1"},"manager":'
                '{"name":"w"},"full_log":"Failed password","decoder":{"name":"sshd"},"location":"/var/log/auth.log"}',
    ),
    Format(
        name="OCSF",
        specification="https://schema.ocsf.io/1.4.0/base_event",
        marks=("class_uid", "category_uid", "severity_id"),
        time=places("time", reads="ms"),
        level=(*places("severity", reads="finding"), *places("severity_id", reads="ocsf")),
        service=places("metadata.product.name"),
        host=places("device.hostname"),
        title=places("status_detail", "type_name", "activity_name", "class_name", reads="string", stays=True),
        example='{"class_uid":3002,"category_uid":3,"severity_id":3,"time":1795428000123,"type_name":'
                '"Authentication: Logon","metadata":{"version":"1.4.0","product":{"name":"CloudTrail"}}}',
    ),
    Format(
        name="KubeArmor",
        specification="https://docs.kubearmor.io/kubearmor/documentation/kubearmor-events",
        marks=("Operation", "Resource", "Result", "Timestamp", "UpdatedTime"),
        time=places("updatedtime", "timestamp"),
        level=places("severity", reads="cef"),
        message=(*places("message"), *places("resource", stays=True)),
        host=places("hostname"),
        default_level="INFO",
        example='{"Timestamp":1795428000,"UpdatedTime":"2026-11-23T10:00:00.123456Z","HostName":"node-3","PodName":'
                '"pay-7d9f8b6c5-x2x9k","Severity":"7","Message":"token read","Operation":"File","Resource":"/token",'
                '"Action":"Block","Result":"Permission denied"}',
    ),
    Format(
        name="osquery status",
        specification="https://osquery.readthedocs.io/en/stable/deployment/logging/#status-logs",
        marks=("hostIdentifier", "severity", "filename", "message"),
        time=places("unixtime", reads="s"),
        level=places("severity", reads="glog"),
        host=places("hostidentifier"),
        example='{"hostIdentifier":"web-1","calendarTime":"Mon Nov 23 10:00:00 2026 UTC","unixTime":1795428000,'
                '"severity":"2","filename":"scheduler.cpp","line":"7","message":"Error executing query"}',
    ),
    Format(
        name="osquery results",
        specification="https://osquery.readthedocs.io/en/stable/deployment/logging/",
        marks=("hostIdentifier", "unixTime", "name"),
        time=places("unixtime", reads="s"),
        message=places("name", stays=True),
        host=places("hostidentifier"),
        default_level="INFO",
        example='{"name":"users","hostIdentifier":"web-1","calendarTime":"Mon Nov 23 10:00:00 2026 UTC",'
                '"unixTime":1795428000,"columns":{"uid":"0"},"action":"added"}',
    ),
    Format(
        name="GitHub audit log",
        specification="https://docs.github.com/en/rest/orgs/orgs#get-the-audit-log-for-an-organization",
        marks=("action", "_document_id"),
        message=places("action", stays=True),
        default_level="INFO",
        example='{"@timestamp":1795428000123,"_document_id":"d","action":"repo.create","actor":"octocat","org":"shop"}',
    ),
    Format(
        name="GitLab, lograge",
        specification="https://docs.gitlab.com/administration/logs/#production_jsonlog",
        marks=("method", "path", "status", "controller|action|duration|duration_s"),
        example='{"method":"GET","path":"/pay","controller":"PayController","action":"show","status":500,'
                '"time":"2026-11-23T10:00:00.123Z","duration_s":0.1}',
    ),
    Format(
        name="SAP Cloud Foundry request log",
        specification="https://github.com/SAP/cf-java-logging-support",
        marks=("written_at", "request:text", "response_status"),
        path=places("request"),
        example='{"written_at":"2026-11-23T10:00:00.123Z","type":"request","request":"/pay","method":"GET",'
                '"response_status":500,"component_name":"pay","level":"INFO"}',
    ),
    Format(
        name="Apache httpd, JSON",
        specification="https://httpd.apache.org/docs/2.4/mod/mod_log_config.html",
        marks=("request:text", "method", "status"),
        path=places("request"),
        example='{"time":"[23/Nov/2026:10:00:00 +0000]","remoteIP":"10.0.0.1","request":"/pay","method":"GET",'
                '"status":"502"}',
    ),
    Format(
        name="Apache APISIX",
        specification="https://apisix.apache.org/docs/apisix/plugins/kafka-logger/",
        marks=("request:object", "response:object", "server.hostname"),
        host=places("server.hostname"),
        example='{"start_time":1795428000123,"request":{"method":"GET","uri":"/pay"},"response":{"status":502},'
                '"server":{"hostname":"apisix-1"}}',
    ),
    Format(
        name="AWS load balancer access log",
        specification="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html",
        marks=("elb", "elb_status_code|received_bytes"),
        time=places("time"),
        message=places("message", "request"),
        service=places("elb"),
        method=places("request_verb"),
        path=places("request_url"),
        status=places("elb_status_code"),
        default_level="INFO",
        example='{"type":"h2","time":"2026-11-23T10:00:00.123000Z","elb":"app/shop/50dc6c495c0c9188",'
                '"elb_status_code":502,"request_verb":"GET","request_url":"https://shop.example:443/pay"}',
    ),
    Format(
        name="Common Event Format (CEF), a line or Logstash's codec",
        specification="https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.3/"
        "cef-implementation-standard/",
        marks=("deviceVendor", "deviceProduct", "severity"),
        time=places("rt", "deviceReceiptTime", "time", "timestamp", "end", "endTime", "start", "startTime"),
        level=places("severity", reads="cef"),
        message=places("msg", "message", "name"),
        service=places("deviceProduct"),
        host=places("dvchost", "deviceHostName", "dvc", "deviceAddress"),
        example='{"cefVersion":"0","deviceVendor":"Security","deviceProduct":"threatmanager","deviceVersion":"1.0",'
        '"deviceEventClassId":"100","name":"worm successfully stopped","severity":"10","src":"10.0.0.1",'
        '"rt":"1795428000123"}',
    ),
    Format(
        name="Log Event Extended Format (LEEF), a line",
        specification="https://www.ibm.com/docs/en/dsm?topic=leef-overview",
        marks=("leefVersion", "deviceVendor", "deviceProduct"),
        time=places("devTime", "time"),
        level=places("sev", reads="cef"),
        message=places("msg", "message", "cat", "deviceEventId"),
        service=places("deviceProduct"),
        host=places("identHostName", "devName", "host"),
        example='{"leefVersion":"2.0","deviceVendor":"Lancope","deviceProduct":"StealthWatch","deviceVersion":"1.0",'
        '"deviceEventId":"41","sev":"9","devTime":"1795428000123","cat":"worm"}',
    ),
    Format(
        name="AWS VPC flow log",
        specification="https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
        marks=("srcaddr", "dstaddr", "action|log-status|log_status", "start", "!message", "!msg"),
        time=places("start", "end", reads="s"),
        message=places("action", "log-status", stays=True),
        default_level="INFO",
        example='{"interface-id":"eni-1","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","start":1795428000,'
                '"end":1795428060,"action":"ACCEPT","log-status":"OK"}',
    ),
    Format(
        name="Amazon GuardDuty by EventBridge",
        specification="https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html",
        marks=("detail-type", "detail.schemaVersion|detail.SchemaVersion", "detail.severity|detail.Severity",
               "detail.title|detail.Title"),
        time=places("time"),
        level=places("detail.severity", reads="guardduty"),
        message=places("detail.title"),
        service=places("detail.service.servicename"),
        example='{"detail-type":"GuardDuty Finding","source":"aws.guardduty","time":"2026-11-23T10:00:00Z","detail":'
                '{"schemaVersion":"2.0","severity":5.3,"title":"A port is probed",'
                '"service":{"serviceName":"guardduty"}}}',
    ),
    Format(
        name="Amazon EventBridge",
        specification="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html",
        marks=("detail-type", "detail:object", "source"),
        time=places("time"),
        message=(*places("detail.message", "detail.detailmessage", "detail.title", "detail.eventname", stays=True),
                 *places("detail-type")),
        level=(*places("detail.level", reads="word"), *places("detail.severity", reads="finding")),
        service=(*places("detail.eventsource", stays=True), *places("source")),
        default_level="INFO",
        example='{"version":"0","id":"6a7e","detail-type":"ECS Task State Change","source":"aws.ecs",'
                '"time":"2026-11-23T10:00:00Z","detail":{"lastStatus":"STOPPED"}}',
    ),
    Format(
        name="Amazon GuardDuty",
        specification="https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html",
        marks=("schemaVersion|SchemaVersion", "accountId|AccountId", "severity|Severity", "title|Title", "!message",
               "!msg"),
        time=places("updatedat", "createdat"),
        level=places("severity", reads="guardduty"),
        message=places("title"),
        example='{"schemaVersion":"2.0","accountId":"1","severity":8,"title":"A port is probed",'
                '"createdAt":"2026-11-23T10:00:00.123Z","service":{"serviceName":"guardduty"}}',
    ),
    Format(
        name="Amazon API Gateway access log",
        specification="https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html",
        marks=("requestTime|requestTimeEpoch", "httpMethod|routeKey"),
        time=(*places("requesttimeepoch", reads="ms"), *places("requesttime")),
        method=(*places("httpmethod", "eventtype"), *places("routekey", reads="route method")),
        path=places("path", "resourcepath", "routekey"),
        default_level="INFO",
        example='{"requestId":"c6af","requestTime":"23/Nov/2026:10:00:00 +0000","httpMethod":"GET","path":"/pay",'
                '"status":"500"}',
    ),
    Format(
        name="OpenSearch audit log",
        specification="https://docs.opensearch.org/latest/security/audit-logs/field-reference/",
        marks=("audit_category",),
        time=places("timestamp"),
        message=places("audit_category", stays=True),
        service=places("audit_cluster_name"),
        host=places("audit_node_host_name", "audit_node_name"),
        default_level="INFO",
        example='{"audit_cluster_name":"logs","audit_node_name":"n1","audit_category":"FAILED_LOGIN",'
                '"@timestamp":"2026-11-23T10:00:00.123+00:00"}',
    ),
    Format(
        name="log4js",
        specification="https://log4js-node.github.io/log4js-node/layouts.html",
        marks=("startTime", "categoryName", "data:array"),
        time=places("starttime"),
        level=places("level.levelstr"),
        message=places("data", reads="parts"),
        stack_trace=places("data", reads="trace", stays=True),
        logger_class=places("categoryname", stays=True),
        example='{"startTime":"2026-11-23T10:00:00.123Z","categoryName":"pay","data":["refused",{"order":7}],'
                '"level":{"level":40000,"levelStr":"ERROR","colour":"red"}}',
    ),
    Format(
        name="consola",
        specification="https://github.com/unjs/consola",
        marks=("args:array", "type:text", "level", "date"),
        time=places("date"),
        level=places("type"),
        message=places("args", reads="parts", stays=True),
        stack_trace=places("args", reads="trace", stays=True),
        logger_class=places("tag", stays=True),
        example='{"date":"2026-11-23T10:00:00.123Z","args":["card refused",{"order":7}],"type":"error","level":0,'
                '"tag":"pay"}',
    ),
    Format(
        name="tslog",
        specification="https://tslog.js.org/",
        marks=("_meta.date", "_meta.logLevelName"),
        time=places("meta.date"),
        level=places("meta.loglevelname"),
        message=places("0"),
        stack_trace=places("0", "1", "2", reads="trace", stays=True),
        host=places("meta.hostname"),
        logger_class=places("meta.name", stays=True),
        example='{"0":"refused","_meta":{"date":"2026-11-23T10:00:00.123Z","logLevelId":5,"logLevelName":"ERROR",'
                '"hostname":"pay-1","name":"pay"}}',
    ),
    Format(
        name="Datadog logs API",
        specification="https://docs.datadoghq.com/api/latest/logs/",
        marks=("attributes.message", "attributes.status|attributes.service", "type", "!message"),
        time=places("attributes.timestamp"),
        level=places("attributes.status", reads="word"),
        message=places("attributes.message"),
        service=places("attributes.service"),
        host=places("attributes.host"),
        example='{"id":"A","type":"log","attributes":{"timestamp":"2026-11-23T10:00:00.123Z","status":"error",'
                '"message":"refused","service":"pay","host":"web-1"}}',
    ),
    Format(
        name="Cloudflare Workers trace events",
        specification="https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/account/workers_trace_events/",
        marks=("EventTimestampMs|eventTimestamp", "ScriptName|scriptName"),
        time=places("eventtimestampms", "eventtimestamp", reads="ms"),
        level=places("outcome", reads="outcome"),
        stack_trace=places("exceptions", reads="exceptions", stays=True),
        service=places("scriptname"),
        method=places("event.request.method"),
        path=places("event.request.url"),
        status=places("event.response.status"),
        default_level="INFO",
        example='{"Event":{"Request":{"URL":"https://shop.example/pay","Method":"GET"},"Response":{"Status":500}},'
                '"EventTimestampMs":1795428000123,"ScriptName":"pay"}',
    ),
    Format(
        name="Cloudflare Workers Logs",
        specification="https://developers.cloudflare.com/workers/observability/logs/workers-logs/",
        marks=("$workers:object", "$metadata:object"),
        service=places("$workers.scriptname", "$metadata.service", stays=True),
        example='{"source":{"level":"error","message":"card refused"},"timestamp":1795428000123,"$workers":'
                '{"scriptName":"pay","outcome":"exception"},"$metadata":{"id":"1"}}',
    ),
    Format(
        name="Open Liberty",
        specification="https://openliberty.io/docs/latest/json-log-events-list.html",
        marks=("ibm_datetime",),
        time=places("ibm_datetime"),
        level=places("loglevel"),
        service=places("ibm_servername"),
        logger_class=places("module", stays=True),
        method=places("ibm_requestmethod"),
        path=places("ibm_uripath"),
        status=places("ibm_responsecode"),
        stack_trace=places("ibm_stacktrace"),
        example='{"type":"liberty_message","host":"h","ibm_serverName":"pay","message":"CWWKF0011I: ready",'
                '"ibm_datetime":"2026-11-23T10:00:00.123+0000","module":"a.B","loglevel":"AUDIT"}',
    ),
    Format(
        name="Sentry event",
        specification="https://develop.sentry.dev/sdk/data-model/event-payloads/",
        marks=("event_id", "platform", "exception.values|logentry:object|sdk:object|contexts:object"),
        time=places("timestamp"),
        message=(*places("logentry.formatted", "logentry.message", "message"),
                 *places("exception.values", "exception", reads="title", stays=True)),
        host=places("server_name"),
        stack_trace=(*places("exception.values", reads="stack", stays=True),
                     *places("exception", reads="stack", stays=True)),
        trace_id=places("contexts.trace.trace_id", reads="id"),
        span_id=places("contexts.trace.span_id", reads="id"),
        example='{"event_id":"fc6d","timestamp":1795428000.123,"platform":"python","level":"error","exception":'
                '{"values":[{"type":"ValueError","value":"bad","stacktrace":{"frames":[{"function":"f"}]}}]}}',
    ),
    Format(
        name="Zeek",
        specification="https://docs.zeek.org/en/current/logs/index.html",
        marks=("uid", "id.orig_h", "id.resp_h"),
        time=places("ts"),
        method=places("method", "proto", "version"),
        path=places("uri", "query", "server_name", "conn_state"),
        status=places("status_code", "rcode_name"),
        default_level="INFO",
        example='{"ts":1795428000.123,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","proto":"tcp",'
                '"conn_state":"SF"}',
    ),
    Format(
        name="MinIO audit",
        specification="https://min.io/docs/minio/linux/operations/monitoring/minio-logging.html",
        marks=("deploymentid", "api.name", "requestPath|remotehost"),
        time=places("time"),
        message=places("api.name", stays=True),
        status=places("api.statuscode"),
        default_level="INFO",
        example='{"version":"1","deploymentid":"d","time":"2026-11-23T10:00:00.123Z","api":{"name":"PutObject",'
                '"statusCode":200},"remotehost":"10.0.0.1","requestPath":"/shop/a"}',
    ),
    Format(
        name="MongoDB audit",
        specification="https://www.mongodb.com/docs/manual/reference/audit-message/",
        marks=("atype", "ts", "param|result"),
        time=places("ts"),
        message=places("atype", stays=True),
        default_level="INFO",
        example='{"atype":"authenticate","ts":{"$date":"2026-11-23T10:00:00.123+00:00"},"remote":{"ip":"10.0.0.1"},'
                '"param":{"user":"a"},"result":18}',
    ),
    Format(
        name="CrowdStrike event stream",
        specification="https://www.crowdstrike.com/en-us/resources/guides/falcon-event-streams-add-on-for-splunk/",
        marks=("metadata.eventType", "metadata.eventCreationTime", "event:object"),
        time=places("metadata.eventcreationtime", reads="ms"),
        level=places("event.severityname", reads="finding"),
        message=places("metadata.eventtype", stays=True),
        host=places("event.computername"),
        example='{"metadata":{"eventType":"DetectionSummaryEvent","eventCreationTime":1795428000123},"event":'
                '{"ComputerName":"web-1","SeverityName":"High"}}',
    ),
    Format(
        name="CrowdStrike Falcon Data Replicator",
        specification="https://www.crowdstrike.com/en-us/resources/guides/falcon-data-replicator-fdr-add-on-for-splunk/",
        marks=("event_simpleName", "aid"),
        time=places("timestamp", "contexttimestamp"),
        message=places("event_simplename", stays=True),
        host=places("computername"),
        default_level="INFO",
        example='{"event_simpleName":"ProcessRollup2","timestamp":"1795428000123","aid":"a","ComputerName":"web-1",'
                '"CommandLine":"sh"}',
    ),
    Format(
        name="Microsoft Defender XDR streaming",
        specification="https://learn.microsoft.com/defender-xdr/streaming-api-event-hub",
        marks=("tenantId", "category", "properties.ActionType"),
        time=places("properties.timestamp", "time"),
        message=places("properties.actiontype", stays=True),
        host=places("properties.devicename"),
        service=places("category", stays=True),
        default_level="INFO",
        example='{"time":"2026-11-23T10:00:05Z","tenantId":"t","operationName":"Publish","category":'
                '"AdvancedHunting-DeviceProcessEvents","properties":{"ActionType":"ProcessCreated",'
                '"DeviceName":"web-1","Timestamp":"2026-11-23T10:00:00.123Z"}}',
    ),
    Format(
        name="Microsoft 365 audit",
        specification="https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema",
        marks=("CreationTime", "Operation", "Workload"),
        time=places("creationtime"),
        message=places("operation", stays=True),
        service=places("workload", stays=True),
        default_level="INFO",
        example='{"CreationTime":"2026-11-23T10:00:00","Id":"i","Operation":"FileAccessed","RecordType":6,'
                '"Workload":"SharePoint","ResultStatus":"Succeeded"}',
    ),
    Format(
        name="Cilium Hubble",
        specification="https://docs.cilium.io/en/stable/observability/hubble/configuration/export/",
        marks=("flow:object", "node_name", "time", "!message", "!msg"),
        time=places("time"),
        message=places("flow.summary", "flow.verdict", stays=True),
        host=places("node_name"),
        default_level="INFO",
        example='{"flow":{"verdict":"DROPPED","Summary":"TCP Flags: SYN"},"node_name":"node-3",'
                '"time":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="Tetragon",
        specification="https://tetragon.io/docs/concepts/events/",
        marks=("process_exec|process_exit|process_kprobe|process_tracepoint", "node_name", "time"),
        time=places("time"),
        message=places("process_exec.process.binary", "process_exit.process.binary", "process_kprobe.function_name",
                       "process_tracepoint.event", stays=True),
        host=places("node_name"),
        default_level="INFO",
        example='{"process_exec":{"process":{"binary":"/bin/sh"}},"node_name":"node-3",'
                '"time":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="Stripe events",
        specification="https://docs.stripe.com/api/events/object",
        marks=("object", "api_version", "type", "created", "data:object", "!message", "!msg"),
        time=places("created", reads="s"),
        message=places("type", stays=True),
        default_level="INFO",
        example='{"id":"evt_1","object":"event","api_version":"2026-01-01","created":1795428000,'
                '"type":"charge.failed","data":{"object":{"id":"ch_1"}}}',
    ),
    Format(
        name="Slack audit logs",
        specification="https://docs.slack.dev/reference/audit-logs-api/",
        marks=("date_create", "action", "actor:object", "!message", "!msg"),
        time=places("date_create", reads="s"),
        message=places("action", stays=True),
        default_level="INFO",
        example='{"id":"1","date_create":1795428000,"action":"user_login","actor":{"type":"user"},"entity":{}}',
    ),
    Format(
        name="Jenkins Logstash plugin",
        specification="https://plugins.jenkins.io/logstash/",
        marks=("message:array", "source_host", "data:object"),
        message=places("message", reads="stack"),
        service=places("data.projectname", "data.fullprojectname"),
        host=places("data.buildhost"),
        example='{"data":{"projectName":"pay","result":"FAILURE","buildHost":"ci-1"},"message":["make: failed"],'
                '"source":"jenkins","source_host":"https://ci.example","@timestamp":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="DataSet addEvents",
        specification="https://app.scalyr.com/help/api#addEvents",
        marks=("ts", "sev", "attrs:object"),
        level=places("sev", reads="dataset"),
        inner=places("attrs"),
        example='{"thread":"1","ts":"1795428000123000000","sev":5,"attrs":{"message":"card refused"}}',
    ),
    Format(
        name="LogScale structured data",
        specification="https://library.humio.com/logscale-api/log-shippers-structured-data.html",
        marks=("timestamp", "attributes.message|attributes.msg", "!type", "!body", "!message", "!msg"),
        inner=places("attributes"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","attributes":{"level":"error","message":"card refused"}}',
    ),
    Format(
        name="Coralogix",
        specification="https://coralogix.com/docs/developer-portal/apis/data-ingestion/coralogix-rest-api-logs/",
        marks=("severity", "applicationName", "subsystemName"),
        level=places("severity", reads="coralogix"),
        service=places("applicationname"),
        host=places("computername"),
        example='{"timestamp":1795428000123.456,"severity":5,"text":"card refused","applicationName":"shop",'
                '"subsystemName":"pay","computerName":"web-1"}',
    ),
    Format(
        name="Windows Event Log (Fluent Bit winlog)",
        specification="https://docs.fluentbit.io/manual/data-pipeline/inputs/windows-event-log",
        marks=("SourceName", "EventID|EventIDCode", "TimeGenerated|TimeWritten", "Message"),
        time=places("timegenerated", "timewritten"),
        level=places("eventtype", "level"),
        service=places("sourcename"),
        host=places("computername"),
        example='{"TimeGenerated":"2026-11-23 10:00:00 +0000","EventID":7000,"EventType":"Error","SourceName":'
                '"Service Control Manager","ComputerName":"WIN1","Message":"The service failed."}',
    ),
    Format(
        name="Windows Event Log (Azure Monitor's table)",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/event",
        marks=("RenderedDescription", "EventLevelName|EventLevel", "TimeGenerated"),
        time=places("timegenerated"),
        level=(*places("eventlevelname"), *places("eventlevel", reads="windows")),
        message=places("rendereddescription"),
        service=places("source"),
        host=places("computer"),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","Source":"Service Control Manager","EventLog":"System",'
                '"Computer":"WIN1","EventLevelName":"Error","EventID":7000,"RenderedDescription":"It failed."}',
    ),
    Format(
        name="Syslog (Azure Monitor's table)",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/syslog",
        marks=("SyslogMessage", "SeverityLevel"),
        time=places("eventtime", "timegenerated"),
        level=places("severitylevel"),
        message=places("syslogmessage"),
        service=places("processname"),
        host=places("hostname", "computer"),
        example='{"TimeGenerated":"2026-11-23T10:00:01Z","EventTime":"2026-11-23T10:00:00.123Z","HostName":"web-1",'
                '"SeverityLevel":"err","SyslogMessage":"refused","ProcessName":"sshd"}',
    ),
    Format(
        name="Microsoft Sentinel's table CommonSecurityLog",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/commonsecuritylog",
        marks=("DeviceVendor", "DeviceProduct", "LogSeverity"),
        time=places("timegenerated"),
        level=places("logseverity", reads="cef"),
        service=places("deviceproduct", stays=True),
        host=places("computer"),
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","DeviceVendor":"Acme","DeviceProduct":"Wall",'
                '"Activity":"TRAFFIC","LogSeverity":"8","Computer":"fw1"}',
    ),
    Format(
        name="Microsoft Sentinel's table SecurityEvent",
        specification="https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityevent",
        marks=("EventSourceName", "Activity", "TimeGenerated"),
        time=places("timegenerated"),
        level=places("level", reads="windows"),
        message=places("activity", stays=True),
        service=places("eventsourcename", stays=True),
        host=places("computer"),
        default_level="INFO",
        example='{"TimeGenerated":"2026-11-23T10:00:00.123Z","Computer":"WIN1","EventSourceName":'
                '"Microsoft-Windows-Security-Auditing","EventID":4625,"Activity":"4625 - A logon failed."}',
    ),
    Format(
        name="Azure Event Grid",
        specification="https://learn.microsoft.com/azure/event-grid/event-schema",
        marks=("eventType", "eventTime", "subject", "data", "!message", "!msg"),
        time=places("eventtime"),
        message=places("eventtype", stays=True),
        default_level="INFO",
        example='{"id":"1","eventType":"Microsoft.Storage.BlobCreated","subject":"/a","eventTime":'
                '"2026-11-23T10:00:00.123Z","data":{"api":"PutBlob"},"dataVersion":""}',
    ),
    Format(
        name="lager of Cloud Foundry",
        specification="https://github.com/cloudfoundry/lager",
        marks=("log_level", "source", "message", "data:object", "timestamp"),
        level=places("log_level", reads="lager"),
        logger_class=places("source", stays=True),
        example='{"timestamp":"1795428000.123456","source":"rep","message":"rep.exec.failed","log_level":2,'
                '"data":{"error":"timeout","session":"1"}}',
    ),
    Format(
        name="Python logging, numbers",
        specification="https://docs.python.org/3/library/logging.html#logging-levels",
        marks=("lineno|funcName|func_name|pathname", "level", "!v"),
        level=places("level", reads="python"),
        example='{"time":"2026-11-23T10:00:00.123456","level":40,"name":"pay","lineno":7,"funcName":"charge",'
                '"message":"card refused"}',
    ),
    Format(
        name="Prefect",
        specification="https://docs.prefect.io/v3/advanced/logging-customization",
        marks=("flow_run_id|task_run_id", "name", "level", "message"),
        level=places("level", reads="python"),
        example='{"name":"prefect.flow_runs","level":40,"message":"Task failed","timestamp":'
                '"2026-11-23T10:00:00.123456+00:00","flow_run_id":"f0a4"}',
    ),
    Format(
        name="Twisted",
        specification="https://docs.twisted.org/en/stable/core/howto/logger.html#saving-events-for-later",
        marks=("log_format", "log_level", "log_time"),
        time=places("log_time"),
        message=places("log_text", "log_format"),
        logger_class=places("log_namespace", stays=True),
        example='{"log_time":1795428000.123,"log_level":{"name":"error"},"log_namespace":"pay",'
                '"log_format":"card refused"}',
    ),
    Format(
        name="semantic_logger",
        specification="https://logger.rocketjob.io/appenders.html",
        marks=("level_index", "name", "exception:object"),
        stack_trace=places("exception", reads="stack"),
        example='{"host":"web-1","application":"shop","timestamp":"2026-11-23T10:00:00.123456Z","level":"error",'
                '"level_index":4,"name":"Pay","message":"x","exception":{"name":"E","message":"m",'
                '"stack_trace":["pay.rb:1"],"cause":{"name":"F","message":"n","stack_trace":["a.rb:3"]}}}',
    ),
    Format(
        name="Hasura",
        specification="https://hasura.io/docs/2.0/deployment/logging/",
        marks=("type:text", "detail:object", "level", "timestamp", "!message", "!msg"),
        message=places("type", stays=True),
        example='{"type":"http-log","timestamp":"2026-11-23T10:00:00.123+0000","level":"error",'
                '"detail":{"http_info":{"status":200,"url":"/v1/graphql"}}}',
    ),
    Format(
        name="Snowflake event table",
        specification="https://docs.snowflake.com/en/developer-guide/logging-tracing/event-table-columns",
        marks=("RECORD_TYPE", "RESOURCE_ATTRIBUTES", "VALUE"),
        time=places("timestamp"),
        level=places("record.severity_text"),
        message=places("value"),
        service=places("resource_attributes.snow.executable.name"),
        trace_id=places("trace.trace_id", reads="id"),
        span_id=places("trace.span_id", reads="id"),
        example='{"TIMESTAMP":"2026-11-23 10:00:00.123456","RESOURCE_ATTRIBUTES":{"snow.executable.name":"charge"},'
                '"RECORD_TYPE":"LOG","RECORD":{"severity_text":"ERROR"},"VALUE":"card refused"}',
    ),
    Format(
        name="Docker events",
        specification="https://docs.docker.com/reference/cli/docker/system/events/",
        marks=("Type", "Action", "Actor:object", "time|timeNano"),
        time=(*places("timenano", reads="ns"), *places("time", reads="s")),
        message=places("action", stays=True),
        default_level="INFO",
        example='{"Type":"container","Action":"start","Actor":{"ID":"9b","Attributes":{"name":"pay"}},'
                '"time":1795428000,"timeNano":1795428000123456789}',
    ),
    Format(
        name="Graylog output",
        specification="https://go2docs.graylog.org/current/making_sense_of_your_log_data/outputs.html",
        marks=("gl2_source_input|gl2_message_id", "message"),
        time=places("timestamp"),
        level=places("level", reads="syslog"),
        host=places("source"),
        example='{"gl2_source_input":"i","source":"web-1","message":"refused",'
                '"timestamp":"2026-11-23T10:00:00.123Z","level":3}',
    ),
)  # fmt: skip
"""Every format that is known, in order of preference."""
