#!/usr/bin/env python3
"""Speak generated kiosk requests with the openly licensed voices of flite and espeak-ng.

    synth.py --out SYNTH --count 3000

Orders, sizes, prices, quantities, yes/no, cancellations, phone digits, spelled names, alphanumeric codes, commands.
Every clip draws a voice, pitch and speed. Writes SYNTH/NNNNN.flac and SYNTH/manifest.tsv. The clips are clean:
training adds noise and rooms.
"""

import argparse
import io
import random
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

RATE = 16_000
DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
DRINKS = "coffee,drip coffee,house coffee,iced coffee,mocha,iced mocha,latte,cappuccino,americano,espresso".split(",")
FOODS = (
    "burger,cheeseburger,hot dog,chicken sandwich,veggie wrap,french fries,onion rings,salad,milkshake,lemonade,"
    "orange juice,bottle of water,iced tea,green tea,muffin,bagel,croissant,donut,cookie,ice cream,pizza,soup"
).split(",")
SIZES = "small,medium,large,eight ounce,twelve ounce,sixteen ounce,twenty ounce".split(",")
ROASTS = ["light roast", "medium roast", "dark roast"]
SHOTS = ["single shot", "double shot", "triple shot"]
MILKS = ["milk", "cream", "whole milk", "skim milk", "almond milk", "soy milk", "oat milk"]
SUGARS = ["sugar", "brown sugar", "sweetener"]
AMOUNTS = ["", "some ", "a bit of ", "a little bit of ", "a lot of ", "lots of ", "extra ", "no "]
OPENINGS = (
    "can i get,can i have,could i get,could i have,i would like,i'd like,i'll have,i want,let me get,may i have,"
    "give me,please get me,make me,i'd like to order,i'll take,get me,order,could you make me"
).split(",")
CLOSINGS = ["", "", "", " please", " please", " thanks", " thank you", " to go"]
NAMES = (
    "anna ben carol david emma frank grace henry irene jack kate leo maria nick olivia peter quinn rachel sam tina "
    "victor wendy xavier yuri zoe james lucy oscar megan robert"
).split()
SHORT = (
    "yes,no,yes please,no thanks,no thank you,that's all,that is all,nothing else,cancel,cancel my order,"
    "cancel the last item,start over,go back,next,continue,finish,pay now,pay by card,cash please,help,repeat that,"
    "stop,okay,correct,that's right,that's wrong,remove that,add another one,make it two,for here,to go,take out,"
    "eat in,check out,print the receipt,no receipt,i'm done,sounds good,hello,good morning,good afternoon,hi there,"
    "more options,show me the menu,what do you have,how much is that,change my order,make it large,make it small"
).split(",")
DEVICE = (
    "turn on the lights,turn off the lights,turn up the volume,turn down the volume,play some music,pause,resume,"
    "open the door,close the door,set a timer for ten minutes,what time is it,what's the weather,call home,"
    "next song,previous song,turn left,turn right,go up,go down,start,stop,lock the door,set the alarm for seven"
).split(",")


