//! How is a file locked and unlocked? By age, for recipients or with a passphrase; written whole or not at all.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt, x25519};
use zeroize::Zeroizing;

use crate::error::IdentityError;

/// What a file is locked with: public keys, or a passphrase.
#[derive(Clone)]
pub enum Lock {
    /// For everybody who holds the secret of one of these.
    Recipients(Vec<x25519::Recipient>),
    /// For everybody who knows it.
    Passphrase(SecretString),
}

impl Lock {
    /// A lock for one recipient, `age1…`.
    ///
    /// # Errors
    /// [`IdentityError::BadRecipient`].
    pub fn recipient(text: &str) -> Result<Self, IdentityError> {
        Self::recipients(text, "")
    }

    /// A lock for every line of a text; `#` begins a remark. `name` is the file, as the user named it.
    ///
    /// # Errors
    /// [`IdentityError::BadRecipient`] with the line, also when there is none.
    pub fn recipients(text: &str, name: &str) -> Result<Self, IdentityError> {
        let bad = |line: usize| {
            let place = if name.is_empty() { String::new() } else { format!(" (line {line} of `{name}`)") };
            IdentityError::BadRecipient { place }
        };
        let mut recipients = Vec::new();
        for (n, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            recipients.push(line.parse().map_err(|_| bad(n + 1))?);
        }
        if recipients.is_empty() { Err(bad(1)) } else { Ok(Self::Recipients(recipients)) }
    }

    /// A lock with a passphrase.
    pub fn passphrase(text: String) -> Self {
        Self::Passphrase(text.into())
    }

    /// The bytes, locked. They differ each time: encryption is random.
    ///
    /// # Errors
    /// [`IdentityError::Encrypt`].
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let encryptor = match self {
            Self::Recipients(all) => Encryptor::with_recipients(all.iter().map(|one| one as &dyn age::Recipient))
                .map_err(|_| IdentityError::Encrypt("there is no usable recipient"))?,
            Self::Passphrase(passphrase) => Encryptor::with_user_passphrase(passphrase.clone()),
        };
        let mut locked = Vec::with_capacity(plain.len() + 1024);
        let written = encryptor.wrap_output(&mut locked).and_then(|mut writer| {
            writer.write_all(plain)?;
            writer.finish().map(|_| ())
        });
        written.map_err(|_| IdentityError::Encrypt("memory could not be written"))?;
        Ok(locked)
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipients(all) => write!(f, "Lock({} recipients)", all.len()),
            Self::Passphrase(_) => f.write_str("Lock(passphrase)"),
        }
    }
}

/// What a file is unlocked with: secret age identities, or a passphrase. Wiped from memory when dropped.
pub enum Unlock {
    /// One of these.
    Secrets(Vec<x25519::Identity>),
    /// This.
    Passphrase(SecretString),
}

impl Unlock {
    /// The secrets in a file as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`IdentityError::BadSecret`] when a line is neither a secret nor a remark, or there is none;
    /// [`IdentityError::Io`].
    pub fn from_file(path: &Path) -> Result<Self, IdentityError> {
        let io = |source| IdentityError::Io { what: "read the age identity in", path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(io)?;
        let bad = || IdentityError::BadSecret { path: path.to_owned() };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let secrets: Result<Vec<x25519::Identity>, _> = lines.map(|line| line.parse().map_err(|_| bad())).collect();
        let secrets = secrets?;
        if secrets.is_empty() { Err(bad()) } else { Ok(Self::Secrets(secrets)) }
    }

    /// A passphrase.
    pub fn passphrase(text: String) -> Self {
        Self::Passphrase(text.into())
    }

    /// The bytes that were locked; wiped from memory when dropped.
    ///
    /// # Errors
    /// [`IdentityError`]: no file of age, locked for another, or damaged.
    pub fn open(&self, locked: &[u8]) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
        let decryptor = Decryptor::new_buffered(locked).map_err(refused)?;
        let opened = match self {
            Self::Secrets(_) if decryptor.is_scrypt() => return Err(IdentityError::WrongKey),
            Self::Passphrase(_) if !decryptor.is_scrypt() => return Err(IdentityError::WrongKey),
            Self::Secrets(secrets) => decryptor.decrypt(secrets.iter().map(|one| one as &dyn age::Identity)),
            Self::Passphrase(passphrase) => {
                let identity = scrypt::Identity::new(passphrase.clone());
                decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
            }
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(locked.len()));
        // Only a cut or changed file can fail here: its bytes are in memory.
        opened.map_err(refused)?.read_to_end(&mut plain).map_err(|_| IdentityError::Damaged)?;
        Ok(plain)
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unlock(redacted)")
    }
}

