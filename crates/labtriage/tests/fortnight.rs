//! Does a fortnight add up at the end, on either database? See `examples/fortnight`, which is played here.
//! PostgreSQL is named by `LABTRIAGE_TEST_POSTGRES`; without one its half is left out, and said so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../examples/fortnight/check.rs"]
mod check;
#[path = "../../../examples/fortnight/count.rs"]
mod count;
#[path = "../../../examples/fortnight/laboratory.rs"]
mod laboratory;
#[path = "../../../examples/fortnight/people.rs"]
mod people;
#[path = "../../../examples/fortnight/scene.rs"]
mod scene;
#[path = "../../../examples/fortnight/story.rs"]
mod story;

use std::io::Write;
use std::path::Path;

use sqlx::Connection;

/// The variable that names a PostgreSQL server for tests.
const POSTGRES: &str = "LABTRIAGE_TEST_POSTGRES";

fn play(ledger: impl FnOnce(&Path) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let figures = story::play(folder.path(), &ledger(folder.path()), Path::new(env!("CARGO_BIN_EXE_labtriage")));
    assert!(figures > 200, "only {figures} figures were compared");
}

#[test]
fn a_fortnight_adds_up_on_sqlite() {
    play(|folder| folder.join("lab.ledger").display().to_string());
}

#[test]
fn a_fortnight_adds_up_on_postgresql() {
    let Some(server) = std::env::var(POSTGRES).ok().filter(|server| !server.is_empty()) else {
        // Straight to stderr: what tests print is only shown when they fail.
        let said = format!("LEFT OUT: the fortnight was not played on PostgreSQL, as {POSTGRES} names no server");
        writeln!(std::io::stderr(), "{said}").unwrap();
        return;
    };
    let schema = format!("labtriage_test_fortnight_{}", std::process::id());
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let separator = if server.contains('?') { '&' } else { '?' };
    play(|_| format!("{server}{separator}options=-c%20search_path%3D{schema}"));
}
