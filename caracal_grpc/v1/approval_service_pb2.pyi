from caracal_grpc.v1 import approval_pb2 as _approval_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalServiceGetRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ApprovalServiceGetResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _approval_pb2.Approval
    def __init__(self, approval: _Optional[_Union[_approval_pb2.Approval, _Mapping]] = ...) -> None: ...

class ApprovalServiceListRequest(_message.Message):
    __slots__ = ("zone", "state", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    state: _approval_pb2.ApprovalState
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., state: _Optional[_Union[_approval_pb2.ApprovalState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ApprovalServiceListResponse(_message.Message):
    __slots__ = ("approvals", "next_page_token")
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    approvals: _containers.RepeatedCompositeFieldContainer[_approval_pb2.Approval]
    next_page_token: str
    def __init__(self, approvals: _Optional[_Iterable[_Union[_approval_pb2.Approval, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApprovalServiceWaitRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ApprovalServiceWaitResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _approval_pb2.Approval
    def __init__(self, approval: _Optional[_Union[_approval_pb2.Approval, _Mapping]] = ...) -> None: ...

class ApproveRequest(_message.Message):
    __slots__ = ("zone", "id", "binding", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    binding: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., binding: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ApproveResponse(_message.Message):
    __slots__ = ("approval", "audit_id")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    approval: _approval_pb2.Approval
    audit_id: str
    def __init__(self, approval: _Optional[_Union[_approval_pb2.Approval, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...

class RejectRequest(_message.Message):
    __slots__ = ("zone", "id", "binding", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    binding: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., binding: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectResponse(_message.Message):
    __slots__ = ("approval", "audit_id")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    approval: _approval_pb2.Approval
    audit_id: str
    def __init__(self, approval: _Optional[_Union[_approval_pb2.Approval, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("zone", "id", "proof")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    proof: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., proof: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("approval", "audit_id")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    approval: _approval_pb2.Approval
    audit_id: str
    def __init__(self, approval: _Optional[_Union[_approval_pb2.Approval, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...
