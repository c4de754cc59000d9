// SPDX-License-Identifier: GPL-2.0
//! Time on the host's processor, from machines of User Mode Linux: pairs of machines, ours and C,
//! for the wall time of an operation, and one more of each for the module's part of it, which perf
//! has sampled. Taking samples makes all of it slower alike, so that the part is taken from there,
//! and the time from the pairs.

use crate::samples::{Part, Samples};
use crate::{read, rows, Pair, IMPLEMENTATIONS};
use serde::Serialize;
use std::ops::Range;
use std::path::Path;

/// What `bench.json` has of a row; times are nanoseconds per operation.
#[derive(Serialize, Clone, Debug, Default)]
pub struct Silicon {
    /// Of the module itself.
    pub ns_ours: Option<f64>,
    pub ns_c: Option<f64>,
    /// Of functions of the kernel that ours calls where C's has them inline; not in `ns_ours`.
    pub ns_ours_helpers: Option<f64>,
    /// How many samples `ns_ours` and `ns_c` are from.
    pub ns_samples: Option<Pair<u64>>,
    /// Why there are none.
    pub ns_missing: Option<String>,
    /// Of all, medians of the pairs.
    pub wall_ours_ns: Option<f64>,
    pub wall_c_ns: Option<f64>,
    /// Median of the pairs' ratios, ours to C's.
    pub wall_ratio: Option<f64>,
    /// All pairs, in order.
    pub wall_ns: Option<Pair<Vec<f64>>>,
    pub wall_missing: Option<String>,
}

/// The rows of one machine: name and time.
type Times = Vec<(String, f64)>;

/// What was measured, ours and C, for any number of rows.
pub struct Measured {
    /// Of all pairs.
    walls: Result<[Vec<Times>; 2], String>,
    sampled: Result<[Sampled; 2], String>,
}

/// A machine that perf has sampled: its rows, and when they were.
struct Sampled {
    rows: Vec<(String, Range<u64>)>,
    samples: Samples,
    rate: u64,
}

/// A file that says why something could not be measured.
fn refused(folder: &Path) -> Result<(), String> {
    match std::fs::read_to_string(folder.join("refused")) {
        Ok(reason) => Err(reason.trim().into()),
        Err(_) => Ok(()),
    }
}

fn walls(folder: &Path, implementation: &str) -> Result<Vec<Times>, String> {
    let machines: Vec<_> = (1..)
        .map(|pair| folder.join(format!("{implementation}-{pair}")))
        .take_while(|machine| machine.exists())
        .map(|machine| {
            let rows = rows(&machine)?;
            Ok(rows.into_iter().map(|row| (row.name, row.count)).collect())
        })
        .collect::<Result<_, String>>()?;
    if machines.is_empty() {
        return Err("not measured".into());
    }
    Ok(machines)
}

fn sampled(folder: &Path, implementation: &str) -> Result<Sampled, String> {
    let machine = folder.join(format!("{implementation}-sampled"));
    if !machine.exists() {
        return Err("not measured".into());
    }
    refused(&machine)?;
    let stamps = read(&machine.join("output"))?
        .lines()
        .filter_map(|line| line.strip_prefix("stamps "))
        .map(|line| {
            let (begin, end) = line.split_once(' ').ok_or("malformed stamps")?;
            let number = |word: &str| word.parse().map_err(|_| "malformed stamps");
            Ok(number(begin)?..number(end)?)
        })
        .collect::<Result<Vec<Range<u64>>, &str>>()?;
    let rows = rows(&machine)?;
    if rows.len() != stamps.len() {
        return Err(format!("{}: rows without stamps", machine.display()));
    }
    let rate = read(&machine.join("rate"))?;
    Ok(Sampled {
        rows: rows
            .into_iter()
            .zip(stamps)
            .map(|(row, stamps)| (row.name, stamps))
            .collect(),
        samples: Samples::read(&machine)?,
        rate: rate.trim().parse().map_err(|_| "malformed rate")?,
    })
}

impl Measured {
    /// Reads the machines' folders, which are in `folder`.
    pub fn read(folder: &Path) -> Measured {
        let [c, ours] = IMPLEMENTATIONS;
        let walls = || refused(folder).and_then(|()| Ok([walls(folder, ours)?, walls(folder, c)?]));
        let sampled =
            || refused(folder).and_then(|()| Ok([sampled(folder, ours)?, sampled(folder, c)?]));
        Measured {
            walls: walls(),
            sampled: sampled(),
        }
    }

    /// The names of the rows; without any, why there are none.
    pub fn names(&self) -> Result<Vec<String>, String> {
        let [ours, _] = self.walls.as_ref().map_err(Clone::clone)?;
        Ok(ours[0].iter().map(|(name, _)| name.clone()).collect())
    }

    /// The times of a row in all pairs, ours and C's.
    fn wall(&self, name: &str) -> Result<[Vec<f64>; 2], String> {
        let [ours, c] = self.walls.as_ref().map_err(Clone::clone)?;
        let of = |machines: &[Times]| {
            machines
                .iter()
                .map(|rows| {
                    let row = rows.iter().find(|row| row.0 == name);
                    row.map(|row| row.1)
                        .ok_or_else(|| format!("no row {name} in some machine"))
                })
                .collect::<Result<Vec<f64>, String>>()
        };
        Ok([of(ours)?, of(c)?])
    }