/// A new age identity: the text of its file, and its recipient.
pub fn new_identity() -> (Zeroizing<String>, String) {
    use age::secrecy::ExposeSecret;
    let secret = x25519::Identity::generate();
    let recipient = secret.to_public().to_string();
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", secret.to_string().expose_secret()));
    (text, recipient)
}

fn refused(error: DecryptError) -> IdentityError {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
            IdentityError::WrongKey
        }
        DecryptError::ExcessiveWork { .. } => {
            IdentityError::NotAStore { what: "its passphrase takes more work than this machine should do" }
        }
        DecryptError::Io(error) if error.kind() != ErrorKind::UnexpectedEof => {
            IdentityError::NotAStore { what: "it is not a file of age" }
        }
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => {
            IdentityError::NotAStore { what: "it is not a file of age" }
        }
        _ => IdentityError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Unlock, Lock) {
        let folder = tempfile::tempdir().unwrap();
        let (secret, recipient) = new_identity();
        let path = folder.path().join("secret");
        std::fs::write(&path, secret.as_bytes()).unwrap();
        (Unlock::from_file(&path).unwrap(), Lock::recipient(&recipient).unwrap())
    }

    #[test]
    fn what_was_locked_is_unlocked_by_its_key_alone() {
        let ((secret, lock), (other, other_lock)) = (pair(), pair());
        let locked = lock.seal(b"who").unwrap();
        assert!(!locked.windows(3).any(|bytes| bytes == b"who"));
        assert_eq!(secret.open(&locked).unwrap().as_slice(), b"who");
        assert!(matches!(other.open(&locked), Err(IdentityError::WrongKey)));
        assert!(matches!(Unlock::passphrase("x".to_owned()).open(&locked), Err(IdentityError::WrongKey)));
        let Lock::Recipients(mut both) = other_lock else { panic!("recipients were given") };
        let Lock::Recipients(one) = lock else { panic!("recipients were given") };
        both.extend(one);
        let locked = Lock::Recipients(both).seal(b"both").unwrap();
        assert!([secret, other].iter().all(|key| key.open(&locked).unwrap().as_slice() == b"both"));
    }

    #[test]
    fn a_passphrase_locks_and_unlocks() {
        let locked = Lock::passphrase("open".to_owned()).seal(b"who").unwrap();
        assert_eq!(Unlock::passphrase("open".to_owned()).open(&locked).unwrap().as_slice(), b"who");
        assert!(matches!(Unlock::passphrase("shut".to_owned()).open(&locked), Err(IdentityError::WrongKey)));
        assert!(matches!(pair().0.open(&locked), Err(IdentityError::WrongKey)));
    }

    #[test]
    fn a_cut_or_changed_store_is_never_read() {
        let (secret, lock) = pair();
        let locked = lock.seal(&[7; 200_000]).unwrap();
        for length in [0, 1, 20, 100, 190, 200, locked.len() / 2, locked.len() - 1] {
            let error = secret.open(&locked[..length]).unwrap_err();
            assert!(matches!(error, IdentityError::Damaged | IdentityError::NotAStore { .. }), "{length}: {error}");
        }
        let mut changed = locked.clone();
        changed[150_000] ^= 1;
        assert!(matches!(secret.open(&changed), Err(IdentityError::Damaged)));
        assert!(matches!(secret.open(b"patient,nhs\n1,2\n"), Err(IdentityError::NotAStore { .. })));
    }

    #[test]
    fn recipients_and_secrets_that_are_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Lock::recipient("age1x").is_err() && Lock::recipient("# none").is_err());
        let error = Lock::recipients("# ours\nage1x", "team.txt").unwrap_err().to_string();
        assert!(error.contains("line 2 of `team.txt`"), "{error}");
        let path = folder.path().join("secret");
        for text in ["", "# none", "AGE-SECRET-KEY-1NO"] {
            std::fs::write(&path, text).unwrap();
            let error = Unlock::from_file(&path).unwrap_err();
            assert!(matches!(error, IdentityError::BadSecret { .. }) && !error.to_string().contains("1NO"), "{error}");
        }
        assert!(matches!(Unlock::from_file(folder.path()), Err(IdentityError::Io { .. })));
    }
}
