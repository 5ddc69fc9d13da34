//! What happens in these fourteen nights? Arrivals, results, two crashes, a broken extract, and mornings between them.

use std::fs;
use std::path::Path;

use crate::check::check;
use crate::laboratory::Laboratory;
use crate::people::People;
use crate::scene::{NIGHTS, Scene, day, name};

/// Samples of the first night, and what arrives on each later one.
const SAMPLES: (u32, u32) = (400, 120);

/// Nights on which the program is killed, and once which phase is over.
const CRASHES: [(u32, &str); 2] = [(4, "read"), (9, "write")];

/// The night whose extract is cut off.
const BROKEN: u32 = 6;

/// The night that is run twice.
const TWICE: u32 = 2;

/// Plays the fortnight in an empty folder; returns how many figures agreed at the end.
pub(crate) fn play(folder: &Path, ledger: &str, program: &Path) -> usize {
    let scene = Scene::new(folder, ledger, program);
    let (mut laboratory, mut people) = (Laboratory::default(), People::default());
    for night in 0..NIGHTS {
        laboratory.arrivals(&scene, night, if night == 0 { SAMPLES.0 } else { SAMPLES.1 });
        laboratory.results(&scene, night);
        laboratory.extract(&scene, night);
        evening(&scene, night);
        if night + 1 < NIGHTS {
            people.work(&scene, &mut laboratory, night);
        }
    }
    check(&scene)
}

fn evening(scene: &Scene, night: u32) {
    let now = format!("{}T20:00", day(night));
    let before = scene.current();
    if night == BROKEN {
        is_refused_while_broken(scene, night, &now);
    }
    for (_, phase) in CRASHES.iter().filter(|(crash, _)| *crash == night) {
        scene.nightly_killed_after(&now, phase);
        assert_eq!(scene.current(), before, "the plan of the night before stands");
    }
    published(scene, night, &now);
    if night == TWICE {
        let head = scene.head();
        published(scene, night, &now);
        assert_eq!(scene.head(), head, "the same night again changes nothing");
    }
}

fn published(scene: &Scene, night: u32, now: &str) {
    let (code, said) = scene.nightly(now);
    // 1: a line of a strict band is not met, which this scenario cannot help.
    assert!(code == 0 || code == 1, "night {night} ended with {code}: {said}");
    assert_eq!(scene.current().as_deref(), Some(Path::new(&name(night))), "{said}");
}

/// An extract whose copy broke off is refused; the plan of the night before and the ledger stay as they are.
fn is_refused_while_broken(scene: &Scene, night: u32, now: &str) {
    let (before, head) = (scene.current(), scene.head());
    let file = scene.path("inbox").join(name(night)).join("backlog.csv");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let (code, said) = scene.nightly(now);
    assert!(code == 2 && said.contains("N002"), "{code}: {said}");
    assert_eq!((scene.current(), scene.head()), (before, head));
    fs::write(&file, whole).unwrap();
}
