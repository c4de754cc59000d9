// SPDX-License-Identifier: GPL-2.0

//! `replay FILE...`: replays each trace; fails if one is rejected.

use engine_replay::{parse, replay};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut rejected = 0;
    for file in std::env::args_os().skip(1) {
        let name = file.to_string_lossy().into_owned();
        let result = std::fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| replay(&parse(&text)?));
        match result {
            Ok(summary) => println!("{name}: {summary}"),
            Err(why) => {
                println!("{name}: rejected: {why}");
                rejected += 1;
            }
        }
    }
    ExitCode::from(u8::from(rejected > 0))
}
