// Tells ThreadSanitizer of an order between threads that it can't see: that which is made in libraries that are not
// compiled with it. Linked into the programs of `make sanitize SANITIZER=thread`, whose symbols go before the
// libraries'.

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

// OpenMP: what comes before a parallel region comes before each of its bodies, and those before what follows it.
// libgomp waits by atomics and futexes of its own.

struct region {
    void (*body)(void *);
    void *data;
    char begins, ends;
};

static void run(void *pointer) {
    struct region *region = pointer;
    __tsan_acquire(&region->begins);
    region->body(region->data);
    __tsan_release(&region->ends);
}

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags) {
    static void (*real)(void (*)(void *), void *, unsigned, unsigned);
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) {
        __atomic_store_n(&real, REAL("GOMP_parallel", __typeof__(real)), __ATOMIC_RELAXED);
    }
    struct region region = {body, data, 0, 0};
    __tsan_release(&region.begins);
    __atomic_load_n(&real, __ATOMIC_RELAXED)(run, &region, threads, flags);
    __tsan_acquire(&region.ends);
}

// Swift's Mutex: where no other thread wants it, it is locked and unlocked by atomics in the code of its user, which
// are seen; otherwise by these three functions of libswiftSynchronization.so.

#define MUTEX "$s15Synchronization12_MutexHandleV"
#define LOCK MUTEX "9_lockSlowyys6UInt32VF"
#define TRY_LOCK MUTEX "12_tryLockSlowSbyF"
#define UNLOCK MUTEX "11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

SWIFT void lock_slowly(uint32_t thread, CONTEXT void *mutex) __asm__(LOCK);
SWIFT bool try_lock_slowly(CONTEXT void *mutex) __asm__(TRY_LOCK);
SWIFT void unlock_slowly(CONTEXT void *mutex) __asm__(UNLOCK);

typedef SWIFT void (*lock_function)(uint32_t, CONTEXT void *);
typedef SWIFT bool (*try_lock_function)(CONTEXT void *);
typedef SWIFT void (*unlock_function)(CONTEXT void *);

SWIFT void lock_slowly(uint32_t thread, CONTEXT void *mutex) {
    REAL(LOCK, lock_function)(thread, mutex);
    __tsan_acquire(mutex);
}

SWIFT bool try_lock_slowly(CONTEXT void *mutex) {
    if (!REAL(TRY_LOCK, try_lock_function)(mutex)) return false;
    __tsan_acquire(mutex);
    return true;
}

SWIFT void unlock_slowly(CONTEXT void *mutex) {
    __tsan_release(mutex);
    REAL(UNLOCK, unlock_function)(mutex);
}
