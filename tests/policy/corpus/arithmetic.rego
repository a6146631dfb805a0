package caracal.authz

default result := {"decision": "deny", "reasons": ["too_much"]}

amount := to_number(object.get(input.context, "amount", "0"))

share := round((amount * 100) / data.caracal.limit)

result := {"decision": "allow", "reasons": [sprintf("share-%d", [share])], "scopes": input.requested_scopes, "ttl_seconds": life} if {
	amount >= 0
	amount <= data.caracal.limit
	life := 30 + ((floor(amount) % 7) * 10) + abs(count(input.lineage) - 3)
}
