//! How does a seed become a backlog? Requests become tubes, tubes become rows, one block at a time.

use labtriage_core::catalogue::Catalogue;
use labtriage_core::network::{Network, RequesterKind, SiteKind};
use labtriage_core::policy::Policy;
use labtriage_core::table::{BandIx, RequesterIx, SiteIx};

use crate::clock::{Almanac, DAY, day_of};
use crate::demand::{Ask, Order};
use crate::dice::{Dice, Weighted};
use crate::hostile::{Spoil, Spoiler};
use crate::row::{Column, ExtractRow, write_number};
use crate::scenario::Scenario;
use crate::story::{Kept, Story, Visit};
use crate::words::{self, Known, Tube, Words, flag, test};

/// The configuration whose codes a backlog uses.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Tests and specimens.
    pub catalogue: &'a Catalogue,
    /// Sites, practices and wards.
    pub network: &'a Network,
    /// Bands and flags.
    pub policy: &'a Policy,
}

/// Which backlog is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// The incident.
    pub scenario: Scenario,
    /// How many rows.
    pub samples: u32,
    /// Any number; the same number gives the same rows.
    pub seed: u64,
    /// Evenings after the scenario's own, up to [`NIGHTS_MAX`]. On a later one the rows are what has arrived
    /// since the evening before, with accession numbers, requests and patients of their own; they do not
    /// depend on the nights before.
    pub night: u32,
    /// Replace about 2 % of the rows by bad ones of every [`Spoil`].
    pub hostile: bool,
}

/// A row of `results.csv`: a result that is already there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resulted {
    /// Of this tube; empty when the patient is given.
    pub accession: String,
    /// Pseudonym of the patient; empty when the tube is given.
    pub patient: String,
    /// The test.
    pub test: &'static str,
    /// Local time, `2024-06-10T20:00`.
    pub resulted_at: String,
}

/// What belongs to a backlog besides its rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// The moment of planning, local, `2024-06-10T20:00`.
    pub now_local: String,
    /// `[[disruption]]` tables to append to `network.toml`.
    pub disruptions: String,
    /// For `capacity_percent` in `network.toml`: the network's size that belongs to this many rows.
    pub capacity_percent: u32,
    /// Rows of `results.csv`.
    pub results: Vec<Resulted>,
    /// Text of `overrides.toml`; may be empty.
    pub overrides: String,
    /// What this backlog is, in words.
    pub about: String,
    /// How many rows were spoilt in each way; empty unless hostile.
    pub spoilt: Vec<(Spoil, u32)>,
}

/// The last evening that can be asked for: letters for accession numbers end here.
pub const NIGHTS_MAX: u32 = 25;

/// Numbers of accessions, requests and patients that belong to one night.
const NUMBERS: u32 = 10_000_000;

/// Tubes that are shuffled together: large enough that rows of one request stand apart.
const BLOCK: usize = 4096;

/// Requests remembered, so that some of them can be asked again.
const REMEMBERED: usize = 64;

/// Requests in a thousand that repeat one of these.
const REPEATED: u32 = 30;

/// Requests without a single tube after which a world is taken to know none of the tests.
const BARREN: u32 = 1000;

/// Makes a backlog and hands over each row; returns what belongs to it.
///
/// There are as many rows as asked for, unless the world lacks a hub, requesters or every one of
/// the usual tests: then there are none. Accession numbers are unique up to 260 million rows.
pub fn generate(world: World<'_>, request: Request, row: &mut dyn FnMut(&ExtractRow)) -> Generated {
    let mut making = Generator::new(world, request);
    let mut spoiler = request.hostile.then(|| Spoiler::new(request.seed, making.story.now));
    let mut buffer = ExtractRow::default();
    while making.fill_block() {
        for draft in &making.block {
            making.write(draft, &mut buffer);
            match &mut spoiler {
                Some(spoiler) => row(spoiler.pass(&mut buffer, &making.almanac)),
                None => row(&buffer),
            }
        }
    }
    let (rows, scenario) = (making.made, request.scenario);
    let hostile = if request.hostile { " About 2 % of the rows are spoilt on purpose." } else { "" };
    let later = if request.night == 0 { String::new() } else { format!(" of evening {} after it", request.night) };
    let overrides = making.overrides(scenario);
    Generated {
        now_local: making.almanac.text(making.story.now),
        disruptions: scenario.disruptions(world.network),
        capacity_percent: scenario.capacity_percent(request.samples),
        results: making.results,
        overrides,
        about: format!(
            "{}: {rows} samples{later}, seed {}. {}{hostile} No row is about a real person.",
            scenario.name(),
            request.seed,
            scenario.about()
        ),
        spoilt: spoiler.map(Spoiler::counts).unwrap_or_default(),
    }
}

