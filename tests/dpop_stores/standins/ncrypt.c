/*
 * A stand-in for the functions of ncrypt.dll that the key store cng: calls, with real ECDSA: over bcrypt.dll on Windows
 * (wine has that, and no ncrypt.dll that keeps keys), over OpenSSL elsewhere.
 *
 * It keeps what Microsoft documents: status codes, questions for a size, the order of calls, the export policy. It shows
 * that a caller passes the right things in the right order and frees what it got. It shows nothing of Windows itself.
 *
 * A test tells it by the functions standin_*: where keys are kept, and what shall go wrong.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#ifdef _WIN32
#define NOCRYPT /* ncrypt.h declares what is defined here */
#include <windows.h>
#include <bcrypt.h>
#define EXPORT __declspec(dllexport)
#define CALL WINAPI
#else
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <unistd.h>
#define EXPORT
#define CALL
#define NTE_BAD_FLAGS 0x80090009u
#define NTE_BAD_KEY_STATE 0x8009000Bu
#define NTE_EXISTS 0x8009000Fu
#define NTE_PERM 0x80090010u
#define NTE_BAD_PROVIDER 0x80090013u
#define NTE_BAD_KEYSET 0x80090016u
#define NTE_INVALID_HANDLE 0x80090026u
#define NTE_INVALID_PARAMETER 0x80090027u
#define NTE_BUFFER_TOO_SMALL 0x80090028u
#define NTE_NOT_SUPPORTED 0x80090029u
#define NTE_INTERNAL_ERROR 0x8009002Du
#endif

#define OK 0u
#define SILENT 0x40u
#define PERSIST 0x80000000u
#define SIZE 32         /* of a number of P-256 */
#define PUBLIC_BYTES 72 /* magic, size, X, Y */
#define PRIVATE_BYTES 104 /* the same and d */

typedef uint32_t Status;
typedef uintptr_t Handle;
typedef uint32_t Dword;

typedef struct {
    int kind; /* P for a provider, K for a key */
    int is_tpm;
    int is_final;
    int busy;
    Dword policy, usage, stored_policy, stored_usage;
    char name[128];
#ifdef _WIN32
    BCRYPT_KEY_HANDLE key;
#else
    EVP_PKEY *key;
#endif
} Object;

/* What a test has asked for. */
static char folder[512];
static char failing[64];
static Dword failing_status;
static int failing_only_tpm, failing_after, failing_pause_ms;
static char changed_name[64];
static Dword changed_value, changed_length;
static unsigned char public_form[8192];
static uint32_t public_length;
static char curve[64];
static uint32_t signature_length;
static int leaks;
static long live;

EXPORT void standin_folder(const char *path) { snprintf(folder, sizeof folder, "%s", path); }

EXPORT long standin_live(void) { return __atomic_load_n(&live, __ATOMIC_SEQ_CST); }

/* Function `name` answers `status`, after `after` calls that go well, and takes `pause_ms`. */
EXPORT void standin_fail(const char *name, Dword status, int only_tpm, int after, int pause_ms)
{
    snprintf(failing, sizeof failing, "%s", name);
    failing_status = status;
    failing_only_tpm = only_tpm;
    failing_after = after;
    failing_pause_ms = pause_ms;
}

/* Property `name` is read as the first `length` bytes of `value`. */
EXPORT void standin_property(const char *name, Dword value, Dword length)
{
    changed_length = length;
    snprintf(changed_name, sizeof changed_name, "%s", name);
    changed_value = value;
}

/* A public key has this form, and this is its curve. */
EXPORT void standin_public(const unsigned char *data, uint32_t length, const char *curve_name)
{
    if (length > sizeof public_form) abort();
    memcpy(public_form, data, length);
    public_length = length;
    snprintf(curve, sizeof curve, "%s", curve_name);
}

EXPORT void standin_signature(uint32_t length) { signature_length = length; }

