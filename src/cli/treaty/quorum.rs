//! The quorum of receipts that makes a note final: a default that follows from the parties, and any quorum in words.

use super::super::display;
use crate::ledger::{Party, Role};

/// First line of a quorum that `treaty add-party` keeps up. A quorum without it is left as it is.
const DEFAULT: &str = "# The default, rewritten with each party that is added. Replace these lines to set your own.";

/// Whether a quorum text is the default one, as it was written for some parties.
pub fn is_default(text: &str) -> bool {
    text.starts_with(DEFAULT)
}

/// The default: a majority of the parties holds the note, the sender included, and one depositary is among those that
/// receipted it if there are several, and enough others. Observers do not count.
///
/// A sender does not receipt its own log, so a majority of `n` parties is `n / 2` receipts. A single depositary is not
/// asked for by name: its own notes could never become final.
pub fn default(parties: &[Party]) -> String {
    let voting: Vec<&Party> = parties.iter().filter(|p| p.roles != [Role::Observer]).collect();
    let (depositaries, others): (Vec<&Party>, Vec<&Party>) =
        voting.iter().partition(|p| p.roles.contains(&Role::Depositary));
    let receipts = voting.len() / 2;
    let codes = |parties: &[&Party]| parties.iter().map(|p| p.code.as_str()).collect::<Vec<_>>().join(" ");
    // One of the receipts is a depositary's; the others give the rest, of whom the sender may be one.
    let rest = receipts.saturating_sub(1);
    let lines = if receipts == 0 {
        "quorum none".to_owned()
    } else if depositaries.len() > 1 && (1..others.len()).contains(&rest) {
        let (depositaries, others) = (codes(&depositaries), codes(&others));
        format!(
            "group depositaries any {depositaries}\ngroup parties {rest} {others}\n\
             group receipts all depositaries parties\nquorum receipts"
        )
    } else {
        format!("group receipts {receipts} {}\nquorum receipts", codes(&voting))
    };
    format!("{DEFAULT}\n{lines}\n")
}

/// A quorum that was checked already, as a sentence.
pub fn in_words(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|items| items.first().is_some_and(|first| !first.starts_with('#')))
        .collect();
    let quorum = lines.iter().find_map(|items| match items.as_slice() {
        ["quorum", name] => Some(*name),
        _ => None,
    });
    match quorum {
        None | Some("none") => "A note is final at once: no receipt is asked for.".to_owned(),
        Some(name) => format!("A note is final with receipts by {}.", words(name, &lines, lines.len())),
    }
}

/// `depth` bounds the recursion; in a checked quorum groups name only earlier lines, each once.
fn words(name: &str, lines: &[Vec<&str>], depth: usize) -> String {
    let group = lines.iter().find_map(|items| match items.as_slice() {
        ["group", found, threshold, members @ ..] if *found == name => Some((*threshold, members)),
        _ => None,
    });
    let (Some((threshold, members)), Some(depth)) = (group, depth.checked_sub(1)) else { return name.to_owned() };
    let named: Vec<String> = members
        .iter()
        .map(|member| match words(member, lines, depth) {
            text if text == **member => text,
            text => format!("({text})"),
        })
        .collect();
    let count = if threshold == "any" { "1" } else { threshold };
    if threshold == "all" || count == members.len().to_string() {
        return display::join(&named, "and");
    }
    format!("any {count} of {}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Place;
    use crate::ledger::Treaty;
    use crate::note::{KeyType, SigningKey};
    use crate::tlog::Hash;

    fn party(number: usize, roles: &[Role]) -> Party {
        let code = format!("P{number}");
        let key = |job: &str, kind| {
            let name = if job == "log" { format!("t/{code}") } else { format!("t/{code}/{job}") };
            let seed = Hash::digest(format!("{number} {job}").as_bytes()).0;
            SigningKey::from_seed(&name, kind, &seed).unwrap().public().clone()
        };
        Party {
            name: code.clone(),
            roles: roles.to_vec(),
            root: key("root", KeyType::Ed25519),
            log: key("log", KeyType::Ed25519),
            witness: key("witness", KeyType::Cosignature),
            peer: format!("12D3KooW{number:044}"),
            addresses: vec![],
            code,
        }
    }

    /// A treaty with the default quorum of so many depositaries and other parties, and an observer.
    fn treaty(depositaries: usize, others: usize) -> Treaty {
        let role = |at: usize| if at < depositaries { Role::Depositary } else { Role::StateParty };
        let mut parties: Vec<_> = (0..depositaries + others).map(|at| party(at, &[role(at)])).collect();
        parties.push(party(99, &[Role::Observer]));
        let mut text = format!("version = 1\nname = \"t\"\ntitle = \"T\"\nprofile_sha256 = \"{}\"\n", "0".repeat(64));
        text += &format!("quorum = '''\n{}'''\n", default(&parties));
        for party in &parties {
            text += &format!("[[party]]\n{}", toml::to_string(party).unwrap());
        }
        Treaty::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_default_can_be_met_for_every_sender_and_is_a_majority() {
        for depositaries in 0..5 {
            for others in 0..34 {
                if depositaries + others == 0 {
                    continue;
                }
                let treaty = treaty(depositaries, others);
                let parties = depositaries + others;
                for sender in 0..parties {
                    let all_but_sender = |code: &str| code != "P99" && code != format!("P{sender}");
                    let holds = |by: &dyn Fn(&str) -> bool| {
                        treaty.is_quorum(Place::default(), &|at| by(&treaty.party(at).code))
                    };
                    assert!(holds(&all_but_sender), "{depositaries}+{others}, sender {sender}");
                }
                // One receipt fewer than makes a majority with the sender: never enough, whoever gives them.
                let few = (parties / 2).saturating_sub(1);
                for start in 0..if parties > 1 { parties } else { 0 } {
                    let by = |code: &str| {
                        let at: usize = code[1..].parse().unwrap();
                        at == 99 || (at < parties && (at + parties - start) % parties < few)
                    };
                    let holds = treaty.is_quorum(Place::default(), &|at| by(&treaty.party(at).code));
                    assert!(!holds, "{depositaries}+{others}, {few} from {start}");
                }
            }
        }
    }

    #[test]
    fn open_skies_asks_for_a_depositary_and_sixteen_others() {
        let text = default(treaty(2, 32).parties());
        assert!(text.contains("group depositaries any P0 P1\ngroup parties 16 P2 P3 "), "{text}");
        assert!(is_default(&text) && !is_default("quorum none"));
    }

    #[test]
    fn quorums_read_as_words() {
        let text =
            "group depositaries any CA HU\n# x\ngroup parties 2 RU US DE\ngroup q all depositaries parties\nquorum q";
        assert_eq!(in_words(text), "A note is final with receipts by (any 1 of CA, HU) and (any 2 of RU, US, DE).");
        assert_eq!(in_words("quorum CA"), "A note is final with receipts by CA.");
        assert_eq!(in_words("quorum none"), "A note is final at once: no receipt is asked for.");
    }
}