    /// The samples of a row, ours and C's.
    fn parts(&self, name: &str) -> Result<[Part; 2], String> {
        let [ours, c] = self.sampled.as_ref().map_err(Clone::clone)?;
        let of = |sampled: &Sampled| {
            let (_, stamps) = sampled
                .rows
                .iter()
                .find(|row| row.0 == name)
                .ok_or_else(|| format!("no samples of {name}"))?;
            sampled.samples.between(stamps, sampled.rate)
        };
        Ok([of(ours)?, of(c)?])
    }

    pub fn row(&self, name: &str) -> Silicon {
        let mut silicon = Silicon::default();
        let [ours, c] = match self.wall(name) {
            Ok(walls) => walls,
            Err(reason) => {
                silicon.ns_missing = Some(reason.clone());
                silicon.wall_missing = Some(reason);
                return silicon;
            }
        };
        let ratios: Vec<f64> = ours.iter().zip(&c).map(|(ours, c)| ours / c).collect();
        let (wall_ours, wall_c) = (median(&ours), median(&c));
        silicon.wall_ours_ns = Some(wall_ours);
        silicon.wall_c_ns = Some(wall_c);
        silicon.wall_ratio = Some(median(&ratios));
        silicon.wall_ns = Some(Pair { ours, c });
        match self.parts(name) {
            Ok([ours, c]) => {
                let part = |wall: f64, samples: u64, part: &Part| {
                    Some(wall * samples as f64 / part.all as f64)
                };
                silicon.ns_ours = part(wall_ours, ours.module, &ours);
                silicon.ns_ours_helpers = part(wall_ours, ours.helpers, &ours);
                silicon.ns_c = part(wall_c, c.module, &c);
                silicon.ns_samples = Some(Pair {
                    ours: ours.module,
                    c: c.module,
                });
            }
            Err(reason) => silicon.ns_missing = Some(reason),
        }
        silicon
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How far the values are apart, in per cent of their median.
fn spread(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    (most - least) / median(values) * 100.0
}

/// A number, or nothing.
fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.decimals$}"))
}

/// The module's time with the error that so many samples leave.
fn sampled_cell(time: Option<f64>, samples: Option<u64>) -> String {
    match (time, samples) {
        (Some(time), Some(samples)) if samples > 0 => {
            format!("{time:.0} ±{:.0}", time / (samples as f64).sqrt())
        }
        (time, _) => cell(time, 0),
    }
}

/// Prints the table of all rows.
pub fn print_all(folder: &Path) -> Result<(), String> {
    let measured = Measured::read(folder);
    let rows: Vec<_> = measured
        .names()?
        .into_iter()
        .map(|name| (measured.row(&name), name))
        .collect();
    print(rows.iter().map(|(row, name)| (name.as_str(), row)));
    Ok(())
}

/// Prints the table of these rows.
pub fn print<'a>(rows: impl Iterator<Item = (&'a str, &'a Silicon)> + Clone) {
    println!(
        "{:<20} {:>10} {:>10} {:>6} {:>8} {:>9} {:>9} {:>6} {:>10}",
        "nanoseconds", "ours", "C", "ratio", "helpers", "ours", "C", "ratio", "spread, %"
    );
    println!(
        "{:<20} {:>28} {:>8} {:>26} {:>10}",
        "per operation", "in fuse.ko", "of ours", "wall time", "ours/C"
    );
    for (name, row) in rows.clone() {
        let samples = row.ns_samples.as_ref();
        let ratio = match (row.ns_ours, row.ns_c) {
            (Some(ours), Some(c)) if c > 0.0 => Some(ours / c),
            _ => None,
        };
        let spreads = row.wall_ns.as_ref().map_or("-".into(), |pairs| {
            format!("{:.1}/{:.1}", spread(&pairs.ours), spread(&pairs.c))
        });
        println!(
            "{:<20} {:>10} {:>10} {:>6} {:>8} {:>9} {:>9} {:>6} {:>10}",
            name,
            sampled_cell(row.ns_ours, samples.map(|samples| samples.ours)),
            sampled_cell(row.ns_c, samples.map(|samples| samples.c)),
            cell(ratio, 3),
            cell(row.ns_ours_helpers, 0),
            cell(row.wall_ours_ns, 0),
            cell(row.wall_c_ns, 0),
            cell(row.wall_ratio, 3),
            spreads,
        );
    }
    // The first of each kind: mostly it is the same for all.
    if let Some((name, reason)) = rows
        .clone()
        .find_map(|(name, row)| Some((name, row.ns_missing.as_ref()?)))
    {
        println!("no nanoseconds in fuse.ko ({name}): {reason}");
    }
    if let Some((name, reason)) = rows
        .clone()
        .find_map(|(name, row)| Some((name, row.wall_missing.as_ref()?)))
    {
        println!("no wall time ({name}): {reason}");
    }
}
