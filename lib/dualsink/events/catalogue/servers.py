"""Servers: databases, proxies, Kubernetes, operating systems and their tools."""

from dualsink.events.formats import Format, places

FORMATS = (
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
        name="Apache Spark",
        specification="https://spark.apache.org/docs/latest/configuration.html#configuring-logging",
        marks=("ts", "level", "msg", "logger", "context:object|exception:object"),
        stack_trace=places("exception", reads="error"),
        example='{"ts":"2026-11-23T10:00:00.123Z","level":"ERROR","msg":"Task failed","context":{"task_id":"3"},'
                '"exception":{"class":"a.X","msg":"y","stacktrace":[{"class":"a.B","method":"c","file":"B.scala",'
                '"line":3}]},"logger":"Executor"}',
    ),
    Format(
        name="systemd journal",
        specification="https://systemd.io/JOURNAL_EXPORT_FORMATS/",
        marks=("__REALTIME_TIMESTAMP|_SOURCE_REALTIME_TIMESTAMP", "MESSAGE"),
        time=places("__realtime_timestamp", "_source_realtime_timestamp", reads="us"),
        level=places("priority", reads="syslog"),
        message=places("message", reads="bytes"),
        json=places("message", reads="bytes"),
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
        specification="https://docs.wildfly.org/33/Admin_Guide.html#host-configuration",
        marks=("eventSource", "requestLine", "responseCode"),
        method=places("requestline", reads="route method"),
        path=places("requestline"),
        default_level="INFO",
        example='{"eventSource":"web-access","hostName":"default-host","dateTime":"2026-11-23T10:00:00.123Z",'
                '"remoteHost":"10.0.0.1","requestLine":"GET /pay HTTP/1.1","responseCode":502}',
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
        specification="https://cwiki.apache.org/confluence/display/RANGER/Ranger+Audit+Schema",
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
        specification="https://nifi.apache.org/docs/nifi-docs/components/org.apache.nifi/nifi-site-to-site-reporting-nar/"
        "1.7.1/org.apache.nifi.reporting.SiteToSiteBulletinReportingTask/additionalDetails.html",
        marks=("bulletinLevel", "bulletinMessage"),
        time=places("bulletintimestamp"),
        level=places("bulletinlevel"),
        message=places("bulletinmessage"),
        logger_class=places("bulletinsourcename", stays=True),
        host=places("bulletinnodeaddress"),
        example='{"bulletinLevel":"ERROR","bulletinMessage":"PutKafka failed","bulletinNodeAddress":"nifi-1:8443",'
                '"bulletinSourceName":"PutKafka","bulletinTimestamp":"2026-11-23T10:00:00.123Z"}',
    ),
    Format(
        name="GitLab, lograge",
        specification="https://docs.gitlab.com/administration/logs/#production_jsonlog",
        marks=("method", "path", "status", "controller|action|duration|duration_s"),
        example='{"method":"GET","path":"/pay","controller":"PayController","action":"show","status":500,'
                '"time":"2026-11-23T10:00:00.123Z","duration_s":0.1}',
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
        name="Hasura",
        specification="https://hasura.io/docs/2.0/deployment/logging/",
        marks=("type:text", "detail:object", "level", "timestamp", "!message", "!msg"),
        message=places("type", stays=True),
        example='{"type":"http-log","timestamp":"2026-11-23T10:00:00.123+0000","level":"error",'
                '"detail":{"http_info":{"status":200,"url":"/v1/graphql"}}}',
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
