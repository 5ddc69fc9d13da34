//! What does a person see? Everything that is printed, and nowhere else.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use labtriage_core::audit::Violation;
use labtriage_core::cost::gap;
use labtriage_core::finding::{Finding, Severity};
use labtriage_core::nhs;
use labtriage_core::units::Cost;
use labtriage_formats::outputs::percent_of_millionths;
use labtriage_ledger::LedgerError;
use labtriage_optimizer::engine::Phase;
use labtriage_optimizer::optimise::Progress;
use serde_json::{Value, json};

/// Findings printed at most; the rest is counted.
const FINDINGS_SHOWN: usize = 50;

/// Prints data on stdout. A reader that has gone away is no error.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    // A broken pipe means that the reader has seen enough.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether stderr is a log of JSON objects.
static JSON_LOG: AtomicBool = AtomicBool::new(false);

/// From here on, everything on stderr is one JSON object a line.
pub(crate) fn log_as_json() {
    JSON_LOG.store(true, Ordering::Relaxed);
}

/// Whether stderr is a log of JSON objects.
pub(crate) fn logs_json() -> bool {
    JSON_LOG.load(Ordering::Relaxed)
}

/// Prints a line of words on stderr.
pub(crate) fn words(text: &str) {
    if logs_json() {
        event(&json!({ "level": "info", "message": text }));
    } else {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Prints an event on stderr, with its time, where stderr is a log of JSON objects.
pub(crate) fn event(said: &Value) {
    if !logs_json() {
        return;
    }
    let mut line = json!({ "at": chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string() });
    if let (Value::Object(line), Value::Object(said)) = (&mut line, said) {
        line.extend(said.clone());
    }
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints what went wrong on stderr, with its code and what to do.
pub(crate) fn error(code: Option<&str>, message: &str, hint: Option<&str>) {
    if logs_json() {
        event(&json!({ "level": "error", "code": code, "message": message, "hint": hint }));
        return;
    }
    let code = code.map_or_else(String::new, |code| format!("{code} "));
    let hint = hint.map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
    words(&format!("{code}{message}{hint}"));
}

/// Prints findings on stderr, the first of them whole.
pub(crate) fn findings(findings: &[Finding]) {
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        if logs_json() {
            event(&of_finding(finding));
        } else {
            words(&finding.to_string());
        }
    }
    if findings.len() > FINDINGS_SHOWN {
        words(&format!("… and {} more findings", findings.len() - FINDINGS_SHOWN));
    }
}

fn of_finding(finding: &Finding) -> Value {
    let level = if finding.code.severity() == Severity::Fatal { "error" } else { "warning" };
    let place = finding.place.as_ref().map(ToString::to_string);
    json!({ "level": level, "code": finding.code.text(), "place": place, "message": finding.message, "hint": finding.hint })
}

/// Prints what the ledger refused. A name that somebody typed may hold what must not be repeated.
pub(crate) fn ledger_error(refused: &LedgerError) {
    error(Some(refused.code().text()), &nhs::without(&refused.to_string()), Some(refused.hint()));
}

/// Prints broken laws on stderr, the first of them.
pub(crate) fn violations(broken: &[Violation]) {
    for violation in broken.iter().take(FINDINGS_SHOWN) {
        words(&violation.to_string());
    }
    if broken.len() > FINDINGS_SHOWN {
        words(&format!("… and {} more", broken.len() - FINDINGS_SHOWN));
    }
}

/// A table of texts: columns as wide as they need be, two blanks between them; nothing without rows.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = line(&mut titles.iter().copied());
    rows.iter().for_each(|row| text.push_str(&line(&mut row.iter().map(String::as_str))));
    text
}

/// Progress on stderr, only where somebody watches.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for a phase, hidden when quiet or when stderr is no terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && !logs_json() && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        Self(bar)
    }

    fn style(&self, template: &str) {
        self.0.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    }

    /// Begins a phase of so many units.
    pub(crate) fn phase(&self, name: &'static str, total: u64) {
        self.0.disable_steady_tick();
        self.style("{msg:<10} [{bar:40}] {percent:>3} %");
        self.0.set_message(name);
        self.0.set_length(total.max(1));
        self.0.set_position(0);
    }

    /// Moves on within a phase.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Says how far the optimizer is: stage, what it does, cost and bound of the stage.
    pub(crate) fn search(&self, progress: &Progress) {
        if self.0.is_hidden() {
            return;
        }
        self.style("{spinner} {msg} ({elapsed})");
        self.0.enable_steady_tick(Duration::from_millis(200));
        self.0.set_message(search_words(progress));
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// `stage 2 of 3, chains: cost 1234.5, bound 1230.1, gap 0.36 %`.
fn search_words(progress: &Progress) -> String {
    let Progress { stage: (stage, stages), engine } = progress;
    let phase = match engine.phase {
        Phase::Prices => "prices",
        Phase::Assign => "assigning",
        Phase::Chains => "chains",
        Phase::Neighbourhoods => "neighbourhoods",
    };
    let cost = engine.cost.map(Cost::from_thousandths);
    // A bound is shown in whole thousandths; the proof is worked out again from the prices.
    let bound = engine.bound.filter(|bound| bound.is_finite()).map(|bound| Cost::from_thousandths(bound as i64));
    let named = |name: &str, cost: Option<Cost>| cost.map_or_else(String::new, |cost| format!(", {name} {cost}"));
    let gap = cost.zip(bound).and_then(|(cost, bound)| gap(cost, bound));
    let gap = gap.map_or_else(String::new, |gap| format!(", gap {}", percent_of_millionths(gap)));
    format!("stage {} of {stages}, {phase}{}{}{gap}", stage + 1, named("cost", cost), named("bound", bound))
}

/// How long each phase took.
pub(crate) struct Timings {
    began: Instant,
    last: Instant,
    phases: Vec<(&'static str, Duration)>,
}

impl Timings {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, last: now, phases: Vec::new() }
    }

    /// A phase has ended.
    pub(crate) fn phase(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push((name, now - self.last));
        self.last = now;
    }

    /// The phases, one a line, and the whole.
    pub(crate) fn print(&self) {
        for (name, length) in &self.phases {
            words(&format!("{name:<10} {:>8.3} s", length.as_secs_f64()));
        }
        words(&format!("{:<10} {:>8.3} s", "total", self.began.elapsed().as_secs_f64()));
    }
}
