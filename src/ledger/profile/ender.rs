//! What ends something that is due, or says that nothing was used: a kind of note, and who may send it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::Address;

/// A kind of note that ends something. In the file its name, as `prohibition`, or a table:
/// `{ kind = "prohibition", from = ["field:observed"] }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ender {
    /// The kind. Whom its own `from` does not let send it ends nothing by it.
    pub kind: String,
    /// From whom: one of these, as the note about which something ends names them. Anybody, if nobody is named.
    pub from: Vec<Address>,
}

/// The table form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnderTable {
    kind: String,
    from: Vec<Address>,
}

impl Serialize for Ender {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.from.as_slice() {
            [] => s.serialize_str(&self.kind),
            from => EnderTable { kind: self.kind.clone(), from: from.to_vec() }.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Ender {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(EnderVisitor)
    }
}

struct EnderVisitor;

impl<'de> Visitor<'de> for EnderVisitor {
    type Value = Ender;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind, or a table with `kind` and `from`")
    }

    fn visit_str<E: Error>(self, kind: &str) -> Result<Ender, E> {
        Ok(Ender { kind: kind.to_owned(), from: Vec::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ender, A::Error> {
        let EnderTable { kind, from } = EnderTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Ender { kind, from })
    }
}
