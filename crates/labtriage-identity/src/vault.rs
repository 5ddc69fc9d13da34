//! Whom does a pseudonym stand for? Every person of an extract, by number, with every pseudonym ever given.
//!
//! The store is this table as text, locked. The text is in order of number, so the same persons make the same text.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::keys::{KeyRing, OwnedPseudonym};
use crate::nhs_number::NhsNumber;
use crate::person::{DateOfBirth, Name, Person};
use crate::seal::{Lock, Unlock};

/// The first line of a store's text.
const FORMAT: &str = "labtriage identities 1";

/// Persons by number and by pseudonym. Its `Debug` says how many there are.
#[derive(Default)]
pub struct Vault {
    persons: BTreeMap<NhsNumber, Entry>,
    numbers: BTreeMap<OwnedPseudonym, NhsNumber>,
}

/// What a rotation has changed.
#[derive(Default, Debug)]
pub struct Rotated {
    /// How many persons have a new pseudonym.
    pub new: usize,
    /// Every older pseudonym with the one that is written now, in order of person; forgotten ones too.
    pub renamed: Vec<(OwnedPseudonym, OwnedPseudonym)>,
}

struct Entry {
    person: Person,
    /// The one that is written now comes first, then older ones.
    pseudonyms: Vec<OwnedPseudonym>,
}

impl Vault {
    /// How many persons there are.
    pub fn len(&self) -> usize {
        self.persons.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty()
    }

    /// Everybody, in order of number.
    pub fn persons(&self) -> impl Iterator<Item = &Person> {
        self.persons.values().map(|entry| &entry.person)
    }

    /// Notes a person under a pseudonym, which becomes the one that is written. What the new facts lack is kept
    /// of the old ones. A pseudonym that stood for another person stands for this one from now on.
    pub fn note(&mut self, person: Person, pseudonym: OwnedPseudonym) {
        let number = person.nhs_number;
        let entry =
            self.persons.entry(number).or_insert_with(|| Entry { person: person.clone(), pseudonyms: Vec::new() });
        entry.person.date_of_birth = person.date_of_birth.or(entry.person.date_of_birth);
        entry.person.name = person.name.or(entry.person.name.take());
        entry.pseudonyms.retain(|other| *other != pseudonym);
        entry.pseudonyms.insert(0, pseudonym.clone());
        self.numbers.insert(pseudonym, number);
    }

    /// Adds everybody of another vault, whose facts and pseudonyms are the newer ones.
    pub fn merge(&mut self, newer: Self) {
        for entry in newer.persons.into_values() {
            for pseudonym in entry.pseudonyms.into_iter().rev() {
                self.note(entry.person.clone(), pseudonym);
            }
        }
    }

    /// Whom a pseudonym stands for, whichever key made it.
    pub fn find(&self, pseudonym: &str) -> Option<&Person> {
        let number = self.numbers.get(&OwnedPseudonym::new(pseudonym))?;
        self.persons.get(number).map(|entry| &entry.person)
    }

    /// Gives everybody a pseudonym under the key that writes now. Old pseudonyms still find their person, except with
    /// `forget_old`: then those of keys that the ring does not hold are forgotten.
    pub fn rotate(&mut self, ring: &KeyRing, forget_old: bool) -> Rotated {
        let mut rotated = Rotated::default();
        for (number, entry) in &mut self.persons {
            let pseudonym = ring.pseudonym(number);
            rotated.new += usize::from(entry.pseudonyms.first() != Some(&pseudonym));
            let older = entry.pseudonyms.iter().filter(|other| **other != pseudonym);
            rotated.renamed.extend(older.map(|other| (other.clone(), pseudonym.clone())));
            entry.pseudonyms.retain(|other| *other != pseudonym && (!forget_old || ring.recognises(other, number)));
            entry.pseudonyms.insert(0, pseudonym);
        }
        let all = self.persons.iter();
        self.numbers =
            all.flat_map(|(number, entry)| entry.pseudonyms.iter().map(|name| (name.clone(), *number))).collect();
        rotated
    }

