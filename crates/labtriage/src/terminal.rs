//! What does a person see? Everything that is printed, and nowhere else.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use labtriage_core::audit::Violation;
use labtriage_core::finding::Finding;

/// Findings printed at most; the rest is counted.
const FINDINGS_SHOWN: usize = 50;

/// Prints data on stdout. A reader that has gone away is no error.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    // A broken pipe means that the reader has seen enough.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line of words on stderr.
pub(crate) fn words(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints findings on stderr, the first of them whole.
pub(crate) fn findings(findings: &[Finding]) {
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        words(&finding.to_string());
    }
    if findings.len() > FINDINGS_SHOWN {
        words(&format!("… and {} more findings", findings.len() - FINDINGS_SHOWN));
    }
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

/// Progress on stderr, only where somebody watches.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for a phase, hidden when quiet or when stderr is no terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(0),
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        let style = ProgressStyle::with_template("{msg:<10} [{bar:40}] {percent:>3} %")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        Self(bar)
    }

    /// Begins a phase of so many units.
    pub(crate) fn phase(&self, name: &'static str, total: u64) {
        self.0.set_message(name);
        self.0.set_length(total.max(1));
        self.0.set_position(0);
    }

    /// Moves on within a phase.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
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
