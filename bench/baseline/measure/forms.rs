//! The N+1 problem and its ways out: the same list of 100 in each form.

use super::Rig;
use crate::{Failure, figures::Form, sample::Times};
use std::time::Duration;
use tokio::time::Instant;

const FORMS: [(&str, &str); 8] = [
    ("conversations", "naive"),
    ("conversations", "joined"),
    ("conversations", "batched"),
    ("conversations", "loaded"),
    ("threads", "naive"),
    ("threads", "cached"),
    ("threads", "batched"),
    ("threads", "loaded"),
];

/// They take turns, so that a machine that is busy meanwhile is busy for all.
pub(super) async fn measure(rig: &Rig<'_>) -> Result<Vec<Form>, Failure> {
    let mut client = rig.backend.client().await?;
    let mut patience = rig.patience();
    patience.time *= 3; // for all of them
    let began = Instant::now();
    let mut samples = vec![Vec::new(); FORMS.len()];
    let mut statements = vec![0; FORMS.len()];
    while patience.wants(samples[0].len(), began) {
        for (place, (list, form)) in FORMS.into_iter().enumerate() {
            let path = format!("/api/{form}/{list}?limit=100");
            let answer = client.get(&path).await?;
            let (number, database_ms) = answer.statements()?;
            statements[place] = number;
            samples[place].push((answer.took, Duration::from_secs_f64(database_ms / 1e3)));
        }
    }
    let forms = FORMS.into_iter().zip(samples).zip(statements);
    let forms = forms.map(|(((list, form), samples), statements)| {
        let (took, database): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        Form {
            list,
            form,
            statements,
            database_ms: Times::of(database).median_ms,
            time: Times::of(took),
        }
    });
    Ok(forms.collect())
}