EXPORT void standin_leak(int yes) { leaks = yes; }

EXPORT void standin_reset(void)
{
    failing[0] = changed_name[0] = curve[0] = 0;
    public_length = signature_length = 0;
    leaks = 0;
}

static Status fault(const char *function, int is_tpm)
{
    if (strcmp(function, failing) || (failing_only_tpm && !is_tpm)) return OK;
    if (failing_after-- > 0) return OK;
#ifdef _WIN32
    if (failing_pause_ms) Sleep((DWORD)failing_pause_ms);
#else
    if (failing_pause_ms) usleep((useconds_t)failing_pause_ms * 1000);
#endif
    return failing_status;
}

#define FAULT(is_tpm)                                   \
    do {                                                \
        Status wanted = fault(__func__, is_tpm);        \
        if (wanted) return wanted;                      \
    } while (0)

static Object *object(Handle handle, int kind)
{
    Object *found = (Object *)handle;
    return found && found->kind == kind ? found : NULL;
}

static Object *new_object(int kind, int is_tpm)
{
    Object *made = calloc(1, sizeof *made);
    if (!made) abort();
    made->kind = kind;
    made->is_tpm = is_tpm;
    __atomic_add_fetch(&live, 1, __ATOMIC_SEQ_CST);
    return made;
}

/* -- keys: the form of a private key is the one of BCRYPT_ECCPRIVATE_BLOB */
#ifdef _WIN32
static BCRYPT_ALG_HANDLE algorithm(void)
{
    static BCRYPT_ALG_HANDLE opened;
    if (!opened && BCryptOpenAlgorithmProvider(&opened, L"ECDSA_P256", NULL, 0)) abort();
    return opened;
}

static int generate(Object *key)
{
    return !BCryptGenerateKeyPair(algorithm(), &key->key, 256, 0) && !BCryptFinalizeKeyPair(key->key, 0);
}

static int dump(const Object *key, unsigned char *out)
{
    ULONG length;
    return !BCryptExportKey(key->key, NULL, L"ECCPRIVATEBLOB", out, PRIVATE_BYTES, &length, 0) && length == PRIVATE_BYTES;
}

static int restore(Object *key, unsigned char *data)
{
    return !BCryptImportKeyPair(algorithm(), NULL, L"ECCPRIVATEBLOB", &key->key, data, PRIVATE_BYTES, 0);
}

static int sign(const Object *key, unsigned char *digest, unsigned char *out)
{
    ULONG length;
    return !BCryptSignHash(key->key, NULL, digest, SIZE, out, 2 * SIZE, &length, 0) && length == 2 * SIZE;
}

static void discard(Object *key)
{
    if (key->key) BCryptDestroyKey(key->key);
}
#else
static int generate(Object *key)
{
    key->key = EVP_EC_gen("P-256");
    return key->key != NULL;
}

static int dump(const Object *key, unsigned char *out)
{
    unsigned char point[1 + 2 * SIZE];
    size_t length;
    BIGNUM *d = NULL;
    int fine = EVP_PKEY_get_octet_string_param(key->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &length) &&
               length == sizeof point && EVP_PKEY_get_bn_param(key->key, OSSL_PKEY_PARAM_PRIV_KEY, &d) &&
               BN_bn2binpad(d, out + PUBLIC_BYTES, SIZE) == SIZE;
    memcpy(out, "ECS2\x20\0\0\0", 8);
    memcpy(out + 8, point + 1, 2 * SIZE);
    BN_clear_free(d);
    return fine;
}

static int restore(Object *key, unsigned char *data)
{
    unsigned char point[1 + 2 * SIZE] = {4};
    memcpy(point + 1, data + 8, 2 * SIZE);
    BIGNUM *d = BN_bin2bn(data + PUBLIC_BYTES, SIZE, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *parameters = NULL;
    int fine = OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
               OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) &&
               OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) &&
               (parameters = OSSL_PARAM_BLD_to_param(build)) && EVP_PKEY_fromdata_init(context) > 0 &&
               EVP_PKEY_fromdata(context, &key->key, EVP_PKEY_KEYPAIR, parameters) > 0;
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    BN_clear_free(d);
    return fine;
}

