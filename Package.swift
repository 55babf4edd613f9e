// swift-tools-version: 6.1
import Foundation
import PackageDescription

// CTorch, the C++ around libtorch, is a shared library that `make build` builds with Sources/CTorch/Makefile, so that
// it can be built again alone, for another libtorch. The manifest only needs to know where it lies. A package that
// depends on a version of this one may not be given such flags as tell the linker so: it compiles CTorch itself, and
// finds libtorch by pkg-config, under the name camtl-libtorch, in one of the folders of PKG_CONFIG_PATH. CTORCH_DIR
// goes first.
let chosen = Context.environment["CTORCH_DIR"]
let folders = (Context.environment["PKG_CONFIG_PATH"] ?? "").split(separator: ":")
let usesPkgConfig =
    chosen == nil && folders.contains { FileManager.default.fileExists(atPath: $0 + "/camtl-libtorch.pc") }
let ctorch = chosen ?? Context.packageDirectory + "/.build/ctorch"
guard usesPkgConfig || FileManager.default.fileExists(atPath: ctorch + "/libctorch.so") else {
    FileHandle.standardError.write(
        Data(
            """
            camtl: no libctorch.so in \(ctorch), and no camtl-libtorch.pc in PKG_CONFIG_PATH; run `make build`, or set \
            CTORCH_DIR to the folder of one that `make -C Sources/CTorch` has built.

            """.utf8))
    exit(1)
}
let engine: [Target] =
    usesPkgConfig
    ? [
        .target(
            name: "CTorch", dependencies: ["CLibtorch"], exclude: ["Makefile"],
            cxxSettings: [.headerSearchPath("Declarations")],
            linkerSettings: [.linkedLibrary("torch_cpu"), .linkedLibrary("c10")]),
        .systemLibrary(name: "CLibtorch", pkgConfig: "camtl-libtorch"),
    ] : [.systemLibrary(name: "CTorch", path: "Sources/CTorch/include")]
let libraries: [LinkerSetting] =
    usesPkgConfig
    ? []
    : [
        .linkedLibrary("ctorch"),
        // Not an RPATH in the old sense, which LD_LIBRARY_PATH could not put another libctorch.so before.
        .unsafeFlags([
            "-L" + ctorch, "-Xlinker", "-rpath", "-Xlinker", ctorch, "-Xlinker", "--enable-new-dtags",
        ]),
    ]

// Of the functions that Foundation looks for in libcurl, Downloads has some in their place. See ContentLengthGuard.swift
// and HeadGuard.swift.
let replaced = ["curl_easy_getinfo", "curl_easy_setopt", "curl_easy_cleanup", "curl_multi_info_read"]
let guarded: [LinkerSetting] =
    usesPkgConfig ? [] : [.unsafeFlags(replaced.flatMap { ["-Xlinker", "--export-dynamic-symbol=\($0)"] })]

let swift: [SwiftSetting] = [.enableUpcomingFeature("ExistentialAny")]
// Optimising the tests takes several times as long as compiling them, and they spend their time in what they test.
let test = swift + (usesPkgConfig ? [] : [.unsafeFlags(["-Onone"], .when(configuration: .release))])

let package = Package(
    name: "camtl",
    products: [
        .executable(name: "camtl", targets: ["CamtlCommand"]),
        .library(name: "Downloads", targets: ["Downloads"]),
        .library(name: "Torch", targets: ["Torch"]),
        .library(name: "Tokenization", targets: ["Tokenization"]),
        .library(name: "Tasks", targets: ["Tasks"]),
        .library(name: "CAMTL", targets: ["CAMTL"]),
        .library(name: "Training", targets: ["Training"]),
        .library(name: "Reporting", targets: ["Reporting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: engine + [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CWaitPolicy"),
        .target(name: "Files", dependencies: ["CZlib"], swiftSettings: swift),
        .target(name: "Downloads", dependencies: ["Files"], swiftSettings: swift),
        .target(
            name: "Torch", dependencies: ["CTorch", "Files"], swiftSettings: swift, linkerSettings: libraries),
        .target(name: "Tokenization", dependencies: ["Files"], swiftSettings: swift),
        .target(
            name: "Tasks",
            dependencies: ["Files", "Tokenization", .product(name: "Yams", package: "Yams")],
            swiftSettings: swift),
        .target(name: "CAMTL", dependencies: ["Files", "Torch", "Tasks", "Tokenization"], swiftSettings: swift),
        .target(
            name: "Training", dependencies: ["CAMTL", "Files", "Tasks", "Torch", "Tokenization"],
            swiftSettings: swift),
        .target(
            name: "Reporting",
            dependencies: [
                "Training", "CAMTL", "Files", "Tasks",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["TensorBoard/event.proto"], swiftSettings: swift),
        .executableTarget(
            name: "CamtlCommand",
            dependencies: [
                "Reporting", "Training", "CAMTL", "Files", "Tasks", "Tokenization", "Torch", "Downloads", "CWaitPolicy",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift, linkerSettings: guarded),
        .target(
            name: "TestSupport", dependencies: ["Torch"], path: "Tests/TestSupport", exclude: ["faulty_server.py", "make_archives.py"],
            swiftSettings: test),
        .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"], swiftSettings: test),
        .testTarget(
            name: "DownloadsTests", dependencies: ["Downloads", "Files", "TestSupport"], swiftSettings: test,
            linkerSettings: guarded),
        .testTarget(
            name: "TorchTests", dependencies: ["TestSupport", "Torch"], exclude: ["Checkpoints/Fixtures"], swiftSettings: test),
        .testTarget(
            name: "TokenizationTests", dependencies: ["TestSupport", "Tokenization"], exclude: ["Fixtures"],
            swiftSettings: test),
        .testTarget(name: "TasksTests", dependencies: ["Files", "Tasks", "TestSupport"], swiftSettings: test),
        .testTarget(name: "CAMTLTests", dependencies: ["CAMTL", "TestSupport", "Training"], swiftSettings: test),
        .testTarget(name: "ReportingTests", dependencies: ["Reporting", "TestSupport"], swiftSettings: test),
        .testTarget(name: "TrainingTests", dependencies: ["TestSupport", "Training"], swiftSettings: test),
        .testTarget(name: "CommandTests", dependencies: ["TestSupport", "Torch"], swiftSettings: test),
    ],
    cxxLanguageStandard: .cxx20
)
