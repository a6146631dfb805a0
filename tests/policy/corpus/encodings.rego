package caracal.authz

default result := {"decision": "deny", "reasons": ["no_ticket"]}

ticket := json.unmarshal(base64.decode(input.context.ticket)) if {
	base64.is_valid(input.context.ticket)
	json.is_valid(base64.decode(input.context.ticket))
}

result := {"decision": "allow", "reasons": [type_name(ticket.for), ticket.for], "scopes": ticket.scopes} if {
	is_object(ticket)
	is_string(ticket.for)
	is_array(ticket.scopes)
	ticket.for == input.principal.name
	hex.decode(hex.encode(ticket.for)) == ticket.for
}
