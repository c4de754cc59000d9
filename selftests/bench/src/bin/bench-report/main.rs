// SPDX-License-Identifier: GPL-2.0
//! The table of `make bench`, on the host.
//!
//! `bench-report table FOLDER SILICON JSON`: FOLDER has the machines' folders, `bench-IMPL-SEED`
//! with their output, and `bench-IMPL-trace` with the counter's files in `counts` too; SILICON has
//! those of User Mode Linux, `IMPL-PAIR`, and `IMPL-sampled` with perf's samples. Writes the table,
//! and the same to JSON.
//!
//! `bench-report silicon SILICON`: the part of the table that is from User Mode Linux.
//!
//! `bench-report wait FILE PIPE`: what perf runs while it takes samples.
//!
//! `bench-report profile FOLDER ROW`: instructions per operation by function, both implementations.

mod classes;
mod profile;
mod samples;
mod silicon;
mod symbols;
mod table;
mod trace;

use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use symbols::Symbols;
use trace::Trace;

pub const IMPLEMENTATIONS: [&str; 2] = ["c", "rust"];

#[derive(Serialize, Clone, Debug)]
pub struct Pair<T> {
    pub ours: T,
    pub c: T,
}

/// One line of a machine's output; all but the last per operation.
pub struct Row {
    pub name: String,
    /// Of instructions, or of nanoseconds.
    pub count: f64,
    pub requests: f64,
    pub switches: f64,
    pub rounds: u64,
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn number(word: Option<&str>, radix: u32) -> Result<u64, String> {
    word.and_then(|word| u64::from_str_radix(word, radix).ok())
        .ok_or_else(|| "a malformed number".into())
}

/// The rows that a machine has printed.
pub fn rows(machine: &Path) -> Result<Vec<Row>, String> {
    read(&machine.join("output"))?
        .lines()
        .filter_map(|line| line.strip_prefix("row "))
        .map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default().to_string();
            let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
            let [count, requests, switches, rounds] = numbers[..] else {
                return Err(format!("{}: {line}", machine.display()));
            };
            let per = |value: u64| value as f64 / 1000.0;
            Ok(Row {
                name,
                count: per(count),
                requests: per(requests),
                switches: per(switches),
                rounds,
            })
        })
        .collect()
}

/// What was counted in the machine with the counter.
pub struct Traced {
    pub symbols: Symbols,
    pub rows: Vec<(Row, Trace)>,
}

pub fn traced(folder: &Path, implementation: &str) -> Result<Traced, String> {
    let machine = folder.join(format!("bench-{implementation}-trace"));
    let symbols = Symbols::parse(&read(&machine.join("files/kallsyms"))?)?;
    let rows = rows(&machine)?
        .into_iter()
        .enumerate()
        .map(|(number, row)| {
            let text = read(&machine.join("counts").join(number.to_string()))?;
            Ok((row, Trace::parse(&text, &symbols)?))
        })
        .collect::<Result<_, String>>()?;
    Ok(Traced { symbols, rows })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[1..] {
        ["table", folder, silicon, json] => {
            table::print(Path::new(folder), Path::new(silicon), Path::new(json))
        }
        ["silicon", folder] => silicon::print_all(Path::new(folder)),
        ["wait", file, pipe] => samples::wait(Path::new(file), Path::new(pipe)),
        ["profile", folder, row] => profile::print(Path::new(folder), row),
        _ => Err("see the head of its source".into()),
    };
    if let Err(reason) = result {
        eprintln!("bench-report: {reason}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
