//! Reading an archive as it is: nothing is unpacked to disk, and no name in it is ever used as a path.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::archive::{BLOCK, WINDOW_LOG, header, padding};
use crate::ledger::is_ledger_name;

/// Largest archive, unpacked, in bytes.
pub const MAX_ARCHIVE_BYTES: u64 = 1 << 40;
/// An archive that unpacks to more than so many times its size is refused. A record of at most 65,535 bytes names the
/// hash of the one before it, which does not compress: no ledger comes close.
pub const MAX_RATIO: u64 = 2048;
/// What every archive may unpack to, however small it is.
const FREE_BYTES: u64 = 1 << 20;

/// The name that the file should begin with, and whether it has to be there.
pub(super) type Order = Vec<(String, bool)>;

/// One reading of an archive from its beginning: forward only.
pub(super) struct Lane {
    stream: Stream,
    root: String,
    order: Order,
    at: usize,
    /// A header that was read and not yet used.
    peeked: Option<[u8; BLOCK]>,
    ended: bool,
}

/// The decompressed bytes, within limits.
struct Stream {
    decoder: zstd::Decoder<'static, BufReader<Counting>>,
    out: u64,
}

struct Counting {
    file: File,
    read: u64,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.read += length as u64;
        Ok(length)
    }
}

fn bad(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl Stream {
    fn open(path: &Path) -> io::Result<Self> {
        let counting = Counting { file: super::source::open(path)?, read: 0 };
        let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 16, counting))?.single_frame();
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self { decoder, out: 0 })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(buffer).map_err(|e| bad(format!("the archive is cut off or damaged ({e})")))?;
        self.out += length as u64;
        let most = self.decoder.get_ref().get_ref().read.saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES);
        if self.out > most.min(MAX_ARCHIVE_BYTES) {
            return Err(bad(format!(
                "it unpacks to more than {MAX_RATIO} times its size, or to more than {MAX_ARCHIVE_BYTES} bytes"
            )));
        }
        Ok(length)
    }
}

impl Lane {
    /// From the beginning. The files stand in this order.
    pub fn open(path: &Path, order: Order) -> io::Result<Self> {
        let mut lane =
            Self { stream: Stream::open(path)?, root: String::new(), order, at: 0, peeked: None, ended: false };
        let block = lane.block()?;
        let name = tar::Header::from_byte_slice(&block).path_bytes().into_owned();
        let root = std::str::from_utf8(&name).ok().and_then(|name| name.split('/').next());
        lane.root = root.filter(|root| is_ledger_name(root)).ok_or_else(|| bad("it is not an export"))?.to_owned();
        lane.peeked = Some(block);
        Ok(lane)
    }

    /// The folder in which its files are.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// How much of the file was read, in bytes.
    pub fn done(&self) -> u64 {
        self.stream.decoder.get_ref().get_ref().read
    }

