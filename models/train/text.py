"""Transcript normalisation and the pronunciation fallback that forced alignment needs."""

import re

CAPS = {  # clips kept of the corpora of single words, which would otherwise outnumber the sentences
    "speech_commands_v2_part": 4000,
    "speech_commands_subset": 2000,
    "fsdd": 1200,
    "picovoice_wake": 600,
    "grid_s1": 700,
}

SPELLED = "(spelled letter by letter) "


def normalise(text):
    """Lower-case a transcript to letters, apostrophes and single spaces; None where it holds digits."""
    if text.startswith(SPELLED):
        text = " ".join(re.sub("[^a-z]", "", text[len(SPELLED):].lower()))
    text = text.lower().replace("\u2019", "'").replace("-", " ")
    if re.search(r"\d|[()\[\]<>]", text):
        return None
    text = re.sub(r"[^a-z' ]", " ", text)
    text = re.sub(r"(^| )'+|'+( |$)", " ", text)
    return re.sub(" +", " ", text).strip() or None


# Grapheme rules, longest first; enough to place a rare word's phones in time, not to pronounce it well.
GRAPHEMES = {
    "tion": "SH AH N", "sion": "ZH AH N", "ough": "AO", "augh": "AO", "igh": "AY", "tch": "CH", "sch": "SH",
    "dge": "JH", "ear": "IY R", "eer": "IY R", "air": "EH R", "our": "AO R", "sh": "SH", "ch": "CH", "th": "TH",
    "ph": "F", "wh": "W", "ck": "K", "ng": "NG", "qu": "K W", "ee": "IY", "ea": "IY", "oo": "UW", "ou": "AW",
    "ow": "OW", "oi": "OY", "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ie": "IY", "ei": "EY",
    "ey": "IY", "oa": "OW", "ue": "UW", "ui": "UW", "ew": "UW", "er": "ER", "ir": "ER", "ur": "ER", "ar": "AA R",
    "or": "AO R", "kn": "N", "wr": "R", "gh": "G", "ce": "S", "ci": "S IH", "cy": "S IY", "ge": "JH",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T",
    "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z", "'": "",
}
SUFFIXES = {"'s": "Z", "s'": "Z", "s": "Z", "ed": "D", "d": "D", "ing": "IH NG", "ly": "L IY", "er": "ER",
            "ness": "N AH S", "less": "L AH S", "r": "ER"}


def pronounce(word, lookup):
    """A guess at the phones of a word that the dictionary lacks: stem and suffix, compound, or letter rules."""
    for suffix, phones in SUFFIXES.items():
        stem = word[: -len(suffix)]
        if word.endswith(suffix) and len(stem) > 2:
            for form in (stem, stem + "e", stem[:-1] if stem[-1] == stem[-2] else stem):
                known = lookup(form)
                if known:
                    return f"{known} {phones}"
    for cut in range(len(word) - 3, 2, -1):
        first, second = lookup(word[:cut]), lookup(word[cut:])
        if first and second:
            return f"{first} {second}"
    phones, at = [], 0
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    while at < len(word):
        for size in (4, 3, 2, 1):
            piece = word[at : at + size]
            if len(piece) == size and piece in GRAPHEMES:
                if not (size == 1 and at and word[at - 1] == piece):
                    phones.append(GRAPHEMES[piece])
                at += size
                break
        else:
            at += 1
    return " ".join(filter(None, phones)) or "AH"
