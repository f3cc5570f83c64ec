//! The plots, as SVG.

mod bars;
mod lines;

use self::{
    bars::{Bars, Group},
    lines::{Line, Lines},
};
use crate::{
    Failure,
    figures::{Figures, OfDatabase, Source},
};
use plotters::style::RGBColor;

const BLUE: RGBColor = RGBColor(31, 90, 150);
const LIGHT_BLUE: RGBColor = RGBColor(120, 170, 220);
const ORANGE: RGBColor = RGBColor(200, 95, 20);
const LIGHT_ORANGE: RGBColor = RGBColor(245, 170, 95);

/// One database is blue, the other orange; what is better is lighter.
const FOUR: [RGBColor; 4] = [BLUE, LIGHT_BLUE, ORANGE, LIGHT_ORANGE];
const TWO: [RGBColor; 2] = [BLUE, ORANGE];

/// File names and texts.
pub(crate) fn all(figures: &Figures) -> Result<Vec<(&'static str, String)>, Failure> {
    Ok(vec![
        ("reads.svg", reads(figures).draw()?),
        ("forms.svg", forms(figures).draw()?),
        ("depth.svg", depth(figures).draw()?),
        ("writes.svg", writes(figures).draw()?),
        ("indexes.svg", indexes(figures).draw()?),
        ("codings.svg", codings(figures).draw()?),
        ("load.svg", load(figures).draw()?),
    ])
}

fn names(figures: &Figures) -> Vec<&'static str> {
    figures.databases.iter().map(|of| of.name).collect()
}

/// The same of each database.
fn of_each(figures: &Figures, find: impl Fn(&OfDatabase) -> Option<f64>) -> Vec<f64> {
    figures.databases.iter().filter_map(find).collect()
}

fn reads(figures: &Figures) -> Bars {
    let groups = Source::ALL.iter().map(|source| Group {
        name: source.name().to_owned(),
        values: of_each(figures, |of| Some(of.read(*source)?.time.median_ms)),
    });
    Bars {
        title: "A list of 100, by who answers: ms, median",
        names: names(figures),
        groups: groups.collect(),
        logarithmic: true,
    }
}

fn forms(figures: &Figures) -> Bars {
    let forms = figures.databases.first().map_or(&[][..], |of| &of.forms);
    let groups = forms.iter().map(|form| Group {
        name: format!("{}, {}", form.list, form.form),
        values: of_each(figures, |of| {
            Some(of.form(form.list, form.form)?.time.median_ms)
        }),
    });
    Bars {
        title: "The same list of 100 in each form: ms, median",
        names: names(figures),
        groups: groups.collect(),
        logarithmic: true,
    }
}

fn writes(figures: &Figures) -> Bars {
    let writes = figures.databases.first().map_or(&[][..], |of| &of.writes);
    let groups = writes.iter().map(|write| Group {
        name: write.way.name().to_owned(),
        values: of_each(figures, |of| Some(of.write(write.way)?.time.median_ms)),
    });
    Bars {
        title: "Many messages, by how they are written: ms for all, median",
        names: names(figures),
        groups: groups.collect(),
        logarithmic: true,
    }
}

fn indexes(figures: &Figures) -> Bars {
    let indexes = figures.databases.first().map_or(&[][..], |of| &of.indexes);
    let groups = indexes.iter().map(|index| {
        let of = figures
            .databases
            .iter()
            .filter_map(|of| of.indexes.iter().find(|i| i.name == index.name));
        Group {
            name: index.name.to_owned(),
            values: of
                .flat_map(|index| [index.without.median_ms, index.with.median_ms])
                .collect(),
        }
    });
    Bars {
        title: "The request that an index is for: ms, median",
        names: vec![
            "SQLite without",
            "SQLite with",
            "PostgreSQL without",
            "PostgreSQL with",
        ],
        groups: groups.collect(),
        logarithmic: true,
    }
}

fn codings(figures: &Figures) -> Bars {
    let groups = figures.codings.iter().map(|coding| Group {
        name: coding.coding.to_owned(),
        values: vec![coding.bytes as f64 / 1000.0],
    });
    Bars {
        title: "The same list of 100 in each coding: kB",
        names: vec!["kB"],
        groups: groups.collect(),
        logarithmic: false,
    }
}

fn depth(figures: &Figures) -> Lines {
    let lines = figures.databases.iter().flat_map(|of| {
        let offset = of
            .depths
            .iter()
            .map(|depth| (f64::from(depth.behind), depth.offset.median_ms));
        let cursor = of
            .depths
            .iter()
            .map(|depth| (f64::from(depth.behind), depth.cursor.median_ms));
        [
            Line {
                name: format!("{}, offset", of.name),
                points: offset.collect(),
            },
            Line {
                name: format!("{}, cursor", of.name),
                points: cursor.collect(),
            },
        ]
    });
    Lines {
        title: "A page of 100 messages: ms, median",
        x: "messages before the page",
        lines: lines.collect(),
    }
}

fn load(figures: &Figures) -> Lines {
    let lines = figures.databases.iter().flat_map(|of| {
        [
            ("backend alone", &of.load.backend),
            ("stack", &of.load.stack),
        ]
        .map(|(side, figures)| Line {
            name: format!("{}, {side}", of.name),
            points: figures.curve.clone(),
        })
    });
    Lines {
        title: "Under load: so many per cent of the answers take at most … ms",
        x: "per cent",
        lines: lines.collect(),
    }
}
