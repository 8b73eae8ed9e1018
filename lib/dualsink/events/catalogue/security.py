"""Security: audits, sensors of hosts and networks, their alerts."""

from dualsink.events.formats import Format, places

FORMATS = (
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
        specification="https://schema.ocsf.io/1.4.0/classes/base_event",
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
        name="CrowdStrike event stream",
        specification="https://www.elastic.co/docs/reference/beats/filebeat/exported-fields-crowdstrike",
        marks=("metadata.eventType", "metadata.eventCreationTime", "event:object"),
        time=places("metadata.eventcreationtime", reads="ms"),
        level=places("event.severityname", reads="finding"),
        message=places("metadata.eventtype", stays=True),
        host=places("event.computername", "event.hostname"),
        example='{"metadata":{"eventType":"DetectionSummaryEvent","eventCreationTime":1795428000123},"event":'
                '{"ComputerName":"web-1","SeverityName":"High"}}',
    ),
    Format(
        name="CrowdStrike Falcon Data Replicator",
        specification="https://www.ibm.com/docs/en/dsm?topic=replicator-crowdstrike-falcon-data-sample-event-message",
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
        name="Slack audit logs",
        specification="https://docs.slack.dev/reference/audit-logs-api/",
        marks=("date_create", "action", "actor:object", "!message", "!msg"),
        time=places("date_create", reads="s"),
        message=places("action", stays=True),
        default_level="INFO",
        example='{"id":"1","date_create":1795428000,"action":"user_login","actor":{"type":"user"},"entity":{}}',
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
)  # fmt: skip
