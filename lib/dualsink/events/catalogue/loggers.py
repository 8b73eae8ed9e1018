"""Loggers: what applications write, by their libraries' own names."""

from dualsink.events.formats import Format, places

FORMATS = (
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
        specification="https://logging.apache.org/log4j/2.x/manual/layouts.html#JSONLayout",
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
        marks=("logger:text", "ts:text", "msg", "level", "!level:text"),
        level=places("level", reads="logr"),
        example='{"logger":"git","ts":"2026-11-23 10:00:00.123456","caller":{"file":"main.go","line":7},"level":0,'
                '"msg":"starting up","pid":12}',
    ),
    Format(
        name="logr funcr, error",
        specification="https://pkg.go.dev/github.com/go-logr/logr/funcr",
        marks=("logger:text", "ts:text", "msg", "error", "!level"),
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
        specification="https://hackage.haskell.org/package/katip-0.8.1.0/docs/src/Katip.Core.html",
        marks=("at", "sev", "ns:array", "app:array", "msg"),
        time=places("at"),
        level=places("sev"),
        service=places("app", reads="parts", stays=True),
        example='{"at":"2026-11-23T10:00:00.123456789Z","env":"prod","ns":["shop","pay"],"app":["shop"],"sev":"Error",'
                '"msg":"card refused","host":"web-1","data":{"order":7}}',
    ),
    Format(
        name="scribe, a message in parts",
        specification="https://github.com/outr/scribe",
        marks=("level", "levelValue|className", "message:array|messages:array", "!msg"),
        message=places("message", "messages", reads="parts"),
        stack_trace=places("trace", "traces", reads="stack", stays=True),
        example='{"level":"ERROR","levelValue":500.0,"message":["card refused","again"],"fileName":"Pay.scala",'
                '"className":"shop.Pay","line":7,"data":{},"trace":null,"timeStamp":1795428000123,'
                '"date":"2026-11-23","time":"10:00:00.123+0000"}',
    ),
    Format(
        name="scribe",
        specification="https://github.com/outr/scribe",
        marks=("level", "levelValue", "className", "timeStamp"),
        message=(*places("message"), *places("trace", reads="title", stays=True)),
        stack_trace=places("trace", reads="stack", stays=True),
        example='{"level":"ERROR","levelValue":500.0,"message":null,"fileName":"Pay.scala","className":"shop.Pay",'
                '"line":7,"data":{},"trace":{"className":"java.lang.IllegalStateException","message":"empty",'
                '"elements":[{"class":"shop.Pool","method":"take","line":41}]},"timeStamp":1795428000123,'
                '"date":"2026-11-23","time":"10:00:00.123+0000"}',
    ),
    Format(
        name="LogStage",
        specification="https://izumi.7mind.io/logstage/",
        marks=("meta.level", "meta.timestamp|meta.datetime", "text.message"),
        time=places("meta.timestamp", "meta.datetime"),
        level=places("meta.level"),
        message=places("text.message"),
        logger_class=places("meta.logger", stays=True),
        example='{"event":{"card":"7"},"context":{},"meta":{"class":"1f0b2c3d","logger":"shop.Pay","level":"error",'
                '"timestamp":1795428000123},"text":{"template":"${card} refused","message":"card=7 refused"}}',
    ),
    Format(
        name="Eliot",
        specification="https://eliot.readthedocs.io/en/stable/reading/fields.html",
        marks=("task_uuid", "task_level", "message_type|action_type", "!message", "!msg"),
        level=places("action_status", reads="outcome"),
        message=places("message_type", "action_type"),
        example='{"task_uuid":"f0a4","task_level":[1],"timestamp":1795428000.123456,"action_type":"shop:charge",'
                '"action_status":"started"}',
    ),
    Format(
        name="µ/log",
        specification="https://github.com/BrunoBonacci/mulog",
        marks=("mulog/event-name", "mulog/timestamp"),
        time=places("mulog/timestamp"),
        level=(*places("level"), *places("mulog/outcome", reads="outcome")),
        message=places("mulog/event-name"),
        example='{"mulog/event-name":"shop/charge","mulog/timestamp":1795428000123,"mulog/outcome":"error",'
                '"app-name":"shop"}',
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
        specification="https://docs.prefect.io/v3/api-ref/rest-api/server/logs/create-logs",
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
)  # fmt: skip
