package caracal.authz

lives[name] := 60 if {
	some name in data.caracal.trusted
	not name == "shop"
}

lives["shop"] := 300 if "a" in input.session.labels

grants[name] contains scope if {
	some name, scopes in data.caracal.table
	some scope in scopes
}

result := {
	"decision": "allow",
	"reasons": sort([name | some name in object.keys(lives)]),
	"scopes": sort([scope | some scope in grants[input.principal.name]]),
	"ttl_seconds": lives[input.principal.name],
} if {
	count(input.requested_scopes) == 0
}

result := {"decision": "deny", "reasons": ["ask_for_all"]} if count(input.requested_scopes) > 0
