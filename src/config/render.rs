//! Problems as text: place, line of the source, caret, remedy.

use std::{fmt, ops::Range};

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Message, Origin, Renderer, Snippet,
};

use super::{
    problem::{Problem, Problems, SHOWN, Severity, Where},
    secret,
    source::{Place, Source},
};

/// How a problem of a variable names its place.
pub(super) const ENVIRONMENT: &str = "the environment";
const HIDDEN: &str = "…";

impl Problems {
    /// The complete text: each with its line of the source, then how many there are.
    pub fn render(&self, color: bool) -> String {
        let mut text = all(&self.sources, &self.list[..self.len().min(SHOWN)], color);
        if self.len() > SHOWN {
            text += &format!("... and {} more\n\n", self.len() - SHOWN);
        }
        text + &format!("{} in {}", self.summary(), self.places())
    }

    /// How many there are of each kind, as in "2 warnings and 1 note".
    pub fn summary(&self) -> String {
        let nouns = [
            (Severity::Error, "problem"),
            (Severity::Warning, "warning"),
            (Severity::Note, "note"),
        ];
        let mut counts = Vec::new();
        for (severity, noun) in nouns {
            match self.count(severity) {
                0 => {}
                1 => counts.push(format!("1 {noun}")),
                many => counts.push(format!("{many} {noun}s")),
            }
        }
        let last = counts.pop().unwrap_or_default();
        if counts.is_empty() {
            last
        } else {
            format!("{} and {last}", counts.join(", "))
        }
    }

    /// The names of what has problems, each once.
    fn places(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for problem in &self.list {
            let name = match problem.at {
                Where::At(place) => &self.sources[place.source].name,
                Where::File => &self.sources[0].name,
                Where::Environment => ENVIRONMENT,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(" and ")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// As `Display`: the sources hold secrets, which only the rendering hides.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text of `problems`, with an empty line after each.
fn all(sources: &[Source], problems: &[Problem], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let hidden: Vec<_> = sources
        .iter()
        .map(|source| secret::ranges(&source.text))
        .collect();
    let page = Page { sources, hidden };
    problems
        .iter()
        .map(|problem| renderer.render(&page.report(problem)) + "\n\n")
        .collect()
}

/// What the lines are cut from.
struct Page<'a> {
    sources: &'a [Source],
    /// The secrets of each source.
    hidden: Vec<Vec<Range<usize>>>,
}

impl Page<'_> {
    fn report<'r>(&'r self, problem: &'r Problem) -> Vec<Group<'r>> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(secret::masked(&problem.message));
        let mut first = Group::with_title(title);
        first = match problem.at {
            Where::At(place) => first.element(self.snippet(place, problem.secret)),
            Where::File => first.element(Origin::path(self.sources[0].name.as_str())),
            Where::Environment => first.element(Origin::path(ENVIRONMENT)),
        };
        if let Some(help) = &problem.help {
            let help: Message<'r> = Level::HELP.message(secret::masked(help));
            first = first.element(help);
        }
        let note = problem.note.as_ref().map(|(text, place)| {
            Level::NOTE
                .secondary_title(text.as_str())
                .element(self.snippet(*place, false))
        });
        std::iter::once(first).chain(note).collect()
    }

    /// The line of `place` with its secrets hidden, underlined up to its end at most.
    fn snippet(&self, place: Place, secret: bool) -> Snippet<'_, Annotation<'_>> {
        let source = &self.sources[place.source];
        let line = source.line(place.start);
        let start = source
            .text
            .floor_char_boundary(place.start)
            .clamp(line.start, line.end);
        let end = source
            .text
            .floor_char_boundary(place.end)
            .clamp(start, line.end);
        let mut hidden = self.hidden[place.source].clone();
        if secret && let Some((gap, value)) = source.text[end..line.end].split_once('=') {
            let blanks = value.len() - value.trim_start().len();
            hidden.push(end + gap.len() + 1 + blanks..line.end);
            hidden.sort_by_key(|range| range.start);
        }
        let (text, marked) = hide(&source.text[..line.end], line.start, start..end, &hidden);
        Snippet::source(text)
            .path(source.name.as_str())
            .line_start(line.number)
            .annotation(AnnotationKind::Primary.span(marked))
    }
}

/// `text` from `from` on without what is `hidden`, and where `marked` is in it.
fn hide(
    text: &str,
    from: usize,
    marked: Range<usize>,
    hidden: &[Range<usize>],
) -> (String, Range<usize>) {
    let mut out = String::new();
    let mut at = from;
    let mut moved: Range<Option<usize>> = None..None;
    for range in hidden
        .iter()
        .filter(|range| range.end > from && range.start < text.len())
    {
        let range = range.start.max(at)..range.end.min(text.len());
        if range.is_empty() {
            continue;
        }
        copy(text, at..range.start, &marked, &mut moved, &mut out);
        let inside = out.len();
        // What is marked behind a secret keeps its column, so there the length shows.
        let width = if marked.start >= range.end {
            text[range.clone()].chars().count()
        } else {
            1
        };
        out += &HIDDEN.repeat(width);
        if range.contains(&marked.start) {
            moved.start = moved.start.or(Some(inside));
        }
        if range.contains(&marked.end) {
            moved.end = moved.end.or(Some(out.len()));
        }
        at = range.end;
    }
    copy(text, at..text.len(), &marked, &mut moved, &mut out);
    let start = moved.start.unwrap_or(out.len());
    let end = moved.end.unwrap_or(out.len()).max(start);
    (out, start..end)
}

/// Appends `range` of `text` and notes where the ends of `marked` came to lie.
fn copy(
    text: &str,
    range: Range<usize>,
    marked: &Range<usize>,
    moved: &mut Range<Option<usize>>,
    out: &mut String,
) {
    let shifted = |offset: usize| {
        range
            .contains(&offset)
            .then(|| out.len() + offset - range.start)
    };
    moved.start = moved.start.or(shifted(marked.start));
    moved.end = moved.end.or(shifted(marked.end));
    out.push_str(&text[range.clone()]);
}
