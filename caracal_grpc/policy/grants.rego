# The built-in policy: decides from data.caracal.grants, which grants.py lays out as
# application -> resource -> list of grants, so that a decision looks up instead of searching. What
# is granted on a family is in the list of each resource of it that has one, and else in the
# family's own. The shortest life comes first in a list.
#
# One rule with local variables on purpose: a reference to a rule costs three times a function call.
# Comprehensions are in bodies, never in heads, where regorus 0.11 fails to evaluate them.
package caracal.authz

result := answer if {
	principal := object.get(data.caracal.grants, input.principal.name, {})
	shared := object.get(principal, object.get(input.resource, "family", ""), [])
	grants := object.get(principal, input.resource.name, shared)
	applicable := [grant | some grant in grants; for_subject(grant); for_session(grant)]
	granted := {scope | some grant in applicable; some scope in grant.scopes} | always(input.resource.name)
	is_array(input.requested_scopes)
	wanted := wanted_of({scope | some scope in input.requested_scopes}, granted)
	giving := [grant | some grant in applicable; some scope in grant.scopes; scope in wanted]
	answer := judge(giving, granted, wanted)
}

# What every principal of a zone may ask of the authority itself. That the sessions are its own is
# enforced by the authority, not here.
always(resource) := {scope | some scope in data.caracal.own_scopes} if {
	resource == "resource://caracal"
} else := set()

# A grant without subjects is for acting for oneself. A user may be called like an application: a
# name in subjects means the application only.
for_subject(grant) if {
	grant.subjects == []
	input.actor == null
	input.subject.id == input.principal.id
} else if {
	"*" in grant.subjects
} else if {
	input.subject.type == "application"
	input.subject.name in grant.subjects
}

for_session(grant) if {
	grant.labels == []
} else if {
	some label in grant.labels
	label in input.session.labels
}

# Nothing requested means all that is granted, of what every ceiling leaves of the resource.
wanted_of(requested, granted) := requested if {
	requested != set()
} else := wanted if {
	wanted := granted & {scope | some scope in input.resource.scopes}
}

# The first branch is the common one; the others answer what it leaves.
judge(giving, granted, wanted) := {
	"decision": "allow",
	"reasons": ["granted"],
	"scopes": sort(wanted),
	"ttl_seconds": life(giving),
} if {
	wanted != set()
	wanted - granted == set()
	unapproved(giving, wanted) == set()
} else := {
	"decision": "step_up",
	"reasons": ["step_up_required"],
	"scopes": sort(wanted),
	"ttl_seconds": life(giving),
	"step_up": {"scopes": sort(unapproved(giving, wanted))},
} if {
	wanted != set()
	wanted - granted == set()
} else := {
	"decision": "deny",
	"reasons": reasons,
} if {
	wanted != set()
	granted != set()
	reasons := [concat("", ["scope_not_granted:", scope]) | some scope in sort(wanted - granted)]
} else := {"decision": "deny", "reasons": ["no_grant"]}

# The wanted scopes that any of their grants holds back until a reviewer has approved them.
unapproved(giving, wanted) := set() if {
	every grant in giving { grant.step_up == [] }
} else := {scope | some grant in giving; some scope in grant.step_up; scope in wanted}

# The shortest life of the grants that give a wanted scope; a day, the most there is, without any.
# By the order of the list, because min of rego-cpp compares numbers as text (300 before 60).
life(giving) := giving[0].ttl_seconds if {
	giving != []
} else := 86400
