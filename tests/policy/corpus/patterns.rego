package caracal.authz

result := {"decision": "allow", "reasons": array.concat(["matched"], parts), "scopes": input.requested_scopes} if {
	regex.match(`^resource://[a-z]+(/[a-z]-[0-9]+)?$`, input.resource.name)
	glob.match("resource://pay*", [], input.resource.name)
	parts := regex.split(`[/:]+`, input.resource.name)
} else := {"decision": "deny", "reasons": [regex.replace(input.resource.name, `[^a-z]+`, "-")]}
