package caracal.authz

default trusted := false

trusted if input.principal.name in data.caracal.trusted

default longest := 60

longest := 600 if {
	trusted
	input.actor == null
}

default result := {"decision": "deny"}

result := {"decision": "allow", "scopes": input.requested_scopes, "ttl_seconds": longest} if {
	input.requested_scopes != []
	not input.subject.type == "user"
}

result := {"decision": "deny", "reasons": ["users_are_not_spoken_for"]} if {
	input.subject.type == "user"
	not trusted
}
