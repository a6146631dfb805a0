package caracal.authz

# Two rules that contradict each other for a principal with both labels: no decision at all.
result := {"decision": "allow", "reasons": ["first"], "scopes": input.requested_scopes} if {
	"a" in input.session.labels
}

result := {"decision": "deny", "reasons": ["second"]} if "b" in input.session.labels
