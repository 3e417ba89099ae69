/*
 * A stand-in for the functions of Core Foundation and Security that the key store secure-enclave: calls, over OpenSSL.
 *
 * It shows that a caller passes the right things and releases what is its own, and nothing else. Of the enclave it imitates
 * what others have reported from real Macs: a permanent key needs an entitlement (-34018), no private key comes out, and
 * where the encrypted key is missing or of another Mac, a new key is made without a word. It shows nothing of macOS.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Object {
    char kind; /* Data, String, Number, Map, Key, Error, Access */
    int references, is_constant, is_public, busy;
    long count;
    unsigned char *bytes;
    struct Object **keys, **values;
    EVP_PKEY *key;
    long code;
    unsigned long flags;
} Object;

enum { UTF_8 = 0x08000100, SINT32 = 3, PARAMETER = -50, UNIMPLEMENTED = -4, MISSING_ENTITLEMENT = -34018 };
#define PRIVATE_KEY_USAGE (1ul << 30)

#define CONSTANT(name)                                                                            \
    static Object name##_object = {.kind = 'S', .references = 1, .is_constant = 1,                \
        .count = sizeof(#name) - 1, .bytes = (unsigned char *)#name};                             \
    Object *name = &name##_object;
CONSTANT(kSecAttrKeyType)
CONSTANT(kSecAttrKeyTypeECSECPrimeRandom)
CONSTANT(kSecAttrKeySizeInBits)
CONSTANT(kSecAttrTokenID)
CONSTANT(kSecAttrTokenIDSecureEnclave)
CONSTANT(kSecPrivateKeyAttrs)
CONSTANT(kSecAttrIsPermanent)
CONSTANT(kSecAttrAccessControl)
CONSTANT(kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly)
CONSTANT(kSecAttrKeyClass)
CONSTANT(kSecAttrKeyClassPrivate)
CONSTANT(kSecKeyAlgorithmECDSASignatureMessageX962SHA256)
CONSTANT(kCFBooleanTrue)
CONSTANT(kCFBooleanFalse)
char kCFTypeDictionaryKeyCallBacks[48], kCFTypeDictionaryValueCallBacks[40];

/* What a test has asked for, and what it wants to know. */
static char failing[64];
static long failing_code;
static int failing_pause_ms, leaks, has_no_blob;
static unsigned char mac = 1; /* which one this is */
static unsigned char shown[20000];
static long shown_length;
static char shown_by[64];
static long live, wrong;
static unsigned long last_flags;

long standin_live(void) { return __atomic_load_n(&live, __ATOMIC_SEQ_CST); }
long standin_wrong(void) { return __atomic_load_n(&wrong, __ATOMIC_SEQ_CST); }
unsigned long standin_flags(void) { return last_flags; }
void standin_leak(void) { leaks = 1; }
void standin_no_blob(void) { has_no_blob = 1; }
void standin_other_mac(void) { mac = 2; }

/* A function fails with a code; with 0 it leaves no error. */
void standin_fail(const char *name, long code, int pause_ms)
{
    snprintf(failing, sizeof failing, "%s", name);
    failing_code = code;
    failing_pause_ms = pause_ms;
}

/* A function returns this data. */
void standin_show(const char *name, const unsigned char *data, long length)
{
    if (length > (long)sizeof shown) abort();
    snprintf(shown_by, sizeof shown_by, "%s", name);
    memcpy(shown, data, (size_t)length);
    shown_length = length;
}

void standin_reset(void)
{
    failing[0] = shown_by[0] = 0;
    leaks = has_no_blob = 0;
    mac = 1;
    wrong = 0;
}

static void mistake(void) { __atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST); }

static Object *new_object(char kind)
{
    Object *made = calloc(1, sizeof *made);
    if (!made) abort();
    made->kind = kind;
    made->references = 1;
    __atomic_add_fetch(&live, 1, __ATOMIC_SEQ_CST);
    return made;
}

static Object *new_bytes(char kind, const void *bytes, long count)
{
    Object *made = new_object(kind);
    made->bytes = malloc((size_t)count + 1);
    memcpy(made->bytes, bytes, (size_t)count);
    made->count = count;
    return made;
}

static Object *new_key(EVP_PKEY *key)
{
    Object *made = new_object('K');
    made->key = key;
    return made;
}

/* Whether it is what it should be, and has not been released. */
static int is(Object *object, char kind)
{
    int fine = object && object->references > 0 && object->kind == kind;
    if (!fine) mistake();
    return fine;
}

