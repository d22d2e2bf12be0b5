//! Grammars on texts.

use super::*;
use crate::decode::spelling::Speller;

fn tokens() -> Tokens {
    let letters = "abcdefghijklmnopqrstuvwxyz'".chars().map(String::from);
    let pieces = ["▁", "▁a", "▁s", "▁la", "tte", "ar", "▁milk", "oy", "ed", "<unk>"].into_iter().map(String::from);
    Tokens::new(pieces.chain(letters)).unwrap()
}

fn grammar(rules: &str) -> Grammar {
    Grammar::new(&format!("#JSGF V1.0;\n{rules}"), &tokens()).unwrap().with_letter_reward(0.0)
}

/// The tokens of a text, one per frame.
fn said(text: &str) -> Vec<Token> {
    let tokens = tokens();
    let speller = Speller::new(&tokens);
    let ids = speller.segment(&speller.spell(text).unwrap()).unwrap();
    (0..).zip(ids).map(|(frame, id)| Token { id, frame, probability: 1.0, agreement: 1.0 }).collect()
}

/// Weight of a text, negative infinity if it is not in the grammar.
fn weight(grammar: &Grammar, text: &[Token]) -> f32 {
    let (mut places, mut spare) = (Vec::new(), Vec::new());
    grammar.start(&mut places);
    let mut sum = 0.0;
    for token in text {
        let mut scores = vec![0.0; tokens().len()];
        let mut allowed = scores.clone();
        grammar.add_weights(&places, &mut scores, &mut allowed);
        sum += scores[token.id as usize];
        grammar.step(&mut places, token.id, &mut spare);
    }
    sum + grammar.final_weight(&places)
}

fn fits(grammar: &Grammar, text: &str) -> bool {
    weight(grammar, &said(text)) > f32::NEG_INFINITY
}

fn slots(grammar: &Grammar, text: &str) -> (String, Vec<(String, String)>) {
    let tokens = said(text);
    let parse = grammar.parse(std::iter::once((tokens.as_slice(), 0.0)), 0.0);
    let slots = parse.slots.into_iter().map(|slot| (slot.name, slot.value)).collect();
    (parse.rule.unwrap_or_default(), slots)
}

const MENU: &str = "
    public <order> = [a] <size>{size} (latte | tea){drink} [with <extra>+];
    public <cancel> = cancel [that];
    <size> = small | large | (extra large){size=xl};
    <extra> = (soy milk | milk){milk} | sugar{sweet=yes} | (and);";

#[test]
fn rules_that_begin_with_any_speech_are_all_followed() {
    for _ in 0..20 {
        let menu = grammar("public <order> = <GARBAGE> (latte | tea){drink};\npublic <other> = <GARBAGE>;");
        assert_eq!(slots(&menu, "a small latte").0, "order");
        assert_eq!(slots(&menu, "a small milk").0, "other");
    }
}

#[test]
fn what_fits_and_what_does_not() {
    let menu = grammar(MENU);
    for text in
        ["a small latte", "large tea", "large tea with milk", "large tea with soy milk and sugar", "cancel that"]
    {
        assert!(fits(&menu, text), "{text}");
    }
    for text in ["a latte", "small large tea", "large tea with", "cancel cancel", "smalle latte", "a"] {
        assert!(!fits(&menu, text), "{text}");
    }
}

#[test]
fn every_segmentation_fits() {
    let menu = grammar("public <x> = soy;");
    let tokens = tokens();
    for pieces in [["▁s", "oy", ""], ["▁s", "o", "y"], ["▁", "s", "oy"]] {
        let ids = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| tokens.id(piece).unwrap());
        let said: Vec<Token> = ids.map(|id| Token { id, frame: 0, probability: 1.0, agreement: 1.0 }).collect();
        assert_eq!(weight(&menu, &said), 0.0, "{pieces:?}");
    }
}

