package caracal.authz

at := input.now * 1000000000

days := floor(at / time.parse_duration_ns("24h"))

result := {"decision": "allow", "reasons": [sprintf("day-%d", [days])], "scopes": input.requested_scopes, "ttl_seconds": life} if {
	[_, month, _] := time.date(at)
	not month in data.caracal.holidays
	[hour, minute, _] := time.clock(at)
	hour >= 8
	hour < 18
	life := 60 * (60 - minute)
} else := {"decision": "deny", "reasons": array.concat(["closed"], [sprintf("%d", [part]) | some part in time.date(at)])}
