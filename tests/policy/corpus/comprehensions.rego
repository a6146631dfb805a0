package caracal.authz

wanted := {scope | some scope in input.requested_scopes}

by_verb := {verb: scopes |
	some known in wanted
	verb := split(known, ":")[1]
	scopes := {scope | some scope in wanted; endswith(scope, verb)}
}

names := [hop.name | some hop in input.lineage; hop.name != input.principal.name]

result := {
	"decision": "allow",
	"reasons": sort([concat("=", [verb, format_int(count(by_verb[verb]), 10)]) | some verb in object.keys(by_verb)]),
	"scopes": sort([scope | some scope in wanted; not scope in data.caracal.forbidden]),
} if {
	count(names) < 2
}

result := {"decision": "deny", "reasons": names} if count(names) >= 2
