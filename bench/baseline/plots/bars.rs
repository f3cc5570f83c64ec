//! Bars from left to right, in groups, with their values.

use super::{FOUR, TWO};
use crate::{Failure, sample::whole};
use plotters::prelude::*;

const WIDTH: u32 = 860;
const LEFT: i32 = 250;
const RIGHT: i32 = 90;
const TOP: i32 = 64;
const BAR: i32 = 13;
const GAP: i32 = 9;

pub(super) struct Bars {
    pub(super) title: &'static str,
    /// Of the bars of a group.
    pub(super) names: Vec<&'static str>,
    pub(super) groups: Vec<Group>,
    /// Whether a bar of twice the length stands for the square.
    pub(super) logarithmic: bool,
}

pub(super) struct Group {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

impl Bars {
    fn colours(&self) -> &'static [RGBColor] {
        if self.names.len() > TWO.len() {
            &FOUR
        } else {
            &TWO
        }
    }

    pub(super) fn draw(&self) -> Result<String, Failure> {
        let bars: usize = self.groups.iter().map(|group| group.values.len()).sum();
        let height =
            TOP + BAR * i32::try_from(bars)? + GAP * (i32::try_from(self.groups.len())? + 1);
        let mut svg = String::new();
        {
            let size = (WIDTH, u32::try_from(height)?);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&WHITE)?;
            let text = ("sans-serif", 13).into_font();
            area.draw(&Text::new(
                self.title,
                (12, 10),
                ("sans-serif", 17).into_font(),
            ))?;
            let mut x = LEFT;
            for (name, colour) in self.names.iter().zip(self.colours()) {
                area.draw(&Rectangle::new([(x, 38), (x + 12, 50)], colour.filled()))?;
                area.draw(&Text::new(*name, (x + 17, 38), text.clone()))?;
                x += 150;
            }
            let mut y = TOP + GAP;
            for group in &self.groups {
                area.draw(&Text::new(group.name.as_str(), (12, y), text.clone()))?;
                for (value, colour) in group.values.iter().zip(self.colours()) {
                    let end = LEFT + self.length(*value)?;
                    area.draw(&Rectangle::new(
                        [(LEFT, y + 1), (end, y + BAR - 1)],
                        colour.filled(),
                    ))?;
                    area.draw(&Text::new(
                        crate::page::digits(*value),
                        (end + 5, y),
                        text.clone(),
                    ))?;
                    y += BAR;
                }
                y += GAP;
            }
            area.present()?;
        }
        Ok(svg)
    }

    fn length(&self, value: f64) -> Result<i32, Failure> {
        let all = || self.groups.iter().flat_map(|group| &group.values).copied();
        let most = all().fold(f64::MIN_POSITIVE, f64::max);
        let least = all().fold(most, f64::min).max(f64::MIN_POSITIVE) / 2.0;
        let share = if self.logarithmic {
            (value / least).ln() / (most / least).ln()
        } else {
            value / most
        };
        let room = f64::from(WIDTH.cast_signed() - LEFT - RIGHT);
        Ok(i32::try_from(whole(share.clamp(0.0, 1.0) * room))?)
    }
}
