//! `include/linnet.h` is what cbindgen makes from the crate.

use std::{fs, path::Path};

/// Set to write the header anew instead of comparing it.
const UPDATE: &str = "LINNET_UPDATE_HEADER";

/// Where the header's parts are, in the order in which it shows them.
const SOURCES: [&str; 16] = [
    "version.rs",
    "error.rs",
    "logging.rs",
    "engine.rs",
    "hotwords.rs",
    "grammar.rs",
    "language_model.rs",
    "format.rs",
    "config.rs",
    "policy.rs",
    "event.rs",
    "metrics.rs",
    "stream.rs",
    "live.rs",
    "devices.rs",
    "transcript.rs",
];

/// cbindgen gives an enum a fixed type in C++ and C23 only, and in older C a `typedef` of the same name, which Swift takes
/// for another type than that of the constants. Objective-C and Swift know fixed types too.
fn with_enums_for_swift(header: String) -> String {
    let open = "#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L\n";
    let close = "#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L\n";
    let definition = "#if defined(__cplusplus) || defined(__OBJC__) || defined(__swift__) || \\\n    \
                      (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)\n#define LINNET_FIXED_ENUMS\n#endif\n";
    assert!(header.contains(open) && header.contains(close), "cbindgen writes enums in another way");
    header
        .replace(open, "#ifdef LINNET_FIXED_ENUMS\n")
        .replace(close, "#endif // LINNET_FIXED_ENUMS\n")
        .replace("#if __STDC_VERSION__ >= 202311L\n", "#ifdef LINNET_FIXED_ENUMS\n")
        .replace("#endif // __STDC_VERSION__ >= 202311L\n", "#endif // LINNET_FIXED_ENUMS\n")
        .replacen("#include <stdint.h>\n", &format!("#include <stdint.h>\n\n{definition}"), 1)
}

#[test]
fn the_header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, source| {
        builder.with_src(root.join("src").join(source))
    });
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let header = with_enums_for_swift(String::from_utf8(header).unwrap());
    let path = root.join("include/linnet.h");
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, header).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(
        committed == header,
        "{} is out of date; run {UPDATE}=1 cargo test -p linnet-ffi --test header",
        path.display()
    );
}
