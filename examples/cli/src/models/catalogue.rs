//! What can be pulled.

use serde::Serialize;

/// A public model that the converter reads.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What a user types.
    pub name: &'static str,
    /// Owner and name on huggingface.co.
    pub repository: &'static str,
    /// Branch or commit.
    pub revision: &'static str,
    /// The checkpoint in the repository.
    pub file: &'static str,
    /// Millions of weights.
    pub parameters_m: u32,
    /// Size of the checkpoint.
    pub download_mb: u32,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
    /// Its text.
    pub licence_url: &'static str,
    /// Whom the licence wants named.
    pub attribution: &'static str,
    /// One line.
    pub about: &'static str,
}

/// NVIDIA's cache-aware streaming FastConformer transducers.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        name: "fastconformer-en-32m",
        repository: "nvidia/stt_en_fastconformer_hybrid_medium_streaming_80ms",
        revision: "main",
        file: "stt_en_fastconformer_hybrid_medium_streaming_80ms.nemo",
        parameters_m: 32,
        download_mb: 127,
        licence: "CC-BY-4.0",
        licence_url: "https://creativecommons.org/licenses/by/4.0/",
        attribution: "NVIDIA Corporation",
        about: "English, lower case, 80 ms look-ahead",
    },
    Entry {
        name: "fastconformer-en-32m-pc",
        repository: "nvidia/stt_en_fastconformer_hybrid_medium_streaming_80ms_pc",
        revision: "main",
        file: "stt_en_fastconformer_hybrid_medium_streaming_80ms_pc.nemo",
        parameters_m: 32,
        download_mb: 127,
        licence: "CC-BY-4.0",
        licence_url: "https://creativecommons.org/licenses/by/4.0/",
        attribution: "NVIDIA Corporation",
        about: "English, punctuation and capitals, 80 ms look-ahead",
    },
    Entry {
        name: "fastconformer-en-114m",
        repository: "nvidia/stt_en_fastconformer_hybrid_large_streaming_multi",
        revision: "main",
        file: "stt_en_fastconformer_hybrid_large_streaming_multi.nemo",
        parameters_m: 114,
        download_mb: 460,
        licence: "CC-BY-4.0",
        licence_url: "https://creativecommons.org/licenses/by/4.0/",
        attribution: "NVIDIA Corporation",
        about: "English, lower case, look-ahead of 0 to 1,040 ms",
    },
];

/// The entry of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}
