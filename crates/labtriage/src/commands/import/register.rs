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

    /// First reading: gathers what all rows say of a person, whatever their order.
    pub(super) fn look(&mut self, named: &Named<'_>) -> Answer {
        if let Ok(number) = NhsNumber::parse(named.nhs_number) {
            let person = self.person(number, named);
            let seen = self.seen.entry(number).or_insert_with(|| Some(person.clone()));
            *seen = seen.take().and_then(|seen| together(seen, person));
        }
        self.name(named)
    }

    /// Second reading: notes the person of a row that is written, and sets rows of two people aside.
    pub(super) fn note(&mut self, named: &Named<'_>) -> Answer {
        if let Ok(number) = NhsNumber::parse(named.nhs_number) {
            match self.seen.get(&number) {
                Some(Some(person)) => self.vault.note(person.clone(), self.ring.pseudonym(&number)),
                _ => {
                    return Answer::SetAside(Code::IdentityConflict, "rows of this NHS number differ in date of birth");
                }
            }
        }
        self.name(named)
    }

    /// The pseudonym of a row, without noting anybody.
    pub(super) fn name(&self, named: &Named<'_>) -> Answer {
        let pseudonym = match (named.nhs_number, named.patient) {
            ("", "") => return Answer::Write(String::new(), None),
            ("", patient) => patient.to_owned(),
            (number, _) => match NhsNumber::parse(number) {
                Ok(number) => self.ring.pseudonym(&number).expose().to_owned(),
                Err(bad) => return Answer::SetAside(Code::BadNhsNumber, words(bad)),
            },
        };
        let born = named.date_of_birth.is_some_and(|date| DateOfBirth::new(date, self.today).is_none());
        let remark = (born || named.date_unreadable)
            .then_some((Code::BadDateOfBirth, "the date of birth cannot be read or believed: it is left out"));
        Answer::Write(pseudonym, remark)
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
