//! Letters that are said one by one, and names of sites.

use super::{digits::any, reader::Reader};

fn letter(word: &str) -> Option<char> {
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii_alphabetic() => Some(c.to_ascii_uppercase()),
        _ => None,
    }
}

/// Letters that are words too.
fn is_word(c: char) -> bool {
    matches!(c, 'A' | 'I' | 'O')
}

/// "u s b" becomes "USB", "k l m one two three" "KLM123". Two letters need to be no words: "a i" may be anything.
pub(super) fn letters(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let mut end = i;
    let mut words = false;
    while let Some(c) = letter(r.get(end)) {
        words |= is_word(c);
        out.push(c);
        end += 1;
    }
    let count = end - i;
    // "I" and "a" at the edges belong to the sentence around: "plan b i think".
    if count < 2 || (words && count < 3) || letter(r.get(i)).is_some_and(is_word) && count < 4 {
        return None;
    }
    if let Some(code) = any(r, end).filter(|code| code.as_str().len() > 1) {
        out.push_str(code.as_str());
        return Some(code.end);
    }
    Some(end)
}

/// "example dot com" and "info at example dot com".
pub(super) fn site(r: &Reader, i: usize, out: &mut String) -> Option<usize> {
    let name = |place: usize| {
        let word = r.get(place);
        (!word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then_some(word)
    };
    let mut end = i + 1;
    out.push_str(name(i)?);
    if r.get(end) == "at" && r.get(end + 2) == "dot" {
        out.push('@');
        out.push_str(name(end + 1)?);
        end += 2;
    }
    let mut known = false;
    while r.get(end) == "dot" {
        let part = name(end + 1)?;
        out.push('.');
        out.push_str(part);
        known = matches!(part, "com" | "org" | "net" | "edu" | "gov" | "io" | "uk" | "de" | "eu" | "info" | "biz");
        end += 2;
    }
    known.then_some(end)
}
