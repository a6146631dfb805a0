package caracal.authz

# Everybody in the lineage is known, nobody is in it twice, and each scope is one of the resource.
known if {
	every hop in input.lineage { hop.name in data.caracal.trusted }
}

twice contains hop.application_id if {
	some index, hop in input.lineage
	some other, again in input.lineage
	index < other
	hop.application_id == again.application_id
}

within if {
	every scope in input.requested_scopes {
		some possible in input.resource.scopes
		possible == scope
	}
}

result := {"decision": "allow", "reasons": ["all_known"], "scopes": input.requested_scopes} if {
	known
	within
	count(twice) == 0
}

result := {"decision": "deny", "reasons": sort([reason | some reason in failed])} if count(failed) > 0

failed contains "unknown" if not known

failed contains "outside" if not within

failed contains concat("-", ["twice", id]) if some id in twice
