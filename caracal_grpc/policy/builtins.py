"""The built-in functions that a policy may call: the answer of each depends on its arguments only.

Absent are the network, the clock (a decision has `input.now`), randomness, the environment, output
to the process (`print`, `trace`) and what makes much out of little (`numbers.range`,
`net.cidr_expand`). Absent, too, is what the default engine gets wrong (`strings.count`,
`time.add_date`; measured on regorus 0.13 against what Open Policy Agent documents).
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
    abs ceil count floor max min product round sort sum
    array.concat array.reverse array.slice
    base64.decode base64.encode base64.is_valid base64url.decode base64url.encode
    base64url.encode_no_pad hex.decode hex.encode
    bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor
    concat contains endswith format_int indexof indexof_n lower replace split sprintf startswith
    strings.any_prefix_match strings.any_suffix_match strings.replace_n
    strings.reverse substring trim trim_left trim_prefix trim_right trim_space trim_suffix upper
    glob.match glob.quote_meta
    graph.reachable graph.reachable_paths walk
    intersection union
    is_array is_boolean is_null is_number is_object is_set is_string type_name to_number
    json.filter json.is_valid json.marshal json.remove json.unmarshal
    net.cidr_contains net.cidr_is_valid
    object.filter object.get object.keys object.remove object.subset object.union object.union_n
    regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match regex.replace
    regex.split regex.template_match
    semver.compare semver.is_valid
    time.clock time.date time.diff time.format time.parse_duration_ns time.parse_ns
    time.parse_rfc3339_ns time.weekday
    units.parse units.parse_bytes
    urlquery.decode urlquery.decode_object urlquery.encode urlquery.encode_object
    uuid.parse
"""

ALLOWED_BUILTINS: Final = frozenset(_NAMES.split())
"""Of the Rego of Open Policy Agent 1.x; each is in the default engine, as a test shows."""
