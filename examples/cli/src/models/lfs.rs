//! Git LFS pointers: what a repository holds in place of a big file, and what tells its size and SHA-256.
//! Source: the Git LFS specification, <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.

/// What a big file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Pointer {
    /// Reads a pointer; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next()?.strip_prefix("version ")?;
        let (mut sha256, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", oid) => sha256 = oid.strip_prefix("sha256:").filter(|hex| is_digest(hex)),
                ("size", bytes) => size = bytes.parse().ok(),
                _ => {}
            }
        }
        Some(Self { sha256: sha256?.to_owned(), size: size? })
    }
}

fn is_digest(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pointers_and_nothing_else() {
        let digest = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 12345\n");
        assert_eq!(Pointer::parse(&text), Some(Pointer { sha256: digest.into(), size: 12345 }));
        for wrong in [
            String::new(),
            "<!doctype html>".into(),
            text.replace("sha256:", "sha1:"),
            text.replace("12345", "many"),
            text.replace(digest, &digest[1..]),
            text.replace("version ", ""),
        ] {
            assert_eq!(Pointer::parse(&wrong), None, "{wrong}");
        }
    }
}