/// A row before it is text.
struct Draft {
    accession: u32,
    request: u32,
    from: Origin,
    band: Option<BandIx>,
    flags: Words,
    ask: Ask,
    held: Words,
    visit: Visit,
    kept: Kept,
    volume: Option<u32>,
}

/// Whose request it is, and where its tubes go.
#[derive(Clone, Copy)]
struct Origin {
    patient: u32,
    requester: RequesterIx,
    site: SiteIx,
    ward: bool,
}

/// A request that may be asked again.
struct Recent {
    from: Origin,
    visit: Visit,
    order: Order,
}

/// Codes of the bands that an extract may state.
struct StatedBands {
    immediate: Option<BandIx>,
    urgent: Option<BandIx>,
    soon: Option<BandIx>,
    routine: Option<BandIx>,
}

struct Generator<'a> {
    world: World<'a>,
    samples: u32,
    story: Story,
    almanac: Almanac,
    known: Known,
    bands: StatedBands,
    hub: Option<SiteIx>,
    practices: Weighted<RequesterIx>,
    wards: Weighted<(RequesterIx, SiteIx)>,
    dice: Dice,
    key: u64,
    year: u32,
    order: Order,
    recent: Vec<Recent>,
    block: Vec<Draft>,
    /// The first accession number, request and patient of the night.
    first: u32,
    made: u32,
    requests: u32,
    patients: u32,
    results: Vec<Resulted>,
}

impl<'a> Generator<'a> {
    fn new(world: World<'a>, request: Request) -> Self {
        let story = Story::on(request.scenario, request.night);
        let first = request.night.min(NIGHTS_MAX) * NUMBERS;
        let network = world.network;
        let hub = network.sites.position(|site| site.kind == SiteKind::Hub);
        let of_kind =
            |kind| network.requesters.enumerate().filter(move |(_, facts)| facts.kind == kind).map(|(ix, _)| ix);
        let weight = |requester: RequesterIx| network.requesters[requester].list_size;
        let at_hospital = |ward: RequesterIx| {
            let deliveries = &network.collection_points[network.requesters[ward].collection_point].delivers;
            deliveries.iter().map(|to| to.site).find(|&site| network.sites[site].kind == SiteKind::Hospital).or(hub)
        };
        let wards = of_kind(RequesterKind::Ward)
            .filter_map(|ward| Some((weight(ward), (ward, at_hospital(ward)?))))
            .collect::<Vec<_>>();
        let band = |code| world.policy.band(code);
        let almanac = Almanac::new(day_of(story.now), 60, 10);
        let year = almanac.year(story.now) % 100;
        Self {
            almanac,
            known: Known::new(world.catalogue, world.policy),
            bands: StatedBands {
                immediate: band("immediate"),
                urgent: band("urgent"),
                soon: band("soon"),
                routine: band("routine"),
            },
            hub,
            practices: Weighted::new(of_kind(RequesterKind::Practice).map(|practice| (weight(practice), practice))),
            wards: Weighted::new(wards.into_iter()),
            dice: Dice::new(request.seed ^ u64::from(request.night).rotate_right(16)),
            key: request.seed,
            year,
            samples: request.samples,
            story,
            world,
            order: Order::default(),
            recent: Vec::with_capacity(REMEMBERED),
            block: Vec::with_capacity(BLOCK + 8),
            first,
            made: 0,
            requests: 0,
            patients: first,
            results: Vec::new(),
        }
    }

