# The built-in policy: decides from data.caracal.grants, which grants.py lays out as
# application -> resource -> list of grants, so that a decision looks up instead of searching. What
# is granted on a family is in the list of each resource of it that has one, and else in the
# family's own. The shortest life comes first in a list.
#
# One function with local variables on purpose: a reference to a rule costs three times as much as a
# call. The number of a grant is its place in the declaration, for whoever asks why.
# Comprehensions are in bodies, never in heads, where regorus 0.11 fails to evaluate them.
package caracal.authz

result := answer if {
	known := considered(input.principal.name)
	answer := judge(known.giving, known.granted, known.wanted)
}

# The grants behind the answer.
deciding := considered(input.principal.name).giving

considered(principal) := {"giving": giving, "granted": granted, "wanted": wanted} if {
	named := object.get(data.caracal.grants, principal, {})
	shared := object.get(named, object.get(input.resource, "family", ""), [])
	grants := object.get(named, input.resource.name, shared)
	applicable := [grant | some grant in grants; for_subject(grant); for_session(grant)]
	granted := {scope | some grant in applicable; some scope in grant.scopes} | always(input.resource.name)
	is_array(input.requested_scopes)
	wanted := wanted_of({scope | some scope in input.requested_scopes}, granted)
	giving := [grant | some grant in applicable; some scope in grant.scopes; scope in wanted]
}

# What every principal of a zone may ask of the authority itself. That the sessions are its own is
# enforced by the authority, not here.
always(resource) := {scope | some scope in data.caracal.own_scopes} if {
	resource == "resource://caracal"
} else := set()

# A grant that names nobody is for acting for oneself. A user may be called like an application: a
# name in subjects means the application only, and one in users, with the issuer's, the user.
for_subject(grant) if {
	grant.subjects == []
	grant.users == []
	input.actor == null
	input.subject.id == input.principal.id
} else if {
	"*" in grant.subjects
} else if {
	input.subject.type == "application"
	input.subject.name in grant.subjects
} else if {
	input.subject.type == "user"
	input.subject.name in grant.users
} else if {
	input.subject.type == "user"
	parts := split(input.subject.name, "/")
	count(parts) > 1
	concat("/", [parts[0], "*"]) in grant.users
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
	"step_up": terms,
} if {
	wanted != set()
	wanted - granted == set()
	terms := terms_of(giving, wanted)
} else := {
	"decision": "deny",
	"reasons": ["no_reviewer_in_common"],
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

# What an approval needs that all grants which hold something back are content with: the most
# reviews, the shortest time, reviewers whom each that names any names. Undefined without such.
terms_of(giving, wanted) := terms if {
	asking := [grant.approval | some grant in giving; some scope in grant.step_up; scope in wanted]
	reviews := [needs.reviews | some needs in asking]
	lives := [needs.ttl_seconds | some needs in asking]
	common := {
		"scopes": sort(unapproved(giving, wanted)),
		"reviews": most(reviews),
		"ttl_seconds": least(lives),
	}
	terms := object.union_n([common, reviewers_of(asking), proof_of(asking)])
}

reviewers_of(asking) := {} if {
	every needs in asking { needs.reviewers == [] }
} else := {"reviewers": sort(shared)} if {
	naming := [needs.reviewers | some needs in asking; needs.reviewers != []]
	shared := {name | some names in naming; some name in names; every others in naming { name in others }}
	shared != set()
}

# A proof releases them all only if each of them names its proof system.
proof_of(asking) := {"proof_system": name} if {
	name := asking[0].proof_system
	name != ""
	every needs in asking { needs.proof_system == name }
} else := {}

# Not by max and min, which in rego-cpp compare numbers as text (300 before 60).
most(numbers) := number if {
	some number in numbers
	every other in numbers { other <= number }
}

least(numbers) := number if {
	some number in numbers
	every other in numbers { other >= number }
}

# The shortest life of the grants that give a wanted scope; a day, the most there is, without any.
# By the order of the list, because min of rego-cpp compares numbers as text (300 before 60).
life(giving) := giving[0].ttl_seconds if {
	giving != []
} else := 86400
