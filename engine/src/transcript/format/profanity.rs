//! Words that a host may not want to show.

/// Stems; with what [`ENDINGS`] lists they make the words.
const STEMS: [&str; 17] = [
    "arsehole",
    "asshole",
    "bastard",
    "bitch",
    "bollock",
    "bullshit",
    "cocksuck",
    "cunt",
    "dickhead",
    "fuck",
    "goddamn",
    "motherfuck",
    "piss",
    "shit",
    "slut",
    "twat",
    "wank",
];

const ENDINGS: [&str; 11] = ["", "s", "es", "ed", "er", "ers", "in", "in'", "ing", "y", "head"];

/// Whether a word in lower case is profane.
pub(super) fn is_profane(word: &str) -> bool {
    STEMS.iter().any(|stem| word.strip_prefix(stem).is_some_and(|ending| ENDINGS.contains(&ending)))
}
