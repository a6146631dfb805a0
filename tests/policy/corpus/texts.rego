package caracal.authz

note := trim_space(lower(object.get(input.context, "note", "")))

words := [word | some word in split(note, " "); word != ""]

start := substring(replace(note, "x", "y"), 0, 8)

result := {
	"decision": outcome,
	"reasons": array.concat([sprintf("%s/%d/%v", [input.principal.name, count(words), contains(note, "a")])], known),
	"scopes": input.requested_scopes,
}

outcome := "allow" if {
	not startswith(note, "no")
	indexof(note, "stop") == -1
} else := "deny"

known := [upper(trim_suffix(trim_prefix(word, "<"), ">")) | some word in words; strings.any_prefix_match(word, ["<", start])]
