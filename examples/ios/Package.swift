// swift-tools-version:5.9
import PackageDescription

// ffi/packaging/apple.sh makes the framework.
let package = Package(
    name: "Linnet",
    platforms: [.iOS(.v13), .macOS(.v11)],
    products: [.library(name: "Linnet", targets: ["Linnet"])],
    targets: [
        .binaryTarget(name: "CLinnet", path: "Linnet.xcframework"),
        .target(name: "Linnet", dependencies: ["CLinnet"]),
        .testTarget(name: "LinnetTests", dependencies: ["Linnet"]),
    ]
)
