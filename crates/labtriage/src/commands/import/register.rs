//! Who is in an extract? Numbers are checked, persons noted, and numbers of two people found out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use labtriage_core::finding::Code;
use labtriage_formats::identified::{Answer, Named};
use labtriage_identity::{BadNumber, DateOfBirth, KeyRing, Name, NhsNumber, Person, Vault};

/// The persons of an extract, as far as it has been read.
pub(super) struct Register<'a> {
    ring: &'a KeyRing,
    today: NaiveDate,
    /// What the first reading found out; `None` where rows state different dates of birth.
    seen: BTreeMap<NhsNumber, Option<Person>>,
    /// Everybody who has a row that was written.
    pub(super) vault: Vault,
}

impl<'a> Register<'a> {
    pub(super) fn new(ring: &'a KeyRing, today: NaiveDate) -> Self {
        Self { ring, today, seen: BTreeMap::new(), vault: Vault::default() }
    }

    /// First reading, which writes nothing: gathers what all rows say of a person, whatever their order.
    pub(super) fn look(&mut self, named: &Named<'_>) -> Answer {
        if let Ok(number) = NhsNumber::parse(named.nhs_number) {
            let person = self.person(number, named);
            let seen = self.seen.entry(number).or_insert_with(|| Some(person.clone()));
            *seen = seen.take().and_then(|seen| together(seen, person));
        }
        Answer::Write(String::new(), None)
    }

    /// Second reading: notes the person of a row that is written, and sets rows of two people aside.
    pub(super) fn note(&mut self, named: &Named<'_>) -> Answer {
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
    pub(super) fn name(&self, named: &Named<'_>) -> Answer {
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