    /// Drafts the next block in shuffled order; false when nothing is left to do.
    fn fill_block(&mut self) -> bool {
        self.block.clear();
        let mut barren = 0;
        while self.block.len() < BLOCK && self.made < self.samples && barren < BARREN {
            let before = self.made;
            self.draft_request();
            barren = if self.made == before { barren + 1 } else { 0 };
        }
        self.dice.shuffle(&mut self.block);
        !self.block.is_empty()
    }

    /// Drafts the tubes of one request: a new one, or one of the recent ones asked again.
    fn draft_request(&mut self) {
        let again = self.dice.chance(REPEATED) && !self.recent.is_empty();
        let Some((from, visit)) = (if again { self.repeated() } else { self.fresh() }) else { return };
        let band = self.stated_band();
        self.order.flags &= self.known.flags;
        let tubes = std::mem::take(&mut self.order.tubes);
        for ask in &tubes {
            let ask = Ask { tests: ask.tests & self.known.tests_on(ask.tube), ..*ask };
            if ask.tests != 0 && self.made < self.samples {
                self.draft_tube(ask, from, visit, band);
            }
        }
        self.order.tubes = tubes;
        self.requests += 1;
        if !again {
            self.remember(from, visit);
        }
    }

    fn fresh(&mut self) -> Option<(Origin, Visit)> {
        let ward = if self.dice.chance(self.story.wards) { self.wards.draw(&mut self.dice) } else { None };
        let patient = self.patients;
        self.patients += 1;
        if let Some((requester, site)) = ward {
            self.order.ward(&mut self.dice);
            return Some((Origin { patient, requester, site, ward: true }, self.story.ward(&mut self.dice)));
        }
        let (requester, site) = (self.practices.draw(&mut self.dice)?, self.hub?);
        self.order.practice(&mut self.dice);
        Some((Origin { patient, requester, site, ward: false }, self.story.practice(&mut self.dice)))
    }

    /// The same patient and tests on the same day: inside the retest interval of every test that
    /// has one. One in five such repeats comes from another practice.
    fn repeated(&mut self) -> Option<(Origin, Visit)> {
        let row = self.dice.row(self.recent.len());
        let recent = self.recent.get(row)?;
        let mut from = recent.from;
        self.order.copy_from(&recent.order);
        if from.ward {
            let collected = recent.visit.collected + self.dice.between(30, 240);
            return Some((from, self.story.ward_at(collected, &mut self.dice)));
        }
        let day = day_of(recent.visit.collected);
        if self.dice.chance(200) {
            from.requester = self.practices.draw(&mut self.dice)?;
        }
        Some((from, self.story.practice_on(day, &mut self.dice)))
    }

    fn remember(&mut self, from: Origin, visit: Visit) {
        if self.recent.len() < REMEMBERED {
            self.recent.push(Recent { from, visit, order: self.order.clone() });
            return;
        }
        let row = self.dice.row(REMEMBERED);
        let recent = &mut self.recent[row];
        (recent.from, recent.visit) = (from, visit);
        recent.order.copy_from(&self.order);
    }

    /// The band that a few requests state; rules give the others theirs.
    fn stated_band(&mut self) -> Option<BandIx> {
        if !self.dice.chance(30) {
            return None;
        }
        let flags = self.order.flags;
        let among = |set: Words| flags & set != 0;
        if among(flag::CRITICAL | flag::SEPSIS | flag::EMERGENCY | flag::INPATIENT) {
            self.bands.immediate
        } else if among(flag::TWO_WEEK_WAIT | flag::OVERDUE | flag::DMARD | flag::INR | flag::ANTENATAL) {
            self.bands.urgent
        } else if among(flag::SYMPTOMATIC | flag::DUE) {
            self.bands.soon
        } else {
            self.bands.routine
        }
    }

