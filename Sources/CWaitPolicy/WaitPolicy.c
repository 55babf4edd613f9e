// By default OpenMP's threads spin for milliseconds at the end of every parallel loop. Where other processes want the
// same processors, each loop then waits for a thread that isn't running, and a step takes several times as long. The
// library reads its environment when it is loaded, before any code of ours: so the program starts itself again with a
// short spin. It does that before libtorch prepares itself, which takes most of the time that a start takes.

#include <alloca.h>
#include <stddef.h>
#include <unistd.h>

// libc is not ready this early, nor is a sanitizer, which may take the place of libc's functions.
#define EARLY __attribute__((no_builtin, no_sanitize("address", "thread", "undefined")))

EARLY static int is_named(const char *variable, const char *name) {
    for (; *name != '\0'; variable++, name++) {
        if (*variable != *name) return 0;
    }
    return *variable == '=';
}

EARLY static void settle(int count, char **arguments, char **environment) {
    size_t variables = 0;
    for (; environment[variables] != NULL; variables++) {
        const char *variable = environment[variables];
        if (is_named(variable, "OMP_WAIT_POLICY") || is_named(variable, "GOMP_SPINCOUNT")) return;
    }
    char **longer = alloca((variables + 2) * sizeof(char *));
    for (size_t i = 0; i < variables; i++) longer[i] = environment[i];
    longer[variables] = "GOMP_SPINCOUNT=10000";
    longer[variables + 1] = NULL;
    // Returns only if it fails; the program then goes on as it is.
    execve("/proc/self/exe", arguments, longer);
}

__attribute__((section(".preinit_array"), used))
static void (*const early)(int, char **, char **) = settle;
