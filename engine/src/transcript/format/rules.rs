//! The rules for numbers: each looks at the words at one place, and writes what it recognizes.

use std::fmt::Write;

use super::{
    calendar, clock,
    digits::{self, any, telephone},
    number::{
        Number, WRITTEN_SCALES, below_hundred, cardinal, decade, is_denominator, is_number_word, ordinal, suffix, year,
    },
    quantity::{currency, unit},
    reader::Reader,
};

/// Recognizes words from a place on: writes them and returns the place behind them, or writes nothing.
type Rule = fn(&Reader, usize, &mut String) -> Option<usize>;

/// Rules of smart formatting, which come before those for numbers alone.
const SMART: [Rule; 9] = [
    clock::time,
    calendar::date,
    calendar::decade_of_century,
    telephone_number,
    money,
    percent,
    temperature,
    measure,
    negative,
];

/// Rules for numbers alone.
const NUMERALS: [Rule; 5] = [digit_run, plain_year, mixed, ordinal_number, plain_number];

/// Tries the rules in order.
pub(super) fn apply(r: &Reader, i: usize, smart: bool, out: &mut String) -> Option<usize> {
    let smart_rules: &[Rule] = if smart { &SMART } else { &[] };
    smart_rules.iter().chain(&NUMERALS).find_map(|rule| attempt(*rule, r, i, out))
}

/// Runs a rule; what it wrote before it gave up is taken back.
pub(super) fn attempt(rule: Rule, r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let before = out.len();
    let end = rule(r, i, out);
    if end.is_none() {
        out.truncate(before);
    }
    end
}

/// Writes a whole number: with commas from 10,000 on, and round millions with the word.
fn write_cardinal(out: &mut String, value: u64) {
    for (name, scale) in WRITTEN_SCALES {
        if value >= scale && value.is_multiple_of(scale) && value / scale < 1000 {
            let _ = write!(out, "{} {name}", value / scale);
            return;
        }
    }
    write_grouped(out, value);
}

fn write_grouped(out: &mut String, value: u64) {
    if value < 10_000 {
        let _ = write!(out, "{value}");
        return;
    }
    let mut divisor = 1;
    while value / divisor >= 1000 {
        divisor *= 1000;
    }
    let _ = write!(out, "{}", value / divisor);
    while divisor > 1 {
        divisor /= 1000;
        let _ = write!(out, ",{:03}", value / divisor % 1000);
    }
}

/// A number with its decimals: "three point one four", "two and a half", "one point five million". Returns the place
/// behind it and whether it is more than one word.
fn write_amount(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let whole = cardinal(r, i)?;
    if r.get(whole.end) == "point" {
        let decimals = whole.end + 1;
        let end = if let Some(digits) = any(r, decimals) {
            write_grouped(out, whole.value);
            out.push('.');
            out.push_str(digits.as_str());
            Some(digits.end)
        } else {
            below_hundred(r, decimals).map(|pair| {
                write_grouped(out, whole.value);
                let _ = write!(out, ".{}", pair.value);
                pair.end
            })
        };
        if let Some(end) = end {
            let word = r.get(end);
            if WRITTEN_SCALES.iter().any(|(name, _)| *name == word) {
                let _ = write!(out, " {word}");
                return Some(end + 1);
            }
            return Some(end);
        }
    }
    if r.are(whole.end, &["and", "a", "half"]) {
        write_grouped(out, whole.value);
        out.push_str(".5");
        return Some(whole.end + 3);
    }
    write_cardinal(out, whole.value);
    Some(whole.end)
}

/// "five dollars and twenty cents", "two euros", "fifty cents".
fn money(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    if let Some(cents) = below_hundred(r, i)
        && matches!(r.get(cents.end), "cent" | "cents")
    {
        let _ = write!(out, "$0.{:02}", cents.value);
        return Some(cents.end + 1);
    }
    let place = out.len();
    let amount = write_amount(r, i, out)?;
    let sign = currency(r.get(amount))?;
    out.insert_str(place, sign);
    let end = amount + 1;
    let next = if r.get(end) == "and" { end + 1 } else { end };
    if let Some(cents) = below_hundred(r, next)
        && matches!(r.get(cents.end), "cent" | "cents")
        && out[place..].bytes().all(|b| b != b'.' && b != b' ')
    {
        let _ = write!(out, ".{:02}", cents.value);
        return Some(cents.end + 1);
    }
    // "two point five dollars" is written as money is.
    if let Some(dot) = out[place..].rfind('.')
        && out.len() - place - dot == 2
    {
        out.push('0');
    }
    Some(end)
}

/// "fifty percent", "three point five per cent".
fn percent(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let amount = write_amount(r, i, out)?;
    let end = match r.get(amount) {
        "percent" => amount + 1,
        "per" if r.get(amount + 1) == "cent" => amount + 2,
        _ => return None,
    };
    out.push('%');
    Some(end)
}

/// "seventy two degrees", "minus five degrees celsius".
fn temperature(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let first = if matches!(r.get(i), "minus" | "negative") {
        out.push('-');
        i + 1
    } else {
        i
    };
    let amount = write_amount(r, first, out)?;
    if !matches!(r.get(amount), "degree" | "degrees") {
        return None;
    }
    out.push('°');
    match r.get(amount + 1) {
        "fahrenheit" => out.push('F'),
        "celsius" | "centigrade" => out.push('C'),
        _ => return Some(amount + 1),
    }
    Some(amount + 2)
}

/// "twelve ounces", "two point five liters".
fn measure(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let amount = write_amount(r, i, out)?;
    out.push_str(unit(r.get(amount))?);
    Some(amount + 1)
}

/// "minus five", where it is no subtraction.
fn negative(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    if r.get(i) != "minus" || is_number_word(r.before()) {
        return None;
    }
    out.push('-');
    write_amount(r, i + 1, out)
}

fn telephone_number(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let number = telephone(r, i)?;
    let digits = number.as_str();
    let (country, rest) = digits.split_at(digits.len() - 10);
    if !country.is_empty() {
        let _ = write!(out, "{country}-");
    }
    let _ = write!(out, "{}-{}-{}", &rest[..3], &rest[3..6], &rest[6..]);
    Some(number.end)
}

fn digit_run(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let run = digits::run(r, i)?;
    out.push_str(run.as_str());
    Some(run.end)
}

fn plain_year(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let year = year(r, i)?;
    let _ = write!(out, "{}", year.value);
    Some(year.end)
}

/// Numbers of more than a word that are no whole numbers.
fn mixed(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let whole = cardinal(r, i)?;
    let end = write_amount(r, i, out)?;
    (end > whole.end).then_some(end)
}

/// Ordinals of more than a word, or from the tenth on: "first" and "second" have other meanings too.
fn ordinal_number(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let Number { value, end } = ordinal(r, i)?;
    // "One tenth" is no 10th.
    if value < 10 || is_number_word(r.before()) {
        return None;
    }
    write_grouped(out, value);
    out.push_str(suffix(value));
    Some(end)
}

/// Whole numbers. A lone "one" is a pronoun as often as a number, and stays, as do fractions: "two thirds".
fn plain_number(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let number = cardinal(r, i)?;
    let lone = number.end == i + 1 && !is_number_word(r.get(i + 1)) && !is_number_word(r.before());
    if (r.get(i) == "one" && lone) || is_denominator(r.get(number.end)) {
        return None;
    }
    // "Nineteen eighties" and "twenty fifths" are no numbers with something behind.
    if decade(r.get(number.end)).is_some() {
        return None;
    }
    write_cardinal(out, number.value);
    Some(number.end)
}
