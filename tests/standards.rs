//! Published test vectors, and the examples of the standards.

use verbale::note::{KeyType, SigningKey, VerifierKey};

fn hex<const N: usize>(text: &str) -> [u8; N] {
    let bytes: Vec<_> =
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// RFC 8032, section 7.1, tests 1 and 2: seed, public key, message, signature.
#[test]
fn the_ed25519_standards_own_vectors_are_met() {
    let cases: [(&str, &str, &[u8], &str); 2] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = SigningKey::from_seed("example", KeyType::Ed25519, &hex(seed)).unwrap();
        assert_eq!(*key.public().public(), hex(public));
        assert_eq!(key.sign(message), hex(signature));
        assert!(key.public().verify(message, &hex(signature)));
    }
}

/// 914 signatures with points of small order, non-canonical encodings and the like. What passes here passes in every
/// other verifier that was looked at, so none of them ever contradicts this one: nothing with an odd key, and nothing
/// that holds only under the cofactored equation.
#[test]
fn of_the_published_edge_cases_only_harmless_ones_are_accepted() {
    let text = include_str!("vectors/ed25519-edge-cases.tsv");
    let (mut cases, mut accepted) = (0, 0);
    for (at, line) in text.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let fields: Vec<_> = line.split('\t').collect();
        let [key, signature, message, flags] = fields[..] else { panic!("case {at}") };
        cases += 1;
        let Ok(key) = VerifierKey::new("example", KeyType::Ed25519, &hex(key)) else { continue };
        if key.verify(message.as_bytes(), &hex(signature)) {
            accepted += 1;
            for flag in flags.split(',') {
                let harmless = flag.is_empty() || flag == "low_order_component_R";
                assert!(harmless, "case {at} is accepted, with {flag}");
            }
        }
    }
    assert_eq!((cases, accepted), (914, 1));
}