    fn draft_tube(&mut self, ask: Ask, from: Origin, visit: Visit, band: Option<BandIx>) {
        let kept = self.story.kept(ask.tube, visit, from.ward, &mut self.dice);
        let held_share = if from.ward { 4 } else { self.story.held };
        let held = if self.dice.chance(held_share) { ask.tests & test::FBC } else { 0 };
        let volume = self.dice.chance(350).then(|| volume(ask.tube, &mut self.dice));
        let (accession, request) = (self.first + self.made, self.first + self.requests);
        let draft = Draft { accession, request, from, band, flags: self.order.flags, ask, held, visit, kept, volume };
        if self.dice.chance(5) && ask.tests != held {
            let result = self.result(&draft);
            self.results.push(result);
        }
        self.block.push(draft);
        self.made += 1;
    }

    /// A result that left by another way: phoned, or from another laboratory. Half of them name
    /// the tube, half only the patient.
    fn result(&mut self, draft: &Draft) -> Resulted {
        let out = (draft.visit.received + self.dice.between(60, 600)).min(self.story.now - 1);
        let row = (draft.ask.tests & !draft.held).trailing_zeros() as usize;
        let mut named = Vec::new();
        let by_tube = self.dice.chance(500);
        if by_tube {
            self.write_accession(draft.accession, &mut named);
        } else {
            write_pseudonym(draft.from.patient, self.key, &mut named);
        }
        let named = String::from_utf8(named).unwrap_or_default();
        let (accession, patient) = if by_tube { (named, String::new()) } else { (String::new(), named) };
        Resulted { accession, patient, test: test::TEXTS[row], resulted_at: self.almanac.text(out) }
    }

    /// Turns a draft into text.
    fn write(&self, draft: &Draft, row: &mut ExtractRow) {
        let network = self.world.network;
        row.clear();
        self.write_accession(draft.accession, row.field(Column::Accession));
        row.field(Column::Request).extend_from_slice(b"RQ");
        write_number(draft.request, 8, row.field(Column::Request));
        write_pseudonym(draft.from.patient, self.key, row.field(Column::Patient));
        row.set(Column::Requester, &network.requesters[draft.from.requester].ods);
        if let Some(band) = draft.band {
            row.set(Column::Band, &self.world.policy.bands[band].code);
        }
        words::write(draft.flags, 0, flag::TEXTS, row.field(Column::ClinicalFlags));
        self.almanac.write(draft.visit.requested, row.field(Column::RequestedAt));
        if draft.kept.collection_known {
            self.almanac.write(draft.visit.collected, row.field(Column::CollectedAt));
        }
        self.almanac.write(draft.visit.received, row.field(Column::ReceivedAt));
        if let Some(separated) = draft.kept.separated {
            self.almanac.write(separated, row.field(Column::SeparatedAt));
        }
        row.set(Column::Specimen, draft.ask.tube.text());
        row.set(Column::Site, &network.sites[draft.from.site].code);
        row.set(Column::Condition, if draft.kept.refrigerated { "refrigerated" } else { "ambient" });
        self.write_history(draft, row.field(Column::History));
        if let Some(volume) = draft.volume {
            write_number(volume, 1, row.field(Column::Volume));
        }
        words::write(draft.ask.tests, draft.held, test::TEXTS, row.field(Column::Tests));
        if draft.ask.tube == Tube::Csf {
            row.set(Column::SampleFlags, "irreplaceable");
        }
    }

    /// `09:00 primary ambient > 14:00 separated ambient > 16:00 separated refrigerated`, with dates,
    /// for tubes of which collection, separation and condition do not tell everything.
    fn write_history(&self, draft: &Draft, text: &mut Vec<u8>) {
        let (Some(separated), Some(chilled)) = (draft.kept.separated, draft.kept.chilled) else { return };
        let steps = [
            (draft.visit.collected, " primary ambient > "),
            (separated, " separated ambient > "),
            (chilled, " separated refrigerated"),
        ];
        for (from, state) in steps {
            self.almanac.write(from, text);
            text.extend_from_slice(state.as_bytes());
        }
    }

