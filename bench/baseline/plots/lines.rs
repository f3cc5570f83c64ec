//! Lines over a common axis, with times on a logarithmic one.

use super::FOUR;
use crate::Failure;
use plotters::prelude::*;

pub(super) struct Lines {
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Lines {
    pub(super) fn draw(&self) -> Result<String, Failure> {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let right = all().map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max);
        let most = all().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
        let least = all()
            .map(|(_, y)| *y)
            .fold(most, f64::min)
            .max(f64::MIN_POSITIVE);
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (860, 420)).into_drawing_area();
            area.fill(&WHITE)?;
            let mut chart = ChartBuilder::on(&area)
                .caption(self.title, ("sans-serif", 17))
                .margin(12)
                .x_label_area_size(40)
                .y_label_area_size(56)
                .build_cartesian_2d(0.0..right, (least / 1.5..most * 1.5).log_scale())?;
            chart
                .configure_mesh()
                .x_desc(self.x)
                .y_desc("ms")
                .y_label_formatter(&|ms| crate::page::digits(*ms))
                .x_label_formatter(&|x| crate::page::thousands(crate::sample::whole(*x) as u64))
                .light_line_style(WHITE)
                .draw()?;
            for (line, colour) in self.lines.iter().zip(FOUR) {
                chart
                    .draw_series(LineSeries::new(
                        line.points.iter().copied(),
                        colour.stroke_width(2),
                    ))?
                    .label(line.name.as_str())
                    .legend(move |(x, y)| {
                        Rectangle::new([(x, y - 2), (x + 16, y + 2)], colour.filled())
                    });
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.9))
                .border_style(RGBColor(180, 180, 180))
                .draw()?;
            area.present()?;
        }
        Ok(svg)
    }
}
