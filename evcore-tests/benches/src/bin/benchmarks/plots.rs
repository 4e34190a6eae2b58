//! Plots of cost against N.

use std::error::Error;
use std::io;
use std::path::Path;

use plotters::prelude::*;

use crate::peers::LIST;
use crate::results::{Key, Results};

/// A plot that was drawn.
pub(crate) struct Plot {
    pub(crate) workload: &'static str,
    pub(crate) title: String,
    pub(crate) file: String,
}

/// The keys of a plot, and their name.
struct Subject {
    workload: &'static str,
    title: String,
    file: String,
    unit: &'static str,
    keys: Vec<Key>,
}

type Line = (&'static str, usize, Vec<(f64, f64)>);

/// Draws everything that was measured at two or more sizes.
pub(crate) fn draw(directory: &Path, results: &Results) -> io::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for subject in subjects(results) {
        let lines = lines(results, &subject.keys);
        if lines.iter().all(|(_, _, points)| points.len() < 2) {
            continue;
        }
        picture(&directory.join(&subject.file), &subject, &lines)
            .map_err(|error| io::Error::other(error.to_string()))?;
        plots.push(Plot { workload: subject.workload, title: subject.title, file: subject.file });
    }
    Ok(plots)
}

fn subjects(results: &Results) -> Vec<Subject> {
    let keys = |choose: &dyn Fn(&Key) -> bool| results.keys().filter(|key| choose(key)).cloned().collect::<Vec<_>>();
    let mut subjects = Vec::new();
    for (workload, what) in [("w1", "pipe ring"), ("w2", "pipe ring with idle timeouts")] {
        for (is_one, name, active) in [(true, "one", "1 active"), (false, "tenth", "a tenth active")] {
            let of = |key: &Key| {
                key.workload == workload && key.kind.is_empty() && key.figure == "cpu" && (key.active == 1) == is_one
            };
            let (title, file) = (format!("{what}, {active}"), format!("{workload}-{name}.svg"));
            subjects.push(Subject { workload, title, file, unit: "processor time an event, ns", keys: keys(&of) });
        }
    }
    for kind in ["pair", "toggle", "bulk", "oneshot"] {
        let of = |key: &Key| key.workload == "w3" && key.kind == kind && key.figure == "cpu";
        let (title, file) = (format!("changes of interest: {kind}"), format!("w3-{kind}.svg"));
        subjects.push(Subject { workload: "w3", title, file, unit: "processor time each, ns", keys: keys(&of) });
    }
    for phase in ["insert", "cancel", "add", "again", "rearm", "expire"] {
        let of = |key: &Key| key.workload == "w4" && key.kind == "random" && key.figure == phase;
        let (title, file) = (format!("timers in random order: {phase}"), format!("w4-{phase}.svg"));
        subjects.push(Subject { workload: "w4", title, file, unit: "processor time each, ns", keys: keys(&of) });
    }
    for (figure, unit) in [("rate", "requests a second"), ("p99", "latency that 99 % do not exceed, ns")] {
        let of = |key: &Key| key.workload == "w5" && key.figure == figure;
        let (title, file) = (format!("TCP echo: {unit}"), format!("w5-{figure}.svg"));
        subjects.push(Subject { workload: "w5", title, file, unit, keys: keys(&of) });
    }
    subjects
}

/// A line for each peer: its name, its index, its points.
fn lines(results: &Results, keys: &[Key]) -> Vec<Line> {
    let line = |(place, name): (usize, &'static str)| {
        // Values near zero have no place on a logarithmic scale.
        let point = |key: &Key| Some((key.n as f64, results.median(key, name)?.max(0.1)));
        let points: Vec<_> = keys.iter().filter_map(point).collect();
        (!points.is_empty()).then_some((name, place, points))
    };
    LIST.iter().map(|entry| entry.name).enumerate().filter_map(line).collect()
}

/// A colour that can be distinguished from its neighbours'.
fn colour(place: usize) -> RGBColor {
    const COLOURS: [RGBColor; 13] = [
        RGBColor(0, 0, 0),
        RGBColor(120, 120, 120),
        RGBColor(0, 0, 0),
        RGBColor(120, 120, 120),
        RGBColor(214, 39, 40),
        RGBColor(240, 130, 120),
        RGBColor(250, 180, 170),
        RGBColor(31, 119, 180),
        RGBColor(23, 170, 190),
        RGBColor(44, 140, 44),
        RGBColor(148, 103, 189),
        RGBColor(255, 127, 14),
        RGBColor(140, 86, 75),
    ];
    COLOURS[place % COLOURS.len()]
}

fn picture(path: &Path, subject: &Subject, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|(_, _, points)| points.iter());
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)))
    };
    let (left, right) = span(&mut points().map(|(x, _)| *x));
    let (bottom, top) = span(&mut points().map(|(_, y)| *y));
    let root = SVGBackend::new(path, (860, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    // The names are beside the plot, where they cover no line.
    let (plot, names) = root.split_horizontally(700);
    let mut chart = ChartBuilder::on(&plot)
        .margin(10)
        .caption(&subject.title, ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((left..right).log_scale(), (bottom * 0.8..top * 1.25).log_scale())?;
    chart.configure_mesh().x_desc("N").y_desc(subject.unit).light_line_style(WHITE).draw()?;
    for (place, (name, number, points)) in lines.iter().enumerate() {
        let style = colour(*number).stroke_width(if *number < 5 { 3 } else { 2 });
        chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour(*number).filled())))?;
        let height = 50 + 24 * place as i32;
        names.draw(&PathElement::new([(5, height), (30, height)], style))?;
        names.draw(&Text::new(*name, (38, height - 7), ("sans-serif", 14)))?;
    }
    root.present()?;
    Ok(())
}
