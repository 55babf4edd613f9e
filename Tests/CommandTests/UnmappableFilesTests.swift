import Foundation
import XCTest

/// Some file systems, in user space or on a network, can't map files into memory. A library that is loaded before the
/// system's stands for one.
final class UnmappableFilesTests: CommandTestCase {
    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <unistd.h>
        void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
            static void *(*real)(void *, size_t, int, int, int, off_t);
            if (!real) real = dlsym(RTLD_NEXT, "mmap");
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t length = file < 0 ? -1 : readlink(link, path, sizeof path - 1);
            const char *folder = getenv("UNMAPPABLE");
            if (length > 0 && folder && strncmp(path, folder, strlen(folder)) == 0) {
                errno = ENODEV;
                return MAP_FAILED;
            }
            return real(address, size, protection, flags, file, offset);
        }
        void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset) {
            return mmap(address, size, protection, flags, file, offset);
        }
        """

    /// What lets the program map no file in a folder.
    private func environment(folder: URL) throws -> [String: String] {
        let (code, library) = (self.folder.appendingPathComponent("no.c"), self.folder.appendingPathComponent("no.so"))
        try Self.source.write(to: code, atomically: true, encoding: .utf8)
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["cc", "-shared", "-fPIC", "-O1", "-o", library.path, code.path, "-ldl"]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw XCTSkip("needs a C compiler") }
        return ["LD_PRELOAD": library.path, "UNMAPPABLE": folder.path]
    }

    func testWhatCannotBeMappedIsRead() throws {
        try TinyEncoder().write(to: encoder)
        try TinyGLUE.write(["rte"], to: data)
        func run(_ name: String, _ environment: [String: String]) throws -> [String: Data] {
            let output = folder.appendingPathComponent(name)
            try camtl(
                arguments(
                    output: output, "--do_train", "--do_eval", "--do_predict", "--max_steps", "3", "--save_steps", "2",
                    "--logging_steps", "0", "--overwrite_cache"), environment: environment)
            return try contents(of: output).filter {
                $0.key.hasSuffix(".safetensors") || $0.key == "eval_results.json" || $0.key.hasSuffix(".zip")
            }
        }
        // The model's folder, the data and the cache of features lie in it.
        let environment = try environment(folder: folder.deletingLastPathComponent().resolvingSymlinksInPath())
        let (mapped, read) = (try run("mapped", [:]), try run("read", environment))
        XCTAssertEqual(mapped, read)
        XCTAssertGreaterThan(mapped.count, 3)
        // And from the cache that is there.
        XCTAssertEqual(try run("again", environment), read)
    }
}
