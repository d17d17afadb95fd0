//! Sessions without a database, and the document of their settings.

use super::*;
use crate::{layers::samples, service::bytes::ByteBudget, telemetry::names};

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

#[tokio::test(start_paused = true)]
async fn each_part_of_a_unit_of_work_may_take_as_long_as_a_whole_one() {
    let (limit, pause) = (Duration::from_secs(8), Duration::from_secs(5));
    let call = || call::CallContext::new(Share::default(), true, ByteBudget::new(1), None);
    let silent = tokio::time::sleep(pause * 2);
    assert!(call::scope(call(), in_time(limit, silent)).await.is_err());
    let in_parts = async {
        for _ in 0..4 {
            tokio::time::sleep(pause).await;
            call::note_progress();
        }
    };
    assert!(call::scope(call(), in_time(limit, in_parts)).await.is_ok());
}

#[test]
fn operations_md_lists_every_setting_for_a_pooler() {
    let mut config = samples::config("/".as_ref()).database;
    (config.statement_timeout, config.lock_timeout) = (Duration::from_secs(4), Duration::from_secs(2));
    let listed: Vec<(&str, String)> = OPERATIONS
        .lines()
        .filter_map(|line| line.strip_prefix("alter role clientele set ")?.strip_suffix(';')?.split_once(" = "))
        .map(|(name, value)| match value.strip_prefix('\'').and_then(|value| value.strip_suffix("s'")) {
            Some(seconds) => (name, format!("{seconds}000")),
            None => (name, value.to_owned()),
        })
        .collect();
    assert_eq!(listed, settings::settings(names::MAIN, &config));
}
