// SPDX-License-Identifier: GPL-2.0
//! The table, and `bench.json`.

use crate::silicon::{self, Measured, Silicon};
use crate::symbols::Symbols;
use crate::trace::{Counts, Trace};
use crate::{rows, traced, Pair, Row, Traced, IMPLEMENTATIONS};
use serde::Serialize;
use std::path::Path;

/// The row that all are compared with: the same switches and wake-ups without a filesystem.
const FLOOR: &str = "pipe_ping_pong";

/// An object of `bench.json`. Instructions are per operation, medians of the seeds.
#[derive(Serialize)]
struct Entry {
    workload: String,
    ours: f64,
    c: f64,
    ratio: f64,
    ours_noncopy: f64,
    c_noncopy: f64,
    ratio_noncopy: f64,
    /// Of the pipe ping-pong in the machines with our module.
    floor: f64,
    seeds: Pair<Vec<Seed>>,
    counts: Pair<Counts>,
    #[serde(flatten)]
    silicon: Silicon,
}

#[derive(Serialize, Clone, Copy)]
struct Seed {
    seed: u32,
    instructions: f64,
    context_switches: f64,
}

/// The rows of all machines of one implementation, by seed.
struct Machines(Vec<(u32, Vec<Row>)>);

impl Machines {
    fn read(folder: &Path, implementation: &str) -> Result<Machines, String> {
        let mut machines = Vec::new();
        for seed in 1.. {
            let machine = folder.join(format!("bench-{implementation}-{seed}"));
            if !machine.exists() {
                break;
            }
            machines.push((seed, rows(&machine)?));
        }
        if machines.is_empty() {
            return Err(format!("no machines with {implementation}"));
        }
        Ok(Machines(machines))
    }

    fn seeds(&self, name: &str) -> Result<Vec<Seed>, String> {
        self.0
            .iter()
            .map(|(seed, rows)| {
                let row = rows
                    .iter()
                    .find(|row| row.name == name)
                    .ok_or_else(|| format!("seed {seed} lacks {name}"))?;
                Ok(Seed {
                    seed: *seed,
                    instructions: row.count,
                    context_switches: row.switches,
                })
            })
            .collect()
    }
}

fn median(seeds: &[Seed]) -> f64 {
    let values: Vec<f64> = seeds.iter().map(|seed| seed.instructions).collect();
    silicon::median(&values)
}

fn counts(row: &Row, trace: &Trace, symbols: &Symbols) -> Counts {
    Counts {
        requests: row.requests,
        context_switches: row.switches,
        ..trace.counts(symbols, row.rounds)
    }
}

fn entries(folder: &Path, measured: &Measured) -> Result<Vec<Entry>, String> {
    let [c, ours] = IMPLEMENTATIONS;
    let (c_machines, ours_machines) = (Machines::read(folder, c)?, Machines::read(folder, ours)?);
    let (c_traced, ours_traced) = (traced(folder, c)?, traced(folder, ours)?);
    let floor = median(&ours_machines.seeds(FLOOR)?);
    let one = |machines: &Machines, traced: &Traced, name: &str| {
        let seeds = machines.seeds(name)?;
        let (row, trace) = traced
            .rows
            .iter()
            .find(|(row, _)| row.name == name)
            .ok_or_else(|| format!("no trace of {name}"))?;
        let copies = trace.copies(&traced.symbols) as f64 / row.rounds as f64;
        Ok::<_, String>((seeds, copies, counts(row, trace, &traced.symbols)))
    };
    let mut entries = Vec::new();
    for (row, _) in &ours_traced.rows {
        let (c_seeds, c_copies, c_counts) = one(&c_machines, &c_traced, &row.name)?;
        let (seeds, copies, counts) = one(&ours_machines, &ours_traced, &row.name)?;
        let (ours, c) = (median(&seeds), median(&c_seeds));
        entries.push(Entry {
            workload: row.name.clone(),
            ours,
            c,
            ratio: ours / c,
            ours_noncopy: ours - copies,
            c_noncopy: c - c_copies,
            ratio_noncopy: (ours - copies) / (c - c_copies),
            floor,
            seeds: Pair {
                ours: seeds,
                c: c_seeds,
            },
            counts: Pair {
                ours: counts,
                c: c_counts,
            },
            silicon: measured.row(&row.name),
        });
    }
    Ok(entries)
}

fn range(seeds: &[Seed]) -> String {
    let list: Vec<String> = seeds
        .iter()
        .map(|seed| format!("{:.0}", seed.instructions))
        .collect();
    list.join(" ")
}

pub fn print(folder: &Path, silicon: &Path, json: &Path) -> Result<(), String> {
    let entries = entries(folder, &Measured::read(silicon))?;
    println!(
        "{:<20} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>6}",
        "instructions", "ours", "C", "ratio", "ours", "C", "ratio", "ours/"
    );
    println!(
        "{:<20} {:>9} {:>9} {:>6} {:>26} {:>6}",
        "per operation", "", "", "", "without copy loops", "floor"
    );
    for entry in &entries {
        println!(
            "{:<20} {:>9.0} {:>9.0} {:>6.3} {:>9.0} {:>9.0} {:>6.3} {:>6.2}",
            entry.workload,
            entry.ours,
            entry.c,
            entry.ratio,
            entry.ours_noncopy,
            entry.c_noncopy,
            entry.ratio_noncopy,
            entry.ours / entry.floor
        );
    }
    println!();
    silicon::print(
        entries
            .iter()
            .map(|entry| (entry.workload.as_str(), &entry.silicon)),
    );
    println!("\nper operation, ours / C");
    println!(
        "{:<20} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>13}",
        "", "requests", "locks", "transport", "allocs", "gup", "wake-ups", "switches", "tax"
    );
    for entry in &entries {
        let Pair { ours, c } = &entry.counts;
        let pair = |ours: f64, c: f64| format!("{ours:.1}/{c:.1}");
        println!(
            "{:<20} {:>9} {:>9} {:>9.1} {:>9} {:>9} {:>9} {:>9} {:>13} {}",
            entry.workload,
            pair(ours.requests, c.requests),
            pair(ours.locks, c.locks),
            ours.transport_locks,
            pair(ours.allocations, c.allocations),
            pair(ours.get_user_pages, c.get_user_pages),
            pair(ours.wake_ups, c.wake_ups),
            pair(ours.context_switches, c.context_switches),
            format!(
                "{:.0}/{:.0}",
                ours.transport_tax.total, c.transport_tax.total
            ),
            match c.transport_tax.total {
                0.0 => "-".into(),
                total => format!("{:.3}", ours.transport_tax.total / total),
            }
        );
    }
    println!("\nall seeds, in order");
    for entry in &entries {
        println!(
            "{:<20} ours {}; C {}",
            entry.workload,
            range(&entry.seeds.ours),
            range(&entry.seeds.c)
        );
        let switches = |seeds: &[Seed]| {
            seeds
                .iter()
                .map(|seed| format!("{:.2}", seed.context_switches))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (ours, c) = (switches(&entry.seeds.ours), switches(&entry.seeds.c));
        if ours != c {
            println!("{:<20} context switches differ: ours {ours}; C {c}", "");
        }
    }
    let text = serde_json::to_string_pretty(&entries).map_err(|error| error.to_string())?;
    std::fs::write(json, text + "\n").map_err(|error| format!("{}: {error}", json.display()))
}
