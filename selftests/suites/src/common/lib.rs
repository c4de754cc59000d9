// SPDX-License-Identifier: GPL-2.0

//! What the suites share.

pub mod blockdev;
pub mod catalogue;
pub mod daemon;
pub mod ends;
pub mod extensions;
pub mod fusectl;
pub mod idmap;
pub mod killable;
pub mod releases;
pub mod setting;
pub mod settle;
pub mod slabs;
pub mod tools;
pub mod tracing;
pub mod userns;
pub mod workers;

/// The number in a variable of the environment, if it is set.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// Keeps lines for the comparison of the modules.
pub fn compare(lines: impl IntoIterator<Item = String>) {
    let rec = mockd::record::Recorder::default();
    for line in lines {
        println!("{line}");
        rec.note(line);
    }
    rec.save();
}

/// A case for each of these names; all run `run`, which asks [`case`] whose turn it is.
pub fn cases_of(names: impl Iterator<Item = String>, run: fn()) -> Vec<ktap::Case> {
    names
        .map(|name| ktap::Case {
            path: Box::leak(name.into_boxed_str()),
            run,
        })
        .collect()
}

/// The name of the running case, without the part that it belongs to.
pub fn case() -> String {
    let name = std::env::var("RF_CASE").expect("RF_CASE");
    name.rsplit('.').next().unwrap_or_default().to_string()
}
