//! The note itself: text, blank line, signature lines.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{KeyType, SigningKey, VerifierKey, check_key_name};

/// Largest note accepted, in bytes: a record's limit (65,535) is what a note must fit into.
pub const MAX_NOTE_BYTES: usize = 65_535;
/// Most signature lines accepted. The standard asks for at least 16; a ledger of 34 parties needs one each and a few.
pub const MAX_SIGNATURES: usize = 64;

/// Why bytes are not a signed note.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoteError {
    /// Over [`MAX_NOTE_BYTES`].
    #[error("a note is at most {MAX_NOTE_BYTES} bytes long; this one has {0}")]
    TooLong(usize),
    /// Not UTF-8, or with a control character other than the newline.
    #[error("byte {0}: a note is UTF-8 text without control characters")]
    Characters(usize),
    /// No blank line before the signatures, or nothing before it.
    #[error("a note has a text, a blank line and at least one signature line; this has not")]
    Shape,
    /// A signature line is malformed; lines count from 1 after the blank line.
    #[error("signature line {0} does not read `— name base64`")]
    SignatureLine(usize),
    /// Over [`MAX_SIGNATURES`].
    #[error("a note has at most {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A signature by a known key does not verify.
    #[error("the signature by {0} does not verify: the text or the signature was altered")]
    BadSignature(String),
    /// The key is not the key of any signature line.
    #[error("no signature by {0} is on this note")]
    NotSigned(String),
}

/// One signature line: who is said to have signed, and the bytes after the key ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's ID.
    pub id: [u8; 4],
    /// The signature proper: 64 bytes for Ed25519, 72 for a cosignature.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Whether this line says to be by that key.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    fn line(&self) -> String {
        let mut bytes = self.id.to_vec();
        bytes.extend_from_slice(&self.bytes);
        format!("— {} {}\n", self.name, BASE64.encode(bytes))
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        check_key_name(name).ok()?;
        let bytes = BASE64.decode(encoded).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        (!rest.is_empty()).then(|| Self { name: name.to_owned(), id: *id, bytes: rest.to_vec() })
    }
}

/// A note that was read, or is being put together. Reading one verifies nothing: ask [`SignedNote::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

impl SignedNote {
    /// A note to be signed. The text must end in a newline and have no control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_characters(text.as_bytes())?;
        if text.len() < 2 || !text.ends_with('\n') {
            return Err(NoteError::Shape);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note from bytes as they were received.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let note = check_characters(bytes)?;
        // The last empty line separates: the text may hold empty lines of its own.
        let split = note.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, lines) = (&note[..split + 1], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if text.len() < 2 {
            return Err(NoteError::Shape);
        }
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            if at == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(Signature::parse(line).ok_or(NoteError::SignatureLine(at + 1))?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in the order in which they stand.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a plain Ed25519 signature (type 0x01) over the text.
    pub fn sign(&mut self, key: &SigningKey) {
        debug_assert_eq!(key.public().kind(), KeyType::Ed25519);
        let bytes = key.sign(self.text.as_bytes()).to_vec();
        self.add(Signature { name: key.public().name().to_owned(), id: key.public().id(), bytes });
    }

    /// Adds a signature line, replacing one by the same key.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|s| s.name != signature.name || s.id != signature.id);
        self.signatures.push(signature);
    }

    /// Keeps some of the signature lines.
    pub fn retain(&mut self, keep: impl FnMut(&Signature) -> bool) {
        self.signatures.retain(keep);
    }

    /// Verifies the plain Ed25519 signature of one known key.
    ///
    /// Every line that names this key must verify; a note on which a known key's signature fails is refused whole.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut found = false;
        for signature in self.signatures.iter().filter(|s| s.is_by(key)) {
            let verified = key.kind() == KeyType::Ed25519
                && signature.bytes.as_slice().try_into().is_ok_and(|bytes| key.verify(self.text.as_bytes(), bytes));
            if !verified {
                return Err(NoteError::BadSignature(key.name().to_owned()));
            }
            found = true;
        }
        if found { Ok(()) } else { Err(NoteError::NotSigned(key.name().to_owned())) }
    }

    /// The note as bytes: text, blank line, signature lines.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.text.clone();
        out.push('\n');
        for signature in &self.signatures {
            out.push_str(&signature.line());
        }
        out.into_bytes()
    }
}

fn check_characters(bytes: &[u8]) -> Result<&str, NoteError> {
    let text = std::str::from_utf8(bytes).map_err(|e| NoteError::Characters(e.valid_up_to()))?;
    match bytes.iter().position(|b| *b < 0x20 && *b != b'\n') {
        Some(at) => Err(NoteError::Characters(at)),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_standards_own_note_verifies_and_reprints() {
        let note = SignedNote::parse(NOTE.as_bytes()).unwrap();
        note.verify(&VerifierKey::parse(KEY).unwrap()).unwrap();
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.to_bytes(), NOTE.as_bytes());
    }

    #[test]
    fn no_flipped_bit_verifies() {
        let key = VerifierKey::parse(KEY).unwrap();
        for at in 0..NOTE.len() * 8 {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            let verified = SignedNote::parse(&bytes).and_then(|note| note.verify(&key));
            assert!(verified.is_err(), "bit {at} flipped, and the note still verified");
        }
    }

    #[test]
    fn malformed_notes_are_refused_each_for_its_reason() {
        let cases: &[(&[u8], NoteError)] = &[
            (b"", NoteError::Shape),
            (b"text\n", NoteError::Shape),
            (b"text\n\n", NoteError::Shape),
            (b"\n\n\xe2\x80\x94 a AAAAAAA=\n", NoteError::Shape),
            (b"te\rxt\n\n", NoteError::Characters(2)),
            (b"te\xff", NoteError::Characters(2)),
            (b"text\n\n- a AAAAAAA=\n", NoteError::SignatureLine(1)),
            (b"text\n\n\xe2\x80\x94 a AAAAAA==\n", NoteError::SignatureLine(1)),
            (b"text\n\n\xe2\x80\x94 a AAAAAAA=", NoteError::Shape),
            (b"text\n\n\xe2\x80\x94 a AAAAAAB=\n", NoteError::SignatureLine(1)),
        ];
        for (bytes, error) in cases {
            assert_eq!(SignedNote::parse(bytes).as_ref(), Err(error), "{:?}", String::from_utf8_lossy(bytes));
        }
        let many = format!("text\n\n{}", "— a AAAAAAA=\n".repeat(MAX_SIGNATURES + 1));
        assert_eq!(SignedNote::parse(many.as_bytes()), Err(NoteError::TooManySignatures));
        assert_eq!(SignedNote::parse(&[b'a'; MAX_NOTE_BYTES + 1]), Err(NoteError::TooLong(MAX_NOTE_BYTES + 1)));
    }

    #[test]
    fn signing_twice_with_one_key_leaves_one_signature() {
        let key = SigningKey::from_seed("a", KeyType::Ed25519, &[1; 32]).unwrap();
        let mut note = SignedNote::new("text\n".into()).unwrap();
        note.sign(&key);
        note.sign(&key);
        assert_eq!(note.signatures().len(), 1);
        SignedNote::parse(&note.to_bytes()).unwrap().verify(key.public()).unwrap();
    }
}
