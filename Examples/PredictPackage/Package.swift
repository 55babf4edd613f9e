// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "PredictPackage",
    dependencies: [.package(name: "camtl", path: "../..")],
    targets: [
        .executableTarget(
            name: "predict",
            dependencies: [.product(name: "CAMTL", package: "camtl"), .product(name: "Training", package: "camtl")])
    ],
    cxxLanguageStandard: .cxx20
)