#[test]
fn slots_are_filled() {
    let menu = grammar(MENU);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (rule, filled) = slots(&menu, "a small latte with soy milk and sugar");
    assert_eq!(rule, "order");
    let expected = [pair("size", "small"), pair("drink", "latte"), pair("milk", "soy milk"), pair("sweet", "yes")];
    assert_eq!(filled, expected);
    assert_eq!(slots(&menu, "extra large tea").1, [pair("size", "xl"), pair("drink", "tea")]);
    assert_eq!(slots(&menu, "cancel"), ("cancel".into(), vec![]));
    let again = slots(&menu, "small tea with milk milk").1;
    assert_eq!(again[2..], [pair("milk", "milk"), pair("milk", "milk")], "a repetition fills the slot again");
}

#[test]
fn slots_know_their_tokens_and_how_sure_they_are() {
    let menu = grammar(MENU);
    let hypotheses = [said("small tea"), said("large tea")];
    let scores = [0.0, -(3f32.ln())];
    let parse = menu.parse(hypotheses.iter().map(Vec::as_slice).zip(scores), -0.1);
    assert!(parse.accepted);
    let [size, drink] = &parse.slots[..] else { panic!("{parse:?}") };
    assert!((size.confidence - 0.75).abs() < 1e-6 && (drink.confidence - 1.0).abs() < 1e-6);
    let small = said("small").len();
    assert_eq!((size.tokens.clone(), drink.tokens.clone()), (0..small, small..hypotheses[0].len()));
    assert_eq!(drink.frames, [small as u64, hypotheses[0].len() as u64 - 1]);
}

#[test]
fn weights_prefer_alternatives() {
    let menu = grammar("public <x> = /3/ tea | /1/ milk | /0/ latte;");
    assert_eq!(weight(&menu, &said("tea")), 0.0);
    assert!((weight(&menu, &said("milk")) - (1f32 / 3.0).ln()).abs() < 1e-6);
    assert!(!fits(&menu, "latte"), "weight 0 can't be said");
}

#[test]
fn letters_are_rewarded_alike_in_every_segmentation() {
    let menu = grammar("public <x> = soy milk;").with_letter_reward(0.5);
    assert!((weight(&menu, &said("soy milk")) - 3.5).abs() < 1e-6);
}

#[test]
fn garbage_is_any_speech_and_costs() {
    let menu = grammar("public <x> = [<GARBAGE>] tea{drink} [<GARBAGE>];");
    assert_eq!(weight(&menu, &said("tea")), 0.0);
    let (one, two) = (weight(&menu, &said("please tea")), weight(&menu, &said("please make tea now")));
    assert!(one < 0.0 && two < one && two > f32::NEG_INFINITY);
    assert_eq!(slots(&menu, "please make tea now").1, [("drink".to_owned(), "tea".to_owned())]);
}

#[test]
fn a_word_that_breaks_off_at_the_end_counts_less() {
    let menu = grammar("public <x> = small latte{drink};");
    let said = said("small latte");
    let whole = weight(&menu, &said);
    let broken = weight(&menu, &said[..said.len() - 1]);
    assert!(broken < whole && broken > f32::NEG_INFINITY);
    let parse = menu.parse(std::iter::once((&said[..said.len() - 1], 0.0)), 0.0);
    assert_eq!(parse.slots[0].value, "latte");
}

#[test]
fn unusable_grammars_say_why() {
    let refused = |rules: &str| Grammar::new(&format!("#JSGF V1.0;\n{rules}"), &tokens()).unwrap_err();
    assert_eq!(refused("<x> = a;"), GrammarError::NoPublicRule);
    assert_eq!(refused("public <x> = <y>;"), GrammarError::UndefinedRule { name: "y".into(), line: 2 });
    assert_eq!(refused("public <x> = a [<x>];"), GrammarError::Recursive { name: "x".into() });
    assert_eq!(refused("public <x> = <VOID>;"), GrammarError::Empty);
    assert!(refused("public <x> = a 7up;").to_string().contains("'7'"));
    let doubling: String = (0..40).map(|i| format!("<r{}> = <r{i}> <r{i}>;\n", i + 1)).collect();
    let large = refused(&format!("public <x> = <r40>;\n<r0> = a;\n{doubling}"));
    assert!(matches!(large, GrammarError::TooLarge { .. }), "{large}");
    let silent = refused(&format!("public <x> = <r40>;\n<r0> = <NULL>;\n{doubling}"));
    assert!(matches!(silent, GrammarError::TooLarge { .. }), "{silent}");
    let chain: String = (0..5000).map(|i| format!("<r{i}> = <r{}>;\n", i + 1)).collect();
    let deep = refused(&format!("public <x> = <r0>;\n{chain}<r5000> = a;"));
    assert!(matches!(deep, GrammarError::TooLarge { .. }), "{deep}");
    // Such as these once overflowed the stack.
    for mark in ["*", "+", "{size}"] {
        let marked = refused(&format!("public <x> = a{};", mark.repeat(1_000_000)));
        assert!(matches!(marked, GrammarError::Syntax { line: 2, .. }), "{marked}");
    }
    let groups = |rule: &str| format!("{}{rule}{}", "[".repeat(60), "]".repeat(60));
    let nested: String = (0..60).map(|i| format!("<r{i}> = {};\n", groups(&format!("<r{}>", i + 1)))).collect();
    let nested = refused(&format!("public <x> = <r0>;\n{nested}<r60> = a;"));
    assert!(matches!(nested, GrammarError::TooLarge { .. }), "{nested}");
}