    /// The files in the archive, when more is known of them than at the beginning; the first ones stay what they were.
    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    fn block(&mut self) -> io::Result<[u8; BLOCK]> {
        if let Some(block) = self.peeked.take() {
            return Ok(block);
        }
        let mut block = [0; BLOCK];
        self.stream.read_exact(&mut block).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => bad("the archive is cut off"),
            _ => e,
        })?;
        Ok(block)
    }

    /// Goes forward to a file and gives its size; `None` if it is not there and need not be.
    pub fn seek(&mut self, name: &str) -> io::Result<Option<u64>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let block = self.block()?;
            if block == [0; BLOCK] {
                self.peeked = Some(block);
                return self.absent(name);
            }
            let size = tar::Header::from_byte_slice(&block).entry_size()?;
            let place = |(name, _): &(String, bool)| {
                header(&self.root, name, size).is_ok_and(|header| header.as_bytes() == &block)
            };
            let Some(found) = self.order[self.at..].iter().position(place).map(|found| found + self.at) else {
                self.peeked = Some(block);
                // Not known yet what may stand there: whoever needs what comes next will tell.
                if self.order.iter().any(|(at, due)| at == name && !due) {
                    return Ok(None);
                }
                let said = tar::Header::from_byte_slice(&block).path_bytes().into_owned();
                return Err(bad(format!(
                    "after {} it has an entry that does not belong there or is not written as exports are: {}",
                    if self.at == 0 { "its beginning" } else { &self.order[self.at - 1].0 },
                    super::frame::quoted(&String::from_utf8_lossy(&said))
                )));
            };
            let wanted = self.order.iter().position(|(at, _)| at == name).unwrap_or(usize::MAX);
            if found > wanted {
                self.peeked = Some(block);
                return self.absent(name);
            }
            if let Some((missing, _)) = self.order[self.at..found].iter().find(|(_, due)| *due) {
                return Err(bad(format!("{missing} is missing")));
            }
            self.at = found + 1;
            if found == wanted {
                return Ok(Some(size));
            }
            self.skip(size)?;
            self.skip(padding(size) as u64)?;
        }
    }

    fn absent(&self, name: &str) -> io::Result<Option<u64>> {
        match self.order.iter().find(|(at, _)| at == name) {
            Some((_, true)) => Err(bad(format!("{name} is missing"))),
            _ => Ok(None),
        }
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.stream).take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(()) } else { Err(bad("it is cut off")) }
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let mut padding = vec![0xff; padding(size)];
        self.stream.read_exact(&mut padding)?;
        if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(bad("there are bytes between its files")) }
    }

    /// A small file whole.
    pub fn small(&mut self, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(size) = self.seek(name)? else { return Ok(None) };
        if size > most as u64 {
            return Err(bad(format!("{name} is longer than {most} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        self.stream.read_exact(&mut bytes)?;
        self.pad(size)?;
        Ok(Some(bytes))
    }

    /// The files are at their end, and so is the archive.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some((missing, _)) = self.order[self.at..].iter().find(|(_, due)| *due) {
            return Err(bad(format!("{missing} is missing")));
        }
        for _ in 0..2 {
            if self.block()? != [0; BLOCK] {
                return Err(bad("there is more in it than an export"));
            }
        }
        let mut rest = [0; 1];
        if self.stream.read(&mut rest)? > 0 || !self.stream.decoder.get_mut().fill_buf()?.is_empty() {
            return Err(bad("there are bytes after its end"));
        }
        Ok(())
    }
}

/// A file in an archive while it is read. The lane comes back from it.
pub(super) struct Entry {
    lane: Lane,
    size: u64,
    left: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Entry {
    /// The file where the lane stands.
    pub fn new(lane: Lane, size: u64) -> Self {
        Self { lane, size, left: size, buffer: Vec::new(), at: 0 }
    }

    /// How much of the archive was read, in bytes.
    pub fn done(&self) -> u64 {
        self.lane.done()
    }

    /// Goes to the file's end, and gives the lane back.
    pub fn finish(mut self) -> io::Result<Lane> {
        self.lane.skip(self.left)?;
        self.lane.pad(self.size)?;
        Ok(self.lane)
    }
}

impl BufRead for Entry {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && self.left > 0 {
            self.buffer.resize(self.left.min(1 << 16) as usize, 0);
            let length = self.lane.stream.read(&mut self.buffer)?;
            if length == 0 {
                return Err(bad("the archive is cut off"));
            }
            self.buffer.truncate(length);
            (self.at, self.left) = (0, self.left - length as u64);
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.buffer.len());
    }
}

impl Read for Entry {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let length = there.len().min(buffer.len());
        buffer[..length].copy_from_slice(&there[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Decompresses a small file, of at most so many bytes.
pub fn unpack_small(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut stream = Stream::open(path)?;
    let mut bytes = Vec::new();
    (&mut stream).take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(bad(format!("it unpacks to more than {most} bytes")));
    }
    if !stream.decoder.get_mut().fill_buf()?.is_empty() {
        return Err(bad("there are bytes after its end"));
    }
    Ok(bytes)
}

/// The first bytes of what a compressed file holds.
pub fn peek(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Stream::open(path)?.take(64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