def number(value):
    """0 to 99 in words."""
    if value < 20:
        return (DIGITS + TEENS)[value]
    return TENS[value // 10 - 2] + (" " + DIGITS[value % 10] if value % 10 else "")


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def drink(pick):
    """A coffee with some of its slots in varying order."""
    size = pick.choice(SIZES) + " " if pick.random() < 0.6 else ""
    shots = pick.choice(SHOTS) + " " if pick.random() < 0.35 else ""
    roast = pick.choice(ROASTS) + " " if pick.random() < 0.35 else ""
    before = "".join(pick.sample([size, shots, roast], 3))
    order = before + pick.choice(DRINKS)
    extras = []
    if pick.random() < 0.5:
        extras.append(pick.choice(AMOUNTS) + pick.choice(MILKS))
    if pick.random() < 0.5:
        extras.append(pick.choice(AMOUNTS) + pick.choice(SUGARS))
    if pick.random() < 0.1:
        extras.append("a " + pick.choice(SHOTS + ROASTS))
    pick.shuffle(extras)
    return article(order) + (" with " + " and ".join(extras) if extras else "")


def sentence(pick):
    """One request in words."""
    kind = pick.choices(range(9), (40, 12, 10, 8, 8, 6, 5, 6, 5))[0]
    if kind == 0:
        return f"{pick.choice(OPENINGS)} {drink(pick)}{pick.choice(CLOSINGS)}"
    if kind == 1:
        count, item = pick.randint(2, 12), pick.choice(FOODS + DRINKS)
        several = f"{number(count)} {item}" if pick.random() < 0.5 else article(f"{pick.choice(SIZES[:3])} {item}")
        return f"{pick.choice(OPENINGS)} {several} and {article(pick.choice(FOODS))}{pick.choice(CLOSINGS)}"
    if kind == 2:
        return pick.choice(SHORT)
    if kind == 3:
        return " ".join(pick.choice(DIGITS + ["oh"]) for _ in range(pick.choice((3, 4, 4, 6, 7, 10))))
    if kind == 4:
        dollars, cents = pick.randint(1, 60), pick.randint(1, 99)
        forms = (f"{number(dollars)} dollars", f"{number(dollars)} dollars and {number(cents)} cents",
                 f"{number(dollars)} {number(max(cents, 10))}", f"that's {number(dollars)} dollars")
        return pick.choice(forms)
    if kind == 5:
        name = pick.choice(NAMES)
        return pick.choice((" ".join(name), f"my name is {name}", f"{name} {' '.join(name)}", f"the name is {name}"))
    if kind == 6:
        return " ".join(pick.choice("abcdefghijklmnopqrstuvwxyz") if pick.random() < 0.6 else pick.choice(DIGITS) for _ in range(5))
    if kind == 7:
        return pick.choice(DEVICE)
    return pick.choice((f"table {number(pick.randint(1, 60))}", f"order number {number(pick.randint(1, 99))}",
                        f"{number(pick.randint(1, 20))} of those", f"{number(pick.randint(20, 99))}", drink(pick),
                        " and ".join(pick.sample(MILKS + SUGARS, 2)), pick.choice(ROASTS) + " " + pick.choice(DRINKS)))


def spoken(text):
    """Letters standing alone are written so that voices name them."""
    return " ".join(f"{w}." if len(w) == 1 and w not in "ai" else w for w in text.split())


def speak(number_, text, seed):
    """(samples at 16 kHz, voice) of one sentence."""
    pick = random.Random(seed)
    letters = all(len(word) == 1 for word in text.split())
    with tempfile.NamedTemporaryFile(suffix=".wav") as to:
        if pick.random() < 0.6:
            voice = pick.choice(("slt", "rms", "awb", "slt", "rms"))
            pitch = {"slt": 170, "rms": 95, "awb": 115}[voice] * pick.uniform(0.85, 1.2)
            command = ["flite", "-voice", voice, "--setf", f"duration_stretch={pick.uniform(0.8, 1.25):.2f}",
                       "--setf", f"int_f0_target_mean={pitch:.0f}", "-t", spoken(text), "-o", to.name]
        else:
            variant = pick.choice("m1 m2 m3 m4 m7 f1 f2 f3 f4 f5 linda steph adam max klatt4 Alicia Michael Andrea".split())
            accent = pick.choice(("en-us", "en-us", "en-us", "en-gb", "en-gb-x-rp"))
            voice = f"{accent}+{variant}"
            command = ["espeak-ng", "-v", voice, "-s", str(pick.randint(130, 195)), "-p", str(pick.randint(30, 70)),
                       "-w", to.name, ", ".join(text.split()) if letters else text]
        subprocess.run(command, check=True, capture_output=True)
        samples, rate = sf.read(io.BytesIO(Path(to.name).read_bytes()), dtype="float32")
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    pad = [np.zeros(int(RATE * pick.uniform(0.05, 0.4)), np.float32) for _ in range(2)]
    samples = np.concatenate([pad[0], samples, pad[1]])
    samples += np.random.default_rng(seed).normal(0, 10 ** pick.uniform(-4.2, -3), len(samples)).astype(np.float32)
    return samples * (pick.uniform(0.1, 0.8) / max(np.abs(samples).max(), 1e-3)), voice


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    (args.out / "synth").mkdir(parents=True, exist_ok=True)
    pick = random.Random(args.seed)
    texts = [" ".join(sentence(pick).split()) for _ in range(args.count)]

    def make(index):
        samples, voice = speak(index, texts[index], args.seed * 1_000_003 + index)
        path = f"synth/{args.seed}-{index:05}.flac"
        sf.write(args.out / path, samples, RATE, subtype="PCM_16", format="FLAC")
        return f"{path}\t{len(samples) / RATE:.3f}\ttrain\t{voice}\t{texts[index]}\n"

    with ThreadPoolExecutor(args.jobs) as pool, open(args.out / "manifest.tsv", "w") as to:
        to.write("path\tseconds\tsplit\tspeaker\ttext\n")
        to.writelines(pool.map(make, range(args.count)))


if __name__ == "__main__":
    main()
