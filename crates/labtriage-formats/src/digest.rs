//! Is it the same file? SHA-256 digests of inputs, as 64 hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The digest of bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of everything that a reader gives, in bounded memory.
///
/// # Errors
/// Those of the reader.
pub fn of_reader(mut reader: impl Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(read) => digest.update(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A reader that digests what passes through it.
#[derive(Debug)]
pub struct Digesting<R> {
    reader: R,
    digest: Sha256,
}

impl<R> Digesting<R> {
    /// Nothing has passed yet.
    pub fn new(reader: R) -> Self {
        Self { reader, digest: Sha256::new() }
    }

    /// The digest of what has passed.
    pub fn finish(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// The digest of a file, in bounded memory.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn of_file(path: &Path) -> io::Result<String> {
    of_reader(File::open(path)?)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_streams_agree_with_the_published_test_vector() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), expected);
        assert_eq!(of_reader(&b"abc"[..]).unwrap(), expected);
        let long = vec![7; 200_000];
        assert_eq!(of_reader(&long[..]).unwrap(), of_bytes(&long));
        let mut passing = Digesting::new(&long[..]);
        io::copy(&mut passing, &mut io::sink()).unwrap();
        assert_eq!(passing.finish(), of_bytes(&long));
        assert!(of_file(Path::new("there-is-no-such-file")).is_err());
    }
}
