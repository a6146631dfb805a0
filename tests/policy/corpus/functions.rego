package caracal.authz

kind("application", true) := "service"

kind("application", false) := "agent"

kind("user", _) := "person"

lives := {"service": 900, "agent": 300, "person": 60}

result := verdict(kind(input.subject.type, input.actor == null), input.requested_scopes)

verdict(who, scopes) := {"decision": "allow", "reasons": [who], "scopes": scopes, "ttl_seconds": lives[who]} if {
	safe(scopes)
}

verdict(who, scopes) := {"decision": "deny", "reasons": ["unsafe_for", who]} if not safe(scopes)

safe(scopes) if count([scope | some scope in scopes; dangerous(scope)]) == 0

dangerous(scope) if startswith(scope, "caracal:")

dangerous(scope) if scope in data.caracal.forbidden
