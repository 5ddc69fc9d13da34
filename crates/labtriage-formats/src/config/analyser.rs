//! What does an analyser run, and on which days? Its menu, from disciplines, tests and exceptions.

use labtriage_core::catalogue::Catalogue;
use labtriage_core::finding::{Code, Finding};
use labtriage_core::network::{Analyser, Stock};
use labtriage_core::table::{CalendarIx, DisciplineIx, Ix, TestIx};

use super::network::Known;
use super::toml_file::{Cursor, Value};

/// The tests of a menu, each with the calendar of its run days if it has one.
type Menu = Vec<(TestIx, Option<CalendarIx>)>;

/// One entry `[[analyser]]`.
pub(super) fn analyser(mut entry: Cursor<'_>, known: &Known<'_>) -> Option<Analyser> {
    let code = entry.required("code", Value::code);
    let site = entry.required("site", |value| known.sites.find(value));
    let name = entry.required("name", Value::text);
    let disciplines = entry.or("disciplines", Vec::new(), |value| known.disciplines.find_all(value));
    let tests = entry.or("tests", Vec::new(), |value| known.tests.find_all(value));
    let except = entry.or("except", Vec::new(), |value| known.tests.find_all(value));
    let rate = entry.required("rate", |value| match value.thousandths(0..=1_000_000)? {
        0 => value.wrong("a number above 0"),
        rate => u32::try_from(rate).ok(),
    });
    let calendar = entry.required("calendar", |value| known.calendars.find(value));
    let dead_volume = entry.required("dead_volume", Value::volume);
    let catalogue = known.catalogue;
    let mut menu =
        catalogue.zip(disciplines).zip(tests.zip(except)).and_then(|((catalogue, disciplines), (tests, except))| {
            let on_menu = tests_on_menu(catalogue, &disciplines, &tests, &except);
            if on_menu.contains(&true) {
                return Some(Choice { catalogue, run_days: vec![None; on_menu.len()], on_menu });
            }
            entry.report(Finding::new(Code::WrongValue, "there is no test on the menu of this analyser"));
            None
        });
    let run_days = entry.list("run_days", |value| run_days(value, known, menu.as_mut()));
    let stock = entry.list("stock", |value| stock(value, known, menu.as_ref()));
    entry.finish();
    let (menu, disciplines) =
        (menu.as_ref().and_then(|menu| menu.menu(&entry)), menu.as_ref().map(Choice::disciplines));
    run_days?;
    Some(Analyser {
        code: code?,
        site: site?,
        name: name?,
        menu: menu?,
        disciplines: disciplines?,
        rate_permille: rate?,
        calendar: calendar?,
        dead_volume: dead_volume?,
        stock: stock?,
    })
}

/// What is on a menu, test by test of the catalogue, while the menu is being read.
struct Choice<'c> {
    catalogue: &'c Catalogue,
    on_menu: Vec<bool>,
    run_days: Vec<Option<CalendarIx>>,
}

/// A panel named means its tests.
fn singles<'c>(catalogue: &'c Catalogue, named: &'c [TestIx]) -> impl Iterator<Item = TestIx> {
    named.iter().flat_map(|test| {
        let members = catalogue.tests[*test].members.as_slice();
        if members.is_empty() { std::slice::from_ref(test) } else { members }.iter().copied()
    })
}

/// All tests of the disciplines, plus `tests`, less `except`; a panel when all its tests are there.
fn tests_on_menu(
    catalogue: &Catalogue,
    disciplines: &[DisciplineIx],
    tests: &[TestIx],
    except: &[TestIx],
) -> Vec<bool> {
    let mut on_menu: Vec<bool> =
        catalogue.tests.iter().map(|test| test.members.is_empty() && disciplines.contains(&test.discipline)).collect();
    singles(catalogue, tests).for_each(|test| on_menu[test.row()] = true);
    singles(catalogue, except).for_each(|test| on_menu[test.row()] = false);
    for (panel, facts) in catalogue.tests.enumerate().filter(|(_, facts)| !facts.members.is_empty()) {
        on_menu[panel.row()] = facts.members.iter().all(|member| on_menu[member.row()]);
    }
    on_menu
}

impl Choice<'_> {
    fn has(&self, test: TestIx) -> bool {
        self.on_menu[test.row()]
    }

    /// Disciplines of the tests on the menu, in order.
    fn disciplines(&self) -> Vec<DisciplineIx> {
        let on_menu = self.catalogue.tests.enumerate().filter(|(test, _)| self.has(*test));
        let mut disciplines: Vec<DisciplineIx> = on_menu.map(|(_, facts)| facts.discipline).collect();
        disciplines.sort_unstable();
        disciplines.dedup();
        disciplines
    }

    /// The menu in order of test. A panel runs on the run days of its tests, which must agree.
    fn menu(&self, entry: &Cursor<'_>) -> Option<Menu> {
        let mut menu = Vec::new();
        for (test, facts) in self.catalogue.tests.enumerate().filter(|(test, _)| self.has(*test)) {
            let mut calendars: Vec<CalendarIx> =
                singles(self.catalogue, &[test]).filter_map(|single| self.run_days[single.row()]).collect();
            calendars.dedup();
            if calendars.len() > 1 {
                let message = format!("the tests of panel `{}` have different run days here", facts.code);
                let hint = "give them one calendar, or take one of them off this menu with `except`";
                entry.report(Finding::new(Code::PanelInconsistent, message).hint(hint));
                return None;
            }
            menu.push((test, calendars.first().copied()));
        }
        Some(menu)
    }
}

fn not_on_menu(value: Value<'_>) -> Option<()> {
    let name = value.str().unwrap_or_default();
    let message = format!("test `{name}` is not on the menu of this analyser");
    value.report(Finding::new(Code::UnknownReference, message).hint("add it to `tests`, or remove it here"));
    None
}

/// Notes the calendar of tests that do not run every day.
fn run_days(value: Value<'_>, known: &Known<'_>, menu: Option<&mut Choice<'_>>) -> Option<()> {
    let mut entry = value.table()?;
    let mut named = Vec::new();
    let tests = entry.some_list("tests", |value| {
        let test = known.tests.find(value)?;
        named.push((value, test));
        Some(())
    });
    let calendar = entry.required("calendar", |value| known.calendars.find(value));
    entry.finish();
    tests?;
    let Some(menu) = menu else { return Some(()) };
    for (value, test) in named {
        if !menu.has(test) {
            not_on_menu(value)?;
        }
        for single in singles(menu.catalogue, &[test]) {
            menu.run_days[single.row()] = calendar;
        }
    }
    calendar.map(|_| ())
}

/// Reagent that is left for a test on the menu.
fn stock(value: Value<'_>, known: &Known<'_>, menu: Option<&Choice<'_>>) -> Option<Stock> {
    let mut entry = value.table()?;
    let test = entry.required("test", |value| {
        let test = known.tests.find(value)?;
        if menu.is_some_and(|menu| !menu.has(test)) {
            not_on_menu(value)?;
        }
        Some(test)
    });
    let tests = entry.required("tests", |value| value.whole(0..=u32::MAX));
    entry.finish();
    Some(Stock { test: test?, tests: tests? })
}