    /// The store as it is to be written: locked.
    ///
    /// # Errors
    /// [`IdentityError::Encrypt`].
    pub fn sealed(&self, lock: &Lock) -> Result<Vec<u8>, IdentityError> {
        lock.seal(&self.text())
    }

    /// Reads a store.
    ///
    /// # Errors
    /// [`IdentityError`]: it cannot be read, is locked for another, is damaged, or is no store.
    pub fn open(path: &Path, unlock: &Unlock) -> Result<Self, IdentityError> {
        let io = |source| IdentityError::Io { what: "read the identity store", path: path.to_owned(), source };
        Self::read(&unlock.open(&std::fs::read(path).map_err(io)?)?)
    }

    /// The text of the store, in order of number.
    fn text(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(format!("{FORMAT}\n").into_bytes());
        for entry in self.persons.values() {
            let Entry { person, pseudonyms } = entry;
            let born = person.date_of_birth.map_or_else(String::new, |date| date.expose_date().to_string());
            let name = person.name.as_ref().map_or("", Name::expose_text);
            let pseudonyms: Vec<&str> = pseudonyms.iter().map(OwnedPseudonym::expose).collect();
            // No field can hold a tab or a line end: names are one line of words.
            for part in [person.nhs_number.expose_digits(), "\t", &born, "\t", name, "\t", &pseudonyms.join(" "), "\n"]
            {
                text.extend_from_slice(part.as_bytes());
            }
        }
        text
    }

    /// Reads the text of a store.
    ///
    /// # Errors
    /// [`IdentityError::NotAStore`], which repeats nothing of it.
    pub fn read(text: &[u8]) -> Result<Self, IdentityError> {
        let text = std::str::from_utf8(text).map_err(|_| IdentityError::NotAStore { what: "it is not text" })?;
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return Err(IdentityError::NotAStore { what: "it is of another program or version" });
        }
        let mut vault = Self::default();
        for line in lines {
            let (person, pseudonyms) =
                read_line(line).ok_or(IdentityError::NotAStore { what: "a line of it is no person" })?;
            for pseudonym in pseudonyms.split_ascii_whitespace().rev() {
                vault.note(person.clone(), OwnedPseudonym::new(pseudonym));
            }
        }
        Ok(vault)
    }
}

