package caracal.authz

result := {"decision": "deny", "reasons": ["nothing_asked"]} if {
	input.requested_scopes == []
} else := {"decision": "allow", "reasons": ["own"], "scopes": input.requested_scopes} if {
	input.actor == null
	input.subject.id == input.principal.id
} else := {"decision": "allow", "reasons": ["for", input.subject.name], "scopes": narrow(input.requested_scopes)} if {
	allowed_for(input.subject)
} else := {"decision": "deny", "reasons": ["not_for_others"]}

allowed_for(subject) if {
	subject.type == "user"
	subject.issuer == "corp"
} else if {
	some rule in input.resource.may_act
	rule.actor == input.principal.name
	subject.name in rule.subjects
}

narrow(scopes) := [scope | some scope in scopes; not endswith(scope, ":refund")] if {
	count(scopes) > 1
} else := scopes
