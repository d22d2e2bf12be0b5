//! What a host chooses.

/// How words are written. By default as the model spells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatConfig {
    /// Numbers in digits: "twenty five" as 25.
    pub numerals: bool,
    /// Also money, times, dates, telephone numbers, units, spelled letters and sites. Includes `numerals`.
    pub smart: bool,
    /// Capitals where English wants them, and a full stop where a pause ended an utterance. The model hears no commas
    /// and no questions, so none are written. Does nothing where the model writes capitals itself.
    pub punctuate: bool,
    /// Profane words as `****`.
    pub profanity_filter: bool,
    /// Words to write instead of others, in lower case: what is said, what is written (empty for nothing).
    pub replace: Vec<(String, String)>,
    /// Numbers that are hidden.
    pub redact: Redaction,
}

/// Numbers that are written as `****`. Any of them turns `numerals` on, since they are found in digits.
///
/// A number that a pause cuts in two ends up in two utterances; so with `cards` and `ssn` a run of four digits or more
/// is hidden too where it touches the start or the end of an utterance. What is hidden keeps its times. The
/// recognizer's own words (`Hypothesis::text`) are not touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redaction {
    /// Runs of three digits or more.
    pub numbers: bool,
    /// Everything with a digit.
    pub all_numbers: bool,
    /// Runs of digits that hold the number of a payment card: 13 to 19 of them with a valid check digit (ISO/IEC 7812-1,
    /// the Luhn formula).
    pub cards: bool,
    /// Social security numbers: nine digits in a run.
    pub ssn: bool,
}

impl Redaction {
    /// Whether nothing is hidden.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl FormatConfig {
    /// Whether words are written just as the model spells them.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
