/*
 * Names and numbers of CNG as the headers of mingw-w64 have them, for a test that compares ours with them.
 */
#include <windows.h>
#include <bcrypt.h>
#include <ncrypt.h>
#include <stddef.h>
#include <stdio.h>

typedef struct {
    const char *name;
    const wchar_t *text; /* NULL for a number */
    unsigned long number;
} Constant;

#define TEXT_OF(name) {#name, name, 0}
#define NUMBER_OF(name) {#name, NULL, (unsigned long)(name)}

static const Constant constants[] = {
    TEXT_OF(MS_PLATFORM_KEY_STORAGE_PROVIDER),
    TEXT_OF(MS_KEY_STORAGE_PROVIDER),
    TEXT_OF(BCRYPT_ECDSA_P256_ALGORITHM),
    TEXT_OF(BCRYPT_ECCPUBLIC_BLOB),
    TEXT_OF(BCRYPT_ECCPRIVATE_BLOB),
    TEXT_OF(NCRYPT_PKCS8_PRIVATE_KEY_BLOB),
    TEXT_OF(NCRYPT_EXPORT_POLICY_PROPERTY),
    TEXT_OF(NCRYPT_KEY_USAGE_PROPERTY),
    TEXT_OF(NCRYPT_IMPL_TYPE_PROPERTY),
    NUMBER_OF(BCRYPT_ECDSA_PUBLIC_P256_MAGIC),
    NUMBER_OF(BCRYPT_ECDSA_PUBLIC_GENERIC_MAGIC),
    NUMBER_OF(NCRYPT_IMPL_HARDWARE_FLAG),
    NUMBER_OF(NCRYPT_IMPL_SOFTWARE_FLAG),
    NUMBER_OF(NCRYPT_ALLOW_SIGNING_FLAG),
    NUMBER_OF(NCRYPT_SILENT_FLAG),
    NUMBER_OF(NCRYPT_PERSIST_FLAG),
    NUMBER_OF(NTE_BAD_FLAGS),
    NUMBER_OF(NTE_BAD_KEY_STATE),
    NUMBER_OF(NTE_NO_KEY),
    NUMBER_OF(NTE_NO_MEMORY),
    NUMBER_OF(NTE_EXISTS),
    NUMBER_OF(NTE_PERM),
    NUMBER_OF(NTE_NOT_FOUND),
    NUMBER_OF(NTE_BAD_PROVIDER),
    NUMBER_OF(NTE_BAD_KEYSET),
    NUMBER_OF(NTE_PROVIDER_DLL_FAIL),
    NUMBER_OF(NTE_PROV_DLL_NOT_FOUND),
    NUMBER_OF(NTE_FAIL),
    NUMBER_OF(NTE_SILENT_CONTEXT),
    NUMBER_OF(NTE_TEMPORARY_PROFILE),
    NUMBER_OF(NTE_INVALID_HANDLE),
    NUMBER_OF(NTE_INVALID_PARAMETER),
    NUMBER_OF(NTE_BUFFER_TOO_SMALL),
    NUMBER_OF(NTE_NOT_SUPPORTED),
    NUMBER_OF(NTE_INTERNAL_ERROR),
    NUMBER_OF(NTE_UI_REQUIRED),
    NUMBER_OF(NTE_DEVICE_NOT_READY),
    NUMBER_OF(NTE_DEVICE_NOT_FOUND),
    NUMBER_OF(NTE_USER_CANCELLED),
    NUMBER_OF(TBS_E_SERVICE_NOT_RUNNING),
    NUMBER_OF(TBS_E_TPM_NOT_FOUND),
    NUMBER_OF(TBS_E_SERVICE_DISABLED),
};

/* The sizes that the functions are called with. */
_Static_assert(sizeof(NCRYPT_KEY_HANDLE) == sizeof(size_t) && sizeof(NCRYPT_PROV_HANDLE) == sizeof(size_t), "handles");
_Static_assert(sizeof(DWORD) == 4 && sizeof(SECURITY_STATUS) == 4, "numbers");
_Static_assert(offsetof(BCRYPT_ECCKEY_BLOB, cbKey) == 4 && sizeof(BCRYPT_ECCKEY_BLOB) == 8, "the head of a public key");

/* Writes the constant with this number as NAME=text or NAME=number, and returns whether there is one. */
__declspec(dllexport) int constant(int index, char *out, int room)
{
    if (index < 0 || index >= (int)(sizeof constants / sizeof *constants)) return 0;
    const Constant *found = &constants[index];
    if (found->text) return snprintf(out, (size_t)room, "%s=%ls", found->name, found->text) > 0;
    return snprintf(out, (size_t)room, "%s=%lu", found->name, found->number) > 0;
}
