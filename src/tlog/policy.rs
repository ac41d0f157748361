//! Who must have receipted: [C2SP tlog-policy](https://c2sp.org/tlog-policy) (revision of 2026-07-22).

use std::collections::{BTreeMap, BTreeSet};

use crate::note::{KeyType, VerifierKey};

/// Longest policy text, in bytes.
const MAX_POLICY_BYTES: usize = 65_536;

/// Why a policy text was refused. Lines count from 1.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// Over 64 KiB.
    #[error("a policy is at most {MAX_POLICY_BYTES} bytes long")]
    TooLong,
    /// A line that the format does not know, or with too few or too many items.
    #[error("policy line {line}: {what}")]
    Line {
        /// The line's number.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// No `quorum` line.
    #[error("the policy has no `quorum` line")]
    NoQuorum,
}

#[derive(Clone, Debug)]
enum Rule {
    Witness,
    Group { threshold: usize, members: Vec<String> },
}

/// A policy: logs, witnesses, and the quorum of witnesses that makes a checkpoint final.
#[derive(Clone, Debug)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: BTreeMap<String, VerifierKey>,
    rules: BTreeMap<String, Rule>,
    /// `None` for `quorum none`.
    quorum: Option<String>,
}

impl Policy {
    /// Reads a policy text.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong);
        }
        let mut policy = Self { logs: Vec::new(), witnesses: BTreeMap::new(), rules: BTreeMap::new(), quorum: None };
        let mut members = BTreeSet::new();
        let mut has_quorum = false;
        for (at, line) in text.split('\n').enumerate() {
            let fail = |what: &str| PolicyError::Line { line: at + 1, what: what.to_owned() };
            if line.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
                return Err(fail("control characters are not allowed"));
            }
            let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
            match items.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["log", key] | ["log", key, _] => policy.add_log(key).map_err(|what| fail(&what))?,
                ["witness", name, key] | ["witness", name, key, _] => {
                    policy.add_witness(name, key).map_err(|what| fail(&what))?;
                }
                ["group", name, threshold, names @ ..] => {
                    policy.add_group(name, threshold, names, &mut members).map_err(|what| fail(&what))?;
                }
                ["quorum", _] if has_quorum => return Err(fail("there is a quorum line already")),
                ["quorum", name] => {
                    if *name != "none" && !policy.rules.contains_key(*name) {
                        return Err(fail(&format!("`{name}` is not defined on a line before this one")));
                    }
                    policy.quorum = (*name != "none").then(|| (*name).to_owned());
                    has_quorum = true;
                }
                _ => return Err(fail("expected `log`, `witness`, `group` or `quorum` and its items")),
            }
        }
        if has_quorum { Ok(policy) } else { Err(PolicyError::NoQuorum) }
    }

    fn add_log(&mut self, key: &str) -> Result<(), String> {
        let key = VerifierKey::parse(key).map_err(|e| e.to_string())?;
        if self.logs.iter().any(|log| log.public() == key.public()) {
            return Err("this log's key stands here twice".into());
        }
        self.logs.push(key);
        Ok(())
    }

    fn add_witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key = VerifierKey::parse(key).map_err(|e| e.to_string())?;
        if key.kind() != KeyType::Cosignature {
            return Err("a witness needs a cosignature key (type 0x04)".into());
        }
        if self.witnesses.values().any(|w| w.public() == key.public()) {
            return Err("this witness's key stands here twice".into());
        }
        self.define(name, Rule::Witness)?;
        self.witnesses.insert(name.to_owned(), key);
        Ok(())
    }

    fn add_group(
        &mut self,
        name: &str,
        threshold: &str,
        names: &[&str],
        members: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        for member in names {
            if !self.rules.contains_key(*member) {
                return Err(format!("`{member}` is not defined on a line before this one"));
            }
            if !members.insert((*member).to_owned()) {
                return Err(format!("`{member}` is a member of a group already, and counts once only"));
            }
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => names.len(),
            k if k.starts_with('0') || !k.bytes().all(|b| b.is_ascii_digit()) => 0,
            k => k.parse().unwrap_or(0),
        };
        if threshold == 0 || threshold > names.len() {
            return Err(format!("the threshold is `any`, `all`, or a number from 1 to {}", names.len()));
        }
        self.define(name, Rule::Group { threshold, members: names.iter().map(|m| (*m).to_owned()).collect() })
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), String> {
        if name == "none" {
            return Err("`none` is a reserved name".into());
        }
        match self.rules.insert(name.to_owned(), rule) {
            Some(_) => Err(format!("`{name}` is defined already")),
            None => Ok(()),
        }
    }

    /// The logs that the policy accepts.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses by their names in the policy.
    pub fn witnesses(&self) -> &BTreeMap<String, VerifierKey> {
        &self.witnesses
    }

    /// Whether cosignatures by these witnesses (names in the policy) make the quorum.
    pub fn is_satisfied(&self, by: &dyn Fn(&str) -> bool) -> bool {
        self.is_satisfied_without(by, &|_| false)
    }

    /// The same, as if witnesses that are gone did not stand in the policy.
    ///
    /// A group whose members are all gone is gone itself. `any` and `all` mean those that are left; a number stays, but
    /// is never more than those that are left. A quorum that is gone altogether is not satisfied.
    pub fn is_satisfied_without(&self, by: &dyn Fn(&str) -> bool, gone: &dyn Fn(&str) -> bool) -> bool {
        self.quorum.as_deref().is_none_or(|name| self.holds(name, by, gone) == Some(true))
    }

    /// Whether it holds; `None` if it is gone.
    // Depth is bounded: a group refers only to lines before its own, and each name is a member once.
    fn holds(&self, name: &str, by: &dyn Fn(&str) -> bool, gone: &dyn Fn(&str) -> bool) -> Option<bool> {
        match self.rules.get(name) {
            Some(Rule::Witness) => (!gone(name)).then(|| by(name)),
            Some(Rule::Group { threshold, members }) => {
                let left: Vec<_> = members.iter().filter_map(|member| self.holds(member, by, gone)).collect();
                let holding = left.iter().filter(|holds| **holds).count();
                (!left.is_empty()).then(|| holding >= (*threshold).min(left.len()))
            }
            None => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SigningKey;

    fn witness(name: &str, seed: u8) -> String {
        let key = SigningKey::from_seed(name, KeyType::Cosignature, &[seed; 32]).unwrap();
        format!("witness {name} {}\n", key.public())
    }

    fn two_groups() -> String {
        let keys: String = ["X1", "X2", "X3", "Y1", "Y2"].iter().zip(1..).map(|(n, s)| witness(n, s)).collect();
        format!("{keys}\n# comment\n group X 2 X1 X2 X3\ngroup Y any Y1 Y2\ngroup both\tall X Y\nquorum both\n")
    }

    #[test]
    fn the_standards_two_level_example_counts_as_it_says() {
        let policy = Policy::parse(&two_groups()).unwrap();
        let satisfied = |names: &[&str]| policy.is_satisfied(&|name| names.contains(&name));
        assert!(satisfied(&["X1", "X3", "Y2"]));
        assert!(!satisfied(&["X1", "Y1", "Y2"]));
        assert!(!satisfied(&["X1", "X2", "X3"]));
        assert!(!satisfied(&[]));
        assert!(Policy::parse("quorum none").unwrap().is_satisfied(&|_| false));
    }

    #[test]
    fn policies_that_contradict_themselves_are_refused_with_their_line() {
        let base = two_groups();
        let cases = [
            (format!("{base}quorum X"), "already"),
            (format!("{base}group Z any X1"), "counts once"),
            (format!("{base}group Z any nobody"), "not defined"),
            (format!("{base}{}", witness("X1", 9)), "defined already"),
            (format!("{base}{}", witness("X9", 1)), "twice"),
            (format!("{}group g 2 A\nquorum g", witness("A", 1)), "threshold"),
            (format!("{}group g 0 A\nquorum g", witness("A", 1)), "threshold"),
            (format!("{}group g all\nquorum g", witness("A", 1)), "threshold"),
            ("quorum a\n".into(), "not defined"),
            ("nonsense\n".into(), "expected"),
            (witness("A", 1), "no `quorum`"),
        ];
        for (text, what) in cases {
            let error = Policy::parse(&text).unwrap_err().to_string();
            assert!(error.contains(what), "{error:?} should mention {what:?}");
        }
    }
}
