//! Who is in an extract? Numbers are checked, persons noted, and numbers of two people found out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use labtriage_core::finding::Code;
use labtriage_formats::identified::{Answer, Named, People, Reception};
use labtriage_identity::{BadNumber, DateOfBirth, KeyRing, Name, NhsNumber, Person, Vault};

/// The persons of an extract, as far as it has been read.
pub(super) struct Register<'a> {
    ring: &'a KeyRing,
    today: NaiveDate,
    /// What the first reading found out; `None` where rows state different dates of birth.
    seen: BTreeMap<NhsNumber, Option<Person>>,
    /// Everybody whom any row names, also one that is set aside, and everybody of the store.
    pub(super) people: People,
    /// Whether names and dates are looked for too: only where there is a text that may hold them.
    words: bool,
    /// Everybody who has a row that was written.
    pub(super) vault: Vault,
}

/// What the register does with the rows of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// First reading, which writes nothing, of the backlog.
    Look,
    /// First reading of the results.
    LookAside,
    /// Second reading of the backlog: who is in it is noted.
    Note,
    /// Second reading of the results: they name, but add nobody.
    Name,
}

/// A register at work on a file.
pub(super) struct At<'r, 'a>(pub(super) &'r mut Register<'a>, pub(super) Reading);

impl Reception for At<'_, '_> {
    fn see(&mut self, named: &Named<'_>) {
        if matches!(self.1, Reading::Look | Reading::LookAside) {
            self.0.add(named.nhs_number, named.date_of_birth, named.name);
        }
    }

    fn knows(&self, digits: &[u8; 10]) -> bool {
        self.0.people.has_number(digits)
    }

    fn answer(&mut self, named: &Named<'_>) -> Answer {
        match self.1 {
            Reading::Look => self.0.look(named),
            Reading::LookAside => Answer::Write(String::new(), None),
            Reading::Note => self.0.note(named),
            Reading::Name => self.0.name(named),
        }
    }
}

impl<'a> Register<'a> {
    /// An empty one that knows whom the store names; `words` says whether names and dates will be looked for too.
    pub(super) fn new(ring: &'a KeyRing, today: NaiveDate, store: &Vault, words: bool) -> Self {
        let (people, vault) = (People::default(), Vault::default());
        let mut register = Self { ring, today, seen: BTreeMap::new(), people, words, vault };
        for person in store.persons() {
            let name = person.name.as_ref().map_or("", Name::expose_text);
            let born = person.date_of_birth.map(|date| date.expose_date());
            register.add(person.nhs_number.expose_digits(), born, name);
        }
        register
    }

    fn add(&mut self, nhs_number: &str, born: Option<NaiveDate>, name: &str) {
        self.people.add_number(nhs_number);
        if self.words {
            self.people.add_date(born);
            self.people.add_name(name);
        }
    }

    /// Gathers what all rows say of a person, whatever their order.
    fn look(&mut self, named: &Named<'_>) -> Answer {
        if let Ok(number) = NhsNumber::parse(named.nhs_number) {
            let person = self.person(number, named);
            let seen = self.seen.entry(number).or_insert_with(|| Some(person.clone()));
            *seen = seen.take().and_then(|seen| together(seen, person));
        }
        Answer::Write(String::new(), None)
    }

    /// Notes the person of a row that is written, and sets rows of two people aside.
    fn note(&mut self, named: &Named<'_>) -> Answer {
        let Ok(number) = NhsNumber::parse(named.nhs_number) else { return self.name(named) };
        let Some(Some(person)) = self.seen.get(&number) else {
            return Answer::SetAside(Code::IdentityConflict, "rows of this NHS number differ in date of birth");
        };
        let pseudonym = self.ring.pseudonym(&number);
        let text = pseudonym.expose().to_owned();
        self.vault.note(person.clone(), pseudonym);
        Answer::Write(text, self.remark(named))
    }

    /// The pseudonym of a row, without noting anybody; a row that names nobody keeps the one it has.
    fn name(&self, named: &Named<'_>) -> Answer {
        if named.nhs_number.is_empty() {
            return Answer::Write(named.patient.to_owned(), None);
        }
        match NhsNumber::parse(named.nhs_number) {
            Ok(number) => Answer::Write(self.ring.pseudonym(&number).expose().to_owned(), self.remark(named)),
            Err(bad) => Answer::SetAside(Code::BadNhsNumber, words(bad)),
        }
    }

    /// What is to be said about the date of birth.
    fn remark(&self, named: &Named<'_>) -> Option<(Code, &'static str)> {
        let impossible = named.date_of_birth.is_some_and(|date| DateOfBirth::new(date, self.today).is_none());
        (impossible || named.date_unreadable)
            .then_some((Code::BadDateOfBirth, "the date of birth cannot be read or believed: it is left out"))
    }

    fn person(&self, nhs_number: NhsNumber, named: &Named<'_>) -> Person {
        let date_of_birth = named.date_of_birth.and_then(|date| DateOfBirth::new(date, self.today));
        Person { nhs_number, date_of_birth, name: Name::new(named.name) }
    }
}

/// What two rows say of one person; `None` when they name different dates of birth. Of two names, which may be
/// spellings of one, the first in order counts, so that the order of the rows does not.
fn together(one: Person, other: Person) -> Option<Person> {
    if one.date_of_birth.is_some() && other.date_of_birth.is_some() && one.date_of_birth != other.date_of_birth {
        return None;
    }
    let name = match (one.name, other.name) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Some(Person { nhs_number: one.nhs_number, date_of_birth: one.date_of_birth.or(other.date_of_birth), name })
}

const fn words(bad: BadNumber) -> &'static str {
    match bad {
        BadNumber::Shape => "the NHS number is not ten digits",
        BadNumber::CheckDigit => "the check digit of the NHS number is wrong",
        BadNumber::Placeholder => "the NHS number is ten times the same digit",
    }
}
