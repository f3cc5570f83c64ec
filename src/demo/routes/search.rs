//! `/api/search` by words, and `/api/naive/search` by any part of a text.

use axum::{extract::State, response::Response};

use super::app::App;
use crate::demo::{
    caching::{Conditions, Resource},
    page::{List, Numbered},
    problem::Problem,
    queries::search::{self, Words},
    receive::Parameters,
};

const LENGTH: usize = 100;
/// How deep the results can be read by the number of their page.
const DEEPEST: u32 = 1000;

pub(crate) async fn by_words(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let text = parameters.text("q", LENGTH)?;
    let words = Words::of(text).ok_or(Problem::Parameter {
        name: "q",
        allowed: "a text with a letter or a digit in it".to_owned(),
    })?;
    let window = parameters.window(List::Search)?;
    let page = search::search(&app.pools, &words, &window).await?;
    app.list(Resource::Search, "messages".to_owned(), &conditions, &page)
}

pub(crate) async fn naive(
    State(app): State<App>,
    conditions: Conditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let text = parameters.text("q", LENGTH)?;
    let place = parameters.place(DEEPEST)?;
    let rows = search::scan(&app.pools, text, place.rows(), place.offset()).await?;
    let page = Numbered::new(rows, &place);
    app.list(Resource::Search, "messages".to_owned(), &conditions, &page)
}