#[test]
fn a_long_list_that_repeats_stays_small() {
    let items = |count: usize| (0..count).map(|i| format!("{} milk", letters_of(i))).collect::<Vec<_>>();
    let size = |count: usize| {
        let menu = grammar(&format!("public <order> = <item>+;\n<item> = {};", items(count).join(" | ")));
        assert!(fits(&menu, &format!("{0} milk {0} milk", letters_of(count - 1))));
        assert!(!fits(&menu, "milk milk"));
        menu.0.automaton.size()
    };
    // Once it was the square: 3,000 products that repeat took 6 s and 0.8 GB.
    assert!(size(800) < 9 * size(100), "{} {}", size(800), size(100));
}

/// A word for each number.
fn letters_of(number: usize) -> String {
    format!("{number:04}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

#[test]
fn rows_of_optional_parts_are_refused_before_they_fill_the_memory() {
    let row = |parts: usize| format!("#JSGF V1.0;\npublic <x> = {} tea;", "[a] ".repeat(parts));
    let error = Grammar::new(&row(20_000), &tokens()).unwrap_err();
    assert!(matches!(error, GrammarError::TooDense { .. }), "{error}");
    assert!(Grammar::new(&row(500), &tokens()).is_ok());
}

#[test]
fn the_best_way_to_a_word_counts_whatever_the_order() {
    for rules in
        ["(/1/ <NULL> | /9/ <NULL>)", "(/9/ <NULL> | /1/ <NULL>)", "(/1/ [a] | /9/ [a])", "(/9/ [a] | /1/ [a])"]
    {
        let menu = grammar(&format!("public <x> = {} tea;", format!("{rules} ").repeat(24)));
        assert_eq!(weight(&menu, &said("tea")), 0.0, "{rules}");
    }
}

/// The C ABI promises that a thread with 128 KB of stack can make any call.
#[test]
fn grammars_nested_as_deep_as_allowed_need_little_stack() {
    let refused = |rules: String| {
        let compile = move || Grammar::new(&format!("#JSGF V1.0;\n{rules}"), &tokens()).err();
        std::thread::Builder::new().stack_size(128 << 10).spawn(compile).unwrap().join().unwrap()
    };
    let groups = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]*{x}".repeat(depth));
    let mut deepest = 0;
    while refused(format!("public <x> = {};", groups(deepest + 1, "a"))).is_none() {
        deepest += 1;
    }
    assert!(deepest >= 16, "{deepest}");
    let rules = |count: usize| {
        let rules = (0..count).map(|i| format!("<r{i}> = {};\n", groups(1, &format!("<r{}>", i + 1))));
        format!("public <x> = <r0>;\n{}<r{count}> = a;", rules.collect::<String>())
    };
    let mut longest = 0;
    while refused(rules(longest + 1)).is_none() {
        longest += 1;
    }
    assert!(longest >= 16, "{longest}");
}

#[test]
fn loops_that_say_nothing_end() {
    let menu = grammar("public <x> = ([a]* [<NULL>]+)* tea;");
    assert!(fits(&menu, "a a tea"));
}
