//! What follows a number: units, percent, money.

/// How a unit of measure is written, with the space before it.
pub(super) fn unit(word: &str) -> Option<&'static str> {
    Some(match word {
        "ounce" | "ounces" => " oz",
        "gram" | "grams" => " g",
        "kilogram" | "kilograms" | "kilo" | "kilos" => " kg",
        "milligram" | "milligrams" => " mg",
        "liter" | "liters" | "litre" | "litres" => " L",
        "milliliter" | "milliliters" | "millilitre" | "millilitres" => " ml",
        "kilometer" | "kilometers" | "kilometre" | "kilometres" => " km",
        "centimeter" | "centimeters" | "centimetre" | "centimetres" => " cm",
        "millimeter" | "millimeters" | "millimetre" | "millimetres" => " mm",
        _ => return None,
    })
}

/// The sign of a currency.
pub(super) fn currency(word: &str) -> Option<&'static str> {
    match word {
        "dollar" | "dollars" => Some("$"),
        "euro" | "euros" => Some("€"),
        "yen" => Some("¥"),
        _ => None,
    }
}
