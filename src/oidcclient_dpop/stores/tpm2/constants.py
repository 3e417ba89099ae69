"""
Numbers of the TPM 2.0 Library specification, part 2 (structures).

Each is cited by the type whose table it stands in: the numbers of the tables differ between revisions.
"""

from __future__ import annotations

from typing import Final

# TPM_ST
ST_NO_SESSIONS: Final = 0x8001
ST_SESSIONS: Final = 0x8002
ST_HASHCHECK: Final = 0x8024

# TPM_CC
CC_CREATE_PRIMARY: Final = 0x131
CC_STARTUP: Final = 0x144
CC_DUPLICATE: Final = 0x14B
CC_CREATE: Final = 0x153
CC_LOAD: Final = 0x157
CC_SIGN: Final = 0x15D
CC_FLUSH_CONTEXT: Final = 0x165
CC_READ_PUBLIC: Final = 0x173
CC_GET_CAPABILITY: Final = 0x17A

# TPM_SU
SU_CLEAR: Final = 0x0000

# TPM_RH
RH_OWNER: Final = 0x40000001
RH_NULL: Final = 0x40000007
RS_PW: Final = 0x40000009

# TPM_HT: the first byte of a handle
TRANSIENT_FIRST: Final = 0x80000000
PERSISTENT_BYTE: Final = 0x81

# TCG TPM v2.0 Provisioning Guidance, reserved handles: the storage root key
SRK_HANDLE: Final = 0x81000001

# TPM_CAP
CAP_HANDLES: Final = 0x00000001

# TPM_ALG_ID
ALG_AES: Final = 0x0006
ALG_SHA256: Final = 0x000B
ALG_NULL: Final = 0x0010
ALG_ECDSA: Final = 0x0018
ALG_ECC: Final = 0x0023
ALG_CFB: Final = 0x0043

# TPM_ECC_CURVE
ECC_NIST_P256: Final = 0x0003

# TPMA_OBJECT
FIXED_TPM: Final = 1 << 1
FIXED_PARENT: Final = 1 << 4
SENSITIVE_DATA_ORIGIN: Final = 1 << 5
USER_WITH_AUTH: Final = 1 << 6
NO_DA: Final = 1 << 10  # a wrong use never locks the person's TPM
RESTRICTED: Final = 1 << 16
DECRYPT: Final = 1 << 17
SIGN: Final = 1 << 18
_COMMON: Final = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA
STORAGE_ATTRIBUTES: Final = _COMMON | RESTRICTED | DECRYPT  # 0x00030472
SIGNING_ATTRIBUTES: Final = _COMMON | SIGN  # 0x00040472

# TPM_RC: version 1 codes, then warnings
RC_INITIALIZE: Final = 0x100
RC_AUTH_TYPE: Final = 0x124
RC_OBJECT_MEMORY: Final = 0x902
RC_YIELDED: Final = 0x908
RC_TESTING: Final = 0x90A
RC_REFERENCE_H0: Final = 0x910
RC_RETRY: Final = 0x922

# TPM_RC, response code formats: in a format 1 code, bit 7 is set, bit 6 says "a parameter", bits 8 to 11 say which one
RC_FORMAT_1: Final = 0x80
RC_PARAMETER: Final = 0x40
RC_FORMAT_1_MASK: Final = 0xBF
RC_ATTRIBUTES: Final = 0x82
RC_HIERARCHY: Final = 0x85
RC_HANDLE: Final = 0x8B
RC_AUTH_FAIL: Final = 0x8E
RC_INTEGRITY: Final = 0x9F
RC_BAD_AUTH: Final = 0xA2

NAMES: Final = {
    RC_INITIALIZE: "INITIALIZE",
    0x101: "FAILURE",
    RC_AUTH_TYPE: "AUTH_TYPE",
    0x143: "COMMAND_CODE",
    RC_OBJECT_MEMORY: "OBJECT_MEMORY",
    RC_YIELDED: "YIELDED",
    RC_TESTING: "TESTING",
    RC_REFERENCE_H0: "REFERENCE_H0",
    0x921: "LOCKOUT",
    RC_RETRY: "RETRY",
    0x923: "NV_UNAVAILABLE",
    RC_ATTRIBUTES: "ATTRIBUTES",
    0x84: "VALUE",
    RC_HIERARCHY: "HIERARCHY",
    RC_HANDLE: "HANDLE",
    RC_AUTH_FAIL: "AUTH_FAIL",
    0x92: "SCHEME",
    0x95: "SIZE",
    RC_INTEGRITY: "INTEGRITY",
    RC_BAD_AUTH: "BAD_AUTH",
}

# Sizes in bytes
HEADER: Final = 10  # part 1, command/response structure: tag, size, code
LARGEST_RESPONSE: Final = 4096  # Linux, drivers/char/tpm/tpm.h: TPM_BUFSIZE; the part 2 limit is the vendor's
P256_BYTES: Final = 32
SHA256_BYTES: Final = 32
