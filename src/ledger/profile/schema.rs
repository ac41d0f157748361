//! A kind's own JSON Schema: of the standard's many words those whose meaning all verifiers share, so that a body which
//! one of them takes, all take. They are listed in docs/format.md, section 6.

use serde_json::Value;

/// Deepest nesting of a schema.
const MAX_NESTING: usize = 16;
/// Words with a value that is no schema, or that says nothing.
const PLAIN: [&str; 19] = [
    "type",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "enum",
    "const",
    "title",
    "description",
    "$comment",
];
/// Words with one schema.
const ONE: [&str; 6] = ["items", "additionalProperties", "not", "if", "then", "else"];
/// Words with a list of schemas.
const SEVERAL: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Characters that a backslash makes plain.
const SPECIAL: &str = "^$\\.*+?()[]{}|/";

/// What a schema has and a profile may not have, if there is something.
pub(super) fn foreign(schema: &Value) -> Option<String> {
    look(schema, 0)
}

fn look(schema: &Value, depth: usize) -> Option<String> {
    // What is neither an object nor a truth value is no schema; that is said elsewhere.
    let words = schema.as_object()?;
    if depth > MAX_NESTING {
        return Some(format!("schemas nested deeper than {MAX_NESTING}"));
    }
    words.iter().find_map(|(word, value)| match word.as_str() {
        word if PLAIN.contains(&word) => fraction(value).then(|| "number that is not an integer within ±2^53".into()),
        word if ONE.contains(&word) => look(value, depth + 1),
        word if SEVERAL.contains(&word) => value.as_array()?.iter().find_map(|one| look(one, depth + 1)),
        "properties" => value.as_object()?.values().find_map(|one| look(one, depth + 1)),
        "pattern" if value.as_str().is_some_and(|text| !is_shared_pattern(text)) => {
            Some("`pattern` with more than characters, classes, groups, `|` and counts".into())
        }
        "pattern" => None,
        _ => Some(format!("`{word}`")),
    })
}

/// Whether there is a number that canonical JSON does not have.
fn fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_none_or(|n| n.unsigned_abs() > 1 << 53),
        Value::Array(items) => items.iter().any(fraction),
        Value::Object(fields) => fields.values().any(fraction),
        _ => false,
    }
}

/// Whether a regular expression means the same in ECMA-262 as elsewhere: printable ASCII; outside classes a backslash before
/// `d` or what it makes plain; groups `(…)` and `(?:…)`; counts `*`, `+`, `?` and `{n}`, each once; classes `[…]` and `[^…]` of
/// characters and ranges, with a backslash before `d`, `\`, `]`, `[`, `^` and `-`.
fn is_shared_pattern(text: &str) -> bool {
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return false;
    }
    let mut rest = text.chars().peekable();
    let mut counted = true;
    while let Some(c) = rest.next() {
        let count = match c {
            '\\' => {
                if !rest.next().is_some_and(|c| c == 'd' || SPECIAL.contains(c)) {
                    return false;
                }
                false
            }
            '[' => {
                if !class(&mut rest) {
                    return false;
                }
                false
            }
            '(' => {
                if rest.peek() == Some(&'?') {
                    rest.next();
                    if rest.next() != Some(':') {
                        return false;
                    }
                }
                true
            }
            '{' => {
                let digits: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let numbers: Vec<_> = digits.split(',').collect();
                let number = |n: &str| n.parse::<u16>().is_ok_and(|m| m <= 1000 && m.to_string() == n);
                let fit = match numbers.as_slice() {
                    [n] | [n, ""] => number(n),
                    [n, m] => number(n) && number(m),
                    _ => false,
                };
                if counted || !fit {
                    return false;
                }
                true
            }
            '*' | '+' | '?' if counted => return false,
            '*' | '+' | '?' | '^' | '|' => true,
            ']' | '}' => return false,
            _ => false,
        };
        counted = count;
    }
    true
}

/// A class up to its end.
fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    if rest.peek() == Some(&'^') {
        rest.next();
    }
    let (mut empty, mut last) = (true, ' ');
    while let Some(c) = rest.next() {
        match c {
            ']' => return !empty,
            '\\' if !rest.next().is_some_and(|c| "d\\][^-".contains(c)) => return false,
            '\\' => last = ' ',
            // Set operations, in some dialects.
            '[' => return false,
            '&' | '-' | '~' if last == c => return false,
            _ => last = c,
        }
        empty = false;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_all_verifiers_share_is_taken() {
        for schema in [
            json!(true),
            json!({"allOf": [{"if": {"required": ["a"]}, "then": {"properties": {"b": {"const": 1}}}}]}),
            json!({"properties": {"a": {"pattern": r"^[A-Z]{2}\d{1,3}(?:\.x|y)?$"}}}),
            json!({"properties": {"a": {"pattern": r"[^a\]\-b-d]+"}}, "additionalProperties": false}),
        ] {
            assert_eq!(foreign(&schema), None, "{schema}");
        }
        for (schema, word) in [
            (json!({"$ref": "#"}), "$ref"),
            (json!({"not": {"anyOf": [{"format": "email"}]}}), "format"),
            (json!({"properties": {"a": {"unevaluatedItems": false}}}), "unevaluatedItems"),
            (json!({"minimum": 1.5}), "integer"),
            (json!({"enum": [1, 9_007_199_254_740_993_u64]}), "integer"),
        ] {
            assert!(foreign(&schema).is_some_and(|said| said.contains(word)), "{schema}");
        }
        let bent = [
            r"\w", r"(?=a)", "a++", "a{1}?", "[[a]]", "[a&&b]", "[]", "[a", "é", r"\1", "a{,2}", "a{01}", "*", r"\b",
            "(*)",
        ];
        for text in bent {
            assert!(!is_shared_pattern(text), "{text}");
        }
    }
}
