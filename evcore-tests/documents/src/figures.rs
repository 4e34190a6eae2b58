//! The table of README.md, and the same table at the top of docs/benchmarks/README.md, agree with
//! docs/benchmarks/results.csv to the last digit. A whole run of `.ci/benchmarks` writes all three.

use std::collections::HashMap;

use crate::{Outcome, outcome};

const RESULTS: &str = "docs/benchmarks/results.csv";
const BEGIN: &str = "<!-- figures of docs/benchmarks";
const END: &str = "<!-- end of the figures";

fn check(name: &str, page: &str, results: &str) -> Outcome {
    let inside = page.lines().skip_while(|line| !line.starts_with(BEGIN)).take_while(|line| !line.starts_with(END));
    let found: Vec<_> = inside.filter(|line| line.starts_with('|')).collect();
    let expected = table(results);
    let mut wrong = Vec::new();
    for at in 0..found.len().max(expected.len()) {
        let (on_page, in_file) =
            (found.get(at).copied().unwrap_or("nothing"), expected.get(at).map_or("nothing", |row| row));
        if on_page != in_file {
            wrong.push(format!("{name} says: {on_page}\n{RESULTS} says: {in_file}"));
        }
    }
    outcome(wrong, format!("{name}: {} rows", found.len()))
}

/// The rows that the page must have.
fn table(results: &str) -> Vec<String> {
    // The median of workload, kind, n, active, figure, peer.
    let medians: HashMap<[&str; 6], f64> = results.lines().filter_map(median).collect();
    let mut rows = vec![
        "| an event of the ring | | by hand | evcore | evcore : by hand | libev | libevent |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (workload, n, active, by_hand, what) in [
        ("w1", "1000", "100", "raw", "1,000 pipes, 100 active"),
        ("w1", "100", "1", "raw", "100 pipes, 1 active"),
        ("w2", "1000", "100", "raw/heap", "1,000 pipes, 100 active, an idle timeout on each"),
        ("w2", "100", "1", "raw/heap", "100 pipes, 1 active, an idle timeout on each"),
    ] {
        for (figure, unit) in [("instr", "instructions"), ("cpu", "processor time, ns")] {
            let of = |peer| medians.get(&[workload, "", n, active, figure, peer]).copied();
            let (by_hand, ours) = (of(by_hand), of("evcore/epoll"));
            let ratio = by_hand.zip(ours).map_or("–".to_owned(), |(by_hand, ours)| format!("{:.2}", ours / by_hand));
            let [by_hand, ours, libev, libevent] = [by_hand, ours, of("libev"), of("libevent")].map(short);
            rows.push(format!("| {what} | {unit} | {by_hand} | {ours} | {ratio} | {libev} | {libevent} |"));
        }
    }
    rows
}

fn median(line: &str) -> Option<([&str; 6], f64)> {
    let columns: Vec<_> = line.split(',').collect();
    Some((columns.get(..6)?.try_into().ok()?, columns.get(7)?.parse().ok()?))
}

/// Three significant digits.
fn short(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value < 0.005 => "0.00".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) if value < 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::read;

    #[test]
    fn figures_are_those_of_results() {
        let results = read(RESULTS);
        for page in ["README.md", "docs/benchmarks/README.md"] {
            crate::hold(check(page, &read(page), &results));
        }
    }

    const FILE: &str = "w1,,1000,100,instr,raw,-,200,1,2,7\nw1,,1000,100,instr,evcore/epoll,0,260.6,1,2,7\n\
                        w1,,1000,100,instr,libev,4,25.04,1,2,7\nw1,,1000,100,instr,libevent,2,1.005,1,2,7\n";

    #[test]
    fn notices_wrong_and_missing_rows() {
        let rows = table(FILE);
        assert_eq!(rows[2], "| 1,000 pipes, 100 active | instructions | 200 | 261 | 1.30 | 25.0 | 1.00 |");
        assert_eq!(rows[3], "| 1,000 pipes, 100 active | processor time, ns | – | – | – | – | – |");
        let page = format!("{BEGIN} -->\n{}\n{END} -->\n", rows.join("\n"));
        assert_eq!(check("page", &page, FILE).unwrap(), "page: 10 rows");

        let wrong = check("page", &page.replace("| 261 |", "| 260 |"), FILE).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].contains("| 260 |") && wrong[0].contains("| 261 |"), "{wrong:?}");
        assert_eq!(check("page", &page.replace(BEGIN, "<!-- x"), FILE).unwrap_err().len(), 10);
        assert_eq!(check("page", &page, "").unwrap_err().len(), 1);
        assert_eq!(
            check("page", &page.replace(END, "| one more |\n<!-- end of the figures"), FILE).unwrap_err().len(),
            1
        );
    }
}