static int sign(const Object *key, unsigned char *digest, unsigned char *out)
{
    unsigned char der[80];
    const unsigned char *start = der;
    size_t length = sizeof der;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->key, NULL);
    int fine = EVP_PKEY_sign_init(context) > 0 && EVP_PKEY_sign(context, der, &length, digest, SIZE) > 0;
    ECDSA_SIG *signature = fine ? d2i_ECDSA_SIG(NULL, &start, (long)length) : NULL;
    fine = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, SIZE) == SIZE &&
           BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + SIZE, SIZE) == SIZE;
    ECDSA_SIG_free(signature);
    EVP_PKEY_CTX_free(context);
    return fine;
}

static void discard(Object *key) { EVP_PKEY_free(key->key); }
#endif

static void destroy(Object *gone)
{
    if (gone->kind == 'K') discard(gone);
    gone->kind = 0; /* it stays, so that a handle that is used after it was freed is found out */
    __atomic_sub_fetch(&live, 1, __ATOMIC_SEQ_CST);
}

static void path_of(const Object *key, char *out, size_t room)
{
    snprintf(out, room, "%s/%s.%s", folder, key->name, key->is_tpm ? "tpm" : "software");
}

static int is(const wchar_t *text, const wchar_t *other) { return !wcscmp(text, other); }

static int narrow(const wchar_t *text, char *out, size_t room)
{
    size_t length = wcslen(text);
    if (length >= room) return 0;
    for (size_t i = 0; i <= length; i++) out[i] = (char)text[i];
    return 1;
}

/* -- the functions, as ncrypt.h declares them */
EXPORT Status CALL NCryptOpenStorageProvider(Handle *out, const wchar_t *name, Dword flags)
{
    int is_tpm = is(name, L"Microsoft Platform Crypto Provider");
    if (!is_tpm && !is(name, L"Microsoft Software Key Storage Provider")) return NTE_BAD_PROVIDER;
    FAULT(is_tpm);
    if (flags) return NTE_BAD_FLAGS;
    *out = (Handle)new_object('P', is_tpm);
    return OK;
}

EXPORT Status CALL NCryptIsAlgSupported(Handle handle, const wchar_t *algorithm_name, Dword flags)
{
    Object *provider = object(handle, 'P');
    if (!provider) return NTE_INVALID_HANDLE;
    FAULT(provider->is_tpm);
    if (flags & ~SILENT) return NTE_BAD_FLAGS;
    return is(algorithm_name, L"ECDSA_P256") ? OK : NTE_NOT_SUPPORTED;
}

EXPORT Status CALL NCryptOpenKey(Handle handle, Handle *out, const wchar_t *name, Dword spec, Dword flags)
{
    Object *provider = object(handle, 'P'), *key;
    unsigned char data[PRIVATE_BYTES];
    char path[700];
    if (!provider) return NTE_INVALID_HANDLE;
    FAULT(provider->is_tpm);
    if (spec || (flags & ~SILENT)) return NTE_BAD_FLAGS;
    key = new_object('K', provider->is_tpm);
    if (!narrow(name, key->name, sizeof key->name)) {
        destroy(key);
        return NTE_INVALID_PARAMETER;
    }
    path_of(key, path, sizeof path);
    FILE *file = fopen(path, "rb");
    int fine = file && fread(&key->policy, sizeof(Dword), 1, file) && fread(&key->usage, sizeof(Dword), 1, file) &&
               fread(data, sizeof data, 1, file) && restore(key, data);
    if (file) fclose(file);
    if (!fine) {
        destroy(key);
        return file ? NTE_INTERNAL_ERROR : NTE_BAD_KEYSET;
    }
    key->is_final = 1;
    *out = (Handle)key;
    return OK;
}

