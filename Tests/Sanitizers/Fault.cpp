// A program with a fault for each sanitizer, which `make sanitize` wants to see found before it runs the tests.

#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

int main(int count, char **arguments) {
    if (count != 2) return 2;
    if (std::strcmp(arguments[1], "address") == 0) {
        volatile char *bytes = static_cast<char *>(std::malloc(4));
        bytes[count + 2] = 1;
        return bytes[count + 2];
    }
    if (std::strcmp(arguments[1], "undefined") == 0) {
        volatile int number = std::numeric_limits<int>::max();
        number = number + count;
        return 0;
    }
    if (std::strcmp(arguments[1], "thread") == 0) {
        int number = 0;
        std::thread other([&] { ++number; });
        ++number;
        other.join();
        return 0;
    }
    return 2;
}