fn read_line(line: &str) -> Option<(Person, &str)> {
    let mut fields = line.split('\t');
    let nhs_number = NhsNumber::parse(fields.next()?).ok()?;
    let born = fields.next()?;
    let name = Name::new(fields.next()?);
    let pseudonyms = fields.next()?;
    let date_of_birth = if born.is_empty() { None } else { Some(DateOfBirth::from_store(born)?) };
    let whole = fields.next().is_none() && !pseudonyms.trim().is_empty();
    whole.then_some((Person { nhs_number, date_of_birth, name }, pseudonyms))
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} persons)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "k1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    const TWO: &str = "k2 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\n";

    fn person(number: &str, born: &str, name: &str) -> Person {
        let today = "2026-11-23".parse().unwrap();
        Person {
            nhs_number: NhsNumber::parse(number).unwrap(),
            date_of_birth: born.parse().ok().and_then(|date| DateOfBirth::new(date, today)),
            name: Name::new(name),
        }
    }

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(text, "a test").unwrap()
    }

    fn vault(ring: &KeyRing, persons: &[Person]) -> Vault {
        let mut vault = Vault::default();
        for person in persons {
            vault.note(person.clone(), ring.pseudonym(&person.nhs_number));
        }
        vault
    }

    #[test]
    fn a_store_reads_back_and_its_text_does_not_depend_on_the_order() {
        let ring = ring(ONE);
        let (ada, bob) = (person("9434765919", "1950-02-28", "Ada Byron"), person("9727710638", "", ""));
        let one = vault(&ring, &[ada.clone(), bob.clone()]);
        let other = vault(&ring, &[bob.clone(), ada.clone()]);
        assert_eq!(*one.text(), *other.text());
        let again = Vault::read(&one.text()).unwrap();
        assert_eq!(*again.text(), *one.text());
        assert_eq!(again.find(ring.pseudonym(&ada.nhs_number).expose()), Some(&ada));
        assert_eq!(again.find(ring.pseudonym(&bob.nhs_number).expose()), Some(&bob));
        assert_eq!(again.find("k1-nobody"), None);
        assert_eq!(format!("{again:?}"), "Vault(2 persons)");
    }

    #[test]
    fn a_store_is_saved_and_opened_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identities.age");
        let (secret, recipient) = crate::seal::new_identity();
        std::fs::write(folder.path().join("secret"), secret.as_bytes()).unwrap();
        let lock = Lock::recipient(&recipient).unwrap();
        let unlock = Unlock::from_file(&folder.path().join("secret")).unwrap();
        let vault = vault(&ring(ONE), &[person("9434765919", "1950-02-28", "Ada Byron")]);
        assert!(matches!(Vault::open(&path, &unlock), Err(IdentityError::Io { .. })));
        std::fs::write(&path, vault.sealed(&lock).unwrap()).unwrap();
        assert_eq!(Vault::open(&path, &unlock).unwrap().len(), 1);
        let whole = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&whole).contains("Byron"));
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert!(matches!(Vault::open(&path, &unlock), Err(IdentityError::Damaged)));
        std::fs::write(&path, lock.seal(b"labtriage identities 2\n").unwrap()).unwrap();
        let error = Vault::open(&path, &unlock).unwrap_err().to_string();
        assert_eq!(error, "this is no identity store: it is of another program or version");
    }

    #[test]
    fn a_line_that_is_no_person_is_refused() {
        for line in
            ["9434765918\t\t\tk1-b", "9434765919\t1950\t\tk1-b", "9434765919\t\t\t", "9434765919\t\t\tk1-b\tx", ""]
        {
            let error = Vault::read(format!("{FORMAT}\n{line}\n").as_bytes()).unwrap_err().to_string();
            assert_eq!(error, "this is no identity store: a line of it is no person");
        }
    }

    #[test]
    fn after_a_rotation_old_and_new_pseudonyms_find_the_person() {
        let (before, after) = (ring(ONE), ring(&format!("{TWO}{ONE}")));
        let ada = person("9434765919", "1950-02-28", "Ada Byron");
        let mut vault = vault(&before, std::slice::from_ref(&ada));
        let (old, new) = (before.pseudonym(&ada.nhs_number), after.pseudonym(&ada.nhs_number));
        for expected in [1, 0] {
            let rotated = vault.rotate(&after, false);
            // Said again by a second rotation: the first may have been cut off before it was recorded.
            assert_eq!((rotated.new, rotated.renamed), (expected, vec![(old.clone(), new.clone())]));
        }
        assert_eq!((vault.find(old.expose()), vault.find(new.expose())), (Some(&ada), Some(&ada)));
        assert_eq!(vault.persons[&ada.nhs_number].pseudonyms, [new.clone(), old.clone()]);
        let again = Vault::read(&vault.text()).unwrap();
        assert_eq!(again.persons[&ada.nhs_number].pseudonyms, [new.clone(), old.clone()]);
        // The ring without the old key forgets what that key wrote, and says so a last time.
        assert_eq!(vault.rotate(&ring(TWO), true).renamed.len(), 1);
        assert_eq!(vault.rotate(&ring(TWO), true).renamed.len(), 0);
        assert_eq!((vault.find(old.expose()), vault.find(new.expose())), (None, Some(&ada)));
    }

    #[test]
    fn newer_facts_go_before_older_ones_and_nothing_known_is_lost() {
        let (before, after) = (ring(ONE), ring(TWO));
        let mut store = vault(&before, &[person("9434765919", "1950-02-28", "Ada King")]);
        store.merge(vault(&after, &[person("9434765919", "", "Ada Byron"), person("9727710638", "", "Bob")]));
        let ada = person("9434765919", "1950-02-28", "Ada Byron");
        assert_eq!(store.len(), 2);
        assert_eq!(store.find(before.pseudonym(&ada.nhs_number).expose()), Some(&ada));
        assert_eq!(store.persons[&ada.nhs_number].pseudonyms[0], after.pseudonym(&ada.nhs_number));
    }
}
