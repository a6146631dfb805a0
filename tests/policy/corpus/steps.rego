package caracal.authz

held := [scope | some scope in input.requested_scopes; endswith(scope, ":refund")]

reviewers := [name | some name in data.caracal.trusted; name != input.principal.name]

result := {
	"decision": "step_up",
	"reasons": ["held"],
	"step_up": {"scopes": held, "reviews": count(reviewers), "reviewers": reviewers, "ttl_seconds": 600},
} if {
	held != []
} else := {"decision": "allow", "scopes": input.requested_scopes}
