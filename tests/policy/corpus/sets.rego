package caracal.authz

asked := {scope | some scope in input.requested_scopes}

there := {scope | some scope in input.resource.scopes}

forbidden := {scope | some scope in data.caracal.forbidden}

left := (asked & there) - forbidden

result := {"decision": "allow", "reasons": ["left"], "scopes": sort([scope | some scope in left])} if {
	left != set()
	left & forbidden == set()
	(asked | there) - there == asked - there
}

result := {"decision": "deny", "reasons": ["nothing_left"]} if left == set()