    /// A few decisions of people, for a backlog large enough to have them.
    fn overrides(&self, scenario: Scenario) -> String {
        let practice = self.world.network.requesters.iter().find(|facts| facts.kind == RequesterKind::Practice);
        let (Some(practice), true) =
            (practice, scenario == Scenario::SynnovisWeek1 && self.made >= 1000 && self.first == 0)
        else {
            return String::new();
        };
        let Some(band) = self.world.policy.bands.iter().next() else { return String::new() };
        let mut accession = Vec::new();
        self.write_accession(0, &mut accession);
        let accession = String::from_utf8(accession).unwrap_or_default();
        let until = self.almanac.text(self.story.now + 3 * DAY).replace('T', " ");
        let cap = scenario.capacity_percent(self.made).max(20) / 10;
        format!(
            "# Decisions of invented people, as examples.\n\n\
             [[override]]\naction = \"hold\"\naccession = \"{accession}\"\n\
             who = \"duty biochemist\"\nwhy = \"label in question\"\nuntil = \"{until}\"\n\n\
             [[override]]\naction = \"band\"\nrequest = \"RQ00000001\"\nband = \"{}\"\n\
             who = \"requesting clinician\"\nwhy = \"telephoned: clinically critical\"\nuntil = \"{until}\"\n\n\
             [[override]]\naction = \"cap\"\nrequester = \"{}\"\nlines_per_day = {cap}\n\
             who = \"lab manager\"\nwhy = \"a practice that marks everything urgent\"\nuntil = \"{until}\"\n",
            band.code, practice.ods
        )
    }

    /// `24A0001234`: year, a letter and a serial number.
    fn write_accession(&self, serial: u32, text: &mut Vec<u8>) {
        write_number(self.year, 2, text);
        text.push(b'A' + u8::try_from(serial / 10_000_000 % 26).unwrap_or(0));
        write_number(serial % 10_000_000, 7, text);
    }
}

/// Microlitres: one tube in thirty is nearly empty.
fn volume(tube: Tube, dice: &mut Dice) -> u32 {
    let (least, most) = match tube {
        Tube::Serum => (24, 70),
        Tube::Edta => (30, 80),
        Tube::Citrate => (20, 36),
        Tube::Fluoride => (14, 40),
        Tube::Boric => (100, 400),
        Tube::Csf => (10, 40),
    };
    let fifties = if dice.chance(33) { dice.between(2, 9) } else { dice.between(least, most) };
    u32::try_from(fifties).unwrap_or(0) * 50
}

/// `PT` and ten characters of base 32, different for every patient, the first always a letter so
/// that it never looks like an NHS number.
fn write_pseudonym(patient: u32, key: u64, text: &mut Vec<u8>) {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const MASK: u64 = (1 << 49) - 1;
    // Each step can be undone, so no two patients meet: scrambling, not encryption.
    let mut mixed = u64::from(patient);
    for round in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (key.rotate_left(17) & MASK)).wrapping_mul(round) & MASK;
        mixed ^= mixed >> 25;
    }
    text.extend_from_slice(b"PT");
    text.push(LETTERS[(mixed & 15) as usize]);
    for place in 0..9 {
        text.push(LETTERS[(mixed >> (4 + place * 5) & 31) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pseudonyms_differ_and_never_look_like_an_nhs_number() {
        let mut seen = BTreeSet::new();
        for patient in 0..50_000 {
            let mut text = Vec::new();
            write_pseudonym(patient, 7, &mut text);
            assert_eq!(text.len(), 12);
            assert!(text[2].is_ascii_uppercase());
            assert!(text.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn volumes_fit_their_tubes() {
        let mut dice = Dice::new(4);
        for _ in 0..5_000 {
            assert!((100..=3_500).contains(&volume(Tube::Serum, &mut dice)));
            assert!((100..=20_000).contains(&volume(Tube::Boric, &mut dice)));
        }
    }
}