static int fails(const char *function, Object **error)
{
    if (strcmp(function, failing)) return 0;
    if (failing_pause_ms) usleep((useconds_t)failing_pause_ms * 1000);
    if (error && failing_code) {
        *error = new_object('E');
        (*error)->code = failing_code;
    }
    return 1;
}

static void *refuse(Object **error, long code)
{
    if (!error || *error) mistake();
    else {
        *error = new_object('E');
        (*error)->code = code;
    }
    return NULL;
}

static Object *retain(Object *object)
{
    if (object && object->references > 0) __atomic_add_fetch(&object->references, 1, __ATOMIC_SEQ_CST);
    else mistake();
    return object;
}

/* -- Core Foundation */
void CFRelease(Object *object)
{
    if (!object || object->references <= 0 || object->is_constant) {
        if (!object || object->references <= 0) mistake();
        return;
    }
    if (__atomic_sub_fetch(&object->references, 1, __ATOMIC_SEQ_CST)) return;
    for (long i = 0; object->keys && i < object->count; i++) {
        CFRelease(object->keys[i]);
        CFRelease(object->values[i]);
    }
    EVP_PKEY_free(object->key);
    __atomic_sub_fetch(&live, 1, __ATOMIC_SEQ_CST); /* its memory stays, so that a second release is found out */
}

Object *CFDataCreate(void *allocator, const void *bytes, long count)
{
    if (allocator) mistake();
    return new_bytes('D', bytes, count);
}

long CFDataGetLength(Object *data) { return is(data, 'D') ? data->count : -1; }

void *CFDataGetBytePtr(Object *data) { return is(data, 'D') ? data->bytes : NULL; }

Object *CFStringCreateWithCString(void *allocator, const char *text, uint32_t encoding)
{
    if (allocator || encoding != UTF_8) mistake();
    return fails(__func__, NULL) ? NULL : new_bytes('S', text, (long)strlen(text));
}

unsigned char CFStringGetCString(Object *text, char *out, long room, uint32_t encoding)
{
    if (!is(text, 'S') || encoding != UTF_8 || text->count >= room || fails(__func__, NULL)) return 0;
    memcpy(out, text->bytes, (size_t)text->count);
    out[text->count] = 0;
    return 1;
}

Object *CFNumberCreate(void *allocator, long type, const void *value)
{
    if (allocator || type != SINT32) mistake();
    return new_bytes('N', value, 4);
}

Object *CFDictionaryCreate(
    void *allocator, Object **keys, Object **values, long count, const void *for_keys, const void *for_values)
{
    if (allocator || for_keys != kCFTypeDictionaryKeyCallBacks || for_values != kCFTypeDictionaryValueCallBacks) mistake();
    Object *made = new_object('M');
    made->count = count;
    made->keys = calloc((size_t)count, sizeof(Object *));
    made->values = calloc((size_t)count, sizeof(Object *));
    for (long i = 0; i < count; i++) {
        made->keys[i] = retain(keys[i]);
        made->values[i] = retain(values[i]);
    }
    return made;
}

Object *CFDictionaryGetValue(Object *map, Object *key)
{
    if (!is(map, 'M') || !is(key, 'S')) return NULL;
    for (long i = 0; i < map->count; i++)
        if (map->keys[i]->count == key->count && !memcmp(map->keys[i]->bytes, key->bytes, (size_t)key->count))
            return map->values[i];
    return NULL;
}

long CFErrorGetCode(Object *error) { return is(error, 'E') ? error->code : 0; }

Object *CFErrorCopyDescription(Object *error)
{
    static const char text[] = "The stand-in was told to fail.";
    return is(error, 'E') ? new_bytes('S', text, sizeof text - 1) : NULL;
}

/* -- Security */
Object *SecAccessControlCreateWithFlags(void *allocator, Object *protection, unsigned long flags, Object **error)
{
    if (fails(__func__, error)) return NULL;
    if (allocator || protection != kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly || !(flags & PRIVATE_KEY_USAGE))
        return refuse(error, PARAMETER);
    Object *made = new_object('A');
    last_flags = made->flags = flags;
    return made;
}

static Object *value_of(Object *map, Object *key) { return CFDictionaryGetValue(map, key); }

static int is_for_the_enclave(Object *map)
{
    return value_of(map, kSecAttrKeyType) == kSecAttrKeyTypeECSECPrimeRandom &&
           value_of(map, kSecAttrTokenID) == kSecAttrTokenIDSecureEnclave;
}

