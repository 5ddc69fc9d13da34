//! What does `policy.toml` say? Bands, rules, weights, burdens and margins.

use labtriage_core::catalogue::{Catalogue, Profile};
use labtriage_core::finding::{Code, Finding};
use labtriage_core::flags::{FLAGS_MAX, FlagSet, FlagVocabulary};
use labtriage_core::network::RequesterKind;
use labtriage_core::policy::{
    Band, BandRule, FairnessLimit, GroupBy, Modifiers, Policy, PolicyError, PolicyParts, Reserve, SlotStretch,
    StepPrices, UnknownRule,
};
use labtriage_core::table::{BandIx, DisciplineIx, Ix, Table, TestIx};
use labtriage_core::units::{Cost, Percent, Weight};

use super::ConfigFile;
use super::names::{Names, disciplines_of, tests_of};
use super::quantity::duration;
use super::toml_file::{Cursor, TomlFile, Value, all};

/// Kinds of requester by their word.
pub(super) const REQUESTERS: [(&str, RequesterKind); 2] =
    [(RequesterKind::Practice.text(), RequesterKind::Practice), (RequesterKind::Ward.text(), RequesterKind::Ward)];
const PROFILES: [(&str, Profile); 2] = [("stability", Profile::Stability), ("add-on", Profile::AddOn)];

/// How many lines of a band a group must have to be judged where the file does not say: judgement.
const MIN_LINES: u32 = 20;

/// The largest cost in weighted days.
const COST_MAX: u32 = 1_000_000_000;
/// The largest weight; in thousandths it still fits its type after the modifiers of a request.
const WEIGHT_MAX: u32 = 100_000;
/// The largest factor.
const PERCENT_MAX: u32 = 10_000;

/// Reads a policy whose tests and disciplines stand in a catalogue.
///
/// # Errors
/// Everything that is wrong with the file, in order of place.
pub fn policy(file: &ConfigFile, catalogue: &Catalogue) -> Result<Policy, Vec<Finding>> {
    read(file, Some(catalogue))
}

/// The same; without a catalogue, names of tests and disciplines are not looked up.
pub(super) fn read(file: &ConfigFile, catalogue: Option<&Catalogue>) -> Result<Policy, Vec<Finding>> {
    let toml = TomlFile::parse(&file.name, &file.text);
    let policy = read_root(toml.root(), catalogue);
    toml.finish(policy)
}

/// The names that entries of the file refer to, and the flags learned so far.
struct Known {
    tests: Names<TestIx>,
    disciplines: Names<DisciplineIx>,
    bands: Names<BandIx>,
    flags: FlagVocabulary,
}

fn read_root(mut root: Cursor<'_>, catalogue: Option<&Catalogue>) -> Option<Policy> {
    let version = root.required("version", Value::text);
    let bands = root.some_tables("band");
    let mut known = Known {
        tests: tests_of(catalogue),
        disciplines: disciplines_of(catalogue),
        bands: Names::declare("band", &bands, "code", usize::from(u8::MAX)),
        flags: FlagVocabulary::default(),
    };
    let places = bands.clone();
    let bands = all(bands.into_iter().map(band));
    let horizon_place = root.peek("horizon");
    let horizon = section(&mut root, "horizon", horizon);
    let assign = section(&mut root, "assign", |entry| assign(entry, &mut known));
    let modifiers = section(&mut root, "modifiers", |entry| modifiers(entry, &mut known));
    let recall = section(&mut root, "recall", |entry| recall(entry, &mut known));
    let viability = section(&mut root, "viability", viability);
    let discard = section(&mut root, "discard", |entry| {
        let (hold, loss) =
            (entry.required("minimum_hold", Value::duration), entry.required("irreplaceable_loss", cost));
        hold.zip(loss)
    });
    let cancel = section(&mut root, "duplicates", |entry| entry.required("cancel", Value::boolean));
    let reserves = all(root.tables("reserve").into_iter().map(|entry| reserve(entry, &known)));
    let churn = section(&mut root, "churn", |entry| {
        let (window, moved) = (entry.required("frozen_window", Value::duration), entry.required("moved_line", cost));
        window.zip(moved)
    });
    let prices = section(&mut root, "prices", prices);
    let every_band = bands.iter().flatten().enumerate().map(|(row, _)| BandIx::from_row(row)).collect();
    let fairness = root.optional("fairness", |value| fairness(value.table()?, &known, every_band));
    root.finish();
    let ((slots, tail), (default_band, rules), viability) = (horizon?, assign?, viability?);
    let (recall, (minimum_hold, irreplaceable_loss), (frozen_window, moved_line)) = (recall?, discard?, churn?);
    let parts = PolicyParts {
        version: version?,
        slots,
        tail,
        bands: Table::new(bands?),
        default_band,
        rules,
        modifiers: modifiers?,
        recall_burden: recall.burden,
        recall_burden_factors: recall.factors,
        recalls_per_day: recall.per_day,
        profile: viability.profile,
        safety_margin: viability.margin,
        unknown_stability: viability.unknown_stability,
        unknown_time: viability.unknown_time,
        minimum_hold,
        irreplaceable_loss,
        cancel_duplicates: cancel?,
        reserves: reserves?,
        frozen_window,
        moved_line,
        prices: prices?,
        fairness: fairness?,
        flags: known.flags,
    };
    lawful(parts, &root, &places, horizon_place)
}

