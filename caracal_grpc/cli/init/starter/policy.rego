# What the grants of zone.yaml say, in Rego. It is not in use until zone.yaml names it.
package caracal.authz

default result := {"decision": "deny", "reasons": ["nothing_allows_it"]}

# What every application may ask of the authority itself, such as the feed of its guard.
result := {"decision": "allow", "reasons": ["its_own"], "scopes": sort(given)} if {
	input.resource.name == "resource://caracal"
	given := wanted({scope | some scope in data.caracal.own_scopes})
	given != set()
}

result := {"decision": "allow", "reasons": ["$caller_may"], "scopes": sort(given)} if {
	input.resource.name == "resource://$service"
	input.principal.name == "$caller"
	input.subject.id == input.principal.id # for itself, on behalf of nobody
	given := wanted({"$granted"})
	given != set()
}

# Who names no scopes means all that are allowed; who names some gets all of them, or none.
wanted(allowed) := allowed if {
	count(input.requested_scopes) == 0
} else := asked if {
	asked := {scope | some scope in input.requested_scopes}
	asked - allowed == set()
}
