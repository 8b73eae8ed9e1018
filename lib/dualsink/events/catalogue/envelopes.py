"""Envelopes: what shippers, buses and clouds put around a record."""

from dualsink.events.formats import Format, places

_LINE = places("message")
_NO_RECORD = ("!message", "!msg", "!Message", "!time", "!timestamp", "!@timestamp")
"""Marks of an envelope that is no log record itself."""

FORMATS = (
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
        specification="https://www.elastic.co/docs/reference/logstash/event-dependent-configuration",
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
        line=places("value", "payload", reads="base64"),
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
        specification="https://docs.oracle.com/en-us/iaas/Content/Logging/Reference/top_level_logging_format.htm",
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
        marks=("specversion", "data|data_base64"),
        inner=places("data"),
        line=(*places("data"), *places("data_base64", reads="base64")),
        logger_class=places("source", stays=True),
        example='{"specversion":"1.0","id":"7","source":"/shop/pay","type":"shop.log.v1",'
                '"time":"2026-11-23T10:00:00.123Z","data":{"level":"error","message":"card refused"}}',
    ),
    Format(
        name="Google Pub/Sub",
        specification="https://cloud.google.com/pubsub/docs/push#receive_push",
        marks=("message.data:text", "message.messageId|message.message_id|message.publishTime"),
        time=places("message.publishtime"),
        line=places("message.data", reads="base64"),
        example='{"message":{"data":"RVJST1IgY2FyZCByZWZ1c2Vk","messageId":"7","publishTime":'
                '"2026-11-23T10:00:00.123Z"},"subscription":"projects/p/subscriptions/logs"}',
    ),
    Format(
        name="Google Pub/Sub, the message alone",
        specification="https://cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage",
        marks=("data:text", "publishTime", "messageId|message_id", "!message", "!msg"),
        time=places("publishtime"),
        line=places("data", reads="base64"),
        example='{"data":"RVJST1IgY2FyZCByZWZ1c2Vk","messageId":"7","publishTime":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="Amazon Kinesis Data Streams",
        specification="https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html",
        marks=("Data:text", "PartitionKey", "SequenceNumber"),
        time=places("approximatearrivaltimestamp"),
        line=places("data", reads="base64"),
        example='{"ApproximateArrivalTimestamp":1795428000.123,"Data":"RVJST1IgY2FyZCByZWZ1c2Vk","PartitionKey":"1",'
                '"SequenceNumber":"7"}',
    ),
    Format(
        name="Amazon Kinesis Data Streams, event of Lambda",
        specification="https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html",
        marks=("kinesis.data:text", "eventSource"),
        time=places("kinesis.approximatearrivaltimestamp"),
        line=places("kinesis.data", reads="base64"),
        example='{"kinesis":{"data":"RVJST1IgY2FyZCByZWZ1c2Vk","partitionKey":"1","sequenceNumber":"7",'
                '"approximateArrivalTimestamp":1795428000.123},"eventSource":"aws:kinesis"}',
    ),
    Format(
        name="Amazon Data Firehose",
        specification="https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html",
        marks=("data:text", *_NO_RECORD, "!log", "!text", "!body", "!event", "!level", "!severity", "!ts"),
        time=places("approximatearrivaltimestamp", reads="ms"),
        line=places("data", reads="base64"),
        example='{"recordId":"7","approximateArrivalTimestamp":1795428000123,"data":"RVJST1IgY2FyZCByZWZ1c2Vk"}',
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
)  # fmt: skip
