//! Reading a file that a person named.

use std::io::Read;
use std::path::Path;

use super::failure::{Code, Failure};

/// Reads a file of at most `limit` bytes; `-` is standard input.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let fail = |error: std::io::Error| Failure::new(Code::Input, format!("{} cannot be read: {error}", path.display()));
    let mut bytes = Vec::new();
    // One byte more than is allowed, to see that there is more.
    let most = limit as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(fail)?;
    } else {
        std::fs::File::open(path).map_err(fail)?.take(most).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() > limit {
        return Err(Failure::new(Code::Input, format!("{} is over {limit} bytes long", path.display())));
    }
    Ok(bytes)
}
