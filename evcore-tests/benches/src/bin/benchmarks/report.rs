//! The page, the table and the plots. The page's text is `template.md`; every figure in it is filled in here.

use std::io;
use std::time::Duration;

use crate::machine::Machine;
use crate::peers::Peer;
use crate::results::Results;
use crate::settings::Settings;
use crate::{plots, tables, targets, tasks};

const WORKLOADS: [&str; 7] = ["w1", "w2", "w3", "w4", "w5", "w6", "w7"];

/// Surrounds the table in README.md, and the same table at the top of the page.
const BEGIN: &str = "<!-- figures of docs/benchmarks, written by .ci/benchmarks -->";
const END: &str = "<!-- end of the figures -->";

pub(crate) fn write(
    settings: &Settings,
    machine: &Machine,
    peers: &[Peer],
    results: &Results,
    took: Duration,
) -> io::Result<()> {
    std::fs::create_dir_all(&settings.out)?;
    if settings.tasks {
        std::fs::write(settings.out.join("tasks.csv"), results.csv(peers))?;
        let page = fill(include_str!("tasks.md"), settings, machine, peers, took);
        return std::fs::write(settings.out.join("tasks.md"), tasks::fill(&page, results));
    }
    std::fs::write(settings.out.join("results.csv"), results.csv(peers))?;
    let plots = plots::draw(&settings.out, results)?;
    let page = page(settings, machine, peers, results, &plots, took)?;
    std::fs::write(settings.out.join("README.md"), page)?;
    let Some(readme) = &settings.readme else { return Ok(()) };
    let text = std::fs::read_to_string(readme)?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| io::Error::other("README.md: no place for the table"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| io::Error::other("README.md: the table has no end"))?;
    std::fs::write(readme, format!("{before}{BEGIN}\n\n{}\n{END}{after}", tables::summary(results)))
}

fn page(
    settings: &Settings,
    machine: &Machine,
    peers: &[Peer],
    results: &Results,
    plots: &[plots::Plot],
    took: Duration,
) -> io::Result<String> {
    let mut page = fill(include_str!("template.md"), settings, machine, peers, took)
        .replace("{{summary}}", &format!("{BEGIN}\n\n{}\n{END}", tables::summary(results)))
        .replace("{{faces}}", &tables::faces(results))
        .replace("{{calls}}", &tables::calls(results))
        .replace("{{w8}}", &tables::curves(results, peers))
        .replace("{{targets}}", &targets::table(results));
    for workload in WORKLOADS {
        let images: Vec<_> = plots
            .iter()
            .filter(|plot| plot.workload == workload)
            .map(|plot| format!("![{}]({})", plot.title, plot.file))
            .collect();
        let is_there = results.keys().any(|key| key.workload == workload);
        let text = match is_there {
            true => [tables::against(results, workload), images.join("\n"), tables::all(results, workload, peers)]
                .join("\n\n"),
            false => "Not measured in this run.\n".to_owned(),
        };
        page = page.replace(&format!("{{{{{workload}}}}}"), text.trim_end());
    }
    // Remove repeated empty lines.
    while page.contains("\n\n\n") {
        page = page.replace("\n\n\n", "\n\n");
    }
    match page.split_once("{{") {
        None => Ok(page),
        Some((_, rest)) => {
            Err(io::Error::other(format!("template.md: nothing to fill in for {}", &rest[..rest.len().min(20)])))
        }
    }
}

/// Fills in the settings and the machine in a template.
fn fill(template: &str, settings: &Settings, machine: &Machine, peers: &[Peer], took: Duration) -> String {
    let versions: Vec<_> =
        peers.iter().filter(|peer| peer.version != "-").map(|peer| format!("{} {}", peer.name, peer.version)).collect();
    let unquiet = "The machine was not idle: use the times only for ratios within this run.";
    let notice = [(settings.quick, "This is a quick run: few rounds, few sizes."), (machine.load > 0.5, unquiet)];
    let notices: Vec<_> = notice.into_iter().filter(|(is_due, _)| *is_due).map(|(_, text)| text).collect();
    template
        .replace("{{command}}", &settings.command())
        .replace("{{machine}}", &machine.to_string())
        .replace("{{versions}}", &versions.join(", "))
        .replace("{{took}}", &took.as_secs().div_ceil(60).to_string())
        .replace("{{notices}}", &notices.join(" "))
}
