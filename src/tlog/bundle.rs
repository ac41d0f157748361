//! What a log's resources are called below its URL prefix, and entry bundles
//! ([C2SP tlog-tiles](https://c2sp.org/tlog-tiles), "Merkle Tree" and "Log entries", revision of 2026-07-22).

use std::fmt;

use super::tile::TILE_WIDTH;

/// Longest entry bundle, in bytes: 256 entries of 65,535 bytes, with their lengths.
pub const MAX_BUNDLE_BYTES: usize = TILE_WIDTH * (2 + u16::MAX as usize);
/// Highest level that a tree of 2^63 leaves has.
const MAX_LEVEL: u8 = 7;

/// A tile or an entry bundle: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TilePath {
    /// The level; none for entry bundles.
    pub level: Option<u8>,
    /// Index within the level.
    pub n: u64,
    /// Hashes or entries: 256, or 1 to 255 if it is partial.
    pub width: u16,
}

impl TilePath {
    /// Reads a path as [`fmt::Display`] writes it; there is one way only of writing each.
    pub fn parse(text: &str) -> Option<Self> {
        let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
        let level = match level {
            "entries" => None,
            level => Some(level.parse().ok().filter(|level| *level <= MAX_LEVEL)?),
        };
        let (n, width) = match rest.split_once(".p/") {
            Some((n, width)) => (n, width.parse().ok().filter(|width| (1..256).contains(width))?),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut number: u64 = 0;
        for group in n.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            number = number.checked_mul(1000)?.checked_add(digits.parse().ok().filter(|_| digits.len() == 3)?)?;
        }
        let path = Self { level, n: number, width };
        (path.to_string() == text).then_some(path)
    }

    /// Whether it has fewer than 256 hashes or entries.
    pub fn is_partial(&self) -> bool {
        usize::from(self.width) < TILE_WIDTH
    }

    /// The full one that will stand in its place.
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH as u16, ..self }
    }

    /// Whether a tree of `size` leaves has it: it is full there, or it is the partial one of a smaller tree.
    pub fn is_in(&self, size: u64) -> bool {
        let level = u32::from(self.level.unwrap_or(0));
        let at_level = size.checked_shr(8 * level).unwrap_or(0);
        self.n
            .checked_mul(TILE_WIDTH as u64)
            .and_then(|first| first.checked_add(self.width.into()))
            .is_some_and(|end| end <= at_level)
    }

    /// The partial tiles and the partial entry bundle of a tree, lowest level first and entries last.
    pub fn partials(size: u64) -> Vec<Self> {
        let level = |level: u8| {
            let width = ((size >> (8 * u32::from(level))) % TILE_WIDTH as u64) as u16;
            let n = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            (width > 0).then_some(Self { level: Some(level), n, width })
        };
        let mut paths: Vec<_> = (0..=MAX_LEVEL).filter_map(level).collect();
        if let Some(lowest) = paths.first().filter(|path| path.level == Some(0)) {
            paths.push(Self { level: None, ..*lowest });
        }
        paths
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.n % 1000];
        let mut rest = self.n / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_partial() { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The bundle of 1 to 256 entries, each after its length in two bytes, big-endian. `None` if there are none or more,
/// or one is longer than 65,535 bytes.
pub fn write_bundle(entries: &[impl AsRef<[u8]>]) -> Option<Vec<u8>> {
    if entries.is_empty() || entries.len() > TILE_WIDTH {
        return None;
    }
    let mut out = Vec::with_capacity(entries.iter().map(|entry| entry.as_ref().len() + 2).sum());
    for entry in entries.iter().map(AsRef::as_ref) {
        out.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Some(out)
}

/// The entries of a bundle; `None` if it does not end where an entry ends, or has none, or more than 256.
pub fn read_bundle(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (entry, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
        entries.push(entry);
        rest = tail;
    }
    (1..=TILE_WIDTH).contains(&entries.len()).then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_written_as_in_the_standard() {
        // "index 1234067 will be encoded as x001/x234/067"
        let path = TilePath { level: Some(2), n: 1_234_067, width: 256 };
        assert_eq!(path.to_string(), "tile/2/x001/x234/067");
        assert_eq!(TilePath { level: None, n: 273, width: 112 }.to_string(), "tile/entries/273.p/112");
        for text in [
            "tile/0/x000/001",
            "tile/0/1",
            "tile/00/001",
            "tile/8/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/x01/001",
            "tile/0/x001/x001",
            "tile/entries/",
            "tile/0/001/",
            "tile/0/+01",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(TilePath::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_standards_own_tree_of_70000_has_its_tiles() {
        // "273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1 tile, one partial level 1
        // tile of width 17, and one partial level 2 tile of width 1"
        let partials: Vec<_> = TilePath::partials(70_000).iter().map(TilePath::to_string).collect();
        assert_eq!(partials, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]);
        let is_in = |text: &str| TilePath::parse(text).unwrap().is_in(70_000);
        assert!(["tile/0/272", "tile/1/000", "tile/0/273.p/112", "tile/0/003.p/9"].iter().all(|text| is_in(text)));
        assert!(["tile/0/273", "tile/1/001", "tile/2/000", "tile/0/273.p/113"].iter().all(|text| !is_in(text)));
        // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1"
        let partials: Vec<_> = TilePath::partials(256).iter().map(TilePath::to_string).collect();
        assert_eq!(partials, ["tile/1/000.p/1"]);
    }

    #[test]
    fn bundles_that_do_not_end_with_an_entry_are_refused() {
        assert_eq!(read_bundle(b"\0\x03abc\0\0"), Some(vec![&b"abc"[..], b""]));
        for bytes in [&b""[..], b"\0", b"\0\x03ab", b"\0\x03abc\0"] {
            assert_eq!(read_bundle(bytes), None);
        }
        assert_eq!(read_bundle(&[0; 2 * 257]), None);
        assert_eq!(write_bundle(&[vec![0u8; 65_536]]), None);
    }

    proptest! {
        #[test]
        fn paths_and_bundles_read_back(
            level in prop::option::of(0u8..8), n in 0u64..1 << 55, width in 1u16..=256,
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..256),
        ) {
            let path = TilePath { level, n, width };
            prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
            let bundle = write_bundle(&entries).unwrap();
            prop_assert_eq!(read_bundle(&bundle).unwrap(), entries);
        }
    }
}
