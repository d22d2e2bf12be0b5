//! English numbers in words.
//!
//! All functions take the place of the first word, and return what they read with the place behind it.

use super::reader::Reader;

/// A number in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) value: u64,
    /// Place behind its last word.
    pub(super) end: usize,
}

const UNITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] =
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(&str, u64); 4] =
    [("trillion", 1_000_000_000_000), ("billion", 1_000_000_000), ("million", 1_000_000), ("thousand", 1000)];

/// Scales that are written as words behind round numbers.
pub(super) const WRITTEN_SCALES: [(&str, u64); 3] =
    [("trillion", 1_000_000_000_000), ("billion", 1_000_000_000), ("million", 1_000_000)];

const UNIT_ORDINALS: [&str; 10] =
    ["zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
const TEEN_ORDINALS: [&str; 10] = [
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const TENS_ORDINALS: [&str; 8] =
    ["twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth"];

fn position(list: &[&str], word: &str) -> Option<u64> {
    list.iter().position(|&known| known == word).map(|index| index as u64)
}

/// A digit from zero to nine.
pub(super) fn digit(word: &str) -> Option<u64> {
    position(&UNITS, word)
}

/// Whether a word can be a part of a number.
pub(super) fn is_number_word(word: &str) -> bool {
    digit(word).is_some()
        || tens_or_teens(word).is_some()
        || matches!(word, "hundred" | "point")
        || scale(word).is_some()
}

fn tens_or_teens(word: &str) -> Option<u64> {
    position(&TEENS, word).map(|teen| 10 + teen).or_else(|| position(&TENS, word).map(|tens| 20 + 10 * tens))
}

fn scale(word: &str) -> Option<u64> {
    SCALES.iter().find(|(name, _)| *name == word).map(|&(_, value)| value)
}

/// A number from 0 to 99.
pub(super) fn below_hundred(r: &Reader, i: usize) -> Option<Number> {
    let word = r.get(i);
    if let Some(tens) = position(&TENS, word) {
        let value = 20 + 10 * tens;
        return match digit(r.get(i + 1)) {
            Some(unit @ 1..) => Some(Number { value: value + unit, end: i + 2 }),
            _ => Some(Number { value, end: i + 1 }),
        };
    }
    let value = digit(word).or_else(|| tens_or_teens(word))?;
    Some(Number { value, end: i + 1 })
}

/// A number of hundreds and what is below, such as "two hundred and five"; "nineteen hundred" counts.
fn below_scale(r: &Reader, i: usize) -> Option<Number> {
    let head = match r.get(i) {
        "a" if matches!(r.get(i + 1), "hundred") || scale(r.get(i + 1)).is_some() => Number { value: 1, end: i + 1 },
        _ => below_hundred(r, i)?,
    };
    if head.value == 0 || r.get(head.end) != "hundred" {
        return Some(head);
    }
    let hundreds = Number { value: head.value * 100, end: head.end + 1 };
    Some(add_small(r, hundreds))
}

/// Adds what is below a hundred, with or without "and".
fn add_small(r: &Reader, number: Number) -> Number {
    let next = if r.get(number.end) == "and" { number.end + 1 } else { number.end };
    match below_hundred(r, next) {
        Some(small) if small.value > 0 && !is_scaled(r, small.end) => {
            Number { value: number.value + small.value, end: small.end }
        }
        _ => number,
    }
}

/// Whether a larger unit follows, so that the number before it starts a new one: "one hundred and two hundred".
fn is_scaled(r: &Reader, i: usize) -> bool {
    r.get(i) == "hundred"
}

/// A whole number, such as "a hundred", "two thousand and five", "one million two hundred thousand".
pub(super) fn cardinal(r: &Reader, i: usize) -> Option<Number> {
    let mut total = 0u64;
    let mut end = i;
    let mut limit = u64::MAX;
    loop {
        let joined = if end > i && r.get(end) == "and" { end + 1 } else { end };
        let Some(group) = below_scale(r, joined) else { break };
        if end > i && (group.value == 0 || r.get(joined) == "a") {
            break;
        }
        match scale(r.get(group.end)) {
            Some(scale) if scale < limit && group.value > 0 => {
                total += group.value * scale;
                limit = scale;
                end = group.end + 1;
            }
            // What follows a scale must be below it.
            _ if end == i || group.value < limit => {
                // "and" binds only what is below a hundred: "two thousand and five", but "a thousand and one hundred".
                if joined > end && group.value >= 100 {
                    break;
                }
                total += group.value;
                end = group.end;
                break;
            }
            _ => break,
        }
    }
    (end > i).then_some(Number { value: total, end })
}

/// A year in two pairs: "nineteen eighty four", "twenty twenty five", "twenty oh five".
pub(super) fn year(r: &Reader, i: usize) -> Option<Number> {
    let century = below_hundred(r, i).filter(|pair| (16..=20).contains(&pair.value) && pair.end == i + 1)?;
    if matches!(r.get(century.end), "oh" | "o") {
        let unit = digit(r.get(century.end + 1)).filter(|&unit| unit > 0)?;
        return Some(Number { value: century.value * 100 + unit, end: century.end + 2 });
    }
    let rest = below_hundred(r, century.end).filter(|pair| pair.value >= 10)?;
    let more = r.get(rest.end);
    if is_number_word(more) || super::quantity::unit(more).is_some() {
        return None;
    }
    Some(Number { value: century.value * 100 + rest.value, end: rest.end })
}

/// An ordinal number: "fourth", "twenty first", "one hundred and tenth".
pub(super) fn ordinal(r: &Reader, i: usize) -> Option<Number> {
    let direct = |word: &str| {
        position(&UNIT_ORDINALS, word)
            .filter(|&value| value > 0)
            .or_else(|| position(&TEEN_ORDINALS, word).map(|teen| 10 + teen))
            .or_else(|| position(&TENS_ORDINALS, word).map(|tens| 20 + 10 * tens))
    };
    let word = r.get(i);
    if let Some(value) = direct(word) {
        return Some(Number { value, end: i + 1 });
    }
    if let Some(tens) = position(&TENS, word) {
        let unit = position(&UNIT_ORDINALS, r.get(i + 1)).filter(|&unit| unit > 0)?;
        return Some(Number { value: 20 + 10 * tens + unit, end: i + 2 });
    }
    let head = below_hundred(r, i)?;
    match r.get(head.end) {
        "hundredth" => Some(Number { value: head.value * 100, end: head.end + 1 }),
        "thousandth" => Some(Number { value: head.value * 1000, end: head.end + 1 }),
        "millionth" => Some(Number { value: head.value * 1_000_000, end: head.end + 1 }),
        "hundred" => {
            let next = if r.get(head.end + 1) == "and" { head.end + 2 } else { head.end + 1 };
            let small = ordinal(r, next).filter(|small| small.value < 100)?;
            Some(Number { value: head.value * 100 + small.value, end: small.end })
        }
        _ => None,
    }
}

/// "st", "nd", "rd" or "th".
pub(super) fn suffix(value: u64) -> &'static str {
    match (value % 10, value % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// Whether a word is the lower part of a fraction: "third" in "one third". "Second" never is.
pub(super) fn is_denominator(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    matches!(singular, "half" | "halve" | "quarter")
        || word == "halves"
        || (singular != "second"
            && (position(&UNIT_ORDINALS, singular).is_some_and(|value| value > 2)
                || position(&TEEN_ORDINALS, singular).is_some()
                || matches!(singular, "hundredth" | "thousandth" | "millionth")))
}

/// The tens of a decade in the plural: 80 for "eighties".
pub(super) fn decade(word: &str) -> Option<u64> {
    let stem = word.strip_suffix("ies")?;
    TENS.iter().position(|tens| tens.strip_suffix('y') == Some(stem)).map(|index| 20 + 10 * index as u64)
}
