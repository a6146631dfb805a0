# Tests of policy.rego: a version is made only while all of them hold.
package caracal.authz_test

import data.caracal.authz

asked(scope) := {
	"principal": {"id": "app_1", "name": "$caller"},
	"subject": {"id": "app_1"},
	"resource": {"name": "resource://$service"},
	"requested_scopes": [scope],
}

test_granted if {
	authz.result.decision == "allow" with input as asked("$granted")
}

test_refused if {
	authz.result.decision == "deny" with input as asked("$refused")
}