Object *SecKeyCreateRandomKey(Object *wanted, Object **error)
{
    if (fails(__func__, error)) return NULL;
    if (!is(wanted, 'M')) return refuse(error, PARAMETER);
    Object *bits = value_of(wanted, kSecAttrKeySizeInBits), *private = value_of(wanted, kSecPrivateKeyAttrs);
    int32_t size = 0;
    if (bits && is(bits, 'N')) memcpy(&size, bits->bytes, sizeof size);
    if (!is_for_the_enclave(wanted) || size != 256 || !private || !is(private, 'M') ||
        !is(value_of(private, kSecAttrAccessControl), 'A'))
        return refuse(error, PARAMETER);
    if (value_of(private, kSecAttrIsPermanent) != kCFBooleanFalse) return refuse(error, MISSING_ENTITLEMENT);
    return new_key(EVP_EC_gen("P-256"));
}

/* The encrypted key is here the plain one behind the number of the Mac. */
Object *SecKeyCopyAttributes(Object *key)
{
    unsigned char *der = NULL, *blob;
    if (!is(key, 'K') || fails(__func__, NULL)) return NULL;
    int length = i2d_PrivateKey(key->key, &der);
    blob = malloc((size_t)length + 1);
    blob[0] = mac;
    memcpy(blob + 1, der, (size_t)length);
    Object *name = new_bytes('S', has_no_blob ? "labl" : "toid", 4);
    Object *data = strcmp(__func__, shown_by) ? new_bytes('D', blob, length + 1) : new_bytes('D', shown, shown_length);
    Object *made = CFDictionaryCreate(
        NULL, &name, &data, 1, kCFTypeDictionaryKeyCallBacks, kCFTypeDictionaryValueCallBacks);
    CFRelease(name);
    CFRelease(data);
    OPENSSL_free(der);
    free(blob);
    return made;
}

Object *SecKeyCreateWithData(Object *data, Object *wanted, Object **error)
{
    Object name = {.kind = 'S', .references = 1, .count = 4, .bytes = (unsigned char *)"toid"};
    if (fails(__func__, error)) return NULL;
    if (!is(data, 'D') || !is(wanted, 'M') || !is_for_the_enclave(wanted) ||
        value_of(wanted, kSecAttrKeyClass) != kSecAttrKeyClassPrivate)
        return refuse(error, PARAMETER);
    Object *blob = value_of(wanted, &name);
    EVP_PKEY *key = NULL;
    if (blob && is(blob, 'D') && blob->count > 1 && blob->bytes[0] == mac) {
        const unsigned char *start = blob->bytes + 1;
        key = d2i_AutoPrivateKey(NULL, &start, blob->count - 1);
    }
    return new_key(key ? key : EVP_EC_gen("P-256"));
}

Object *SecKeyCopyPublicKey(Object *key)
{
    if (!is(key, 'K') || fails(__func__, NULL)) return NULL;
    EVP_PKEY_up_ref(key->key);
    Object *made = new_key(key->key);
    made->is_public = 1;
    return made;
}

Object *SecKeyCopyExternalRepresentation(Object *key, Object **error)
{
    unsigned char *point = NULL;
    if (!is(key, 'K')) return refuse(error, PARAMETER);
    if (!key->is_public && !leaks) return refuse(error, UNIMPLEMENTED);
    if (fails(__func__, error)) return NULL;
    if (!strcmp(__func__, shown_by)) return new_bytes('D', shown, shown_length);
    size_t length = EVP_PKEY_get1_encoded_public_key(key->key, &point);
    Object *made = new_bytes('D', point, (long)length);
    OPENSSL_free(point);
    return made;
}

Object *SecKeyCreateSignature(Object *key, Object *algorithm, Object *message, Object **error)
{
    unsigned char signature[80];
    size_t length = sizeof signature;
    if (!is(key, 'K') || !is(message, 'D') || key->is_public ||
        algorithm != kSecKeyAlgorithmECDSASignatureMessageX962SHA256)
        return refuse(error, PARAMETER);
    /* A key is for one thread at a time, which the caller has to see to. */
    if (__atomic_exchange_n(&key->busy, 1, __ATOMIC_SEQ_CST)) mistake();
    int failed = fails(__func__, error);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->key);
    EVP_DigestSign(context, signature, &length, message->bytes, (size_t)message->count);
    EVP_MD_CTX_free(context);
    __atomic_store_n(&key->busy, 0, __ATOMIC_SEQ_CST);
    if (failed) return NULL;
    if (!strcmp(__func__, shown_by)) return new_bytes('D', shown, shown_length);
    return new_bytes('D', signature, (long)length);
}