EXPORT Status CALL NCryptCreatePersistedKey(
    Handle handle, Handle *out, const wchar_t *algorithm_name, const wchar_t *name, Dword spec, Dword flags)
{
    Object *provider = object(handle, 'P'), *key;
    char path[700];
    if (!provider) return NTE_INVALID_HANDLE;
    FAULT(provider->is_tpm);
    if (spec || flags) return NTE_BAD_FLAGS;
    if (!is(algorithm_name, L"ECDSA_P256")) return NTE_NOT_SUPPORTED;
    key = new_object('K', provider->is_tpm);
    key->usage = key->stored_usage = 0xffffff;
    key->policy = key->stored_policy = 1; /* who says nothing gets a key that can be exported, if encrypted */
    if (!name || !narrow(name, key->name, sizeof key->name)) {
        destroy(key);
        return NTE_INVALID_PARAMETER;
    }
    path_of(key, path, sizeof path);
    FILE *file = fopen(path, "rb");
    if (file || !generate(key)) {
        if (file) fclose(file);
        destroy(key);
        return file ? NTE_EXISTS : NTE_INTERNAL_ERROR;
    }
    *out = (Handle)key;
    return OK;
}

EXPORT Status CALL NCryptSetProperty(Handle handle, const wchar_t *name, const unsigned char *value, Dword length, Dword flags)
{
    Object *key = object(handle, 'K');
    if (!key) return NTE_INVALID_HANDLE;
    FAULT(key->is_tpm);
    if (flags & ~(SILENT | PERSIST)) return NTE_BAD_FLAGS;
    if (key->is_final) return NTE_BAD_KEY_STATE;
    if (length != sizeof(Dword)) return NTE_INVALID_PARAMETER;
    if (is(name, L"Export Policy")) memcpy(&key->policy, value, length);
    else if (is(name, L"Key Usage")) memcpy(&key->usage, value, length);
    else return NTE_NOT_SUPPORTED;
    if (flags & PERSIST) {
        key->stored_policy = key->policy;
        key->stored_usage = key->usage;
    }
    return OK;
}

EXPORT Status CALL NCryptGetProperty(
    Handle handle, const wchar_t *name, unsigned char *out, Dword room, Dword *used, Dword flags)
{
    Object *key = object(handle, 'K');
    char narrowed[64];
    Dword value;
    if (!key || !narrow(name, narrowed, sizeof narrowed)) return NTE_INVALID_HANDLE;
    FAULT(key->is_tpm);
    if (flags & ~SILENT) return NTE_BAD_FLAGS;
    if (is(name, L"ECCCurveName")) { /* UTF-16, with its end */
        *used = (Dword)(2 * (strlen(curve) + 1));
        if (!out) return OK;
        if (room < *used) return NTE_BUFFER_TOO_SMALL;
        memset(out, 0, *used);
        for (size_t i = 0; curve[i]; i++) out[2 * i] = (unsigned char)curve[i];
        return OK;
    }
    if (is(name, L"Export Policy")) value = key->policy;
    else if (is(name, L"Impl Type")) value = key->is_tpm ? 1 : 2;
    else return NTE_NOT_SUPPORTED;
    *used = sizeof value;
    if (!strcmp(narrowed, changed_name)) {
        value = changed_value;
        *used = changed_length;
    }
    if (!out) return OK;
    if (room < sizeof value) return NTE_BUFFER_TOO_SMALL;
    memcpy(out, &value, sizeof value);
    return OK;
}

