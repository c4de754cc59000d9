// SPDX-License-Identifier: GPL-2.0
//! What the host asks for: the file `/rf/job` in the initrd, one `key=value` a line.

use std::time::Duration;

#[derive(Debug, Default)]
pub struct Job {
    /// Which module is under test: `rust` or `c`. Only handed on to the suite.
    pub implementation: String,
    /// Which kernel this is, `plain`, `debug` or `small`.
    pub kernel: String,
    /// Load no module at all.
    pub no_module: bool,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Added to the command's environment.
    pub env: Vec<(String, String)>,
    /// How long the command may take.
    pub limit: Duration,
    /// Ask kmemleak before and after the module is unloaded.
    pub kmemleak: bool,
    /// The command talks to the serial console instead of the results port.
    pub interactive: bool,
}

impl Job {
    pub fn parse(text: &str) -> Result<Job, String> {
        let mut job = Job {
            limit: Duration::from_secs(60),
            ..Job::default()
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| format!("job: no value in {line:?}"))?;
            match key {
                "impl" => job.implementation = value.into(),
                "kernel" => job.kernel = value.into(),
                "nomodule" => job.no_module = value == "1",
                "arg" => job.command.push(value.into()),
                "env" => {
                    let (name, value) = value
                        .split_once('=')
                        .ok_or_else(|| format!("job: no value in {line:?}"))?;
                    job.env.push((name.into(), value.into()));
                }
                "limit" => {
                    let seconds = value.parse().map_err(|_| format!("job: bad {line:?}"))?;
                    job.limit = Duration::from_secs(seconds);
                }
                "kmemleak" => job.kmemleak = value == "1",
                "interactive" => job.interactive = value == "1",
                _ => return Err(format!("job: unknown key {key:?}")),
            }
        }
        if job.command.is_empty() {
            return Err("job: no command".into());
        }
        Ok(job)
    }
}
