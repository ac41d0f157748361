//! What lies in a party's home folder, read for a command.

use std::path::{Path, PathBuf};

use super::{Code, Context, Failure, NodeConfig, files};
use crate::keys::{self, Public, PublicKey};
use crate::ledger::{
    MAX_AMENDMENTS, MAX_PROFILE_BYTES, MAX_TREATY_BYTES, Party, Profile, ProfileError, Treaty, is_ledger_name,
    is_party_code,
};
use crate::note::MAX_NOTE_BYTES;
use crate::tlog::Hash;

/// Whose home it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The ledger's name.
    pub ledger: String,
    /// The party's code.
    pub party: String,
}

impl Identity {
    /// The log's origin, `<ledger>/<code>`: the first part of every key's name.
    pub fn origin(&self) -> String {
        format!("{}/{}", self.ledger, self.party)
    }
}

/// Reads and checks a treaty file.
pub fn read_treaty(path: &Path) -> Result<Treaty, Failure> {
    Treaty::parse(&files::read(path, MAX_TREATY_BYTES)?)
        .map_err(|e| Failure::new(Code::Input, format!("{}: {e}", path.display())))
}

/// Reads a profile under which something may have been signed, and the SHA-256 of its file.
pub fn read_profile(path: &Path) -> Result<(Profile, Hash), Failure> {
    opened(path, Profile::parse)
}

/// Reads a profile that its author still can mend, with the SHA-256 of its file: it must not contradict itself.
pub fn check_profile(path: &Path) -> Result<(Profile, Hash), Failure> {
    opened(path, Profile::check)
}

fn opened(path: &Path, read: fn(&[u8]) -> Result<Profile, ProfileError>) -> Result<(Profile, Hash), Failure> {
    let bytes = files::read(path, MAX_PROFILE_BYTES)?;
    let profile = read(&bytes).map_err(|e| Failure::new(Code::Input, format!("{}: {e}", path.display())))?;
    Ok((profile, Hash::digest(&bytes)))
}

impl Context {
    /// Where the treaty file lies.
    pub fn treaty_path(&self) -> PathBuf {
        self.home.join("treaty.toml")
    }

    /// Where the profile lies.
    pub fn profile_path(&self) -> PathBuf {
        self.home.join("profile.toml")
    }

    /// Where a key file lies: `root`, `log`, `witness` or `transport`.
    pub fn key_path(&self, job: &str) -> PathBuf {
        self.home.join("keys").join(format!("{job}.key"))
    }

    /// Where an official's key file lies.
    pub fn official_path(&self, name: &str) -> PathBuf {
        self.home.join("keys/officials").join(format!("{name}.key"))
    }

    /// The home's treaty, with the amendments that lie in its folder.
    pub fn treaty(&self) -> Result<Treaty, Failure> {
        let mut treaty = read_treaty(&self.treaty_path())
            .map_err(|f| if f.hint.is_none() { f.hint("`verbale treaty check` lists what is wrong") } else { f })?;
        // Whoever needs the profile says what is wrong with it.
        if let Ok((profile, hash)) = read_profile(&self.profile_path())
            && hash == treaty.file().profile_sha256
        {
            treaty = treaty.governed_by(&profile);
        }
        while treaty.number() < MAX_AMENDMENTS {
            let path = self.amendment_path(treaty.number() + 1);
            if !path.exists() {
                break;
            }
            let amended = treaty.amended(&files::read(&path, MAX_NOTE_BYTES)?);
            treaty = amended.map_err(|e| Failure::new(Code::Input, format!("{}: {e}", path.display())))?;
        }
        Ok(treaty)
    }

    /// Where an amendment of the treaty file lies.
    fn amendment_path(&self, number: usize) -> PathBuf {
        self.home.join("amendments").join(format!("{number:03}.note"))
    }

    /// Keeps a signed amendment in the home folder, for the commands that work without the node.
    pub fn keep_amendment(&self, number: usize, note: &[u8]) -> Result<(), Failure> {
        let path = self.amendment_path(number);
        if std::fs::read(&path).is_ok_and(|kept| kept == note) {
            return Ok(());
        }
        let folder = self.home.join("amendments");
        std::fs::create_dir_all(&folder)
            .map_err(|e| Failure::new(Code::Disk, format!("{} cannot be made: {e}", folder.display())))?;
        files::replace(&path, note)
    }

    /// The home's profile, which must be the one that the treaty file names.
    pub fn profile(&self, treaty: &Treaty) -> Result<Profile, Failure> {
        let path = self.profile_path();
        let (profile, hash) = read_profile(&path)?;
        if hash != treaty.file().profile_sha256 {
            let text = format!("{} is not the profile that the treaty file names by its SHA-256", path.display());
            return Err(Failure::new(Code::Input, text).hint("every party holds the same profile.toml: fetch it anew"));
        }
        Ok(profile)
    }

    /// Whose home it is: as said on the command line, else by `treaty.toml` and `verbale.toml`, else by the public key
    /// of its log.
    pub fn identity(&self, ledger: Option<&str>, party: Option<&str>) -> Result<Identity, Failure> {
        let of_key = || -> Option<Identity> {
            let Public { key: PublicKey::Verifier(key), .. } =
                keys::load_public(&keys::public_path(&self.key_path("log"))).ok()?
            else {
                return None;
            };
            let (ledger, party) = key.name().split_once('/')?;
            Some(Identity { ledger: ledger.to_owned(), party: party.to_owned() })
        };
        let unknown = |what: &str, flag: &str| {
            let text = format!("{} does not say {what}", self.home.display());
            Failure::new(Code::Input, text).hint(format!("name it with {flag}, or the party's folder with --home"))
        };
        let ledger = match ledger {
            Some(ledger) => ledger.to_owned(),
            None if self.treaty_path().exists() => self.treaty()?.file().name.clone(),
            None => of_key().ok_or_else(|| unknown("which ledger it is for", "--ledger"))?.ledger,
        };
        let party = match party {
            Some(party) => party.to_owned(),
            None if NodeConfig::is_in(&self.home) => NodeConfig::load(&self.home)?.party,
            None => of_key().ok_or_else(|| unknown("which party it is of", "--party"))?.party,
        };
        if !is_ledger_name(&ledger) {
            let text = format!("{ledger:?} is not a ledger's name: lower-case words with hyphens, as open-skies");
            return Err(Failure::new(Code::Input, text));
        }
        if !is_party_code(&party) {
            let text = format!("{party:?} is not a party's code: two to eight capitals or digits, as CA");
            return Err(Failure::new(Code::Input, text));
        }
        Ok(Identity { ledger, party })
    }
}

/// The entry of a party in a treaty.
pub fn entry<'a>(treaty: &'a Treaty, code: &str) -> Result<&'a Party, Failure> {
    let at = treaty.find(code).ok_or_else(|| {
        Failure::new(Code::Refused, format!("{code} is not a party to the treaty {:?}", treaty.file().title))
    })?;
    Ok(treaty.party(at))
}