EXPORT Status CALL NCryptFinalizeKey(Handle handle, Dword flags)
{
    Object *key = object(handle, 'K');
    unsigned char data[PRIVATE_BYTES];
    char path[700];
    if (!key) return NTE_INVALID_HANDLE;
    FAULT(key->is_tpm);
    if (flags & ~SILENT) return NTE_BAD_FLAGS;
    if (key->is_final) return NTE_BAD_KEY_STATE;
    if (!dump(key, data)) return NTE_INTERNAL_ERROR;
    path_of(key, path, sizeof path);
    FILE *file = fopen(path, "wb");
    if (!file) return NTE_PERM;
    fwrite(&key->stored_policy, sizeof(Dword), 1, file);
    fwrite(&key->stored_usage, sizeof(Dword), 1, file);
    fwrite(data, sizeof data, 1, file);
    fclose(file);
    key->is_final = 1;
    return OK;
}

EXPORT Status CALL NCryptExportKey(Handle handle, Handle wrapping, const wchar_t *form, void *parameters,
    unsigned char *out, Dword room, Dword *used, Dword flags)
{
    Object *key = object(handle, 'K');
    unsigned char data[PRIVATE_BYTES];
    Dword length = PRIVATE_BYTES;
    if (!key) return NTE_INVALID_HANDLE;
    FAULT(key->is_tpm);
    if (flags & ~SILENT) return NTE_BAD_FLAGS;
    if (wrapping || parameters) return NTE_INVALID_PARAMETER;
    if (!key->is_final) return NTE_BAD_KEY_STATE;
    if (!dump(key, data)) return NTE_INTERNAL_ERROR;
    if (is(form, L"ECCPUBLICBLOB")) {
        length = PUBLIC_BYTES;
        memcpy(data, "ECS1", 4);
    } else if (!is(form, L"ECCPRIVATEBLOB") || !(leaks || (key->policy & 2))) return NTE_NOT_SUPPORTED;
    const unsigned char *source = data;
    if (length == PUBLIC_BYTES && public_length) {
        source = public_form;
        length = public_length;
    }
    *used = length;
    if (!out) return OK;
    if (room < length) return NTE_BUFFER_TOO_SMALL;
    memcpy(out, source, length);
    return OK;
}

EXPORT Status CALL NCryptSignHash(Handle handle, void *padding, unsigned char *digest, Dword digest_length,
    unsigned char *out, Dword room, Dword *used, Dword flags)
{
    Object *key = object(handle, 'K');
    if (!key) return NTE_INVALID_HANDLE;
    /* A key is for one thread at a time, which the caller has to see to. */
    if (__atomic_exchange_n(&key->busy, 1, __ATOMIC_SEQ_CST)) return NTE_INTERNAL_ERROR;
    Status status = fault(__func__, key->is_tpm);
    if (status) ;
    else if (padding || (flags & ~SILENT)) status = NTE_BAD_FLAGS;
    else if (!key->is_final) status = NTE_BAD_KEY_STATE;
    else if (digest_length != SIZE) status = NTE_INVALID_PARAMETER;
    else if (!(key->usage & 2)) status = NTE_PERM;
    else {
        *used = signature_length ? signature_length : 2 * SIZE;
        if (out && room < 2 * SIZE) status = NTE_BUFFER_TOO_SMALL;
        else if (out && !sign(key, digest, out)) status = NTE_INTERNAL_ERROR;
    }
    __atomic_store_n(&key->busy, 0, __ATOMIC_SEQ_CST);
    return status;
}

EXPORT Status CALL NCryptDeleteKey(Handle handle, Dword flags)
{
    Object *key = object(handle, 'K');
    char path[700];
    if (!key) return NTE_INVALID_HANDLE;
    FAULT(key->is_tpm);
    if (flags & ~SILENT) return NTE_BAD_FLAGS;
    path_of(key, path, sizeof path);
    remove(path);
    destroy(key);
    return OK;
}

EXPORT Status CALL NCryptFreeObject(Handle handle)
{
    Object *found = (Object *)handle;
    if (!found || (found->kind != 'P' && found->kind != 'K')) return NTE_INVALID_HANDLE;
    FAULT(found->is_tpm);
    destroy(found);
    return OK;
}