/// Reads a section that must be there, and reports the keys of it that nobody took.
fn section<'f, T>(
    root: &mut Cursor<'f>,
    key: &'static str,
    read: impl FnOnce(&mut Cursor<'f>) -> Option<T>,
) -> Option<T> {
    let mut entry = root.table(key)?;
    let value = read(&mut entry);
    entry.finish();
    value
}

/// The policy, or every reason why it cannot be one: a band out of order is reported and then
/// taken as not strict, so that what comes after it is seen too.
fn lawful(
    mut parts: PolicyParts,
    root: &Cursor<'_>,
    bands: &[Cursor<'_>],
    horizon: Option<Value<'_>>,
) -> Option<Policy> {
    loop {
        let error = match Policy::new(parts.clone()) {
            Ok(policy) => return Some(policy),
            Err(error) => error,
        };
        let words = error.to_string();
        match error {
            PolicyError::StrictBelow { .. } => {
                // By place, not by code: a code may stand twice, and the wrong one would be found for ever.
                let mut pairs = parts.bands.as_slice().windows(2);
                let row = pairs.position(|pair| pair[1].strict && !pair[0].strict)? + 1;
                parts.bands.as_mut_slice().get_mut(row)?.strict = false;
                let finding = Finding::new(Code::BandOrder, words);
                bands.get(row)?.report(finding.hint("strict bands come first: move it up, or set `strict = false`"));
            }
            PolicyError::NoBands => {
                root.report(Finding::new(Code::BandOrder, words));
                return None;
            }
            PolicyError::Horizon(_) => {
                horizon?.report(Finding::new(Code::HorizonInvalid, words));
                return None;
            }
        }
    }
}

fn cost(value: Value<'_>) -> Option<Cost> {
    let thousandths = value.thousandths(0..=COST_MAX)?;
    i64::try_from(thousandths).ok().map(Cost::from_thousandths)
}

fn factor(value: Value<'_>) -> Option<Percent> {
    value.percent(0..=PERCENT_MAX)
}

fn band(mut entry: Cursor<'_>) -> Option<Band> {
    let code = entry.required("code", Value::word);
    let name = entry.required("name", Value::text);
    let weight = entry.required("weight", |value| value.thousandths(0..=WEIGHT_MAX));
    let target = entry.required("target", Value::some_time);
    let strict = entry.required("strict", Value::boolean);
    // Below 100 it would pay to be late.
    let lateness = entry.required("lateness_percent", |value| value.percent(100..=PERCENT_MAX));
    let source = entry.required("source", Value::text);
    entry.finish();
    let weight = u32::try_from(weight?).ok().map(Weight::from_thousandths);
    Some(Band {
        code: code?,
        name: name?,
        weight: weight?,
        target: target?,
        strict: strict?,
        lateness: lateness?,
        source: source?,
    })
}

fn horizon(entry: &mut Cursor<'_>) -> Option<(Vec<SlotStretch>, labtriage_core::time::Minutes)> {
    let slots = entry.some_list("slots", |value| {
        let mut stretch = value.table()?;
        let (until, length) =
            (stretch.required("until", Value::some_time), stretch.required("length", Value::some_time));
        stretch.finish();
        Some(SlotStretch { until: until?, length: length? })
    });
    slots.zip(entry.required("tail", Value::duration))
}

fn assign(entry: &mut Cursor<'_>, known: &mut Known) -> Option<(BandIx, Vec<BandRule>)> {
    let default_band = entry.required("default_band", |value| known.bands.find(value));
    let rules = all(entry.tables("rule").into_iter().map(|entry| rule(entry, known)));
    default_band.zip(rules)
}

fn rule(mut entry: Cursor<'_>, known: &mut Known) -> Option<BandRule> {
    let band = entry.required("band", |value| known.bands.find(value));
    let flags = entry.list("flags", |value| flag(&mut known.flags, value, value.word()?.as_str()));
    let tests = entry.or("tests", Vec::new(), |value| known.tests.find_all(value));
    let only_tests = entry.or("only_tests", Vec::new(), |value| known.tests.find_all(value));
    let requesters = entry.list("requesters", |value| value.choice(&REQUESTERS));
    entry.finish();
    let rule = BandRule {
        band: band?,
        flags: flags?.into_iter().fold(FlagSet::EMPTY, FlagSet::with),
        tests: tests?,
        only_tests: only_tests?,
        requesters: requesters?,
    };
    let lists = [rule.tests.len(), rule.only_tests.len(), rule.requesters.len()];
    if rule.flags.is_empty() && lists == [0; 3] {
        let finding = Finding::new(Code::WrongValue, "this rule has no condition, so it would match every request");
        entry.report(finding.hint("list `flags`, `tests`, `only_tests` or `requesters`; or set `default_band`"));
    }
    Some(rule)
}

/// The set of one flag, which the policy learns when it is new.
fn flag(flags: &mut FlagVocabulary, value: Value<'_>, name: &str) -> Option<FlagSet> {
    let learned = flags.learn(name);
    if learned.is_none() {
        value.report(Finding::new(Code::TooMany, format!("the policy names more than {FLAGS_MAX} flags")));
    }
    learned
}

/// Factors by flag, in order of the file.
fn flag_factors(value: Value<'_>, known: &mut Known) -> Option<Vec<(FlagSet, Percent)>> {
    let entries = value.table()?.entries();
    all(entries.into_iter().map(|(name, value)| flag(&mut known.flags, value, name).zip(factor(value))))
}

fn modifiers(entry: &mut Cursor<'_>, known: &mut Known) -> Option<Modifiers> {
    let flags = entry.or("flags_percent", Vec::new(), |value| flag_factors(value, known));
    let requesters = entry.or("requesters_percent", Vec::new(), |value| {
        let mut table = value.table()?;
        let factors = all(REQUESTERS.map(|(word, kind)| {
            let found = table.optional(word, factor)?;
            Some(found.map(|factor| (kind, factor)))
        }));
        table.finish();
        Some(factors?.into_iter().flatten().collect())
    });
    let waited_per_day = entry.or("waited_percent_per_day", Percent::NONE, factor);
    let waited_max = entry.or("waited_percent_max", Percent::ALL, |value| value.percent(100..=PERCENT_MAX));
    Some(Modifiers { flags: flags?, requesters: requesters?, waited_per_day: waited_per_day?, waited_max: waited_max? })
}

struct Recall {
    burden: Cost,
    factors: Vec<(FlagSet, Percent)>,
    per_day: u32,
}

fn recall(entry: &mut Cursor<'_>, known: &mut Known) -> Option<Recall> {
    let burden = entry.required("burden", cost);
    let factors = entry.or("burden_percent", Vec::new(), |value| flag_factors(value, known));
    let per_day = entry.required("visits_per_day", |value| value.whole(0..=u32::MAX));
    Some(Recall { burden: burden?, factors: factors?, per_day: per_day? })
}

struct Viability {
    profile: Profile,
    margin: labtriage_core::time::Minutes,
    unknown_stability: UnknownRule,
    unknown_time: UnknownRule,
}

fn viability(entry: &mut Cursor<'_>) -> Option<Viability> {
    let profile = entry.required("profile", |value| value.choice(&PROFILES));
    let margin = entry.required("safety_margin", Value::duration);
    let unknown_stability = entry.required("unknown_stability", unknown_rule);
    let unknown_time = entry.required("unknown_time", unknown_rule);
    Some(Viability {
        profile: profile?,
        margin: margin?,
        unknown_stability: unknown_stability?,
        unknown_time: unknown_time?,
    })
}

fn unknown_rule(value: Value<'_>) -> Option<UnknownRule> {
    value.parsed("`hold`, `exclude` or a duration such as `6h`", |text| match text {
        "hold" => Some(UnknownRule::Hold),
        "exclude" => Some(UnknownRule::Exclude),
        _ => duration(text).map(UnknownRule::Assume),
    })
}

fn reserve(mut entry: Cursor<'_>, known: &Known) -> Option<Reserve> {
    let discipline = entry.required("discipline", |value| known.disciplines.find(value));
    let hours = entry.required("hours", Value::hours);
    let share = entry.required("percent", |value| value.percent(0..=100));
    entry.finish();
    let (from, until) = hours?;
    Some(Reserve { discipline: discipline?, from, until, share: share? })
}

fn prices(entry: &mut Cursor<'_>) -> Option<StepPrices> {
    let mut price = |key| entry.required(key, cost);
    let (spin, refrigerate, freeze) = (price("spin"), price("refrigerate"), price("freeze"));
    let (courier_tube, aliquot) = (price("courier_tube"), price("aliquot"));
    Some(StepPrices {
        spin: spin?,
        refrigerate: refrigerate?,
        freeze: freeze?,
        courier_tube: courier_tube?,
        aliquot: aliquot?,
    })
}

/// `every_band` is judged where the section names none.
fn fairness(mut entry: Cursor<'_>, known: &Known, every_band: Vec<BandIx>) -> Option<FairnessLimit> {
    let by = entry.required("by", |value| value.choice(&GroupBy::ALL.map(|by| (by.text(), by))));
    let max_above = entry.required("max_above_percent", factor);
    let min_lines = entry.or("min_lines", MIN_LINES, |value| value.whole(1..=u32::MAX));
    let bands = entry.or("bands", every_band, |value| known.bands.find_some(value));
    entry.finish();
    let mut bands = bands?;
    bands.sort_unstable();
    Some(FairnessLimit { by: by?, max_above: max_above?, min_lines: min_lines?, bands })
}
