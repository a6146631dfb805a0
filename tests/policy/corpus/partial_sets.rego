package caracal.authz

deny contains "night" if "night" in input.session.labels

deny contains concat(":", ["forbidden", scope]) if {
	some scope in input.requested_scopes
	scope in data.caracal.forbidden
}

deny contains "far" if count(input.lineage) > 2

result := {"decision": "deny", "reasons": sort([each | some each in deny])} if count(deny) > 0

result := {"decision": "allow", "scopes": input.requested_scopes} if count(deny) == 0
