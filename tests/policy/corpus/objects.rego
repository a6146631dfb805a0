package caracal.authz

facts := object.union_n([
	{"amount": "none", "note": ""},
	object.filter(input.context, ["amount", "note"]),
	{"by": input.principal.name},
])

shown := object.remove(facts, ["note"])

nested := object.get({"limits": {input.principal.name: 5}}, ["limits", input.subject.name], 0)

deep := [path | walk(json.filter(input, ["session/labels", "principal/name"]), [path, "a"])]

result := {
	"decision": "allow",
	"reasons": array.concat(sort([concat(":", [name, shown[name]]) | some name in object.keys(shown)]), more),
	"scopes": input.requested_scopes,
	"ttl_seconds": 10 + nested,
} if {
	object.subset(facts, {"by": input.principal.name})
}

more := [format_int(count(deep), 10)]
