"""Clouds: what providers' services and hosted tools report."""

from dualsink.events.formats import Format, places

FORMATS = (
    Format(
        name="Heroku Logplex",
        specification="https://devcenter.heroku.com/articles/log-drains",
        marks=("syslog.hostname|heroku", "message"),
        json=places("message"),
        example='{"timestamp":"2026-11-23T10:00:00.123Z","syslog":{"hostname":"host","appname":"app"},'
                '"message":"State changed from starting to up"}',
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
        name="SAP Cloud Foundry request log",
        specification="https://github.com/SAP/cf-java-logging-support",
        marks=("written_at", "request:text", "response_status"),
        path=places("request"),
        example='{"written_at":"2026-11-23T10:00:00.123Z","type":"request","request":"/pay","method":"GET",'
                '"response_status":500,"component_name":"pay","level":"INFO"}',
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
)  # fmt: skip
